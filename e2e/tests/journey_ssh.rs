//! Machines of their own: each server runs by itself, and the monitor stops and wakes one over SSH.

use anyhow::{Context, ensure};
use asterism_e2e::samples::noise;
use asterism_e2e::servers::Sshd;
use asterism_e2e::story::{HEALING_LIMIT, node_is, wake};
use asterism_e2e::{Cluster, Ledger, Options, locate, until, within};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The node whose host has the SSH server.
const REMOTE: &str = "n6";

#[tokio::test]
async fn a_node_is_stopped_and_woken_over_ssh_and_an_impostor_is_not_obeyed() -> anyhow::Result<()> {
    within(Duration::from_secs(600), async {
        // `up` makes the cluster; then its servers are run one by one.
        let mut cluster = Cluster::start(Options::default()).await?;
        let mut ledger = Ledger::default();
        let file = noise(&cluster.home().join("file"), 2 << 20, 5)?;
        ledger.put(&cluster, &[file], "/a").await?;
        cluster.stop().await?;

        let mut sshd = Sshd::start().await?;
        sshd.authorise(&format!("restrict,command=\"{}\"", forced_command(&cluster)?.display()))?;
        power_by_ssh(&cluster.config("monitor"), &sshd)?;
        let servers = [
            ("index-server", "index-server"),
            ("monitor", "monitor"),
            ("storage-node", "n1"),
            ("storage-node", "n2"),
            ("storage-node", "n3"),
            ("storage-node", "n4"),
            ("storage-node", "n5"),
        ];
        let _servers: Vec<_> =
            servers.iter().map(|(kind, name)| cluster.start_server(kind, name)).collect::<Result<_, _>>()?;
        until("the cluster", Duration::from_secs(60), async || cluster.status().await).await?;

        wake(&cluster, REMOTE).await?;
        cluster.whole_until(HEALING_LIMIT).await?;
        let answer = cluster.cli(&["node", "stop", REMOTE]).await?.ok()?;
        ensure!(!answer.message().is_empty(), "nothing was said");
        node_is(&cluster, REMOTE, "asleep").await?;
        ensure!(cluster.processes("storage-node").len() == 5, "the node runs on");
        ledger.check(&cluster).await?;
        wake(&cluster, REMOTE).await?;

        sshd.change_host_key().await?;
        let before = cluster.node(REMOTE).await?.pid;
        cluster.cli(&["node", "stop", REMOTE]).await?.refused("host key")?;
        ensure!(cluster.node(REMOTE).await?.pid == before, "an impostor was obeyed");
        node_is(&cluster, REMOTE, "online").await?;
        ledger.check(&cluster).await
    })
    .await
}

/// What the host does for the key: three verbs for one node, as a service manager would.
fn forced_command(cluster: &Cluster) -> anyhow::Result<PathBuf> {
    let script = cluster.home().join("power");
    let pid = cluster.home().join("remote.pid");
    let text = format!(
        r#"#!/bin/sh
# A dead process that nobody has buried yet has no program any more.
running() {{ [ -s '{pid}' ] && [ -e "/proc/$(cat '{pid}')/exe" ]; }}
case "$SSH_ORIGINAL_COMMAND" in
    "status {REMOTE}") ;;
    "wake {REMOTE}")
        running || {{
            env {mark} setsid '{asterism}' storage-node --config '{config}' >>'{log}' 2>&1 </dev/null &
            echo $! >'{pid}'
        }} ;;
    "stop {REMOTE}")
        running && kill "$(cat '{pid}')"
        while running; do sleep 0.1; done ;;
    *) echo "error not allowed: $SSH_ORIGINAL_COMMAND"; exit 1 ;;
esac
if running; then echo "ok running $(cat '{pid}')"; else echo "ok stopped"; fi
"#,
        pid = pid.display(),
        mark = cluster.mark().assignment(),
        asterism = locate::binary("asterism")?.display(),
        config = cluster.config(REMOTE).display(),
        log = cluster.home().join("remote.log").display(),
    );
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

/// Lets the monitor reach the remote node by SSH alone.
fn power_by_ssh(config: &Path, sshd: &Sshd) -> anyhow::Result<()> {
    let text = fs::read_to_string(config)?;
    let (rest, _) = text.split_once("[power").context("a power section")?;
    let user = Command::new("id").arg("-un").output()?.stdout;
    let text = format!(
        "{rest}[power]\ndriver = 'ssh'\n\n[power.ssh]\nuser = '{}'\nkey_file = '{}'\nknown_hosts = '{}'\n\n\
         [power.nodes.{REMOTE}]\nhost = '127.0.0.1'\nport = {}\n",
        String::from_utf8(user)?.trim(),
        sshd.client_key().display(),
        sshd.known_hosts()?.display(),
        sshd.port(),
    );
    fs::write(config, text)?;
    Ok(())
}
