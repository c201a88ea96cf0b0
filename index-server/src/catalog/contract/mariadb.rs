//! A private MariaDB server for tests: in a temporary directory, unprivileged, gone with the test process.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};
use tokio::sync::{OnceCell, RwLock};

/// Most tests share the server; those that disturb it take this for writing.
pub(super) static QUIET: RwLock<()> = RwLock::const_new(());

/// Runs the server, does what it is told, and takes it down when its input ends: with the test process, however that ends.
const KEEPER: &str = r#"
dir=$1; shift
start() { "$@" >"$dir/output" 2>&1 & pid=$!; }
start "$@"
while read -r word; do
    case $word in
        kill) kill -KILL "$pid"; wait "$pid" ;;
        start) start "$@" ;;
        hold)
            kill -STOP "$pid"
            # A thread that runs may answer one more question.
            while cat /proc/"$pid"/task/*/stat | grep -qv ') T '; do :; done ;;
        go) kill -CONT "$pid" ;;
    esac
    echo done
done
kill -KILL "$pid"; wait "$pid"
rm -rf "$dir"
"#;

const START_DEADLINE: Duration = Duration::from_secs(60);

pub(super) struct MariaDb {
    port: u16,
    keeper: Mutex<Child>,
}

/// The server of this test process, started by the first who asks.
pub(super) async fn server() -> &'static MariaDb {
    static SERVER: OnceCell<MariaDb> = OnceCell::const_new();
    SERVER.get_or_init(async || tokio::task::spawn_blocking(MariaDb::start).await.unwrap()).await
}

impl MariaDb {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("asterism-mariadb-").tempdir().unwrap().keep();
        let account = unprivileged();
        if let Some((uid, gid)) = account {
            chown(&dir, Some(uid), Some(gid)).unwrap();
        }
        install(&dir, account);
        // A free port may be taken by somebody else before the server binds it; then another one is tried.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let keeper = keep(&dir, port, account);
            let server = Self { port, keeper: Mutex::new(keeper) };
            if server.wait_until_up(&dir) {
                return server;
            }
            server.tell("kill");
        }
        panic!("mariadbd does not start; see {}", dir.display());
    }

    /// The address of a database on it, which is made anew.
    pub(super) async fn fresh(&self, name: &str) -> String {
        let admin =
            sqlx::MySqlPool::connect(&format!("mysql://root@127.0.0.1:{}/mysql", self.port)).await.unwrap();
        for statement in [format!("DROP DATABASE IF EXISTS {name}"), format!("CREATE DATABASE {name}")] {
            sqlx::raw_sql(super::sql(statement)).execute(&admin).await.unwrap();
        }
        admin.close().await;
        self.url(name)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    fn url(&self, name: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{name}", self.port)
    }

    /// `kill` (as a crash does), `start`, `hold` (not a word any more), `go` (on); returns when it is done.
    pub(super) fn tell(&self, word: &str) {
        let mut keeper = self.keeper.lock().unwrap();
        writeln!(keeper.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut answer = String::new();
        BufReader::with_capacity(1, keeper.stdout.as_mut().unwrap()).read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n");
    }

    fn wait_until_up(&self, dir: &Path) -> bool {
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline {
            let log = std::fs::read_to_string(dir.join("error.log")).unwrap_or_default();
            if log.contains("Can't start server") || log.contains("Aborting") {
                return false;
            }
            let up = log.contains("ready for connections");
            if up && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        false
    }
}

fn keep(dir: &Path, port: u16, account: Option<(u32, u32)>) -> Child {
    let at = |option: &str, name: &str| format!("--{option}={}", dir.join(name).display());
    let _ = std::fs::remove_file(dir.join("error.log"));
    command("sh", account)
        .args(["-c", KEEPER, "keeper"])
        .arg(dir)
        .arg(program("mariadbd"))
        .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"])
        .args([
            at("datadir", "data"),
            at("socket", "s.sock"),
            at("pid-file", "pid"),
            at("log-error", "error.log"),
        ])
        .args([format!("--port={port}"), format!("--log-bin={}", dir.join("binlog").display())])
        .args(["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", "--max-connections=200"])
        .args(["--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1", "--binlog-format=ROW"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null()) // Else the shell tells of each kill.
        .process_group(0)
        .spawn()
        .unwrap()
}

fn install(dir: &Path, account: Option<(u32, u32)>) {
    let output = command(program("mariadb-install-db"), account)
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .arg(format!("--datadir={}", dir.join("data").display()))
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&output.stderr));
}

fn command(program: impl AsRef<std::ffi::OsStr>, account: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = account {
        command.uid(uid).gid(gid);
    }
    command
}

/// The server refuses to run as root; then it runs as nobody.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let own = std::fs::metadata("/proc/self").unwrap().uid();
    if own != 0 {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let nobody = accounts.lines().find(|line| line.starts_with("nobody:")).expect("the account nobody");
    let mut numbers = nobody.split(':').skip(2).map(|number| number.parse().unwrap());
    Some((numbers.next().unwrap(), numbers.next().unwrap()))
}

fn program(name: &str) -> PathBuf {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&directories)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is missing: install the MariaDB server (Debian: apt-get install mariadb-server)")
        })
}
