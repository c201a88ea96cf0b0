use super::*;
use crate::database;
use std::path::Path;

fn entry(subject: &str, from: &str, to: &str) -> Entry {
    Entry {
        unix_ms: 1,
        kind: Kind::Node,
        subject: subject.into(),
        from: from.into(),
        to: to.into(),
        cause: "a test".into(),
        actor: "monitor".into(),
        detail: Detail::default(),
    }
}

async fn open(dir: &Path) -> Timeline {
    Timeline::new(database::open(dir).await.unwrap())
}

async fn filled(dir: &Path) -> Timeline {
    let timeline = open(dir).await;
    timeline.append(&[entry("n1", "", "joining"), entry("n2", "", "joining")]).await.unwrap();
    timeline.append(&[entry("n1", "joining", "online")]).await.unwrap();
    timeline
}

#[tokio::test]
async fn rows_are_kept_in_order_and_come_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let timeline = filled(dir.path()).await;
    let all = timeline.after(0, 1000).await.unwrap();
    assert_eq!(all.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(all[2].to, "online");
    assert_eq!(timeline.after(1, 1).await.unwrap(), all[1..2]);
    assert_eq!(timeline.after(u64::MAX, 10).await.unwrap(), []);
    assert_eq!(timeline.verify().await.unwrap(), 3);
}

#[tokio::test]
async fn the_log_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await.pool.close().await;
    let timeline = open(dir.path()).await;
    let states = timeline.last_states().await.unwrap();
    assert_eq!(states["n1"], (NodeState::Online, 1, "a test".into()));
    assert_eq!(states["n2"].0, NodeState::Joining);
    timeline.append(&[entry("n1", "online", "offline")]).await.unwrap();
    assert_eq!(timeline.verify().await.unwrap(), 4);
}

#[tokio::test]
async fn a_refused_act_is_not_a_state() {
    let dir = tempfile::tempdir().unwrap();
    let timeline = filled(dir.path()).await;
    let refused = Entry { kind: Kind::Act, ..entry("n1", "stop", "refused") };
    timeline.append(&[refused]).await.unwrap();
    assert_eq!(timeline.last_states().await.unwrap()["n1"].0, NodeState::Online);
}

#[tokio::test]
async fn a_hostile_text_stays_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let timeline = open(dir.path()).await;
    let hostile = Entry { actor: "eve\u{1b}[2J\nmonitor".into(), ..entry("n1", "", "online") };
    timeline.append(&[hostile]).await.unwrap();
    assert_eq!(timeline.after(0, 1).await.unwrap()[0].actor, "eve\u{fffd}[2J");
}

#[tokio::test]
async fn sql_cannot_change_or_remove_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let timeline = filled(dir.path()).await;
    for statement in ["UPDATE transitions SET actor = 'eve'", "DELETE FROM transitions"] {
        let error = sqlx::query(statement).execute(&timeline.pool).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

/// Does what somebody with the file in hand could do.
async fn check_seen(forgery: &'static str, broken_at: u64) {
    let dir = tempfile::tempdir().unwrap();
    let timeline = filled(dir.path()).await;
    for statement in ["DROP TRIGGER transitions_never_change", "DROP TRIGGER transitions_never_go", forgery] {
        sqlx::query(statement).execute(&timeline.pool).await.unwrap();
    }
    match timeline.verify().await {
        Err(TimelineError::Broken { seq }) => assert_eq!(seq, broken_at, "{forgery}"),
        other => panic!("{forgery}: {other:?}"),
    }
}

#[tokio::test]
async fn a_forged_log_is_seen() {
    check_seen("UPDATE transitions SET actor = 'eve' WHERE seq = 2", 2).await;
    check_seen("UPDATE transitions SET cause = 'a', actor = ' testmonitor' WHERE seq = 1", 1).await;
    check_seen("UPDATE transitions SET detail = '{}', kind = 'act' WHERE seq = 3", 3).await;
    check_seen("DELETE FROM transitions WHERE seq = 1", 2).await;
    check_seen("DELETE FROM transitions WHERE seq = 2", 3).await;
}

#[tokio::test]
async fn two_writers_never_fork_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (open(dir.path()).await, open(dir.path()).await);
    let write = async |timeline: &Timeline| {
        for _ in 0..20 {
            timeline.append(&[entry("n1", "a", "b")]).await.unwrap();
        }
    };
    tokio::join!(write(&one), write(&two));
    assert_eq!(one.verify().await.unwrap(), 40);
}

#[tokio::test]
async fn commits_survive_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    let timeline = open(dir.path()).await;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&timeline.pool).await.unwrap();
    assert_eq!(synchronous, 2, "FULL");
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&timeline.pool).await.unwrap();
    assert_eq!(mode, "wal");
}
