//! A private MariaDB with durable commits, as the product demands them.

use super::{READY_LIMIT, port, ready};
use crate::locate::program;
use crate::process::{Process, bound_command};
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// MariaDB refuses to run as root; its package brings this user.
const UNPRIVILEGED_USER: &str = "mysql";
/// Of the account that tests use; the server listens on loopback and lives for one test.
const PASSWORD: &str = "only-on-loopback";

/// A running server.
#[derive(Debug)]
pub struct Mariadb {
    process: Process,
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
}

impl Mariadb {
    /// Starts a fresh server.
    ///
    /// # Errors
    /// MariaDB is not installed, or does not come up.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with_settings(&[]).await
    }

    /// Starts a fresh server with further settings (`--name=value`).
    ///
    /// # Errors
    /// MariaDB is not installed, or does not come up.
    pub async fn with_settings(settings: &[&str]) -> anyhow::Result<Self> {
        Self::start_in(&std::env::temp_dir(), settings).await
    }

    /// The same on a disk of the test's choice.
    ///
    /// # Errors
    /// MariaDB is not installed, or does not come up.
    pub async fn start_in(disk: &Path, settings: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("mariadb-").tempdir_in(disk)?;
        own(folder.path())?;
        initialise(folder.path())?;
        let port = port::free()?;
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        let process = serve(folder.path(), port, &settings)?;
        let mut server = Self { process, folder, port, settings };
        server.ready().await?;
        server.sql(&format!(
            "CREATE USER asterism@'127.0.0.1' IDENTIFIED BY '{PASSWORD}', asterism@localhost IDENTIFIED BY '{PASSWORD}';
             GRANT ALL ON *.* TO asterism@'127.0.0.1', asterism@localhost"
        ))?;
        Ok(server)
    }

    /// Makes an empty database and gives its address, as `asterism up --database` takes it.
    ///
    /// # Errors
    /// The server refuses the name.
    pub fn database(&self, name: &str) -> anyhow::Result<String> {
        self.sql(&format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))?;
        Ok(format!("mysql://asterism:{PASSWORD}@127.0.0.1:{}/{name}", self.port))
    }

    /// Runs statements as root and gives the rows, fields separated by tabs.
    ///
    /// # Errors
    /// One of them fails; the message is the server's.
    pub fn sql(&self, statements: &str) -> anyhow::Result<String> {
        let output = Command::new(program("mariadb")?)
            .args(["--no-defaults", "--batch", "--skip-column-names", "--user=root"])
            .arg(format!("--socket={}", socket(self.folder.path()).display()))
            .args(["--execute", statements])
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Kills the server in the middle of whatever it does; its data stays.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port and data.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.process.kill();
        self.process = serve(self.folder.path(), self.port, &self.settings)?;
        self.ready().await
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let socket = socket(self.folder.path());
        ready(&mut self.process, READY_LIMIT, async || {
            let status = Command::new(program("mariadb-admin")?)
                .args(["--no-defaults", "--silent", "--user=root", "ping"])
                .arg(format!("--socket={}", socket.display()))
                .output()?
                .status;
            ensure!(status.success(), "no answer to ping");
            Ok(())
        })
        .await
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}

fn data(folder: &Path) -> String {
    format!("--datadir={}", folder.join("data").display())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives the folder to the user that the server will run as.
fn own(folder: &Path) -> anyhow::Result<()> {
    if is_root() {
        let status = Command::new("chown").arg(format!("{UNPRIVILEGED_USER}:")).arg(folder).status()?;
        ensure!(status.success(), "cannot give {} to {UNPRIVILEGED_USER}", folder.display());
    }
    Ok(())
}

/// A command that runs as the unprivileged user in its own folder, bound to the test's life.
fn unprivileged(name: &str, folder: &Path) -> anyhow::Result<Command> {
    let mut command = without_privileges(&program(name)?)?;
    // A starting server removes every temporary table that it finds, those of its neighbours too.
    command.env("TMPDIR", folder);
    Ok(command)
}

fn without_privileges(target: &Path) -> anyhow::Result<Command> {
    if !is_root() {
        return bound_command(target);
    }
    // One `setpriv` does both: the kernel forgets the bond to the parent when the user changes afterwards.
    let mut command = Command::new(program("setpriv")?);
    command.args(["--reuid", UNPRIVILEGED_USER, "--regid", UNPRIVILEGED_USER, "--clear-groups"]);
    command.args(["--pdeathsig", "KILL", "--"]).arg(target);
    Ok(command)
}

fn initialise(folder: &Path) -> anyhow::Result<()> {
    let output = unprivileged("mariadb-install-db", folder)?
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .arg(data(folder))
        .output()
        .context("cannot start mariadb-install-db")?;
    ensure!(output.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

fn serve(folder: &Path, port: u16, settings: &[String]) -> anyhow::Result<Process> {
    let mut command = unprivileged("mariadbd", folder)?;
    command
        .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"])
        .args(["--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1", "--innodb-buffer-pool-size=64M"])
        .args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin"])
        .arg(data(folder))
        .arg(format!("--socket={}", socket(folder).display()))
        .arg(format!("--pid-file={}", folder.join("pid").display()))
        .arg(format!("--port={port}"))
        .args(settings);
    Process::start("mariadb", command, folder)
}
