//! Journeys in a real browser: a script of `e2e/page`, run by Node.js against a cluster.

use crate::locate::{self, program};
use anyhow::{Context, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// A browser on a busy machine, with everything that the journey waits for.
const SCRIPT_LIMIT: Duration = Duration::from_secs(300);

/// Where screenshots of all journeys are left to be looked at.
pub fn shots() -> PathBuf {
    locate::repository().join("e2e/shots")
}

/// Runs `e2e/page/<script>`; it learns what it needs by `variables`. Gives what it printed.
///
/// # Errors
/// The browser or its driver is missing, or the journey fails; the message says at which step.
pub async fn run(script: &str, variables: &[(&str, &str)]) -> anyhow::Result<String> {
    let folder = locate::repository().join("e2e/page");
    ensure!(
        folder.join("node_modules/playwright-core").is_dir(),
        "no browser driver: run `make test-servers`"
    );
    fs::create_dir_all(shots())?;
    let mut command = Command::new(program("node")?);
    command.arg(folder.join(script)).stdin(Stdio::null()).kill_on_drop(true);
    command.env("CHROMIUM", program("chromium")?).env("SHOTS", shots());
    command.envs(variables.iter().copied());
    let output = tokio::time::timeout(SCRIPT_LIMIT, command.output())
        .await
        .with_context(|| format!("{script} does not end"))??;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{script}: {said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}
