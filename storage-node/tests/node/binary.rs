//! The program itself: its exit codes, its sentences, and what `kill -9` leaves.

use crate::{
    bed::{Bed, Client, Node, TOKEN, counts, eventually, spot_of},
    sample::{Sample, assert_stored, put, put_all},
};
use asterism_erasure::{CELL_BYTES_MAX, Policy};
use asterism_proto::Role;
use asterism_service::grpc::{Target, channel};
use asterism_storage_node::{Config, shard::ShardKey};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};
use uuid::Uuid;

const PROGRAM: &str = env!("CARGO_BIN_EXE_storage-node");

/// A running program, killed when the test is over.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn spawn(bed: &Bed, mut command: Command) -> Self {
        let log = bed.path().join(format!("{}.log", Uuid::new_v4()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        Self { child: command.spawn().unwrap(), log }
    }

    /// Where gRPC listens, once the program has said so.
    async fn address(&self) -> String {
        let said = || {
            let log = fs::read_to_string(&self.log).unwrap();
            let line = log.lines().find(|line| line.contains("storage node listening"))?;
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(line["address"].as_str()?.to_owned())
        };
        eventually("the program says where it listens", async || said().is_some()).await;
        said().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn write_config(bed: &Bed, config: &Config) -> PathBuf {
    let path = bed.path().join(format!("{}.toml", config.name));
    let text = toml::to_string(config).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn spawn(bed: &Bed, config: &Path) -> Running {
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(config);
    Running::spawn(bed, command)
}

/// The program with a file system of its own, `bytes` large, over its directory; it is gone with the program.
///
/// Needs root or the right to make user namespaces.
pub(crate) fn spawn_on_tmpfs(bed: &Bed, config: &Path, directory: &Path, bytes: u64) -> Running {
    let script = r#"mount -t tmpfs -o "size=$3,mode=700" none "$2" && exec "$0" --config "$1""#;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, PROGRAM]);
    command.arg(config).arg(directory).arg(bytes.to_string());
    Running::spawn(bed, command)
}

/// The directory as the program sees it.
pub(crate) fn seen_by(running: &Running, directory: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", running.child.id(), directory.display()))
}

/// A connection that waits until the program answers.
pub(crate) async fn connect(bed: &Bed, running: &Running) -> Client {
    let identity = bed.identity(Role::IndexServer);
    let target = Target::Any(Role::StorageNode);
    let client = Client::new(channel(&running.address().await, &identity, target).unwrap());
    eventually("the program answers", async || {
        client.clone().stat(asterism_proto::storage::StatRequest {}).await.is_ok()
    })
    .await;
    client
}

#[test]
fn wrong_usage_is_2_and_a_wrong_configuration_is_1_with_one_line() {
    assert_eq!(run(&[]).status.code(), Some(2));
    assert_eq!(run(&["--nonsense"]).status.code(), Some(2));
    assert_eq!(run(&["check"]).status.code(), Some(2));
    let bed = Bed::new();
    let config = write_config(&bed, &bed.config("n1"));
    let text = fs::read_to_string(&config).unwrap();
    for (spoiled, sentence) in [
        (format!("lisen = 'x:1'\n{text}"), "lisen"),
        (text.replace("[\"127.0.0.1:1\"]", "[]"), "index_servers"),
        (text.replace("token\"", "no-token\""), "no-token"),
        (text.replace("n1-identity", "no-identity"), "no-identity"),
    ] {
        assert_ne!(spoiled, text);
        fs::write(&config, spoiled).unwrap();
        let output = run(&["--config", config.to_str().unwrap()]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.starts_with("storage-node: ") && error.contains(sentence), "{error}");
        assert!(!error.contains("panicked") && !error.contains(TOKEN), "{error}");
    }
    assert_eq!(run(&["--config", "/nowhere.toml"]).status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_keeps_what_it_acknowledged_and_nothing_else() {
    let bed = Bed::new();
    let config = bed.config("n1");
    let path = write_config(&bed, &config);
    let mut acknowledged = Vec::new();
    for round in 1..=5 {
        let running = spawn(&bed, &path);
        let client = connect(&bed, &running).await;
        let samples: Vec<Sample> = (0..8).map(|_| Sample::small(bed.cluster())).collect();
        put_all(&client, &samples).await;
        acknowledged.extend(samples);
        // One put is in the middle when the process dies.
        let large = Sample::new(bed.cluster(), Policy::new(1, 0).unwrap(), CELL_BYTES_MAX, 8 << 20);
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let writer = client.clone();
        let call = tokio::spawn(async move {
            writer.clone().put(tokio_stream::wrappers::ReceiverStream::new(receiver)).await
        });
        for message in large.messages().into_iter().take(12) {
            sender.send(message).await.unwrap();
        }
        eventually("a part is on disk", async || counts(&config.data_dir).1 == 1).await;
        drop(running);
        assert!(call.await.unwrap().is_err());
        let (shards, temporary, quarantine) = counts(&config.data_dir);
        assert_eq!((shards, temporary, quarantine), (8 * round, 1, round - 1));
    }
    let running = spawn(&bed, &path);
    let client = connect(&bed, &running).await;
    for sample in &acknowledged {
        assert_stored(&client, sample).await;
    }
    assert_eq!(counts(&config.data_dir), (40, 0, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_ends_well_and_a_second_one_is_refused() {
    let bed = Bed::new();
    let config = bed.config("n1");
    let path = write_config(&bed, &config);
    let mut running = spawn(&bed, &path);
    connect(&bed, &running).await;
    let second = run(&["--config", path.to_str().unwrap()]);
    let error = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(error.contains("another process has the directory open"), "{error}");
    assert_eq!(
        run(&["check", config.data_dir.to_str().unwrap()]).status.code(),
        Some(1),
        "not while it runs"
    );
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(running.child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_every_bad_shard_and_changes_nothing() {
    let bed = Bed::new();
    let node: Node = bed.start("n1").await;
    let samples: Vec<Sample> = (0..10).map(|_| Sample::small(bed.cluster())).collect();
    put_all(&bed.client(&node), &samples).await;
    let config = node.stop().await;
    let dir = config.data_dir.to_str().unwrap();
    let good = run(&["check", dir]);
    let text = String::from_utf8(good.stdout).unwrap();
    assert_eq!((good.status.code(), text.lines().count()), (Some(0), 1), "{text}");
    assert!(text.starts_with("10 good shards"), "{text}");

    let bad = spot_of(&config.data_dir, &samples[4].header);
    bad.edit(|bytes| bytes[1000] ^= 1);
    let bytes = bad.read();
    fs::write(config.data_dir.join("segments/stray"), "x").unwrap();
    let output = run(&["check", dir]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), text.lines().count()), (Some(1), 3), "{text}");
    assert!(text.contains(&format!("{}: cell 0 does not verify", key_of(&samples[4]))), "{text}");
    assert!(text.contains("segments/stray: it is no segment"), "{text}");
    assert!(text.contains("9 good shards") && text.contains("2 bad"), "{text}");

    let output = run(&["check", dir, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["good"], json["bad"].as_array().unwrap().len()), (&9.into(), 2));
    assert_eq!(json["cluster"], bed.cluster().to_string());
    assert_eq!(bad.read(), bytes);
    assert!(config.data_dir.join("segments/stray").exists());
    for (other, sentence) in [(bed.path().join("nowhere"), "open"), (bed.path().to_owned(), "no node.json")] {
        let output = run(&["check", other.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8(output.stderr).unwrap().contains(sentence));
    }
    let node = Node::start(config).await;
    put(&bed.client(&node), &samples[4]).await.unwrap();
    node.stop().await;
}

fn key_of(sample: &Sample) -> ShardKey {
    asterism_storage_node::wire::key(sample.header.key.as_ref()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_lists_where_shards_lie_and_rebuilds_indexes() {
    let bed = Bed::new();
    let node: Node = bed.start("n1").await;
    let large = Sample::new(bed.cluster(), Policy::new(1, 0).unwrap(), CELL_BYTES_MAX, 1 << 20);
    let samples = [Sample::small(bed.cluster()), Sample::small(bed.cluster()), large];
    put_all(&bed.client(&node), &samples).await;
    let config = node.stop().await;
    let dir = config.data_dir.to_str().unwrap();
    let listed = run(&["check", dir, "--list", "--json"]);
    assert_eq!(listed.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let shards = json["shards"].as_array().unwrap();
    assert_eq!(shards.len(), 3);
    for sample in &samples {
        let (key, spot) = (key_of(sample), spot_of(&config.data_dir, &sample.header));
        let listed = shards.iter().find(|shard| shard["extent"] == key.extent().to_string()).unwrap();
        assert_eq!((&listed["offset"], &listed["bytes"]), (&spot.offset.into(), &spot.bytes.into()));
        assert!(config.data_dir.join(listed["file"].as_str().unwrap()).exists());
        let cells: usize = sample.cells.iter().map(|cell| cell.data.len() + 8).sum();
        assert_eq!(spot.bytes, 128 + cells as u64);
    }
    assert_eq!(run(&["check", dir, "--list", "--rebuild-index"]).status.code(), Some(2));

    // An index that was spoilt is not believed, is named, and is made anew on request.
    let index = fs::read_dir(config.data_dir.join("segments")).unwrap().map(|entry| entry.unwrap().path());
    let index = index.into_iter().find(|path| path.extension().is_some_and(|it| it == "index")).unwrap();
    let good = fs::read(&index).unwrap();
    let mut spoilt = good.clone();
    spoilt[4300] ^= 1;
    fs::write(&index, &spoilt).unwrap();
    let output = run(&["check", dir]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("the index does not verify") && text.contains("3 good shards"), "{text}");
    assert_eq!(fs::read(&index).unwrap(), spoilt);
    let output = run(&["check", dir, "--rebuild-index", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["rebuilt"], &json["good"]), (&1.into(), &3.into()));
    assert_eq!(fs::read(&index).unwrap(), good);
    assert_eq!(run(&["check", dir]).status.code(), Some(0));
    let node = Node::start(config).await;
    for sample in &samples {
        assert_stored(&bed.client(&node), sample).await;
    }
    node.stop().await;
}
