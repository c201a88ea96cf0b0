//! Content in and out, where the edge cannot look.

use crate::{
    catalog::Role,
    files::upload::Upload,
    test_bed::{ClusterBed, noise},
};
use asterism_cluster::memory::Fault;
use bytes::Bytes;
use futures::{StreamExt, stream};
use std::{convert::Infallible, time::Duration};

#[tokio::test]
async fn a_slow_client_gets_more_extents_and_the_same_file() {
    let bed = ClusterBed::start().await;
    bed.user("ada", Role::Editor).await;
    let content = noise(5_000_000, 1);
    let pieces: Vec<Bytes> = content.chunks(1_500_000).map(Bytes::copy_from_slice).collect();
    let body = stream::iter(pieces).then(async |piece| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(piece)
    });
    let mut upload = Upload::new(&bed.extents).with_stripe_deadline(Duration::from_millis(20));
    upload.feed(body, u64::MAX).await.unwrap();
    let extents = upload.end().await.unwrap();
    // 1.5 MB at a time: each pause finds an extent open, and none is without content.
    assert_eq!(
        extents.iter().map(|extent| extent.bytes).collect::<Vec<_>>(),
        [1 << 20, 1 << 20, 2 << 20, 805_696]
    );
    let hash = *blake3::hash(&content).as_bytes();
    let entry = bed.commit("ada", "/f", 5_000_000, hash, extents).await;
    assert_eq!(bed.extents.read_head(&entry.content.unwrap(), u64::MAX).await.unwrap(), content);
}

#[tokio::test]
async fn a_read_that_was_cut_off_is_begun_again() {
    let bed = ClusterBed::start().await;
    bed.user("ada", Role::Editor).await;
    let content = noise(5_000_000, 2);
    let entry = bed.store("ada", "/f", content.clone()).await;
    (0..6).for_each(|node| bed.shards.set_fault(bed.nodes[node], Fault::DiesAfter(2)));
    let mut download = bed.extents.open(&entry.content.unwrap(), 0..5_000_000).await.unwrap();
    let mut read = download.next().await.unwrap().unwrap().to_vec();
    (0..6).for_each(|node| bed.revive(node));
    while let Some(piece) = download.next().await {
        read.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(read, content);
}

#[tokio::test]
async fn content_that_is_not_what_was_stored_is_no_content() {
    let bed = ClusterBed::start().await;
    bed.user("ada", Role::Editor).await;
    let entry = bed.store("ada", "/f", noise(200_000, 3)).await;
    let mut content = entry.content.unwrap();
    content.blake3[0] ^= 1;
    let error = bed.extents.read_head(&content, u64::MAX).await.unwrap_err();
    assert_eq!(error.to_string(), "the content is not what was stored");
}
