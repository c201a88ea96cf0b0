//! The oracle: what each path may hold, by what was asked and what was answered, and nothing else.
//!
//! Before an operation is sent, its outcome becomes possible; an acknowledgement makes it the only possibility; a refusal takes
//! it away; silence leaves both. Whoever looks at a path narrows it to what was seen, so that a thing cannot be there once and
//! gone later. Writers keep to paths of their own, so every path has one history.

use crate::cluster::Cluster;
use crate::faults::content::ContentDigest;
use crate::faults::fill::SMALL_BYTES_MAX;
use crate::http;
use anyhow::{Context, bail, ensure};
use futures::{StreamExt, stream};
use reqwest::{Client, Method, StatusCode};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Reads at once while the oracle compares.
const AT_ONCE: usize = 8;
/// No request takes longer, whatever failed: this is T_req of the matrix.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// A path that cannot be read for so long is lost.
const RETRY_LIMIT: Duration = Duration::from_secs(30);

/// What a path may hold; nothing stands for an absent file.
pub type Version = Option<ContentDigest>;

/// What a comparison saw.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checked {
    /// Paths compared.
    pub files: u64,
    /// The slowest read.
    pub slowest: Duration,
}

/// An operation that was sent and has no answer yet.
#[derive(Debug)]
pub struct Pending {
    path: String,
    wanted: Version,
    before: BTreeSet<Version>,
}

/// Everything that was asked of a cluster.
#[derive(Debug, Default)]
pub struct Oracle {
    paths: Mutex<BTreeMap<String, BTreeSet<Version>>>,
    /// Moves without an answer: the content is at exactly one of the two.
    moves: Mutex<Vec<(String, String)>>,
}

impl Oracle {
    /// Notes that an operation which would leave `wanted` at `path` is about to be sent.
    pub fn begin(&self, path: &str, wanted: Version) -> Pending {
        let mut paths = self.paths();
        let possible = paths.entry(path.to_owned()).or_insert_with(|| BTreeSet::from([None]));
        let before = possible.clone();
        possible.insert(wanted);
        Pending { path: path.to_owned(), wanted, before }
    }

    /// The same where it is certain what the path holds; nothing where an earlier operation is still open, which may yet
    /// happen.
    pub fn begin_if_settled(&self, path: &str, wanted: Version) -> Option<Pending> {
        let open = self.paths().get(path).is_some_and(|possible| possible.len() > 1);
        (!open).then(|| self.begin(path, wanted))
    }

    /// It was acknowledged.
    pub fn acknowledged(&self, pending: Pending) {
        self.paths().insert(pending.path, BTreeSet::from([pending.wanted]));
    }

    /// It was refused, so nothing has changed.
    pub fn refused(&self, pending: Pending) {
        self.paths().insert(pending.path, pending.before);
    }

    /// A move got no answer; both of its ends are in the oracle already.
    pub fn move_unknown(&self, from: &str, to: &str) {
        self.moves.lock().unwrap_or_else(PoisonError::into_inner).push((from.to_owned(), to.to_owned()));
    }

    /// The content that a path must hold, if it is certain that it holds one.
    pub fn certain(&self, path: &str) -> Version {
        let paths = self.paths();
        let possible = paths.get(path)?;
        if possible.len() == 1 { *possible.first()? } else { None }
    }

    /// Whether a read may have given this.
    pub fn allows(&self, path: &str, seen: Version) -> bool {
        self.paths().get(path).is_none_or(|possible| possible.contains(&seen))
    }

    /// How many paths must hold a file.
    pub fn files(&self) -> u64 {
        self.paths().values().filter(|possible| !possible.contains(&None)).count() as u64
    }

    /// Shards that all nodes of a cluster of policy `4+2` hold for these files, when every path is certain and nothing lies in
    /// the trash: copies of small files, six for each 64 MiB of the others, none for nothing.
    pub fn shards(&self) -> u64 {
        const EXTENT_BYTES_MAX: u64 = 64 << 20;
        let of = |size: u64| match size {
            0 => 0,
            1..=SMALL_BYTES_MAX => 3,
            size => 6 * size.div_ceil(EXTENT_BYTES_MAX),
        };
        self.held().iter().map(|(_, content)| of(content.size)).sum()
    }

    /// Paths of which it is certain that they hold a file.
    pub fn held(&self) -> Vec<(String, ContentDigest)> {
        let paths = self.paths();
        let certain = paths.iter().filter(|(_, possible)| possible.len() == 1);
        certain.filter_map(|(path, possible)| Some((path.clone(), (*possible.first()?)?))).collect()
    }

    /// Reads every path and its folder's list, compares both, and remembers what was seen.
    ///
    /// # Errors
    /// Something is lost, wrong, back from the dead, or cannot be read; the message lists every difference.
    pub async fn check(&self, cluster: &Cluster) -> anyhow::Result<Checked> {
        let paths: Vec<String> = self.paths().keys().cloned().collect();
        let client = http::client();
        let reads = paths.iter().map(|path| async {
            let begin = Instant::now();
            (path.clone(), look(&client, cluster, path).await, begin.elapsed())
        });
        let seen: Vec<_> = stream::iter(reads).buffer_unordered(AT_ONCE).collect().await;
        let mut checked = Checked::default();
        let mut differences = String::new();
        for (path, seen, took) in seen {
            checked.files += 1;
            checked.slowest = checked.slowest.max(took);
            if let Err(difference) = seen.and_then(|seen| self.narrow(&path, seen)) {
                let _ = writeln!(differences, "{path}: {difference:#}");
            }
        }
        self.check_moves(&mut differences);
        self.check_lists(cluster, &mut differences).await?;
        if !differences.is_empty() {
            bail!("the cluster differs from the oracle:\n{differences}");
        }
        Ok(checked)
    }

    /// Takes over what was seen at a path, if it was possible.
    fn narrow(&self, path: &str, seen: Version) -> anyhow::Result<()> {
        let mut paths = self.paths();
        let possible = paths.get_mut(path).context("a path of the oracle")?;
        ensure!(possible.contains(&seen), "{seen:?} is there, possible are {possible:?}");
        *possible = BTreeSet::from([seen]);
        Ok(())
    }

    fn check_moves(&self, differences: &mut String) {
        let moves = std::mem::take(&mut *self.moves.lock().unwrap_or_else(PoisonError::into_inner));
        for (from, to) in moves {
            if self.certain(&from).is_some() == self.certain(&to).is_some() {
                let _ = writeln!(differences, "a move from {from} to {to} happened by half");
            }
        }
    }

    /// Every folder lists exactly the files that are in it.
    async fn check_lists(&self, cluster: &Cluster, differences: &mut String) -> anyhow::Result<()> {
        let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, possible) in self.paths().iter() {
            let (folder, name) = path.rsplit_once('/').context("a path begins with a slash")?;
            let names = folders.entry(folder.to_owned()).or_default();
            if !possible.contains(&None) {
                names.insert(name.to_owned());
            }
        }
        for (folder, expected) in folders {
            let listed = list(cluster, &folder).await?;
            if listed != expected {
                let missing: Vec<_> = expected.difference(&listed).collect();
                let ghosts: Vec<_> = listed.difference(&expected).collect();
                let _ = writeln!(differences, "{folder}: missing in the list {missing:?}, ghosts {ghosts:?}");
            }
        }
        Ok(())
    }

    fn paths(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<Version>>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a path holds. A server that says "try again" is asked again for a while: it may still be finding its nodes.
async fn look(client: &Client, cluster: &Cluster, path: &str) -> anyhow::Result<Version> {
    let begin = Instant::now();
    loop {
        match look_once(client, cluster, path).await {
            Err(error) if begin.elapsed() < RETRY_LIMIT && error.to_string().starts_with("503") => {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            seen => return seen,
        }
    }
}

/// What a path holds; only the answer `not_found` says that it holds nothing.
async fn look_once(client: &Client, cluster: &Cluster, path: &str) -> anyhow::Result<Version> {
    let url = format!("{}/api/v1/content{}", cluster.url(), http::encoded(path));
    let response = client.get(url).bearer_auth(cluster.token()).timeout(REQUEST_LIMIT).send().await?;
    let status = response.status();
    let body = response.bytes().await?;
    match status {
        StatusCode::OK => Ok(Some(ContentDigest::of(&body))),
        StatusCode::NOT_FOUND => Ok(None),
        status => bail!("{status}: {}", String::from_utf8_lossy(&body)),
    }
}

/// The names of all files of a folder, over all pages; none if there is no such folder.
async fn list(cluster: &Cluster, folder: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let path = format!(
            "/folders{}?limit=1000{cursor}",
            http::encoded(&format!("{folder}/")).trim_end_matches('/')
        );
        let path = if folder.is_empty() { format!("/folders/?limit=1000{cursor}") } else { path };
        let answer = cluster.call(Method::GET, &path).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(names);
        }
        let page = answer.ok()?.json()?;
        for item in page["items"].as_array().context("a list has items")? {
            if item["kind"] == "file" {
                let path = item["path"].as_str().context("an entry has a path")?;
                names.insert(path.rsplit('/').next().unwrap_or(path).to_owned());
            }
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", http::encoded(next)),
            None => return Ok(names),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Content;

    #[test]
    fn what_got_no_answer_is_wholly_old_or_wholly_new() {
        let (oracle, old, new) = (Oracle::default(), Content::new(1, 10).digest, Content::new(2, 10).digest);
        let pending = oracle.begin("/a", Some(old));
        assert!(oracle.allows("/a", None) && oracle.allows("/a", Some(old)));
        oracle.acknowledged(pending);
        assert!(!oracle.allows("/a", None));

        let _silence = oracle.begin("/a", Some(new));
        assert!(
            oracle.allows("/a", Some(old)) && oracle.allows("/a", Some(new)) && !oracle.allows("/a", None)
        );
        oracle.narrow("/a", Some(new)).unwrap();
        assert!(oracle.narrow("/a", Some(old)).is_err(), "what was seen once does not go back");

        let refused = oracle.begin("/a", None);
        oracle.refused(refused);
        assert_eq!(oracle.certain("/a"), Some(new));
    }

    #[test]
    fn a_move_without_an_answer_is_at_one_end() {
        let (oracle, content) = (Oracle::default(), Content::new(1, 10).digest);
        oracle.acknowledged(oracle.begin("/from", Some(content)));
        let _gone = oracle.begin("/from", None);
        let _come = oracle.begin("/to", Some(content));
        oracle.move_unknown("/from", "/to");
        oracle.narrow("/from", Some(content)).unwrap();
        oracle.narrow("/to", Some(content)).unwrap();
        let mut differences = String::new();
        oracle.check_moves(&mut differences);
        assert!(differences.contains("by half"), "{differences}");
    }
}
