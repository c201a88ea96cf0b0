//! A person at a browser: log in, upload, search by tag, click the graph, stop and wake a node.

use anyhow::ensure;
use asterism_e2e::samples;
use asterism_e2e::story::TAGGING_LIMIT;
use asterism_e2e::{Cluster, Options, page, within};
use std::time::Duration;

const UPLOADS: &[&str] = &["court-exif.jpg", "lena_std.jpg", "04-valid.pdf", "自述文件.md", "GPL-3"];

#[tokio::test]
async fn a_person_stores_finds_and_switches_off() -> anyhow::Result<()> {
    within(Duration::from_secs(600), async {
        let cluster = Cluster::start(Options::default()).await?;
        let samples = samples::gather()?;
        let files = UPLOADS.iter().map(|name| {
            let sample = samples.iter().find(|sample| sample.name == *name);
            sample.map(|sample| sample.file.display().to_string()).unwrap_or_default()
        });
        let files = files.collect::<Vec<_>>().join("\n");
        let password = cluster.password()?;
        let access = [("SERVER", cluster.url()), ("USER_NAME", "admin"), ("PASSWORD", password.as_str())];

        let mut variables = access.to_vec();
        variables.push(("FILES", &files));
        page::run("upload.mjs", &variables).await?;
        cluster.tagged_until(TAGGING_LIMIT).await?;
        page::run("search.mjs", &access).await?;
        page::run("nodes.mjs", &access).await?;

        let status = cluster.status().await?;
        ensure!(status["files"].as_u64() == Some(UPLOADS.len() as u64), "{status}");
        ensure!(status["nodes"]["online"] == 6, "the page left a node asleep: {status}");
        Ok(())
    })
    .await
}
