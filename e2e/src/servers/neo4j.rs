//! A private Neo4j, started from the jars that `make test-servers` collects.

use super::{port, ready};
use crate::http;
use crate::locate::{self, program};
use crate::process::{Process, bound_command};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A JVM with a cold cache on a machine that compiles at the same time.
const READY_LIMIT: Duration = Duration::from_secs(180);
const USER: &str = "neo4j";
/// The server listens on loopback and lives for one test.
const PASSWORD: &str = "only-on-loopback";

/// A running server.
#[derive(Debug)]
pub struct Neo4j {
    process: Process,
    home: TempDir,
    bolt_port: u16,
    http_port: u16,
}

impl Neo4j {
    /// Starts a fresh server.
    ///
    /// # Errors
    /// Java or the jars are missing, or the server does not come up.
    pub async fn start() -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("neo4j-").tempdir()?;
        let (bolt_port, http_port) = (port::free()?, port::free()?);
        let conf = home.path().join("conf");
        fs::create_dir(&conf)?;
        fs::write(conf.join("neo4j.conf"), settings(bolt_port, http_port))?;
        set_password(home.path())?;
        let mut server = Self { process: serve(home.path())?, home, bolt_port, http_port };
        server.ready().await?;
        Ok(server)
    }

    /// Its address, as `asterism up --graph` takes it.
    pub fn url(&self) -> String {
        format!("bolt://{USER}:{PASSWORD}@127.0.0.1:{}", self.bolt_port)
    }

    /// Runs one Cypher statement and gives its rows.
    ///
    /// # Errors
    /// The server is down or refuses the statement.
    pub async fn query(&self, statement: &str) -> anyhow::Result<Vec<Vec<Value>>> {
        let url = format!("http://127.0.0.1:{}/db/neo4j/tx/commit", self.http_port);
        let body = json!({"statements": [{"statement": statement}]});
        let request = http::client().post(url).basic_auth(USER, Some(PASSWORD)).json(&body);
        let answer = http::send(request).await?.ok()?.json()?;
        if let Some(error) = answer["errors"].get(0) {
            bail!("{statement}: {error}");
        }
        let rows = answer["results"][0]["data"].as_array().context("no rows in the answer")?;
        Ok(rows.iter().map(|row| row["row"].as_array().cloned().unwrap_or_default()).collect())
    }

    /// Runs a statement whose answer is one number.
    ///
    /// # Errors
    /// As [`Self::query`]; or it is no number.
    pub async fn count(&self, statement: &str) -> anyhow::Result<u64> {
        let rows = self.query(statement).await?;
        rows.first().and_then(|row| row.first()).and_then(Value::as_u64).context("the answer is no number")
    }

    /// Kills the server in the middle of whatever it does; its data stays.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same ports and data.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.process.kill();
        self.process = serve(self.home.path())?;
        self.ready().await
    }

    /// An open port is too early: the server is ready when it answers the Bolt handshake and a query.
    async fn ready(&mut self) -> anyhow::Result<()> {
        let port = self.bolt_port;
        ready(&mut self.process, READY_LIMIT, async || handshake(port).await).await?;
        crate::wait::until("the first query", READY_LIMIT, async || self.count("RETURN 1").await).await?;
        Ok(())
    }
}

/// Offers Bolt 5.4 and expects the server to take a version.
async fn handshake(port: u16) -> anyhow::Result<()> {
    const HELLO: [u8; 20] = [0x60, 0x60, 0xB0, 0x17, 0, 0, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(&HELLO).await?;
    let mut version = [0; 4];
    stream.read_exact(&mut version).await?;
    ensure!(version != [0; 4], "no common version of Bolt");
    Ok(())
}

fn settings(bolt_port: u16, http_port: u16) -> String {
    format!(
        "server.default_listen_address=127.0.0.1
server.bolt.enabled=true
server.bolt.listen_address=127.0.0.1:{bolt_port}
server.bolt.tls_level=DISABLED
server.http.enabled=true
server.http.listen_address=127.0.0.1:{http_port}
server.https.enabled=false
server.memory.pagecache.size=64m
dbms.usage_report.enabled=false
dbms.security.auth_enabled=true
"
    )
}

fn java(home: &Path) -> anyhow::Result<Command> {
    let jars = locate::servers().join("neo4j/lib");
    ensure!(jars.is_dir(), "the jars of Neo4j are not in {}: run `make test-servers`", jars.display());
    let mut command = bound_command(&program("java")?)?;
    command.env("NEO4J_HOME", home).env("NEO4J_CONF", home.join("conf"));
    command.arg("-cp").arg(jars.join("*")).arg(format!("-Dbasedir={}", home.display()));
    Ok(command)
}

fn set_password(home: &Path) -> anyhow::Result<()> {
    let output = java(home)?
        .args(["-XX:TieredStopAtLevel=1", "org.neo4j.server.startup.Neo4jAdminCommand"])
        .args(["dbms", "set-initial-password", PASSWORD])
        .output()?;
    ensure!(output.status.success(), "set-initial-password: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn serve(home: &Path) -> anyhow::Result<Process> {
    let mut command = java(home)?;
    for package in ["java.nio", "java.io", "sun.nio.ch", "java.util.concurrent"] {
        command.arg(format!("--add-opens=java.base/{package}=ALL-UNNAMED"));
    }
    command
        .args(["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=256m"])
        .arg("org.neo4j.server.CommunityEntryPoint")
        .arg(format!("--home-dir={}", home.display()))
        .arg(format!("--config-dir={}", home.join("conf").display()))
        .arg("--console-mode");
    Process::start("neo4j", command, home)
}
