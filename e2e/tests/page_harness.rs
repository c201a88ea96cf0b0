//! The browser harness works by itself, so that a failing page journey speaks of the page.

use asterism_e2e::{page, within};
use std::time::Duration;

#[tokio::test]
async fn chromium_runs_a_page_and_its_faults_are_noticed() -> anyhow::Result<()> {
    within(Duration::from_secs(120), async {
        let said = page::run("harness.mjs", &[]).await?;
        anyhow::ensure!(said.contains("a script fills the heading"), "{said}");
        Ok(())
    })
    .await
}
