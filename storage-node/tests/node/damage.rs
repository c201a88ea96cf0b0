//! Whatever happens to the bytes on the disk is seen, told apart from absence, and healed by a new put.

use crate::{
    bed::{Bed, Client, Node, Spot, counts, files},
    sample::{Sample, assert_stored, delete, get, list, put, put_all, verify},
};
use asterism_erasure::Policy;
use asterism_proto::{
    ShardErrorKind,
    storage::{delete_result::Outcome as Deleted, verify_result::Outcome as Verified},
};
use std::fs;

type Spoil = fn(&Spot, &Spot);

/// Each spoils the record at the first place; the second is another good shard of the same shape.
const SPOILED: &[(&str, Spoil)] = &[
    ("all zeros", |spot, _| zero(spot, 0, usize::MAX)),
    ("a header of zeros", |spot, _| zero(spot, 0, 128)),
    ("a part of zeros", |spot, _| zero(spot, 512, 512)),
    ("zeros from the first cell on", |spot, _| zero(spot, 128, usize::MAX)),
    ("a cell zeroed with its checksum", |spot, _| zero(spot, 128 + spot.cell(), spot.cell())),
    ("another shard's record", |spot, other| spot.write(&other.read())),
    ("another shard's cells", |spot, other| splice(spot, other, 128)),
    ("two cells swapped", |spot, _| swap_cells(spot)),
    ("noise", |spot, _| {
        spot.edit(|bytes| bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(77) ^ 31))
    }),
];

/// What else happens to a shard that has a file of its own.
const SPOILED_FILES: &[(&str, Spoil)] = &[
    ("cut by a byte", |spot, _| truncate(spot, -1)),
    ("cut to half", |spot, _| truncate(spot, -(spot.bytes as i64 / 2))),
    ("cut within the header", |spot, _| truncate(spot, 100 - length(spot) as i64)),
    ("empty", |spot, _| truncate(spot, -(length(spot) as i64))),
    ("a byte longer", |spot, _| truncate(spot, 1)),
    ("a block longer", |spot, _| truncate(spot, 4096)),
    ("another shard's file", |spot, other| assert!(fs::copy(&other.file, &spot.file).unwrap() > 0)),
    ("gone", |spot, _| fs::remove_file(&spot.file).unwrap()),
];

impl Spot {
    /// Bytes of a full cell with its checksum.
    fn cell(&self) -> usize {
        if self.offset == 0 { 65_536 + 8 } else { 1032 }
    }
}

fn length(spot: &Spot) -> u64 {
    fs::metadata(&spot.file).unwrap().len()
}

fn truncate(spot: &Spot, change: i64) {
    let length = length(spot).checked_add_signed(change).unwrap();
    fs::OpenOptions::new().write(true).open(&spot.file).unwrap().set_len(length).unwrap();
}

fn zero(spot: &Spot, from: usize, length: usize) {
    spot.edit(|bytes| {
        let end = from.saturating_add(length).min(bytes.len());
        bytes[from..end].fill(0);
    });
}

fn splice(spot: &Spot, other: &Spot, from: usize) {
    let other = other.read();
    spot.edit(|bytes| bytes[from..].copy_from_slice(&other[from..]));
}

fn swap_cells(spot: &Spot) {
    let cell = spot.cell();
    spot.edit(|bytes| {
        let (first, second) = bytes[128..].split_at_mut(cell);
        first.swap_with_slice(&mut second[..cell]);
    });
}

/// A shard that has a file of its own.
fn large(bed: &Bed) -> Sample {
    Sample::new(bed.cluster(), Policy::new(1, 0).unwrap(), 65_536, 10 * 65_536 + 100)
}

fn small(bed: &Bed) -> Sample {
    Sample::small(bed.cluster())
}

/// Every way to spoil a shard, with the shape of shard that it is for.
fn ways() -> impl Iterator<Item = (&'static str, fn(&Bed) -> Sample, Spoil)> {
    let of = |shape: fn(&Bed) -> Sample| move |way: &(&'static str, Spoil)| (way.0, shape, way.1);
    SPOILED.iter().map(of(small)).chain(SPOILED.iter().chain(SPOILED_FILES).map(of(large)))
}

/// Puts two shards of equal shape and spoils the first.
async fn spoiled(node: &Node, client: &Client, bed: &Bed, shape: fn(&Bed) -> Sample, spoil: Spoil) -> Sample {
    let (sample, other) = (shape(bed), shape(bed));
    put_all(client, &[sample.clone(), other.clone()]).await;
    spoil(&node.spot(&sample.header), &node.spot(&other.header));
    assert_stored(client, &other).await;
    sample
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoiled_shard_is_corrupt_and_a_new_put_heals_it() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    for (name, shape, spoil) in ways() {
        let sample = spoiled(&node, &client, &bed, shape, spoil).await;
        let error = get(&client, sample.key(), 0, 0).await.expect_err(name);
        assert_eq!(error.kind, ShardErrorKind::Corrupt, "{name}: {error}");
        assert_eq!(verify(&client, vec![sample.key()]).await, [Verified::Corrupt], "{name}");
        put(&client, &sample).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_stored(&client, &sample).await;
        assert_eq!(verify(&client, vec![sample.key()]).await, [Verified::Valid], "{name}");
    }
    let (shards, temporary, quarantine) = counts(node.directory());
    assert_eq!((shards, temporary), (2 * ways().count(), 0));
    assert_eq!(quarantine, ways().count() - 1, "all that was replaced is kept, but for what was gone");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_spoiled_while_the_node_was_down_is_corrupt_too() {
    let bed = Bed::new();
    let mut node = bed.start("n1").await;
    let mut samples = Vec::new();
    let client = bed.client(&node);
    for (_, shape, spoil) in ways().filter(|(name, ..)| *name != "gone") {
        samples.push(spoiled(&node, &client, &bed, shape, spoil).await);
    }
    drop(client);
    let config = node.stop().await;
    let before = files(&config.data_dir);
    node = Node::start(config).await;
    let client = bed.client(&node);
    for sample in &samples {
        assert_eq!(get(&client, sample.key(), 0, 0).await.unwrap_err().kind, ShardErrorKind::Corrupt);
        assert_eq!(verify(&client, vec![sample.key()]).await, [Verified::Corrupt]);
    }
    assert_eq!(files(node.directory()), before, "nothing was moved or removed");
    put_all(&client, &samples).await;
    for sample in &samples {
        assert_stored(&client, sample).await;
    }
    assert_eq!(list(&client, None).await.len(), 2 * samples.len());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_spoils_no_shard_before_the_cut() {
    let bed = Bed::new();
    let mut node = bed.start("n1").await;
    let samples: Vec<Sample> = (0..5).map(|_| small(&bed)).collect();
    put_all(&bed.client(&node), &samples).await;
    let cut = node.spot(&samples[3].header);
    let file = fs::OpenOptions::new().write(true).open(&cut.file).unwrap();
    file.set_len(cut.offset + 1000).unwrap();
    for _ in 0..2 {
        let client = bed.client(&node);
        for sample in &samples[..3] {
            assert_stored(&client, sample).await;
        }
        for sample in &samples[3..] {
            let error = get(&client, sample.key(), 0, 0).await.unwrap_err();
            assert_eq!(error.kind, ShardErrorKind::Corrupt, "{error}");
        }
        drop(client);
        node = Node::start(node.stop().await).await;
    }
    let client = bed.client(&node);
    put_all(&client, &samples).await;
    for sample in &samples {
        assert_stored(&client, sample).await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_is_found_and_no_wrong_byte_leaves() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let sample = Sample::new(bed.cluster(), Policy::new(2, 1).unwrap(), 64, 2 * 200);
    put(&client, &sample).await.unwrap();
    let spot = node.spot(&sample.header);
    let good = spot.read();
    let mut found = 0;
    // Every byte, header and checksums included, each with another of its bits.
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 1 << (place % 8);
        spot.write(&bytes);
        let error = get(&client, sample.key(), 0, 0).await.expect_err("a flipped bit");
        assert_eq!(error.kind, ShardErrorKind::Corrupt, "byte {place}");
        found += 1;
    }
    assert_eq!(found, good.len());
    spot.write(&good);
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
    node.spot(&sample.header).edit(|bytes| bytes[128 + 2 * 1032 + 500] ^= 1);
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
    let mut node = bed.start("n1").await;
    let client = bed.client(&node);
    let (linked, replaced) = (large(&bed), large(&bed));
    put_all(&client, &[linked.clone(), replaced.clone()]).await;
    // A link is not followed, and a directory cannot be read as a file: the kernel refuses even root.
    let file = node.spot(&linked.header).file;
    fs::rename(&file, bed.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(bed.path().join("elsewhere"), &file).unwrap();
    let file = node.spot(&replaced.header).file;
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    for sample in [&linked, &replaced] {
        assert_eq!(get(&client, sample.key(), 0, 0).await.unwrap_err().kind, ShardErrorKind::Io);
        assert_eq!(verify(&client, vec![sample.key()]).await, [Verified::Failed]);
        assert_eq!(put(&client, sample).await.unwrap_err().kind, ShardErrorKind::Io);
    }
    assert_eq!(counts(node.directory()).1, 0);
    // A tombstone is proof enough, even if what it is against cannot be taken away.
    assert_eq!(delete(&client, vec![replaced.key()], 1).await.unwrap(), [Deleted::Removed]);
    drop(client);
    node = Node::start(node.stop().await).await;
    let client = bed.client(&node);
    assert_eq!(get(&client, replaced.key(), 0, 0).await.unwrap_err().kind, ShardErrorKind::NotFound);
    assert_eq!(get(&client, linked.key(), 0, 0).await.unwrap_err().kind, ShardErrorKind::Io);
    assert!(bed.path().join("elsewhere").exists());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_shard_can_be_deleted() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let sample = Sample::small(bed.cluster());
    put(&client, &sample).await.unwrap();
    zero(&node.spot(&sample.header), 0, usize::MAX);
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
    node.spot(&sample.header).edit(|bytes| bytes[200] ^= 1);
    let before = files(node.directory());
    let mut bad = sample.clone();
    bad.cells[3].checksum ^= 1;
    assert_eq!(put(&client, &bad).await.unwrap_err().kind, ShardErrorKind::Invalid);
    assert_eq!(files(node.directory()), before);
    put(&client, &sample).await.unwrap();
    assert_stored(&client, &sample).await;
    node.stop().await;
}
