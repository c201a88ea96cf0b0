//! A caller whose lease is over changes nothing.

use crate::{
    bed::{Bed, Node, counts},
    sample::{Sample, assert_stored, delete, get, put},
};
use asterism_proto::{ShardErrorKind, storage::delete_result::Outcome as Deleted};

fn of_epoch(bed: &Bed, epoch: u64) -> Sample {
    let mut sample = Sample::small(bed.cluster());
    sample.header.epoch = epoch;
    sample
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_epoch_is_stale_also_after_a_restart() {
    let bed = Bed::new();
    let mut node = bed.start("n1").await;
    let kept = of_epoch(&bed, 5);
    put(&bed.client(&node), &kept).await.unwrap();
    for _ in 0..2 {
        let client = bed.client(&node);
        let stale = delete(&client, vec![kept.key()], 4).await.unwrap_err();
        assert_eq!(stale.kind, ShardErrorKind::Stale);
        assert_eq!(put(&client, &of_epoch(&bed, 4)).await.unwrap_err().kind, ShardErrorKind::Stale);
        assert_stored(&client, &kept).await;
        drop(client);
        node = Node::start(node.stop().await).await;
    }
    let client = bed.client(&node);
    assert_eq!(delete(&client, vec![kept.key()], 7).await.unwrap(), [Deleted::Removed]);
    assert_eq!(put(&client, &of_epoch(&bed, 6)).await.unwrap_err().kind, ShardErrorKind::Stale);
    put(&client, &of_epoch(&bed, 7)).await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_write_cannot_follow_the_delete_of_a_later_epoch() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let sample = of_epoch(&bed, 1);
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    let mut messages = sample.messages();
    let finish = messages.pop().unwrap();
    for message in messages {
        sender.send(message).await.unwrap();
    }
    let writer = client.clone();
    let call = tokio::spawn(async move {
        writer.clone().put(tokio_stream::wrappers::ReceiverStream::new(receiver)).await
    });
    // The put has begun once its epoch is known to the node.
    crate::bed::eventually("the put has begun", async || {
        let stat = client.clone().stat(asterism_proto::storage::StatRequest {}).await;
        stat.is_ok_and(|stat| stat.into_inner().epoch == 1)
    })
    .await;
    assert_eq!(delete(&client, vec![sample.key()], 2).await.unwrap(), [Deleted::Absent]);
    sender.send(finish).await.unwrap();
    let error = asterism_proto::ShardError::from(call.await.unwrap().unwrap_err());
    assert_eq!(error.kind, ShardErrorKind::Stale);
    assert_eq!(get(&client, sample.key(), 0, 0).await.unwrap_err().kind, ShardErrorKind::NotFound);
    assert_eq!(counts(node.directory()), (0, 0, 0));
    node.stop().await;
}
