//! Content in and out, where the edge cannot look.

use crate::{
    catalog::Role,
    files::{Extents, upload::Upload},
    test_bed::{ClusterBed, noise},
};
use asterism_cluster::{StripePool, memory::Fault};
use asterism_erasure::CELL_BYTES_MAX;
use bytes::Bytes;
use futures::{StreamExt, future::join_all, stream};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

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

/// The cluster with the fewest buffers for uploads that there may be.
fn with_few_buffers(bed: &ClusterBed) -> Extents {
    let stripes = StripePool::new(bed.extents.policy, CELL_BYTES_MAX, 0);
    Extents { stripes, ..bed.extents.clone() }
}

#[tokio::test]
async fn many_uploads_take_turns_with_few_buffers() {
    let bed = ClusterBed::start().await;
    bed.user("ada", Role::Editor).await;
    let extents = with_few_buffers(&bed);
    let buffers = extents.stripes.available();
    let uploads = (0..24u64).map(|number| {
        let (bed, extents) = (&bed, &extents);
        async move {
            let content = noise(3_000_000 + number as usize, number);
            let pieces: Vec<_> = content
                .chunks(100_000)
                .map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)))
                .collect();
            let stored = extents.store(stream::iter(pieces), u64::MAX).await.unwrap();
            let path = format!("/f{number}");
            let entry = bed.commit("ada", &path, stored.size, stored.blake3, stored.extents.clone()).await;
            let read = bed.extents.read_head(&entry.content.unwrap(), u64::MAX).await.unwrap();
            assert!(read == content, "{path}");
        }
    });
    let all = tokio::time::timeout(Duration::from_secs(60), join_all(uploads)).await;
    assert!(all.is_ok(), "uploads wait for each other's buffers");
    assert_eq!(extents.stripes.available(), buffers, "all came back");
}

#[tokio::test]
async fn slow_clients_give_back_the_buffers_that_they_do_not_fill() {
    let bed = ClusterBed::start().await;
    bed.user("ada", Role::Editor).await;
    let extents = with_few_buffers(&bed);
    let go_on = Arc::new(Semaphore::new(0));
    let slow: Vec<_> = (0..extents.stripes.available() as u64)
        .map(|number| {
            let (extents, go_on) = (extents.clone(), Arc::clone(&go_on));
            tokio::spawn(async move {
                let content = noise(200_000, number);
                let halves = [content[..100_000].to_vec(), content[100_000..].to_vec()];
                let body = stream::iter(halves).enumerate().then(|(half, bytes)| {
                    let go_on = Arc::clone(&go_on);
                    async move {
                        if half == 1 {
                            go_on.acquire().await.unwrap().forget();
                        }
                        Ok::<_, Infallible>(Bytes::from(bytes))
                    }
                });
                let mut upload = Upload::new(&extents).with_stripe_deadline(Duration::from_millis(20));
                upload.feed(body, u64::MAX).await.unwrap();
                upload.end().await.unwrap().iter().map(|extent| extent.bytes).collect::<Vec<_>>()
            })
        })
        .collect();
    while extents.stripes.available() > 0 {
        tokio::task::yield_now().await;
    }
    let body = stream::iter([Ok::<_, Infallible>(Bytes::from(noise(5_000_000, 99)))]);
    let stored = tokio::time::timeout(Duration::from_secs(60), extents.store(body, u64::MAX)).await;
    assert_eq!(stored.expect("waits for slow clients").unwrap().size, 5_000_000);
    go_on.add_permits(slow.len());
    let slow = join_all(slow).await;
    let ends: Vec<Vec<u64>> = slow.into_iter().map(|ended| ended.unwrap()).collect();
    assert!(ends.iter().all(|extents| extents.iter().sum::<u64>() == 200_000), "{ends:?}");
    assert!(ends.contains(&vec![100_000, 100_000]), "somebody has given back: {ends:?}");
}
