//! The cluster and its nodes.

use crate::{
    error::Error,
    http::{Client, decode, with_query},
    types::{Act, Fsck, Message, Node, Page, Status},
};
use reqwest::Method;
use std::time::Duration;

impl Client {
    /// Whether the server answers and is ready to work.
    pub async fn is_ready(&self) -> bool {
        self.send(self.request(Method::GET, &["readyz"])).await.is_ok()
    }

    /// Whether the server says within this time that it is alive.
    pub async fn answers_within(&self, time: Duration) -> bool {
        self.send(self.request(Method::GET, &["healthz"]).timeout(time)).await.is_ok()
    }

    /// How the cluster is.
    ///
    /// # Errors
    /// The server is not reached.
    pub async fn status(&self) -> Result<Status, Error> {
        self.get(&["api", "v1", "cluster"], &[]).await
    }

    /// All nodes.
    ///
    /// # Errors
    /// The server is not reached.
    pub async fn nodes(&self) -> Result<Vec<Node>, Error> {
        Ok(self.get::<Page<Node>, _>(&["api", "v1", "nodes"], &[]).await?.items)
    }

    /// One node.
    ///
    /// # Errors
    /// There is none of that name, or the server is not reached.
    pub async fn node(&self, name: &str) -> Result<Node, Error> {
        self.get(&["api", "v1", "nodes", name], &[]).await
    }

    /// What people are told, the newest first: what still fires, or everything (`all`), or what was not read (`unread`).
    ///
    /// # Errors
    /// The server or the monitor is not reached.
    pub async fn messages(&self, unread: bool, all: bool) -> Result<Vec<Message>, Error> {
        let flag = |name, set: bool| set.then_some((name, "true"));
        let which = [flag("unread", unread), flag("open", !unread && !all), flag("all", all)];
        let which: Vec<(&str, &str)> = which.into_iter().flatten().collect();
        Ok(self.get::<Page<Message>, _>(&["api", "v1", "messages"], &which).await?.items)
    }

    /// Marks a message as read or unread by the caller, or as taken on by the caller or not.
    ///
    /// # Errors
    /// There is no such message, the role is too low, or the server is not reached.
    pub async fn mark_message(
        &self,
        id: i64,
        read: Option<bool>,
        acknowledged: Option<bool>,
    ) -> Result<(), Error> {
        let request = self.request(Method::PATCH, &["api", "v1", "messages", &id.to_string()]);
        let body = serde_json::json!({ "read": read, "acknowledged": acknowledged });
        self.send(request.json(&body)).await.map(drop)
    }

    /// Stops, wakes, drains or retires a node (`verb`), or says what that would do.
    ///
    /// # Errors
    /// Refused (the problem's `act` says why), failed, or the server is not reached.
    pub async fn act(&self, name: &str, verb: &str, dry_run: bool, force: bool) -> Result<Act, Error> {
        let request = self.request(Method::POST, &["api", "v1", "nodes", name, verb]);
        let query = [("dry_run", dry_run.to_string()), ("force", force.to_string())];
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        decode(self.send(with_query(request, &query)).await?).await
    }

    /// Gives a node a larger or smaller share: `factor` times its capacity counts.
    ///
    /// # Errors
    /// There is no such node, the factor is out of range, or the server is not reached.
    pub async fn weigh(&self, name: &str, factor: f64, dry_run: bool) -> Result<Act, Error> {
        let request = self.request(Method::PUT, &["api", "v1", "nodes", name, "weight"]);
        let request = request.json(&serde_json::json!({ "factor": factor }));
        decode(self.send(with_query(request, &[("dry_run", dry_run.to_string().as_str())])).await?).await
    }

    /// Has the metadata compared with the shards and the tag graph, and differences made good if `repair`.
    ///
    /// # Errors
    /// A comparison is under way, the caller may not, or the server is not reached.
    pub async fn fsck(&self, repair: bool, force: bool) -> Result<Fsck, Error> {
        let request = self.request(Method::POST, &["api", "v1", "fsck"]);
        let query = [("repair", repair.to_string()), ("force", force.to_string())];
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        decode(self.send(with_query(request, &query)).await?).await
    }

    /// The comparison that is under way, or the last one.
    ///
    /// # Errors
    /// The caller may not, or the server is not reached.
    pub async fn fsck_report(&self) -> Result<Fsck, Error> {
        self.get(&["api", "v1", "fsck"], &[]).await
    }
}
