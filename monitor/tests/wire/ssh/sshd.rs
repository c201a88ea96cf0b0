//! A private sshd on a free loopback port, with its own host keys and one key that may enter.

use asterism_monitor::power::{Answer, PowerDriver, PowerError, Ssh, SshTarget, Verb};
use std::{
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const SSHD: &str = "/usr/sbin/sshd";
const PATIENCE: Duration = Duration::from_secs(20);

/// The forced command of this repository.
pub(crate) fn asterism_power() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/ssh/asterism-power")
}

pub(crate) struct Sshd {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    process: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sshd {
    /// A server with an ed25519 host key that runs `forced` for whoever enters with the key `id`.
    pub(crate) fn start(forced: &str) -> Self {
        Self::with_host_keys(forced, &["ed25519"])
    }

    pub(crate) fn with_host_keys(forced: &str, kinds: &[&str]) -> Self {
        assert!(
            Path::new(SSHD).exists(),
            "{SSHD} is missing: install it with `apt-get install openssh-server`"
        );
        let dir = tempfile::tempdir().unwrap();
        for kind in kinds {
            make_key(kind, &dir.path().join(format!("host_{kind}")));
        }
        make_key("ed25519", &dir.path().join("id"));
        let public = std::fs::read_to_string(dir.path().join("id.pub")).unwrap();
        // Quotes within the command would end the option.
        let forced = forced.replace('"', "\\\"");
        let line = format!("restrict,command=\"{forced}\" {public}");
        std::fs::write(dir.path().join("authorized_keys"), line).unwrap();
        // As root, sshd separates its privileges below this directory; as anybody else it has none to separate.
        let _ = std::fs::create_dir_all("/run/sshd");
        let (process, port) = serve(dir.path(), kinds);
        let server = Self { dir, port, process };
        server.pin(kinds);
        server
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn name(&self) -> String {
        format!("[127.0.0.1]:{}", self.port)
    }

    /// Pins the host keys of `kinds`, and only those.
    pub(crate) fn pin(&self, kinds: &[&str]) {
        let lines = kinds.iter().map(|kind| self.pin_line(&self.path(&format!("host_{kind}.pub"))));
        std::fs::write(self.path("known_hosts"), lines.collect::<String>()).unwrap();
    }

    /// A line of known_hosts that says that this server has the key in `public`.
    pub(crate) fn pin_line(&self, public: &Path) -> String {
        format!("{} {}", self.name(), std::fs::read_to_string(public).unwrap())
    }

    pub(crate) fn target(&self) -> SshTarget {
        SshTarget {
            host: "127.0.0.1".into(),
            port: self.port,
            user: user(),
            key_file: self.path("id"),
            known_hosts: self.path("known_hosts"),
            timeout: Duration::from_secs(10),
        }
    }

    pub(crate) async fn run(&self, verb: Verb, node: &str) -> Result<Answer, PowerError> {
        run(self.target(), verb, node).await
    }
}

pub(crate) async fn run(target: SshTarget, verb: Verb, node: &str) -> Result<Answer, PowerError> {
    Ssh::new(target).run(verb, &node.parse().unwrap()).await
}

/// The error of a stop of `n1` at `target`; it must hold `words`.
#[track_caller]
pub(crate) fn check_error(result: Result<Answer, PowerError>, words: &str) {
    let error = result.expect_err(words).to_string();
    assert!(error.contains(words), "{error:?} does not hold {words:?}");
}

pub(crate) fn user() -> String {
    let id = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

pub(crate) fn make_key(kind: &str, path: &Path) {
    let bits = if kind == "rsa" { "2048" } else { "256" };
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-b", bits, "-N", "", "-C", "test", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .expect("ssh-keygen is missing: install it with `apt-get install openssh-client`");
    assert!(made.success());
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn serve(dir: &Path, kinds: &[&str]) -> (Child, u16) {
    // A port that was free a moment ago may be taken now, so there is more than one try.
    for _ in 0..5 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let config = dir.join("sshd_config");
        std::fs::write(&config, configuration(dir, kinds, port)).unwrap();
        let log = std::fs::File::create(dir.join("sshd.log")).unwrap();
        let mut process = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(&config)
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        if answers(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), &mut process) {
            return (process, port);
        }
        let _ = process.kill();
        let _ = process.wait();
    }
    panic!("sshd does not start: {}", std::fs::read_to_string(dir.join("sshd.log")).unwrap_or_default());
}

fn configuration(dir: &Path, kinds: &[&str], port: u16) -> String {
    let dir = dir.display();
    let keys: String = kinds.iter().map(|kind| format!("HostKey {dir}/host_{kind}\n")).collect();
    format!(
        "Port {port}\nListenAddress 127.0.0.1\n{keys}AuthorizedKeysFile {dir}/authorized_keys\nPidFile none\n\
         UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\n\
         PermitRootLogin forced-commands-only\nLogLevel VERBOSE\n"
    )
}

/// Waits until the server greets.
fn answers(address: SocketAddr, process: &mut Child) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE && process.try_wait().unwrap().is_none() {
        let mut greeting = [0; 4];
        if let Ok(mut stream) = TcpStream::connect_timeout(&address, PATIENCE)
            && stream.set_read_timeout(Some(PATIENCE)).is_ok()
            && stream.read_exact(&mut greeting).is_ok()
            && &greeting == b"SSH-"
        {
            return true;
        }
        std::thread::yield_now();
    }
    false
}
