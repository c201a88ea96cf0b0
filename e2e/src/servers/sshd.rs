//! A private OpenSSH server that lets the current user in with one key.

use super::{READY_LIMIT, port, ready};
use crate::locate::program;
use crate::process::{Process, bound_command};
use anyhow::{Context, ensure};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

/// Where sshd wants an empty directory when it runs as root; its service file would make it.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

/// A running server.
#[derive(Debug)]
pub struct Sshd {
    process: Process,
    folder: TempDir,
    port: u16,
}

impl Sshd {
    /// Starts one whose only key may do everything.
    ///
    /// # Errors
    /// OpenSSH's server is not installed, or does not come up.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("sshd-").tempdir()?;
        let port = port::free()?;
        make_key(&folder.path().join("host"))?;
        make_key(&folder.path().join("client"))?;
        fs::write(folder.path().join("sshd_config"), configuration(folder.path(), port))?;
        if rustix::process::geteuid().is_root() {
            fs::DirBuilder::new().mode(0o755).recursive(true).create(PRIVILEGE_SEPARATION)?;
        }
        let mut server = Self { process: serve(folder.path())?, folder, port };
        server.authorise("")?;
        server.ready().await?;
        Ok(server)
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The private key that it accepts.
    pub fn client_key(&self) -> PathBuf {
        self.folder.path().join("client")
    }

    /// Writes a `known_hosts` file with the key that the server shows now, and gives its path.
    ///
    /// # Errors
    /// The key cannot be read or the file not written.
    pub fn known_hosts(&self) -> anyhow::Result<PathBuf> {
        let key = fs::read_to_string(self.folder.path().join("host.pub"))?;
        let path = self.folder.path().join("known_hosts");
        fs::write(&path, format!("[127.0.0.1]:{} {key}", self.port))?;
        Ok(path)
    }

    /// Puts options before the accepted key (`restrict,command="…"`); nothing lets it do everything.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn authorise(&self, options: &str) -> anyhow::Result<()> {
        let key = fs::read_to_string(self.folder.path().join("client.pub"))?;
        let path = self.folder.path().join("authorized_keys");
        let space = if options.is_empty() { "" } else { " " };
        fs::write(&path, format!("{options}{space}{key}"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(())
    }

    /// Comes back with another host key, as an impostor would.
    ///
    /// # Errors
    /// The key cannot be made, or the server does not come up.
    pub async fn change_host_key(&mut self) -> anyhow::Result<()> {
        self.process.kill();
        let key = self.folder.path().join("host");
        fs::remove_file(&key)?;
        fs::remove_file(key.with_extension("pub"))?;
        make_key(&key)?;
        self.process = serve(self.folder.path())?;
        self.ready().await
    }

    /// Ready when it says which protocol it speaks.
    async fn ready(&mut self) -> anyhow::Result<()> {
        let port = self.port;
        ready(&mut self.process, READY_LIMIT, async || {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            let mut banner = String::new();
            BufReader::new(stream).read_line(&mut banner).await?;
            ensure!(banner.starts_with("SSH-2.0"), "the banner is {banner:?}");
            Ok(())
        })
        .await
    }
}

fn make_key(path: &Path) -> anyhow::Result<()> {
    let output = Command::new(program("ssh-keygen")?)
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .output()?;
    ensure!(output.status.success(), "ssh-keygen: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/pid
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
# The directory is the test's; who else may write above it is not what is tested.
StrictModes no
LogLevel VERBOSE
"
    )
}

fn serve(folder: &Path) -> anyhow::Result<Process> {
    // sshd starts itself anew for each connection and insists on an absolute path; `program` gives one.
    let mut command = bound_command(&program("sshd")?)?;
    command.args(["-D", "-e", "-f"]).arg(folder.join("sshd_config"));
    Process::start("sshd", command, folder).context("cannot start sshd")
}
