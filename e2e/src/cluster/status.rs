//! What a cluster says of itself, and waiting until it says something.

use super::Cluster;
use crate::wait::until;
use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// One row of `asterism node ls --json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Node {
    /// Its name, also that of its directory.
    pub name: String,
    /// Its UUID.
    pub id: String,
    /// `online`, `offline`, `asleep`, …
    pub state: String,
    /// Where it serves shards.
    pub address: String,
    /// Its process.
    pub pid: Option<u32>,
    /// Bytes that it can still take.
    pub free_bytes: u64,
    /// Bytes that it may hold.
    pub capacity_bytes: u64,
}

impl Cluster {
    /// All nodes.
    ///
    /// # Errors
    /// The command fails, or prints something else.
    pub async fn nodes(&self) -> anyhow::Result<Vec<Node>> {
        Ok(serde_json::from_value(self.cli(&["node", "ls", "--json"]).await?.json()?)?)
    }

    /// One node.
    ///
    /// # Errors
    /// There is none of that name.
    pub async fn node(&self, name: &str) -> anyhow::Result<Node> {
        let nodes = self.nodes().await?;
        nodes.into_iter().find(|node| node.name == name).with_context(|| format!("there is no node {name}"))
    }

    /// `asterism status --json`.
    ///
    /// # Errors
    /// The command fails.
    pub async fn status(&self) -> anyhow::Result<Value> {
        self.cli(&["status", "--json"]).await?.json()
    }

    /// Waits until `asterism status` satisfies `condition`, which fails with what is still missing.
    ///
    /// # Errors
    /// It does not within `limit`; the message carries the last status.
    pub async fn status_until(
        &self,
        what: &str,
        limit: Duration,
        condition: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        until(what, limit, async || {
            let status = self.status().await?;
            ensure!(condition(&status), "the status is {status}");
            Ok(status)
        })
        .await
        .with_context(|| self.log_tail())
    }

    /// Waits until every group has its full margin again, nothing is short and every background queue is empty.
    ///
    /// # Errors
    /// It does not within `limit`.
    pub async fn whole_until(&self, limit: Duration) -> anyhow::Result<Value> {
        let parity = self.parity()?;
        self.status_until("the full margin", limit, |status| {
            status["groups"]["worst_margin"].as_i64() == Some(parity)
                && status["short_extents"].as_u64() == Some(0)
                && idle(status)
        })
        .await
    }

    /// How many losses the cluster's policy survives.
    ///
    /// # Errors
    /// The policy of the options is none.
    pub fn parity(&self) -> anyhow::Result<i64> {
        self.options.policy.split('+').nth(1).and_then(|m| m.parse().ok()).context("no policy")
    }

    /// Waits until every file was tagged and every tag is in the graph.
    ///
    /// # Errors
    /// It is not within `limit`.
    pub async fn tagged_until(&self, limit: Duration) -> anyhow::Result<Value> {
        self.status_until("the end of tagging", limit, idle).await
    }
}

/// Whether no background worker has anything to do.
fn idle(status: &Value) -> bool {
    let Some(workers) = status["background"].as_array() else { return false };
    // The trash is a queue that waits for its day, the scrub a walk that goes on for ever.
    workers
        .iter()
        .filter(|worker| worker["name"] != "trash" && worker["name"] != "scrub")
        .all(|worker| worker["queue"].as_u64() == Some(0))
}
