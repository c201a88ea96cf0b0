//! The command that compares everything with everything.

use crate::cli::output;
use asterism_client::{Client, types::Fsck};
use std::time::Duration;

/// How often a comparison that is under way is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

pub(crate) async fn run(client: &Client, repair: bool, force: bool, json: bool) -> anyhow::Result<()> {
    let mut report = client.fsck(repair, force).await?;
    while matches!(report.state.as_str(), "waiting" | "running") {
        tokio::time::sleep(LOOK_EVERY).await;
        report = client.fsck_report().await?;
    }
    output::print(json, &report, || text(&report))?;
    if let Some(error) = &report.error {
        anyhow::bail!("it ended early: {}", output::shown(error));
    }
    let left: u64 = report.differences.iter().map(|one| one.count - one.repaired).sum();
    anyhow::ensure!(left == 0, "{left} differences are left");
    Ok(())
}

fn text(report: &Fsck) -> String {
    let mut text = format!("{} shards and {} files were compared\n", report.shards, report.files);
    if !report.unchecked_nodes.is_empty() {
        text.push_str(&format!("not reached: {}\n", output::shown(&report.unchecked_nodes.join(", "))));
    }
    let rows = report.differences.iter().map(|one| {
        vec![one.kind.clone(), one.count.to_string(), one.repaired.to_string(), one.meaning.clone()]
    });
    text.push_str(&output::table(
        &["DIFFERENCE", "FOUND", "REPAIRED", "WHAT IT IS"],
        &rows.collect::<Vec<_>>(),
    ));
    for one in report.differences.iter().filter(|one| !one.examples.is_empty()) {
        text.push_str(&format!("\n{}: {}", one.kind, output::shown(&one.examples.join(", "))));
    }
    text
}
