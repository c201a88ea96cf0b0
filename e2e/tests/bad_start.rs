//! A cluster that cannot work does not start, and says why in one sentence; strangers are not let in.

use anyhow::{Context, ensure};
use asterism_e2e::process::{Process, bound_command};
use asterism_e2e::{Cluster, Options, locate, until, within};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(300);

fn small() -> Options {
    Options { nodes: 3, policy: "2+1".to_owned(), ..Options::default() }
}

async fn check_refused(options: Options, sentence: &str) -> anyhow::Result<()> {
    Cluster::refused(&options).await?.refused(sentence)
}

#[tokio::test]
async fn a_start_that_cannot_work_is_refused() -> anyhow::Result<()> {
    within(LIMIT, async {
        check_refused(Options { nodes: 6, policy: "8+4".to_owned(), ..small() }, "12 nodes").await?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let taken = listener.local_addr()?.to_string();
        check_refused(Options { listen: taken, ..small() }, "in use").await?;
        // Nothing listens on port 1.
        let database = Some("mysql://asterism:secret-word@127.0.0.1:1/files".to_owned());
        let answer = Cluster::refused(&Options { database, ..small() }).await?;
        answer.refused("database")?;
        ensure!(!answer.says("secret-word"), "the password is in the message: {}", answer.message());
        check_refused(Options { database: Some("oracle://x".to_owned()), ..small() }, "mysql://").await?;

        let foreign = tempfile::tempdir()?;
        fs::write(foreign.path().join("thesis.tex"), "…")?;
        let options = Options { data_dir: Some(foreign.path().to_owned()), ..small() };
        check_refused(options, "neither empty nor").await?;
        ensure!(fs::read_dir(foreign.path())?.count() <= 2, "a stranger's directory was filled");

        for policy in ["banana", "0+2", "-1+2", "200+100"] {
            let answer = Cluster::refused(&Options { policy: policy.to_owned(), ..small() }).await?;
            ensure!(answer.status.code() == Some(2), "{policy}: {answer:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn one_directory_has_one_cluster_at_a_time() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut cluster = Cluster::start(small()).await?;
        let same = Options { data_dir: Some(cluster.data_dir().to_owned()), ..small() };
        check_refused(same.clone(), "running").await?;
        cluster.stop().await?;
        check_refused(Options { policy: "1+2".to_owned(), ..same.clone() }, "2+1").await?;
        check_refused(Options { nodes: 2, ..same }, "3 nodes").await?;
        cluster.start_again().await
    })
    .await
}

#[tokio::test]
async fn a_stranger_does_not_join() -> anyhow::Result<()> {
    within(LIMIT, async {
        let (home, other) = (Cluster::start(small()).await?, Cluster::start(small()).await?);
        let config = |cluster: &Cluster| fs::read_to_string(cluster.data_dir().join("config/n1.toml"));
        let (own, foreign) = (config(&home)?, config(&other)?);
        let folder = home.home();
        let text = |path: &Path| format!("'{}'", path.display());

        // A fourth node of the right authority, with a guessed token.
        let identity = folder.join("identity");
        let authority = home.data_dir().join("ca");
        let issue = [
            "ca".as_ref(),
            "issue".as_ref(),
            authority.as_os_str(),
            "storage-node".as_ref(),
            identity.as_os_str(),
        ];
        home.cli(&issue).await?.ok()?;
        let token = folder.join("guess");
        fs::write(&token, "0123456789abcdef0123456789abcdef\n")?;
        fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let fresh = [
            ("name", "'n4'".to_owned()),
            ("listen", "'127.0.0.1:0'".to_owned()),
            ("metrics_listen", "'127.0.0.1:0'".to_owned()),
            ("data_dir", text(&folder.join("n4"))),
            ("identity_dir", text(&identity)),
            ("join_token_file", text(&token)),
        ];
        check_stays_out(&home, "guess", &with(&own, &fresh)?, "token").await?;

        // A node of another cluster, which knows where this one is.
        let place = [
            ("name", "'n4'".to_owned()),
            ("listen", "'127.0.0.1:0'".to_owned()),
            ("metrics_listen", "'127.0.0.1:0'".to_owned()),
            ("data_dir", text(&folder.join("n5"))),
            ("index_servers", value(&own, "index_servers")?),
        ];
        check_stays_out(&home, "foreign", &with(&foreign, &place)?, "certificate").await?;

        // A node's own identity on another node's directory.
        let swapped = [
            ("listen", "'127.0.0.1:0'".to_owned()),
            ("metrics_listen", "'127.0.0.1:0'".to_owned()),
            ("data_dir", value(&foreign, "data_dir")?),
        ];
        let mut other = other;
        other.stop().await?;
        check_stays_out(&home, "swapped", &with(&own, &swapped)?, "cluster").await
    })
    .await
}

/// The value of a top-level setting, as it stands in the file.
fn value(config: &str, name: &str) -> anyhow::Result<String> {
    let start = format!("{name} = ");
    let line = config.lines().find_map(|line| line.strip_prefix(&start));
    Ok(line.with_context(|| format!("no {name} in {config}"))?.to_owned())
}

/// The configuration with some settings replaced.
fn with(config: &str, settings: &[(&str, String)]) -> anyhow::Result<String> {
    let mut text = config.to_owned();
    for (name, new) in settings {
        let old = value(&text, name)?;
        text = text.replace(&format!("{name} = {old}\n"), &format!("{name} = {new}\n"));
    }
    Ok(text)
}

/// Runs a storage node by itself: it must say why it stays out, and the cluster must not show it.
async fn check_stays_out(cluster: &Cluster, name: &str, config: &str, reason: &str) -> anyhow::Result<()> {
    let file = cluster.home().join(format!("{name}.toml"));
    fs::write(&file, config)?;
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let mut command = bound_command(&locate::binary("asterism")?)?;
    command.arg("storage-node").arg("--config").arg(&file);
    let node = Process::start(name, command, cluster.home())?;
    until(&format!("{name} says why it stays out"), Duration::from_secs(60), async || {
        let said = node.log_tail().to_lowercase();
        ensure!(said.contains(reason), "it says {said}");
        ensure!(!said.contains("panicked"), "{said}");
        Ok(())
    })
    .await?;
    let nodes = cluster.nodes().await?;
    ensure!(nodes.len() == 3 && nodes.iter().all(|node| node.state == "online"), "{name}: {nodes:?}");
    Ok(())
}
