//! A client that changes and reads files of its own, one request after another, and tells the ledger what came of it.

use crate::{
    chance::Chance,
    content::Content,
    index::Index,
    ledger::{Ledger, Verdict},
    process::{Shared, lock},
    requests::{Answer, Ask},
    trace::Trace,
};
use asterism_erasure::Policy;
use axum::http::{Method, StatusCode};
use bytes::Bytes;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Files of one client.
const FILES: u64 = 5;
/// A request with an idempotency key that had no answer is sent so often.
const REPEATS: u32 = 4;

/// One client of a cluster.
pub struct Client {
    /// Its folder's name.
    pub number: u64,
    /// Where it sends its requests.
    pub index: Index,
    /// What it knows.
    pub ledger: Shared<Ledger>,
    /// What it draws from.
    pub chance: Chance,
    /// The story.
    pub trace: Trace,
    /// Of new files.
    pub policy: Policy,
    /// What came of its requests.
    pub sent: Sent,
}

/// What came of changes and reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Changes that were acknowledged.
    pub acknowledged: u64,
    /// Changes that were refused.
    pub refused: u64,
    /// Changes of which nobody knows.
    pub unknown: u64,
    /// Reads that failed.
    pub unread: u64,
    /// The slowest request.
    pub slowest: Duration,
}

/// What came of a change.
enum Outcome {
    Done,
    Refused(StatusCode),
    Unknown,
}

impl Client {
    /// Sends requests until `end`.
    ///
    /// # Errors
    /// The first violation.
    pub async fn run(&mut self, end: Instant) -> Verdict {
        while Instant::now() < end {
            let pause = self.chance.within(10..1500);
            sleep(Duration::from_millis(pause)).await;
            let path = self.path();
            match self.chance.below(100) {
                0..45 => self.put(&path).await?,
                45..60 => self.get(&path).await.map(drop)?,
                60..75 => self.get_range(&path).await?,
                75..87 => self.delete(&path).await?,
                87..94 => self.rename(&path).await?,
                _ => self.list().await.map(drop)?,
            }
        }
        Ok(())
    }

    fn folder(&self) -> String {
        format!("/c{}", self.number)
    }

    fn path(&mut self) -> String {
        format!("{}/f{}", self.folder(), self.chance.below(FILES))
    }

    async fn send(&mut self, ask: Ask) -> Result<Answer, String> {
        let told = format!("{} {}", ask.method, ask.target);
        let began = Instant::now();
        let answer = ask.send(&self.index).await;
        self.sent.slowest = self.sent.slowest.max(began.elapsed());
        self.trace.note(format_args!("c{} {told}: {}", self.number, answer.word()));
        match answer {
            Answer::Late => Err(format!("{told} had no answer within its deadline, though the server ran")),
            answer => Ok(answer),
        }
    }

    async fn change(&mut self, ask: Ask) -> Result<Outcome, String> {
        let answer = self.send(ask).await?;
        let outcome = match &answer {
            Answer::Whole(status, _) if status.is_success() => Outcome::Done,
            Answer::Whole(status, _) if status.is_client_error() => Outcome::Refused(*status),
            Answer::Whole(StatusCode::INSUFFICIENT_STORAGE, _) => {
                Outcome::Refused(StatusCode::INSUFFICIENT_STORAGE)
            }
            Answer::Whole(status, body) if is_code(body, "too_few_nodes") => Outcome::Refused(*status),
            _ => Outcome::Unknown,
        };
        match outcome {
            Outcome::Done => self.sent.acknowledged += 1,
            Outcome::Refused(_) => self.sent.refused += 1,
            Outcome::Unknown => self.sent.unknown += 1,
        }
        Ok(outcome)
    }

    async fn put(&mut self, path: &str) -> Verdict {
        let number = self.chance.number();
        let content = Content::draw(&mut self.chance, number, self.policy);
        let key = self.chance.per_mille(300).then(|| format!("{number:x}"));
        let body = self.pieces(content);
        let pause = Duration::from_millis(self.chance.below(400));
        // Whatever happens from here on, the new content may be there.
        lock(&self.ledger).may_be(path, Some(content));
        let before = lock(&self.ledger).possible(path);
        let mut was_unknown = false;
        for _ in 0..REPEATS {
            let mut ask = Ask::new(Method::PUT, format!("/api/v1/content{path}"));
            if let Some(key) = &key {
                ask = ask.header("idempotency-key", key);
            }
            ask.body.clone_from(&body);
            ask.pause = pause;
            match self.change(ask).await? {
                Outcome::Done => {
                    lock(&self.ledger).set(path, Some(content));
                    return Ok(());
                }
                Outcome::Refused(_) if !was_unknown => {
                    self.forget(path, &before, content);
                    return Ok(());
                }
                Outcome::Refused(_) => return Ok(()),
                Outcome::Unknown => was_unknown = true,
            }
            if key.is_none() {
                return Ok(());
            }
            let pause = self.chance.within(200..3000);
            sleep(Duration::from_millis(pause)).await;
        }
        Ok(())
    }

    /// A content that was refused is not there.
    fn forget(&self, path: &str, possible: &[Option<Content>], refused: Content) {
        let mut ledger = lock(&self.ledger);
        let mut left = possible.iter().filter(|there| **there != Some(refused));
        if let Some(first) = left.next() {
            ledger.set(path, *first);
            left.for_each(|there| ledger.may_be(path, *there));
        }
    }

    fn pieces(&mut self, content: Content) -> Vec<Bytes> {
        let whole = content.make();
        let count = self.chance.within(1..4) as usize;
        let each = whole.len().div_ceil(count).max(1);
        (0..whole.len()).step_by(each).map(|from| whole.slice(from..whole.len().min(from + each))).collect()
    }

    /// Reads a whole file; whether it is known now.
    ///
    /// # Errors
    /// A violation.
    pub async fn get(&mut self, path: &str) -> Result<bool, String> {
        match self.send(Ask::new(Method::GET, format!("/api/v1/content{path}"))).await? {
            Answer::Whole(StatusCode::OK, bytes) => lock(&self.ledger).saw(path, &bytes).map(|()| true),
            Answer::Whole(StatusCode::NOT_FOUND, _) => lock(&self.ledger).saw_nothing(path).map(|()| true),
            _ => {
                self.sent.unread += 1;
                Ok(false)
            }
        }
    }

    async fn get_range(&mut self, path: &str) -> Verdict {
        let known =
            lock(&self.ledger).possible(path).into_iter().flatten().map(|content| content.bytes).max();
        let from = self.chance.below(known.unwrap_or(0).max(1));
        let to = from + self.chance.within(1..200_000);
        let ask = Ask::new(Method::GET, format!("/api/v1/content{path}"))
            .header("range", format!("bytes={from}-{}", to - 1));
        match self.send(ask).await? {
            Answer::Whole(StatusCode::PARTIAL_CONTENT, bytes) => {
                lock(&self.ledger).saw_range(path, from..to, &bytes)
            }
            Answer::Whole(StatusCode::OK, bytes) => lock(&self.ledger).saw(path, &bytes),
            Answer::Whole(StatusCode::NOT_FOUND, _) => lock(&self.ledger).saw_nothing(path),
            _ => {
                self.sent.unread += 1;
                Ok(())
            }
        }
    }

    async fn delete(&mut self, path: &str) -> Verdict {
        let outcome = self.change(Ask::new(Method::DELETE, format!("/api/v1/files{path}"))).await?;
        let mut ledger = lock(&self.ledger);
        match outcome {
            Outcome::Done => {
                ledger.saw_something(path)?;
                ledger.set(path, None);
                Ok(())
            }
            Outcome::Refused(StatusCode::NOT_FOUND) => ledger.saw_nothing(path),
            Outcome::Refused(_) => Ok(()),
            Outcome::Unknown => {
                ledger.may_be(path, None);
                Ok(())
            }
        }
    }

    async fn rename(&mut self, from: &str) -> Verdict {
        let to = self.path();
        if to == from {
            return Ok(());
        }
        let ask =
            Ask::new(Method::POST, "/api/v1/files:move").json(&serde_json::json!({ "from": from, "to": to }));
        let outcome = self.change(ask).await?;
        let mut ledger = lock(&self.ledger);
        let moved: Vec<_> = ledger.possible(from).into_iter().flatten().collect();
        match outcome {
            Outcome::Done => {
                ledger.saw_something(from)?;
                ledger.saw_nothing(&to)?;
                ledger.set(from, None);
                for (number, content) in moved.into_iter().enumerate() {
                    match number {
                        0 => ledger.set(&to, Some(content)),
                        _ => ledger.may_be(&to, Some(content)),
                    }
                }
                Ok(())
            }
            Outcome::Refused(StatusCode::NOT_FOUND) => ledger.saw_nothing(from),
            Outcome::Refused(StatusCode::CONFLICT) => ledger.saw_something(&to),
            Outcome::Refused(_) => Ok(()),
            Outcome::Unknown => {
                ledger.may_be(from, None);
                moved.into_iter().for_each(|content| ledger.may_be(&to, Some(content)));
                Ok(())
            }
        }
    }

    /// Lists the client's folder; whether it is known now.
    ///
    /// # Errors
    /// A violation.
    pub async fn list(&mut self) -> Result<bool, String> {
        let folder = self.folder();
        match self.send(Ask::new(Method::GET, format!("/api/v1/folders{folder}"))).await? {
            Answer::Whole(StatusCode::OK, body) => {
                lock(&self.ledger).saw_list(&folder, &paths(&body)?).map(|()| true)
            }
            Answer::Whole(StatusCode::NOT_FOUND, _) => {
                lock(&self.ledger).saw_list(&folder, &[]).map(|()| true)
            }
            _ => Ok(false),
        }
    }
}

fn is_code(body: &Bytes, code: &str) -> bool {
    let problem = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    problem["code"] == code
}

fn paths(body: &Bytes) -> Result<Vec<String>, String> {
    let page: serde_json::Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let items = page["items"].as_array().ok_or("a list without items")?;
    Ok(items.iter().filter_map(|item| item["path"].as_str().map(str::to_owned)).collect())
}
