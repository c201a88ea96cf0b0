//! What crashes leave behind is told by `fsck`, goes by proof, and nothing else goes.

use anyhow::ensure;
use asterism_e2e::faults::site::INDEX;
use asterism_e2e::faults::{Content, Oracle, Site, fill};
use asterism_e2e::story::HEALING_LIMIT;
use asterism_e2e::{Options, http, until, within};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(600);

/// What `asterism fsck` finds of one kind, and whether it is content.
async fn finds(site: &Site, kind: &str) -> anyhow::Result<(u64, bool)> {
    let output = site.cli(&["fsck", "--json"]).await?;
    let report: Value = serde_json::from_str(&output.stdout)?;
    let differences = report["differences"].as_array().cloned().unwrap_or_default();
    let count = differences.iter().find(|one| one["kind"] == kind).and_then(|one| one["count"].as_u64());
    ensure!(count.is_some() && report["state"] == "done", "{report}");
    Ok((count.unwrap_or_default(), output.success()))
}

#[tokio::test]
async fn what_an_upload_left_that_died_with_its_server_goes_by_proof() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::prepare(Options::default()).await?;
        site.configure(INDEX, "trash_days", "0")?;
        site.start_all().await?;
        let oracle = Oracle::default();
        fill(&site, &oracle, "/kept", 14, 2).await?;
        site.tagged_until(HEALING_LIMIT).await?;
        ensure!(finds(&site, "unnamed_shards").await? == (0, true), "a sound cluster differs");

        // All shards are durable, and the server dies before it makes them a file.
        site.stop_server(INDEX).await?;
        site.set_variable(INDEX, "ASTERISM_FAILPOINT", "upload.stored");
        site.launch(INDEX)?;
        site.all_running_online().await?;
        let lost = Content::new(1, 300_000);
        let upload = site.request(Method::PUT, "/content/lost").body(lost.bytes.clone());
        ensure!(http::send(upload).await.is_err(), "the server did not die");
        site.set_variable(INDEX, "ASTERISM_FAILPOINT", "");
        site.kill(INDEX)?;
        site.launch(INDEX)?;
        site.all_running_online().await?;
        ensure!(finds(&site, "unnamed_shards").await? == (6, false), "what was left is not told");

        // They go, and nothing else does.
        site.stop_server(INDEX).await?;
        site.configure(INDEX, "orphans_minutes", "0")?;
        site.launch(INDEX)?;
        site.all_running_online().await?;
        until("no more shards than the files have", HEALING_LIMIT, async || {
            let shards: u64 = site.settled_shards().await?.values().sum();
            ensure!(shards == oracle.shards(), "{shards} instead of {}", oracle.shards());
            Ok(())
        })
        .await?;
        ensure!(finds(&site, "unnamed_shards").await? == (0, true), "something is left");
        site.check(&oracle).await?;
        site.nobody_panicked()
    })
    .await
}
