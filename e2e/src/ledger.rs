//! What was acknowledged, written down outside the system, and compared with what is there.

use crate::cluster::Cluster;
use crate::samples::{Sample, digest};
use anyhow::{Context, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// What a path must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Exactly these bytes.
    Content {
        /// Length in bytes.
        size: u64,
        /// SHA-256 in hexadecimal.
        sha256: String,
    },
    /// Nothing: it was deleted or never accepted.
    Absent,
}

/// What must hold of every path that a test has touched.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<String, Expected>,
}

impl Ledger {
    /// Notes that an upload was acknowledged.
    pub fn acknowledged(&mut self, path: impl Into<String>, sample: &Sample) {
        let expected = Expected::Content { size: sample.size, sha256: sample.sha256.clone() };
        self.entries.insert(path.into(), expected);
    }

    /// Notes that a path must not exist: refused, deleted or moved away.
    pub fn absent(&mut self, path: impl Into<String>) {
        self.entries.insert(path.into(), Expected::Absent);
    }

    /// Notes an acknowledged move.
    ///
    /// # Errors
    /// Nothing was known at `from`.
    pub fn moved(&mut self, from: &str, to: impl Into<String>) -> anyhow::Result<()> {
        let expected =
            self.entries.insert(from.to_owned(), Expected::Absent).context("moved from nowhere")?;
        self.entries.insert(to.into(), expected);
        Ok(())
    }

    /// Uploads samples into a folder, notes each, and gives what the cluster said of them.
    ///
    /// # Errors
    /// One of them was not acknowledged.
    pub async fn put(
        &mut self,
        cluster: &Cluster,
        samples: &[Sample],
        folder: &str,
    ) -> anyhow::Result<Vec<Value>> {
        let files: Vec<_> = samples.iter().map(|sample| sample.file.as_os_str()).collect();
        // The slash says that a single file, too, goes into a folder.
        let answer = cluster.put(&files, &format!("{folder}/")).await?.json()?;
        for sample in samples {
            self.acknowledged(format!("{folder}/{}", sample.name), sample);
        }
        answer.as_array().cloned().with_context(|| format!("no list of files: {answer}"))
    }

    /// Settles an upload that got no answer: it must have happened wholly or not at all.
    ///
    /// # Errors
    /// It is neither.
    pub async fn settle(&mut self, cluster: &Cluster, path: &str, sample: &Sample) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        match found(cluster, path, &folder.path().join("content")).await? {
            Ok(Expected::Absent) => self.absent(path),
            Ok(Expected::Content { size, sha256 }) if size == sample.size && sha256 == sample.sha256 => {
                self.acknowledged(path, sample);
            }
            other => bail!("{path} without an answer is neither there nor not: {other:?}"),
        }
        Ok(())
    }

    /// How many paths must hold a file.
    pub fn files(&self) -> usize {
        self.entries.values().filter(|expected| **expected != Expected::Absent).count()
    }

    /// The sum of their lengths.
    pub fn bytes(&self) -> u64 {
        let sizes = self.entries.values().map(|expected| match expected {
            Expected::Content { size, .. } => *size,
            Expected::Absent => 0,
        });
        sizes.sum()
    }

    /// Reads every path back and compares.
    ///
    /// # Errors
    /// Something differs; the message lists every difference.
    pub async fn check(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut differences = String::new();
        for (path, expected) in &self.entries {
            let found = found(cluster, path, &folder.path().join("content")).await?;
            if found != Ok(expected.clone()) {
                let _ = writeln!(differences, "{path}: expected {expected:?}, found {found:?}");
            }
        }
        if !differences.is_empty() {
            bail!("the cluster differs from the ledger:\n{differences}{}", cluster.log_tail());
        }
        Ok(())
    }
}

/// What a path holds; or the sentence of a read that failed, which proves neither presence nor absence.
async fn found(cluster: &Cluster, path: &str, file: &Path) -> anyhow::Result<Result<Expected, String>> {
    let answer = cluster.get(path, file).await?;
    if answer.success() {
        let (size, sha256) = digest(file)?;
        std::fs::remove_file(file)?;
        return Ok(Ok(Expected::Content { size, sha256 }));
    }
    let absent = matches!(cluster.exists(path).await, Ok(false));
    Ok(if absent { Ok(Expected::Absent) } else { Err(answer.message()) })
}
