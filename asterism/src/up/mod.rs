//! `asterism up`: a whole cluster on one machine, each server a process of its own.

mod config;
mod home;
mod ports;
mod process;
mod socket;
mod supervisor;

use crate::args::Up;
use anyhow::{Context, bail, ensure};
use asterism_client::Client;
use asterism_service::{durable, logging, stop};
use home::Home;
use ports::Ports;
use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    time::Duration,
};
use supervisor::Supervisor;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Until everything answers; the first start makes keys and a database.
const READY_DEADLINE: Duration = Duration::from_secs(90);
/// Once the cluster answers, nodes that lag get this long before it is called ready without them.
const NODES_DEADLINE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(100);

pub(crate) async fn run(options: Up) -> anyhow::Result<()> {
    logging::start("warn", logging::LogFormat::Text)?;
    ensure!(options.listen.port() == 0 || ports::is_free(options.listen), "{} is in use", options.listen);
    let home = Home::open(&options)?;
    let ports = home.ports(options.listen)?;
    config::write(&home, &ports, &options)?;
    let stop = stop::on_signal()?;
    let first = bootstrap(&home).await?;
    let supervisor = Supervisor::new(&home)?;
    let socket = socket::listen(&home.socket(), supervisor.clone())?;
    let started = supervisor.start_all().await;
    let outcome = match started {
        Ok(()) => announce_and_wait(&home, &supervisor, &ports, first.as_deref(), &stop).await,
        Err(error) => Err(error),
    };
    supervisor.stop_all().await;
    socket.abort();
    outcome
}

/// Makes the first user if there is none; answers the admin's password, this once.
async fn bootstrap(home: &Home) -> anyhow::Result<Option<String>> {
    let token_file = home.admin_token();
    let first = asterism_index_server::bootstrap(&home.config("index-server"), !token_file.exists()).await?;
    if let Some(token) = first.token {
        durable::replace(&token_file, format!("{}\n", token.expose()).as_bytes(), 0o600)?;
    }
    Ok(first.password.map(|password| password.expose().to_owned()))
}

async fn announce_and_wait(
    home: &Home,
    supervisor: &Supervisor,
    ports: &Ports,
    password: Option<&str>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    tokio::select! {
        ready = timeout(READY_DEADLINE, until_ready(home, supervisor, ports)) => {
            ready.context("the cluster did not become ready in time")??;
        }
        () = stop.cancelled() => return Ok(()),
    }
    say(home, ports.http, password)?;
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        dead = supervisor.given_up() => bail!("{dead} keeps failing; see {}", home.log(&dead).display()),
    }
}

async fn until_ready(home: &Home, supervisor: &Supervisor, ports: &Ports) -> anyhow::Result<()> {
    let token = std::fs::read_to_string(home.admin_token())?;
    let client = Client::new(&format!("http://{}", ports.http), Some(token.trim().to_owned()))?;
    let monitor = Client::new(&format!("http://{}", ports.monitor_http), None)?;
    while !client.is_ready().await || !monitor.is_ready().await {
        if let Some(failed) = supervisor.failed_early() {
            let log = home.log(&failed);
            bail!(
                "{failed} did not start: {}",
                last_line(&log).unwrap_or_else(|| format!("see {}", log.display()))
            );
        }
        sleep(POLL).await;
    }
    let wanted = home.nodes().len();
    let deadline = Instant::now() + NODES_DEADLINE;
    while Instant::now() < deadline {
        let online = client
            .nodes()
            .await
            .map_or(0, |nodes| nodes.iter().filter(|node| node.state == "online").count());
        if online >= wanted {
            return Ok(());
        }
        sleep(POLL).await;
    }
    tracing::warn!("not every storage node came up; see `asterism status`");
    Ok(())
}

/// The last thing a process said, without time and level.
fn last_line(log: &std::path::Path) -> Option<String> {
    let text = std::fs::read_to_string(log).ok()?;
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.chars().take(400).collect())
}

fn say(home: &Home, http: SocketAddr, password: Option<&str>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "ready http://{http}")?;
    if let Some(password) = password {
        writeln!(out, "user admin, password {password} (shown this once)")?;
    }
    if out.is_terminal() {
        let nodes = home.nodes().len();
        writeln!(out, "{nodes} storage nodes, policy {}, data in {}", home.policy(), home.root().display())?;
        writeln!(out, "Ctrl-C stops everything; the same command goes on with the same data")?;
    }
    Ok(out.flush()?)
}
