//! Whose a directory is, and what a start makes of what it finds there.

use crate::{
    bed::{self, Bed, Node, counts, files},
    sample::{Sample, assert_stored, list, put, put_all},
};
use asterism_proto::Role;
use asterism_storage_node::{Config, NodeProcess};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

async fn refused(config: &Config) -> String {
    let error = NodeProcess::bind(config).await.err().expect("the node must not start");
    format!("{error:#}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_use_is_refused() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    assert!(refused(&node.config).await.contains("another process has the directory open"));
    let sample = Sample::small(bed.cluster());
    put(&bed.client(&node), &sample).await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_another_node_or_cluster_is_refused() {
    let bed = Bed::new();
    let config = bed.start("n1").await.stop().await;
    let before = files(&config.data_dir);
    bed.identity(Role::StorageNode).save(&config.identity_dir).unwrap();
    let sentence = refused(&config).await;
    assert!(
        sentence.contains("belongs to node") && sentence.contains(&bed.cluster().to_string()),
        "{sentence}"
    );
    let other = Bed::new();
    other.identity(Role::StorageNode).save(&config.identity_dir).unwrap();
    let sentence = refused(&config).await;
    assert!(sentence.contains(&other.cluster().to_string()), "{sentence}");
    assert_eq!(files(&config.data_dir), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_with_other_files_is_refused() {
    let bed = Bed::new();
    let config = bed.config("n1");
    for stray in ["holiday.jpg", "segments/x", "temporary/x"] {
        let stray = config.data_dir.join(stray);
        fs::create_dir_all(stray.parent().unwrap()).unwrap();
        fs::write(&stray, "mine").unwrap();
        assert!(refused(&config).await.contains("not empty"));
        assert_eq!(fs::read_to_string(&stray).unwrap(), "mine");
        fs::remove_file(&stray).unwrap();
    }
    // What a crash during the very first start leaves is no obstacle, nor is a fresh file system.
    fs::create_dir_all(config.data_dir.join("segments")).unwrap();
    fs::create_dir_all(config.data_dir.join("lost+found")).unwrap();
    fs::write(config.data_dir.join("node.json.tmp"), "{").unwrap();
    Node::start(config).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_directory_is_refused_and_left_as_it_is() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    put(&bed.client(&node), &Sample::small(bed.cluster())).await.unwrap();
    let config = node.stop().await;
    let dir = &config.data_dir;
    let spoil = async |part: &str, sentence: &str| {
        let (at, aside) = (dir.join(part), bed.path().join("aside"));
        fs::rename(&at, &aside).unwrap();
        let found = refused(&config).await;
        assert!(found.contains(sentence), "{part}: {found}");
        fs::rename(&aside, &at).unwrap();
    };
    spoil("segments", "segments is gone").await;
    spoil("temporary", "temporary is gone").await;
    spoil("epoch", "epoch").await;
    spoil("node.json", "not empty").await;
    let identity = fs::read_to_string(dir.join("node.json")).unwrap();
    for (text, sentence) in [
        (identity.replace("\"format\": 2", "\"format\": 1"), "format 1; this version knows format 2"),
        (identity.replace("\"format\": 2", "\"format\": 3"), "format 3; this version knows format 2"),
        (identity.replace('{', ""), "cannot be understood"),
        (String::new(), "cannot be understood"),
    ] {
        fs::write(dir.join("node.json"), text).unwrap();
        let found = refused(&config).await;
        assert!(found.contains(sentence), "{found}");
    }
    fs::write(dir.join("node.json"), identity).unwrap();
    Node::start(config).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_removes_nothing() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let samples = [Sample::small(bed.cluster()), Sample::small(bed.cluster())];
    put_all(&bed.client(&node), &samples).await;
    let config = node.stop().await;
    let dir = &config.data_dir;
    let log = bed::spot_of(dir, &samples[0].header).file;
    // Unfinished files of a crash, names that are none, and a log under a number that is not its own.
    fs::write(dir.join("temporary/unfinished"), "half").unwrap();
    fs::write(dir.join("segments/readme"), "what").unwrap();
    fs::write(dir.join("segments").join(OsStr::from_bytes(b"not \xff utf-8")), "what").unwrap();
    fs::write(dir.join("segments").join("x".repeat(255)), "long").unwrap();
    fs::copy(&log, dir.join("segments/00000000000000ff.log")).unwrap();
    let before = files(dir).len();

    let node = Node::start(config).await;
    assert_eq!(counts(node.directory()), (2, 0, 5));
    assert_eq!(files(node.directory()).len(), before);
    let client = bed.client(&node);
    for sample in &samples {
        assert_stored(&client, sample).await;
    }
    assert_eq!(list(&client, None).await.len(), 2);
    node.stop().await;
}
