//! Steps that several journeys have in common, each with what must hold after it.

use crate::cluster::Cluster;
use crate::ledger::Ledger;
use crate::samples::{self, Kind, Sample};
use crate::wait::until;
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Where journeys keep the samples.
pub const LIBRARY: &str = "/library";

/// Tagging of all samples, by a debug build on two busy cores.
pub const TAGGING_LIMIT: Duration = Duration::from_secs(180);
/// Detection, waking and rebuilding of what was written meanwhile.
pub const HEALING_LIMIT: Duration = Duration::from_secs(180);

/// Stores every sample, and sees that each survives the loss of two nodes.
///
/// # Errors
/// An upload fails, or says less.
pub async fn store_the_library(cluster: &Cluster, ledger: &mut Ledger) -> anyhow::Result<Vec<Sample>> {
    let samples = samples::gather()?;
    let stored = ledger.put(cluster, &samples, LIBRARY).await?;
    ensure!(stored.len() == samples.len(), "{} of {} are stored", stored.len(), samples.len());
    for file in &stored {
        ensure!(file["redundancy"] == 2, "not every shard is durable: {file}");
    }
    Ok(samples)
}

/// The names of the files that a query finds, over all pages.
///
/// # Errors
/// The query is refused.
pub async fn found(cluster: &Cluster, query: &str) -> anyhow::Result<BTreeSet<String>> {
    Ok(items(cluster, query).await?.iter().filter_map(name).collect())
}

async fn items(cluster: &Cluster, query: &str) -> anyhow::Result<Vec<Value>> {
    let answer = cluster.cli(&["find", "--all", "--json", query]).await?.json()?;
    answer["items"].as_array().cloned().with_context(|| format!("no items in {answer}"))
}

fn name(item: &Value) -> Option<String> {
    Some(item["path"].as_str()?.rsplit('/').next()?.to_owned())
}

/// Searches by what the taggers must have seen in the samples.
///
/// # Errors
/// A search lists another set of files.
pub async fn find_by_tag(cluster: &Cluster, samples: &[Sample]) -> anyhow::Result<()> {
    let of_kind = |kind: Kind| -> BTreeSet<String> {
        samples.iter().filter(|sample| sample.kind == kind).map(|sample| sample.name.clone()).collect()
    };
    let expect = async |query: &str, expected: BTreeSet<String>| {
        let found = found(cluster, query).await?;
        let missing: Vec<_> = expected.difference(&found).collect();
        let wrong: Vec<_> = found.difference(&expected).collect();
        let said = async |name: &&String| cluster.cli(&["tag", "ls", &format!("{LIBRARY}/{name}")]).await;
        if let Some(name) = missing.first().or(wrong.first()) {
            let tags = said(name).await?.message();
            bail!("{query}: missing {missing:?}, wrong {wrong:?}; {name}:\n{tags}\n{}", cluster.log_tail());
        }
        anyhow::Ok(())
    };
    expect("type:image AND tag:jpeg", of_kind(Kind::Jpeg)).await?;
    expect("format:pdf", of_kind(Kind::Pdf)).await?;
    expect("format:docx", of_kind(Kind::Document)).await?;
    expect("type:image AND NOT format:jpeg", of_kind(Kind::Picture)).await?;
    expect("(format:pdf OR format:pptx) AND NOT format:pdf", of_kind(Kind::Slides)).await?;
    expect("type:audio", of_kind(Kind::Audio)).await?;
    expect(
        "tag:zh",
        samples.iter().map(|sample| sample.name.clone()).filter(|name| !name.is_ascii()).collect(),
    )
    .await?;
    expect("说明", BTreeSet::new()).await?;
    expect("自述", BTreeSet::from(["自述文件.md".to_owned()])).await?;
    find_by_camera(cluster).await
}

/// The camera of a picture is written in its EXIF, and nowhere in its name.
async fn find_by_camera(cluster: &Cluster) -> anyhow::Result<()> {
    const PICTURE: &str = "court-exif.jpg";
    let pictures = items(cluster, "format:jpeg").await?;
    let picture =
        pictures.iter().find(|item| name(item).as_deref() == Some(PICTURE)).context("the picture")?;
    let tags = picture["tags"].as_array().context("tags with why")?;
    let camera =
        tags.iter().find(|tag| tag["kind"] == "camera").with_context(|| format!("no camera: {picture}"))?;
    let camera = camera["name"].as_str().context("a tag has a name")?;
    ensure!(camera.contains("nikon"), "the camera is {camera:?}");
    let found = found(cluster, &format!("type:image AND tag:\"{camera}\"")).await?;
    ensure!(found.contains(PICTURE) && !found.contains("lena_std.jpg"), "{camera}: found {found:?}");
    Ok(())
}

/// Stopping a node that is still needed is refused with a reason, and leaves it as it was.
///
/// # Errors
/// It is not refused, says nothing, or the node is gone.
pub async fn stop_is_refused(cluster: &Cluster, node: &str) -> anyhow::Result<()> {
    let before = cluster.node(node).await?;
    let answer = cluster.cli(&["node", "stop", node]).await?;
    answer.refused("group")?;
    let after = cluster.node(node).await?;
    ensure!(after.pid == before.pid && after.state == before.state, "{node} changed: {before:?}, {after:?}");
    Ok(())
}

/// Waits until the cluster itself says that a node is in this state.
///
/// # Errors
/// It does not in time.
pub async fn node_is(cluster: &Cluster, node: &str, state: &str) -> anyhow::Result<()> {
    until(&format!("{node} {state}"), Duration::from_secs(60), async || {
        let found = cluster.node(node).await?.state;
        ensure!(found == state, "{node} is {found}");
        Ok(())
    })
    .await
    .with_context(|| cluster.log_tail())
}

/// Wakes a node and waits until it is online.
///
/// # Errors
/// The command is refused, or the node does not come.
pub async fn wake(cluster: &Cluster, node: &str) -> anyhow::Result<()> {
    cluster.cli(&["node", "wake", node]).await?.ok()?;
    node_is(cluster, node, "online").await
}
