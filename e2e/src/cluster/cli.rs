//! The command line of a cluster, and what it answered.

use super::Cluster;
use crate::locate;
use anyhow::{Context, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::Command;

/// Uploads of a gibibyte by a debug build included.
const COMMAND_LIMIT: Duration = Duration::from_secs(300);

/// What a command answered.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit status: 0 ok, 1 refused or failed, 2 usage.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// What was run.
    pub command: String,
}

impl Output {
    /// Whether it was done.
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// Fails unless it was done.
    ///
    /// # Errors
    /// It was refused or failed; the message says how.
    pub fn ok(self) -> anyhow::Result<Self> {
        ensure!(self.success(), "{} ({}): {}", self.command, self.status, self.message());
        Ok(self)
    }

    /// Its standard output as JSON.
    ///
    /// # Errors
    /// The command failed, or printed something else.
    pub fn json(&self) -> anyhow::Result<Value> {
        ensure!(self.success(), "{} ({}): {}", self.command, self.status, self.message());
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("{}: not JSON: {}", self.command, self.stdout))
    }

    /// Whether it said this, in any case of letters.
    pub fn says(&self, text: &str) -> bool {
        self.message().to_lowercase().contains(&text.to_lowercase())
    }

    /// What it said: both outputs.
    pub fn message(&self) -> String {
        format!("{}{}", self.stdout, self.stderr).trim().to_owned()
    }

    /// Fails unless it was refused in one clear sentence: exit code 1, something said that holds `text`, no panic.
    ///
    /// # Errors
    /// It was not.
    pub fn refused(&self, text: &str) -> anyhow::Result<()> {
        ensure!(
            self.status.code() == Some(1),
            "{} ended with {}: {}",
            self.command,
            self.status,
            self.message()
        );
        ensure!(
            self.says(text),
            "{} was refused without a word of {text:?}: {}",
            self.command,
            self.message()
        );
        ensure!(!self.says("panicked"), "{} panicked: {}", self.command, self.message());
        Ok(())
    }
}

impl Cluster {
    /// Runs the real command line against this cluster.
    ///
    /// # Errors
    /// It cannot be started, or does not end. A refusal is an answer.
    pub async fn cli<A: AsRef<OsStr>>(&self, arguments: &[A]) -> anyhow::Result<Output> {
        self.cli_as(&self.token, arguments).await
    }

    /// As [`Self::cli`], with another token.
    ///
    /// # Errors
    /// It cannot be started, or does not end.
    pub async fn cli_as<A: AsRef<OsStr>>(&self, token: &str, arguments: &[A]) -> anyhow::Result<Output> {
        let mut command = Command::new(locate::binary("asterism")?);
        command.env("ASTERISM_SERVER", &self.address).env("ASTERISM_TOKEN", token);
        // A saved login is kept below it.
        command.env("HOME", self.home()).env_remove("XDG_CONFIG_HOME");
        command.args(arguments);
        run(command).await
    }

    /// `asterism put FILE… PATH`.
    ///
    /// # Errors
    /// As [`Self::cli`].
    pub async fn put<A: AsRef<OsStr>>(&self, files: &[A], path: &str) -> anyhow::Result<Output> {
        // A name that begins with a dash is a name.
        let mut arguments = vec![OsStr::new("put"), OsStr::new("--json"), OsStr::new("--")];
        arguments.extend(files.iter().map(AsRef::as_ref));
        arguments.push(OsStr::new(path));
        self.cli(&arguments).await
    }

    /// `asterism get PATH -o FILE`.
    ///
    /// # Errors
    /// As [`Self::cli`].
    pub async fn get(&self, path: &str, file: &Path) -> anyhow::Result<Output> {
        let arguments =
            [OsStr::new("get"), OsStr::new("-o"), file.as_os_str(), OsStr::new("--"), OsStr::new(path)];
        self.cli(&arguments).await
    }
}

/// Runs a command to its end.
async fn run(mut command: Command) -> anyhow::Result<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let name = format!("{:?}", command.as_std());
    let output = tokio::time::timeout(COMMAND_LIMIT, command.output())
        .await
        .with_context(|| format!("{name} does not end"))?
        .with_context(|| format!("cannot start {name}"))?;
    Ok(Output {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        command: name,
    })
}
