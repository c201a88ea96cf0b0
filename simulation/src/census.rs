//! What must be true when all faults are over: everything whole again by itself, counted on the nodes' disks and not by who reports it.

use crate::{
    faults::Injector,
    index::{Index, Running},
    ledger::Ledger,
    process::{Host, Shared, lock},
    requests::{Answer, Ask},
};
use asterism_cluster::{Extent, ShardKey};
use asterism_proto::NodeId;
use asterism_storage_node::shard;
use axum::http::Method;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::{Instant, sleep};

/// Everything is whole again this long after the last fault, at most (T_heal): rows that failed often are tried again after ten
/// minutes.
const HEAL: Duration = Duration::from_secs(1200);
const LOOK: Duration = Duration::from_secs(1);

/// What was counted in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Extents of all files.
    pub extents: u64,
    /// Their shards that verify on the right nodes.
    pub shards: u64,
    /// Shards that no file has: remains of uploads that an end cut off.
    pub orphans: u64,
    /// Until everything was whole.
    pub healed_in: Duration,
}

/// Waits until the cluster says of itself that everything is whole.
///
/// # Errors
/// It never does.
pub async fn wait_until_whole(injector: &Injector, ledger: &Shared<Ledger>) -> Result<Duration, String> {
    let began = Instant::now();
    loop {
        let missing = match injector.index.running() {
            Some(running) => what_is_missing(&injector.index, &running).await,
            None => "no index-server runs".into(),
        };
        if missing.is_empty() {
            return Ok(began.elapsed());
        }
        if began.elapsed() > HEAL {
            let damage = describe_damage(injector, ledger).await?;
            return Err(format!("not whole {} s after the last fault: {missing}{damage}", HEAL.as_secs()));
        }
        sleep(LOOK).await;
    }
}

/// What is wrong with the shards of every file, a line for each.
async fn describe_damage(injector: &Injector, ledger: &Shared<Ledger>) -> Result<String, String> {
    let Some(running) = injector.index.running() else { return Ok(String::new()) };
    let mut damage = String::new();
    let paths = lock(ledger).paths();
    for path in paths {
        for extent in extents_of(&running, &path).await? {
            for (slot, node) in extent.nodes.iter().enumerate() {
                if let Err(error) = verify(injector, *node, extent.key(slot)).await {
                    let (id, policy, host) = (extent.id, extent.policy, host(*node));
                    damage +=
                        &format!("\n  {path}: extent {id} ({policy}), shard {slot} on node {host}: {error}");
                }
            }
        }
    }
    Ok(damage)
}

/// Empty when nothing is.
async fn what_is_missing(index: &Index, running: &Running) -> String {
    let catalog = &running.extents.catalog;
    let counts = async {
        anyhow::Ok((
            catalog.short_count().await?,
            catalog.removal_count().await?,
            catalog.moves_left().await?,
        ))
    };
    let (short, removals, moves) = match counts.await {
        Ok(counts) => counts,
        Err(error) => return format!("the catalog does not answer: {error}"),
    };
    let uncounted = running.extents.members.to_be_counted().len();
    let away = running.extents.members.all().iter().filter(|member| !member.is_live()).count();
    if short + removals + moves > 0 || uncounted + away > 0 {
        return format!(
            "{short} extents short, {removals} removals and {moves} moves wait, {uncounted} nodes not counted, {away} away"
        );
    }
    let Answer::Whole(_, body) = Ask::new(Method::GET, "/api/v1/cluster").send(index).await else {
        return "the cluster does not say how it is".into();
    };
    let said: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let margin = running.extents.policy.parity();
    match said["groups"]["worst_margin"] == margin && said["short_extents"] == 0 {
        true => String::new(),
        false => format!("the cluster reports {said}"),
    }
}

/// Counts every shard of every file on the disk of its node.
///
/// # Errors
/// One is missing or does not verify.
pub async fn count(injector: &Injector, ledger: &Shared<Ledger>) -> Result<Counted, String> {
    let Some(running) = injector.index.running() else { return Err("no index-server runs".into()) };
    let mut counted = Counted::default();
    let mut known = BTreeSet::new();
    let paths = lock(ledger).paths();
    for path in paths {
        for extent in extents_of(&running, &path).await? {
            counted.extents += 1;
            for (slot, node) in extent.nodes.iter().enumerate() {
                known.insert((*node, extent.key(slot)));
                match verify(injector, *node, extent.key(slot)).await {
                    Ok(()) => counted.shards += 1,
                    Err(error) => {
                        return Err(format!(
                            "{path}: shard {slot} of extent {} on node {} is not valid, though all is said to be whole: {error}",
                            extent.id,
                            host(*node)
                        ));
                    }
                }
            }
        }
    }
    for node in &injector.nodes {
        let Some(store) = node.store() else { continue };
        let mut after = None;
        loop {
            let page = store.list(after, 1024);
            let Some(last) = page.last() else { break };
            after = Some(last.key());
            let key =
                |shard: &shard::Shard| ShardKey { extent: shard.key().extent(), slot: shard.key().slot() };
            counted.orphans +=
                page.iter().filter(|shard| !known.contains(&(node.id, key(shard)))).count() as u64;
        }
    }
    Ok(counted)
}

async fn extents_of(running: &Running, path: &str) -> Result<Vec<Extent>, String> {
    let catalog = &running.extents.catalog;
    let owner = "admin".parse().map_err(|_| "no user's name")?;
    let place = path.parse().map_err(|_| format!("{path} is no path"))?;
    let entry = match catalog.stat(&owner, &place).await {
        Ok(entry) => entry,
        Err(asterism_index_server::catalog::CatalogError::NotFound(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let Some(content) = entry.content else { return Err(format!("{path} is no file")) };
    let rows = catalog.extents(content.id, 0..u64::MAX).await.map_err(|error| error.to_string())?;
    let extents = rows.iter().map(|row| running.extents.extent(row));
    extents.collect::<Option<_>>().ok_or_else(|| format!("an extent of {path} lies nowhere"))
}

async fn verify(injector: &Injector, node: NodeId, key: ShardKey) -> Result<(), String> {
    let store = injector.nodes.iter().find(|one| one.id == node).and_then(|one| one.store());
    let store = store.ok_or("the node does not run")?;
    let key = shard::ShardKey::new(key.extent, u32::from(key.slot)).ok_or("no key")?;
    store.verify(key).await.map(drop).map_err(|error| error.to_string())
}

fn host(node: NodeId) -> Host {
    Host::from(node.as_bytes()[0])
}
