//! Shards that nothing names: set aside, asked back, let go.

use crate::{
    bed::{Bed, Client, Node, counts},
    sample::{Sample, assert_stored, get, list, put_all, verify},
};
use asterism_erasure::Policy;
use asterism_proto::{
    ShardError, ShardErrorKind,
    storage::{
        AsideRequest, ShardKey, aside_request::Act, aside_result::Outcome, verify_result::Outcome as Verified,
    },
};
use std::fs;

async fn aside(client: &Client, act: Act, keys: &[ShardKey], epoch: u64) -> Result<Vec<Outcome>, ShardError> {
    let request = AsideRequest { keys: keys.to_vec(), epoch, act: act.into() };
    let answer = client.clone().aside(request).await?.into_inner();
    Ok(answer.results.iter().map(|result| result.outcome()).collect())
}

/// One in a log, one with a file of its own, and a third that stays.
fn samples(bed: &Bed) -> [Sample; 3] {
    let large = Sample::new(bed.cluster(), Policy::new(1, 0).unwrap(), 65_536, 10 * 65_536 + 100);
    [Sample::small(bed.cluster()), large, Sample::small(bed.cluster())]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside_is_not_found_and_comes_back_as_it_was() {
    let bed = Bed::new();
    let mut node = bed.start("n1").await;
    let samples = samples(&bed);
    let keys = [samples[0].key(), samples[1].key()];
    let mut client = bed.client(&node);
    put_all(&client, &samples).await;
    assert_eq!(aside(&client, Act::SetAside, &keys, 3).await.unwrap(), [Outcome::Done; 2]);
    for round in 0..2 {
        for key in &keys {
            assert_eq!(get(&client, key.clone(), 0, 0).await.unwrap_err().kind, ShardErrorKind::NotFound);
        }
        assert_eq!(list(&client, None).await, [samples[2].key()]);
        assert_eq!(verify(&client, keys.to_vec()).await, [Verified::Absent; 2]);
        assert_eq!(aside(&client, Act::SetAside, &keys, 3).await.unwrap(), [Outcome::Absent; 2]);
        if round == 0 {
            drop(client);
            node = Node::start(node.stop().await).await;
            client = bed.client(&node);
        }
    }
    assert_eq!(counts(node.directory()).2, 2);
    assert_eq!(aside(&client, Act::BringBack, &keys, 3).await.unwrap(), [Outcome::Done; 2]);
    for sample in &samples {
        let found = get(&client, sample.key(), 0, 0).await.unwrap();
        assert!(found.cells == sample.cells && found.extent_bytes == sample.extent_bytes);
    }
    assert_eq!(counts(node.directory()).2, 0);
    assert_eq!(aside(&client, Act::BringBack, &keys, 3).await.unwrap(), [Outcome::Absent; 2]);
    assert_stored(&client, &samples[2]).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_let_go_is_gone_and_what_is_there_is_not_touched() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let samples = samples(&bed);
    let keys = samples.clone().map(|sample| sample.key());
    put_all(&client, &samples).await;
    assert_eq!(aside(&client, Act::LetGo, &keys, 1).await.unwrap(), [Outcome::Absent; 3]);
    aside(&client, Act::SetAside, &keys[..2], 1).await.unwrap();
    let gone = aside(&client, Act::LetGo, &keys, 1).await.unwrap();
    assert_eq!(gone, [Outcome::Done, Outcome::Done, Outcome::Absent]);
    assert_eq!(aside(&client, Act::BringBack, &keys[..2], 1).await.unwrap(), [Outcome::Absent; 2]);
    assert_eq!(counts(node.directory()).2, 0);
    assert_stored(&client, &samples[2]).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_caller_is_refused_and_a_damaged_copy_does_not_come_back() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let samples = samples(&bed);
    let keys = [samples[0].key(), samples[1].key()];
    put_all(&client, &samples).await;
    aside(&client, Act::SetAside, &keys, 5).await.unwrap();
    for act in [Act::SetAside, Act::BringBack, Act::LetGo] {
        assert_eq!(aside(&client, act, &keys, 4).await.unwrap_err().kind, ShardErrorKind::Stale);
    }
    assert!(aside(&client, Act::Unspecified, &keys, 5).await.is_err());
    for kept in fs::read_dir(node.directory().join("quarantine")).unwrap() {
        let path = kept.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes[200] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(aside(&client, Act::BringBack, &keys, 5).await.unwrap(), [Outcome::Failed; 2]);
    assert_eq!((list(&client, None).await.len(), counts(node.directory()).2), (1, 2));
    node.stop().await;
}
