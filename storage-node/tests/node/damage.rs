//! Whatever happens to the bytes on the disk is seen, told apart from absence, and healed by a new put.

use crate::{
    bed::{Bed, Client, Node, counts, files},
    sample::{Sample, assert_stored, delete, get, list, put, put_all, verify},
};
use asterism_erasure::Policy;
use asterism_proto::{
    ShardErrorKind,
    storage::{delete_result::Outcome as Deleted, verify_result::Outcome as Verified},
};
use std::{fs, path::Path};

type Spoil = fn(&Path, &Path);

/// Each spoils the file at the first path; the second is another good shard.
const SPOILED: &[(&str, Spoil)] = &[
    ("cut by a byte", |file, _| truncate(file, -1)),
    ("cut to half", |file, _| truncate(file, -(fs::metadata(file).unwrap().len() as i64 / 2))),
    ("cut within the header", |file, _| truncate(file, 100 - fs::metadata(file).unwrap().len() as i64)),
    ("empty", |file, _| fs::write(file, b"").unwrap()),
    ("a byte longer", |file, _| truncate(file, 1)),
    ("all zeros", |file, _| zero(file, 0, usize::MAX)),
    ("a sector of zeros", |file, _| zero(file, 512, 512)),
    ("zeros from the first cell on", |file, _| zero(file, 128, usize::MAX)),
    ("a cell zeroed with its checksum", |file, _| zero(file, 128 + 1032, 1032)),
    ("another shard's file", |file, other| assert!(fs::copy(other, file).unwrap() > 0)),
    ("another shard's cells", |file, other| splice(file, other, 128)),
    ("two cells swapped", |file, _| swap_cells(file)),
    ("gone", |file, _| fs::remove_file(file).unwrap()),
];

fn truncate(file: &Path, change: i64) {
    let length = fs::metadata(file).unwrap().len().checked_add_signed(change).unwrap();
    fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length).unwrap();
}

fn edit(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn zero(file: &Path, from: usize, length: usize) {
    edit(file, |bytes| {
        let end = from.saturating_add(length).min(bytes.len());
        bytes[from..end].fill(0);
    });
}

fn splice(file: &Path, other: &Path, from: usize) {
    let other = fs::read(other).unwrap();
    edit(file, |bytes| bytes[from..].copy_from_slice(&other[from..]));
}

fn swap_cells(file: &Path) {
    edit(file, |bytes| {
        let (first, second) = bytes[128..].split_at_mut(1032);
        first.swap_with_slice(&mut second[..1032]);
    });
}

/// Puts two shards of equal shape and spoils the first.
async fn spoiled(node: &Node, client: &Client, bed: &Bed, spoil: Spoil) -> Sample {
    let (sample, other) = (Sample::small(bed.cluster()), Sample::small(bed.cluster()));
    put_all(client, &[sample.clone(), other.clone()]).await;
    spoil(&node.file_of(&sample.header), &node.file_of(&other.header));
    assert_stored(client, &other).await;
    sample
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoiled_shard_is_corrupt_and_a_new_put_heals_it() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    for (name, spoil) in SPOILED {
        let sample = spoiled(&node, &client, &bed, *spoil).await;
        let error = get(&client, sample.key(), 0, 0).await.expect_err(name);
        assert_eq!(error.kind, ShardErrorKind::Corrupt, "{name}: {error}");
        assert_eq!(verify(&client, vec![sample.key()]).await, [Verified::Corrupt], "{name}");
        put(&client, &sample).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_stored(&client, &sample).await;
        assert_eq!(verify(&client, vec![sample.key()]).await, [Verified::Valid], "{name}");
    }
    let (shards, temporary, quarantine) = counts(node.directory());
    assert_eq!((shards, temporary), (2 * SPOILED.len(), 0));
    assert_eq!(quarantine, SPOILED.len() - 1, "all that was replaced is kept, but for what was gone");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_spoiled_while_the_node_was_down_is_corrupt_too() {
    let bed = Bed::new();
    let mut node = bed.start("n1").await;
    let mut samples = Vec::new();
    let client = bed.client(&node);
    let there = SPOILED.iter().filter(|(name, _)| *name != "gone");
    for (_, spoil) in there {
        samples.push(spoiled(&node, &client, &bed, *spoil).await);
    }
    drop(client);
    node = Node::start(node.stop().await).await;
    let client = bed.client(&node);
    for sample in &samples {
        assert_eq!(get(&client, sample.key(), 0, 0).await.unwrap_err().kind, ShardErrorKind::Corrupt);
        assert_eq!(verify(&client, vec![sample.key()]).await, [Verified::Corrupt]);
    }
    assert_eq!(counts(node.directory()), (2 * samples.len(), 0, 0), "nothing was moved or removed");
    put_all(&client, &samples).await;
    for sample in &samples {
        assert_stored(&client, sample).await;
    }
    assert_eq!(list(&client, None).await.len(), 2 * samples.len());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_is_found_and_no_wrong_byte_leaves() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let sample = Sample::new(bed.cluster(), Policy::new(2, 1).unwrap(), 64, 2 * 200);
    put(&client, &sample).await.unwrap();
    let file = node.file_of(&sample.header);
    let good = fs::read(&file).unwrap();
    let mut found = 0;
    // Every byte, header and checksums included, each with another of its bits.
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 1 << (place % 8);
        fs::write(&file, &bytes).unwrap();
        let error = get(&client, sample.key(), 0, 0).await.expect_err("a flipped bit");
        assert_eq!(error.kind, ShardErrorKind::Corrupt, "byte {place}");
        found += 1;
    }
    assert_eq!(found, good.len());
    fs::write(&file, &good).unwrap();
    assert_stored(&client, &sample).await;
    let text = crate::membership::http_get(node.http, "/metrics").await.1;
    assert!(text.contains(&format!("asterism_shard_store_corrupt_total {found}\n")), "{text}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_cell_spoils_no_range_without_it() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let sample = Sample::small(bed.cluster());
    put(&client, &sample).await.unwrap();
    edit(&node.file_of(&sample.header), |bytes| bytes[128 + 2 * 1032 + 500] ^= 1);
    for (first, count) in [(0, 2), (3, 1)] {
        let range = get(&client, sample.key(), first, count).await.unwrap();
        assert_eq!(range.cells, sample.cells[first as usize..(first + count) as usize]);
    }
    for (first, count) in [(0, 0), (2, 1), (1, 2)] {
        let error = get(&client, sample.key(), first, count).await.unwrap_err();
        assert_eq!(error.kind, ShardErrorKind::Corrupt);
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_cannot_be_read_is_no_missing_shard() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let (linked, replaced) = (Sample::small(bed.cluster()), Sample::small(bed.cluster()));
    put_all(&client, &[linked.clone(), replaced.clone()]).await;
    // A link is not followed, and a directory cannot be read as a file: the kernel refuses even root.
    let file = node.file_of(&linked.header);
    fs::rename(&file, bed.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(bed.path().join("elsewhere"), &file).unwrap();
    let file = node.file_of(&replaced.header);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    for sample in [&linked, &replaced] {
        assert_eq!(get(&client, sample.key(), 0, 0).await.unwrap_err().kind, ShardErrorKind::Io);
        assert_eq!(verify(&client, vec![sample.key()]).await, [Verified::Failed]);
        assert_eq!(put(&client, sample).await.unwrap_err().kind, ShardErrorKind::Io);
    }
    assert_eq!(delete(&client, vec![replaced.key()], 1).await.unwrap(), [Deleted::Failed]);
    assert!(bed.path().join("elsewhere").exists());
    assert_eq!(counts(node.directory()).1, 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_shard_can_be_deleted() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let sample = Sample::small(bed.cluster());
    put(&client, &sample).await.unwrap();
    zero(&node.file_of(&sample.header), 0, usize::MAX);
    assert_eq!(delete(&client, vec![sample.key()], 1).await.unwrap(), [Deleted::Removed]);
    assert_eq!(get(&client, sample.key(), 0, 0).await.unwrap_err().kind, ShardErrorKind::NotFound);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_shard_is_replaced_only_by_one_that_verifies() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let sample = Sample::small(bed.cluster());
    put(&client, &sample).await.unwrap();
    edit(&node.file_of(&sample.header), |bytes| bytes[200] ^= 1);
    let before = files(node.directory());
    let mut bad = sample.clone();
    bad.cells[3].checksum ^= 1;
    assert_eq!(put(&client, &bad).await.unwrap_err().kind, ShardErrorKind::Invalid);
    assert_eq!(files(node.directory()), before);
    put(&client, &sample).await.unwrap();
    assert_stored(&client, &sample).await;
    node.stop().await;
}
