use super::*;
use crate::database;
use futures::StreamExt;
use tempfile::TempDir;

struct Bed {
    messages: Messages,
    _dir: TempDir,
}

async fn bed() -> Bed {
    let dir = tempfile::tempdir().unwrap();
    Bed { messages: Messages::new(database::open(dir.path()).await.unwrap()), _dir: dir }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(label, value)| ((*label).into(), (*value).into())).collect()
}

fn firing(name: &str, node: &str) -> Firing {
    Firing {
        name: name.into(),
        severity: "warning".into(),
        labels: labels(&[("node", node)]),
        value: Some(1.0),
        summary: format!("{node} has {name}"),
        advice: "look".into(),
        runbook: "page".into(),
        started_ms: unix_ms(),
        under: None,
    }
}

impl Bed {
    async fn fire(&self, firing: &[Firing]) -> usize {
        self.messages.reconcile(Source::Monitor, firing).await.unwrap()
    }

    /// Names, nodes and whether they fire, newest first.
    async fn seen(&self, filter: Filter) -> Vec<String> {
        let messages = self.messages.list(&filter).await.unwrap();
        let node = |message: &Message| message.labels.get("node").cloned().unwrap_or_default();
        let mark = |message: &Message| if message.ended_ms.is_some() { "-" } else { "+" };
        messages
            .iter()
            .map(|message| format!("{}{} {}", mark(message), message.name, node(message)))
            .collect()
    }

    async fn all(&self) -> Vec<String> {
        self.seen(Filter::default()).await
    }
}

#[tokio::test]
async fn an_alert_is_one_message_from_its_beginning_to_its_end() {
    let bed = bed().await;
    bed.fire(&[firing("Down", "n1")]).await;
    bed.fire(&[firing("Down", "n1")]).await;
    assert_eq!(bed.all().await, ["+Down n1"]);
    bed.fire(&[]).await;
    assert_eq!(bed.all().await, ["-Down n1"]);
    bed.fire(&[firing("Down", "n1"), firing("Down", "n2")]).await;
    assert_eq!(bed.all().await, ["+Down n2", "+Down n1", "-Down n1"], "the next time is another message");
    assert_eq!(bed.seen(Filter { open: true, ..Filter::default() }).await.len(), 2);
    let first = bed.messages.list(&Filter { limit: 1, ..Filter::default() }).await.unwrap();
    let before = Filter { before: Some(first[0].id), ..Filter::default() };
    assert_eq!(bed.seen(before).await, ["+Down n1", "-Down n1"]);
}

#[tokio::test]
async fn sources_do_not_end_each_others_messages() {
    let bed = bed().await;
    bed.messages.take(Source::Alertmanager, &[(firing("Down", "n1"), true)]).await.unwrap();
    bed.fire(&[firing("Down", "n1")]).await;
    bed.fire(&[]).await;
    assert_eq!(bed.all().await, ["-Down n1", "+Down n1"]);
    let again = [(firing("Down", "n1"), true), (firing("Other", "n2"), false)];
    bed.messages.take(Source::Alertmanager, &again).await.unwrap();
    assert_eq!(bed.all().await.len(), 2, "told again, and the end of something unknown: nothing new");
    bed.messages.take(Source::Alertmanager, &[(firing("Down", "n1"), false)]).await.unwrap();
    assert_eq!(bed.all().await, ["-Down n1", "-Down n1"]);
}

#[tokio::test]
async fn read_is_each_persons_own_and_acknowledged_is_everybodys() {
    let bed = bed().await;
    bed.fire(&[firing("Down", "n1"), firing("Down", "n2")]).await;
    let unread = async |person: &str| bed.messages.unread(person).await.unwrap();
    assert_eq!((unread("ada").await, unread("bob").await), (2, 2));
    let id = bed.messages.list(&Filter::default()).await.unwrap()[0].id;
    assert!(bed.messages.mark(id, "ada", Some(true), None).await.unwrap());
    assert_eq!((unread("ada").await, unread("bob").await), (1, 2));
    assert!(bed.messages.mark(id, "ada", Some(false), None).await.unwrap());
    assert_eq!(unread("ada").await, 2);
    assert!(bed.messages.mark(id, "bob", None, Some(true)).await.unwrap());
    assert_eq!((unread("ada").await, unread("bob").await), (2, 1), "who acknowledges has read");
    let one = Filter { id: Some(id), person: "ada".into(), ..Filter::default() };
    let message = bed.messages.list(&one).await.unwrap().remove(0);
    assert_eq!((message.acknowledged_by.as_deref(), message.read), (Some("bob"), false));
    bed.messages.mark(id, "ada", None, Some(false)).await.unwrap();
    assert_eq!(bed.messages.list(&one).await.unwrap()[0].acknowledged_by, None);
    assert!(!bed.messages.mark(999, "ada", Some(true), None).await.unwrap(), "there is no such message");
}

#[tokio::test]
async fn what_another_message_says_is_hung_under_it() {
    let bed = bed().await;
    let zone = Firing { labels: labels(&[("zone", "a")]), ..firing("ZoneDown", "") };
    let under =
        |node| Firing { under: Some(("ZoneDown".into(), zone.labels.clone())), ..firing("Down", node) };
    bed.fire(&[firing("Down", "n1")]).await;
    assert_eq!(bed.all().await, ["+Down n1"]);
    bed.fire(&[under("n1"), under("n2"), zone.clone()]).await;
    assert_eq!(bed.all().await, ["+ZoneDown "], "a dead zone is one message");
    assert_eq!(bed.messages.unread("ada").await.unwrap(), 1);
    assert_eq!(bed.messages.list(&Filter::default()).await.unwrap()[0].children, 2);
    assert_eq!(bed.seen(Filter { all: true, ..Filter::default() }).await.len(), 3);
    bed.fire(&[firing("Down", "n2")]).await;
    assert_eq!(bed.all().await, ["-ZoneDown ", "+Down n2"], "what is left stands for itself");
}

#[tokio::test]
async fn files_are_named_later() {
    let bed = bed().await;
    bed.fire(&[firing("Down", "n1")]).await;
    let message = bed.messages.list(&Filter::default()).await.unwrap().remove(0);
    assert_eq!(message.files, None);
    let files = Files { count: 3, owners: vec!["ada".into()], tags: vec!["x\"]".into(), "文件".into()] };
    bed.messages.set_files(message.id, &files).await.unwrap();
    assert_eq!(bed.messages.list(&Filter::default()).await.unwrap()[0].files, Some(files));
}

fn silence(name: &str, pairs: &[(&str, &str)], begins: i64, ends: i64) -> NewSilence {
    let now = unix_ms();
    NewSilence {
        name: name.into(),
        labels: labels(pairs),
        begins_ms: now + begins * 1000,
        ends_ms: now + ends * 1000,
        author: "ada".into(),
        reason: "a new disk".into(),
    }
}

#[tokio::test]
async fn what_is_silenced_is_there_and_nobody_is_told() {
    let bed = bed().await;
    bed.fire(&[firing("Down", "n1"), firing("Down", "n2"), firing("Slow", "n1")]).await;
    let id = bed.messages.add_silence(&silence("Down", &[("node", "n1")], 0, 60)).await.unwrap();
    assert_eq!(bed.all().await, ["+Slow n1", "+Down n2"]);
    assert_eq!(bed.messages.unread("ada").await.unwrap(), 2);
    assert_eq!(bed.seen(Filter { all: true, ..Filter::default() }).await.len(), 3);
    bed.messages.add_silence(&silence("", &[("node", "n2")], 30, 60)).await.unwrap();
    assert_eq!(bed.all().await.len(), 2, "a window that has not begun silences nothing");
    assert_eq!(bed.messages.silences().await.unwrap().len(), 2);
    assert!(bed.messages.end_silence(id).await.unwrap());
    assert!(!bed.messages.end_silence(id).await.unwrap());
    assert_eq!(bed.all().await.len(), 3);
}

#[tokio::test]
async fn a_silence_has_an_end_and_an_object() {
    let bed = bed().await;
    let many: Vec<(String, String)> = (0..17).map(|n| (format!("l{n}"), "x".into())).collect();
    let many: Vec<(&str, &str)> =
        many.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
    for bad in [
        silence("", &[], 0, 60),
        silence("Down", &[], 60, 60),
        silence("Down", &[], -60, -1),
        silence("Down", &[], 0, 91 * 24 * 3600),
        silence("Down", &many, 0, 60),
        silence(&"x".repeat(501), &[], 0, 60),
    ] {
        assert!(matches!(bed.messages.add_silence(&bad).await, Err(SilenceError::Invalid(_))), "{bad:?}");
    }
}

#[tokio::test]
async fn there_is_an_end_to_what_is_kept() {
    let bed = bed().await;
    let many: Vec<Firing> = (0..OPEN_MAX + 5).map(|node| firing("Down", &format!("n{node}"))).collect();
    assert_eq!(bed.fire(&many).await, 5, "so many were dropped");
    assert_eq!(bed.fire(&[]).await, 0);
    let old = unix_ms() - KEPT_MS - 1000;
    sqlx::query("UPDATE messages SET started_ms = ?, ended_ms = ? WHERE id <= 100")
        .bind(old)
        .bind(old)
        .execute(&bed.messages.pool)
        .await
        .unwrap();
    bed.fire(&[firing("Down", "n1")]).await;
    let left: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM messages").fetch_one(&bed.messages.pool).await.unwrap();
    assert_eq!(left, OPEN_MAX as i64 - 100 + 1);
}

#[tokio::test]
async fn every_change_is_told_and_can_be_read_on_from() {
    let bed = bed().await;
    let mut changes = bed.messages.changes();
    changes.mark_unchanged();
    bed.fire(&[firing("Down", "n1"), firing("Down", "n2")]).await;
    assert!(changes.has_changed().unwrap());
    let last = bed.messages.last_change().await.unwrap();
    changes.mark_unchanged();
    bed.fire(&[firing("Down", "n1"), firing("Down", "n2")]).await;
    assert!(!changes.has_changed().unwrap(), "nothing changed");
    bed.fire(&[firing("Down", "n2")]).await;
    assert!(changes.has_changed().unwrap());
    let after = Filter { changed_after: Some(last), ..Filter::default() };
    assert_eq!(bed.seen(after).await, ["-Down n1"]);
}

#[tokio::test]
async fn hostile_words_stay_words() {
    let bed = bed().await;
    let hostile = Firing {
        labels: labels(&[("node", "n1\"}\nfake 1"), ("x'; DROP TABLE messages; --", "<img onerror=1>")]),
        value: Some(f64::NAN),
        ..firing("'); DROP TABLE messages; --", "")
    };
    bed.fire(std::slice::from_ref(&hostile)).await;
    let message = bed.messages.list(&Filter::default()).await.unwrap().remove(0);
    assert_eq!((message.labels, message.name, message.value), (hostile.labels, hostile.name, None));
}

#[tokio::test]
async fn who_watches_sees_what_was_missed_and_what_comes() {
    let bed = bed().await;
    bed.fire(&[firing("Down", "n1")]).await;
    let mut seen = std::pin::pin!(bed.messages.watch(0));
    let mut next = async || seen.next().await.unwrap().unwrap();
    let first = next().await;
    assert_eq!((first.name.as_str(), first.firing), ("Down", true));
    bed.fire(&[firing("Slow", "n2")]).await;
    assert_eq!((next().await.firing, next().await.name.as_str()), (false, "Slow"));
    bed.messages.mark(first.id, "ada", Some(true), None).await.unwrap();
    assert_eq!(next().await.id, first.id);
}
