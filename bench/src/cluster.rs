//! The cluster that is measured, as its API shows it.

use crate::{
    http::{Access, Target},
    up::{Shape, Up},
    wait::until,
};
use anyhow::{Context, ensure};
use asterism_client::{Client, types::Node};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const SHAPE: Shape = Shape { nodes: 6, policy: "4+2" };
/// Losses that every file survives when all is well.
const WHOLE_MARGIN: i64 = 2;
/// Until the cluster has noticed that nodes died, or that they are back and nothing is missing.
const NOTICE_DEADLINE: Duration = Duration::from_secs(120);
/// For what goes on after an upload was acknowledged.
const REST_DEADLINE: Duration = Duration::from_secs(300);
/// Empty queues are believed after so many looks in a row: a worker may not have seen its work yet.
const REST_LOOKS: u32 = 4;

/// A running cluster in a directory that goes with it.
pub(crate) struct Cluster {
    pub(crate) up: Up,
    pub(crate) target: Target,
    client: Client,
    /// Declared last: the directory goes when the processes are gone.
    home: TempDir,
}

impl Cluster {
    /// Starts a cluster below `folder`, or in the temporary directory, and waits until it is ready.
    pub(crate) async fn start(program: &Path, folder: Option<&Path>) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("asterism-bench-");
        let home = match folder {
            Some(folder) => builder.tempdir_in(folder).with_context(|| folder.display().to_string())?,
            None => builder.tempdir()?,
        };
        let data_dir = home.path().join("data");
        let mut up = Up::start(program, &data_dir, home.path().join("up.log"), SHAPE)?;
        let address = up.ready().await?;
        let token = fs::read_to_string(data_dir.join("admin.token"))?.trim().to_owned();
        let access = Access::Bearer(token.clone());
        let target = Target { address, prefix: "/api/v1/content".into(), access };
        Ok(Self { up, target, client: Client::new(&format!("http://{address}"), Some(token))?, home })
    }

    /// A fresh directory on the disk that the cluster is on.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.home.path().join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Waits until all queues in the background are empty; since when they were.
    pub(crate) async fn rest(&self) -> anyhow::Result<Instant> {
        let (mut looks, mut since) = (0, Instant::now());
        until("rest in the background", REST_DEADLINE, async || {
            let background = self.client.status().await?.background;
            let busy: Vec<String> = background
                .into_iter()
                .filter(|worker| worker.queue > 0)
                .map(|worker| format!("{} has {} to do ({:?})", worker.name, worker.queue, worker.last_error))
                .collect();
            if looks == 0 || !busy.is_empty() {
                since = Instant::now();
            }
            looks = if busy.is_empty() { looks + 1 } else { 0 };
            Ok(if looks >= REST_LOOKS { Ok(since) } else { Err(busy.join(", ")) })
        })
        .await
    }

    /// Kills the processes of `count` nodes, others each `turn`, and waits until the cluster has noticed.
    pub(crate) async fn kill_nodes(&self, count: usize, turn: usize) -> anyhow::Result<Vec<String>> {
        let mut nodes = self.nodes().await?;
        let begin = turn * count % nodes.len();
        nodes.rotate_left(begin);
        nodes.truncate(count);
        for node in &nodes {
            let id = node.pid.with_context(|| format!("{} has no process", node.name))?;
            self.up.kill_node(&node.name, id)?;
        }
        let names: Vec<String> = nodes.into_iter().map(|node| node.name).collect();
        until("the cluster's notice of dead nodes", NOTICE_DEADLINE, async || {
            let nodes = self.nodes().await?.into_iter();
            let online: Vec<String> = nodes.filter(is_online).map(|node| node.name).collect();
            let still: Vec<&String> = names.iter().filter(|name| online.contains(name)).collect();
            Ok(if still.is_empty() { Ok(()) } else { Err(format!("{still:?} still count as online")) })
        })
        .await?;
        Ok(names)
    }

    /// Starts dead nodes again and waits until nothing is missing.
    pub(crate) async fn wake(&self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            let act = self.client.act(name, "wake", false, false).await?;
            ensure!(act.outcome == "done", "{name} was not woken: {} ({})", act.message, act.outcome);
        }
        until("a whole cluster", NOTICE_DEADLINE, async || {
            let online = self.nodes().await?.iter().filter(|node| is_online(node)).count();
            let status = self.client.status().await?;
            let margin = status.groups.worst_margin;
            let whole = online == SHAPE.nodes && status.short_extents == 0 && margin == Some(WHOLE_MARGIN);
            let short = status.short_extents;
            let not_yet = || format!("{online} nodes online, {short} short extents, worst margin {margin:?}");
            Ok(if whole { Ok(()) } else { Err(not_yet()) })
        })
        .await
    }

    async fn nodes(&self) -> anyhow::Result<Vec<Node>> {
        let mut nodes = self.client.nodes().await?;
        ensure!(nodes.len() == SHAPE.nodes, "the cluster has {} nodes", nodes.len());
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(nodes)
    }

    /// Stops everything; an error if it does not stop cleanly.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let Self { up, home, .. } = self;
        up.stop().await?;
        Ok(home.close()?)
    }
}

fn is_online(node: &Node) -> bool {
    node.state == "online"
}
