//! A mixed load: several clients that upload, overwrite, move, delete and read at once, each on paths of its own.

use crate::cluster::Cluster;
use crate::faults::oracle::{Oracle, Pending, REQUEST_LIMIT};
use crate::faults::{Chance, Content, content::ContentDigest};
use crate::http;
use crate::wait::until;
use anyhow::ensure;
use futures::future::join_all;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Paths of one client: few, so that they are overwritten, moved and deleted often.
const SLOTS: u64 = 12;
/// After a failure a client rests, or it would spin on a server that is down.
const REST: Duration = Duration::from_millis(50);

/// How many of a hundred operations are what; the rest are uploads.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Whole and ranged reads.
    pub reads: u64,
    /// Into the trash.
    pub deletes: u64,
    /// To another path of the same client.
    pub moves: u64,
}

impl Default for Mix {
    fn default() -> Self {
        Self { reads: 30, deletes: 10, moves: 10 }
    }
}

impl Mix {
    /// Reads of what is there already, and nothing else.
    pub const READS: Self = Self { reads: 100, deletes: 0, moves: 0 };
}

/// A load on a cluster, and what came of it.
#[derive(Debug)]
pub struct Load<'a> {
    /// Address and token: the load goes on while its cluster is taken apart.
    url: String,
    token: String,
    oracle: &'a Oracle,
    clients: u64,
    mix: Mix,
    seed: u64,
    ended: AtomicBool,
    acknowledged: AtomicU64,
}

/// What a load saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Changes that were acknowledged.
    pub acknowledged: u64,
    /// Changes that were refused in so many words.
    pub refused: u64,
    /// Changes without an answer, or with one that leaves it open.
    pub unknown: u64,
    /// Reads that gave the right bytes.
    pub reads: u64,
    /// Reads that failed, which proves nothing while a fault is on.
    pub failed_reads: u64,
    /// Wrong bytes: never allowed.
    pub wrong: Vec<String>,
    /// The sentences of what failed, for messages.
    pub failures: Vec<String>,
    /// The slowest request that was answered.
    pub slowest: Duration,
}

impl Seen {
    fn merge(mut self, other: Self) -> Self {
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.reads += other.reads;
        self.failed_reads += other.failed_reads;
        self.wrong.extend(other.wrong);
        self.failures.extend(other.failures);
        self.slowest = self.slowest.max(other.slowest);
        self
    }

    /// Fails on any wrong byte.
    ///
    /// # Errors
    /// There was one.
    pub fn nothing_wrong(&self) -> anyhow::Result<()> {
        ensure!(self.wrong.is_empty(), "wrong bytes were served: {:?}", self.wrong);
        Ok(())
    }

    /// Fails unless every single request succeeded.
    ///
    /// # Errors
    /// One did not.
    pub fn nothing_failed(&self) -> anyhow::Result<()> {
        self.nothing_wrong()?;
        let failed = self.refused + self.unknown + self.failed_reads;
        ensure!(failed == 0, "{failed} requests failed: {:?}", self.failures);
        Ok(())
    }
}

impl<'a> Load<'a> {
    /// A load of four clients with the usual mix.
    pub fn new(cluster: &Cluster, oracle: &'a Oracle, seed: u64) -> Self {
        let (ended, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
        let (url, token) = (cluster.url().to_owned(), cluster.token().to_owned());
        Self { url, token, oracle, clients: 4, mix: Mix::default(), seed, ended, acknowledged }
    }

    /// The same with another mix.
    pub fn with_mix(self, mix: Mix) -> Self {
        Self { mix, ..self }
    }

    /// The same with more or fewer clients.
    pub fn with_clients(self, clients: u64) -> Self {
        Self { clients, ..self }
    }

    /// Runs the load beside `fault`, and ends it afterwards; gives what both saw.
    ///
    /// # Errors
    /// The fault could not be injected, or wrong bytes were served.
    pub async fn beside<T>(
        &self,
        fault: impl AsyncFnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Seen, T)> {
        let load = join_all((0..self.clients).map(|client| self.client(client)));
        let fault = async {
            let result = fault(self).await;
            self.ended.store(true, Ordering::Relaxed);
            result
        };
        let (seen, result) = tokio::join!(load, fault);
        let seen = seen.into_iter().fold(Seen::default(), Seen::merge);
        let result = result?;
        seen.nothing_wrong()?;
        Ok((seen, result))
    }

    /// Runs the load by itself for a while.
    ///
    /// # Errors
    /// Wrong bytes were served.
    pub async fn during(&self, time: Duration) -> anyhow::Result<Seen> {
        let pause = async |_: &Self| {
            tokio::time::sleep(time).await;
            Ok(())
        };
        Ok(self.beside(pause).await?.0)
    }

    /// Changes acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many more changes were acknowledged: the load is under way, or goes on.
    ///
    /// # Errors
    /// They are not in time.
    pub async fn more_acknowledged(&self, more: u64) -> anyhow::Result<()> {
        let wanted = self.acknowledged() + more;
        until("acknowledged changes", REQUEST_LIMIT, async || {
            ensure!(self.acknowledged() >= wanted, "{} of {wanted}", self.acknowledged());
            Ok(())
        })
        .await
    }

    async fn client(&self, number: u64) -> Seen {
        let mut client = LoadClient {
            load: self,
            http: http::client(),
            folder: format!("/load/{number}"),
            chance: Chance::new(self.seed.wrapping_mul(1_000_003).wrapping_add(number)),
            contents: BTreeMap::new(),
            seen: Seen::default(),
        };
        while !self.ended.load(Ordering::Relaxed) {
            client.step().await;
        }
        client.seen
    }
}

/// How a change ended.
enum Outcome {
    Acknowledged,
    Refused,
    Unknown,
}

struct LoadClient<'a> {
    load: &'a Load<'a>,
    http: Client,
    folder: String,
    chance: Chance,
    /// What this client stored in this run, for reads of ranges.
    contents: BTreeMap<ContentDigest, Content>,
    seen: Seen,
}

impl LoadClient<'_> {
    async fn step(&mut self) {
        let path = self.path();
        let Mix { reads, deletes, moves } = self.load.mix;
        let draw = self.chance.within(0..100);
        let held = self.load.oracle.certain(&path);
        match held {
            Some(content) if draw < reads => self.read(&path, content).await,
            Some(_) if draw < reads + deletes => self.delete(&path).await,
            Some(content) if draw < reads + deletes + moves => self.move_to_another(&path, content).await,
            _ if reads < 100 => self.upload(&path).await,
            _ => {}
        }
        // A client that finds nothing to do must let the others go on.
        tokio::task::yield_now().await;
    }

    fn path(&mut self) -> String {
        format!("{}/{}", self.folder, self.chance.within(0..SLOTS))
    }

    async fn upload(&mut self, path: &str) {
        let content = Content::any(&mut self.chance);
        let Some(pending) = self.load.oracle.begin_if_settled(path, Some(content.digest)) else { return };
        let bytes = content.bytes.clone();
        let outcome = self.send(Method::PUT, &format!("/content{path}"), |request| request.body(bytes)).await;
        self.contents.insert(content.digest, content);
        self.settle(outcome, vec![pending]);
    }

    async fn delete(&mut self, path: &str) {
        let Some(pending) = self.load.oracle.begin_if_settled(path, None) else { return };
        let outcome = self.send(Method::DELETE, &format!("/files{path}"), |request| request).await;
        self.settle(outcome, vec![pending]);
    }

    async fn move_to_another(&mut self, from: &str, content: ContentDigest) {
        let to = self.path();
        if to == from || self.load.oracle.certain(&to).is_some() {
            return;
        }
        let Some(come) = self.load.oracle.begin_if_settled(&to, Some(content)) else { return };
        let Some(gone) = self.load.oracle.begin_if_settled(from, None) else {
            return self.load.oracle.refused(come);
        };
        let body = json!({"from": from, "to": to});
        let outcome = self.send(Method::POST, "/files:move", |request| request.json(&body)).await;
        if matches!(outcome, Outcome::Unknown) {
            self.load.oracle.move_unknown(from, &to);
        }
        self.settle(outcome, vec![gone, come]);
    }

    async fn read(&mut self, path: &str, expected: ContentDigest) {
        let content =
            self.contents.get(&expected).filter(|_| expected.size > 0 && self.chance.clone().percent(40));
        let range = content.cloned().map(|content| {
            let first = self.chance.within(0..expected.size);
            let last = self.chance.within(first..expected.size);
            (content.bytes.slice(first as usize..=last as usize), format!("bytes={first}-{last}"))
        });
        let begin = Instant::now();
        let mut request = self.request(Method::GET, &format!("/content{path}"));
        if let Some((_, range)) = &range {
            request = request.header(header::RANGE, range);
        }
        let answer = async {
            let response = request.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        let right = match (answer.await, &range) {
            (Ok((StatusCode::OK, body)), _) => ContentDigest::of(&body) == expected,
            (Ok((StatusCode::PARTIAL_CONTENT, body)), Some((bytes, _))) => body == *bytes,
            (Ok((StatusCode::NOT_FOUND, _)), _) => false,
            (Ok((status, body)), _) => {
                self.seen.slowest = self.seen.slowest.max(begin.elapsed());
                return self
                    .read_failed(format!("{path}: {status}: {}", String::from_utf8_lossy(&body)))
                    .await;
            }
            (Err(error), _) => return self.read_failed(format!("{path}: {error:?}")).await,
        };
        self.seen.slowest = self.seen.slowest.max(begin.elapsed());
        if right {
            self.seen.reads += 1;
        } else {
            self.seen.wrong.push(path.to_owned());
        }
    }

    async fn read_failed(&mut self, why: String) {
        self.seen.failed_reads += 1;
        self.seen.failures.push(format!("read {why}"));
        tokio::time::sleep(REST).await;
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.load.url));
        request.bearer_auth(&self.load.token).timeout(REQUEST_LIMIT)
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        fill: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Outcome {
        let begin = Instant::now();
        let what = format!("{method} {path}");
        let outcome = match http::send_within(fill(self.request(method, path)), REQUEST_LIMIT).await {
            Ok(answer) => {
                self.seen.slowest = self.seen.slowest.max(begin.elapsed());
                let outcome = judge(answer.status, &answer.text);
                if !answer.status.is_success() {
                    self.seen.failures.push(format!("{what}: {} {}", answer.status, answer.text));
                }
                outcome
            }
            Err(error) => {
                let unsent = error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect);
                self.seen.failures.push(format!("{what}: {error:?}"));
                if unsent { Outcome::Refused } else { Outcome::Unknown }
            }
        };
        if !matches!(outcome, Outcome::Acknowledged) {
            tokio::time::sleep(REST).await;
        }
        outcome
    }

    fn settle(&mut self, outcome: Outcome, pending: Vec<Pending>) {
        let oracle = self.load.oracle;
        match outcome {
            Outcome::Acknowledged => {
                self.seen.acknowledged += 1;
                self.load.acknowledged.fetch_add(1, Ordering::Relaxed);
                pending.into_iter().for_each(|pending| oracle.acknowledged(pending));
            }
            Outcome::Refused => {
                self.seen.refused += 1;
                pending.into_iter().for_each(|pending| oracle.refused(pending));
            }
            Outcome::Unknown => self.seen.unknown += 1,
        }
    }
}

/// What an answer says about the change; a server in trouble may have made it all the same.
fn judge(status: StatusCode, text: &str) -> Outcome {
    match status.as_u16() {
        200..=299 => Outcome::Acknowledged,
        400..=499 | 507 => Outcome::Refused,
        503 if text.contains("too_few_nodes") => Outcome::Refused,
        _ => Outcome::Unknown,
    }
}
