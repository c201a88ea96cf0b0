//! Whatever comes over the wire, the answer is an error and the directory is as it was.

use crate::{
    bed::{Bed, Client, counts, eventually, files},
    sample::{Sample, assert_stored, delete, get, put, send},
};
use asterism_erasure::CELL_BYTES_MAX;
use asterism_proto::{
    ClusterId, Role, ShardError, ShardErrorKind,
    storage::{Cell, PutFinish, PutRequest, ShardKey, VerifyRequest},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Code;

type Spoil = fn(&mut Vec<PutRequest>);

fn header(messages: &mut [PutRequest]) -> &mut asterism_proto::storage::ShardHeader {
    messages[0].header.as_mut().unwrap()
}

fn key(messages: &mut [PutRequest]) -> &mut ShardKey {
    header(messages).key.as_mut().unwrap()
}

/// Each spoils a good put of a header, four cells and a finish in one way.
const SPOILED: &[(&str, Spoil)] = &[
    ("no message", |m| m.clear()),
    ("no header", |m| m[0].header = None),
    ("no key", |m| header(m).key = None),
    ("an extent id of 15 bytes", |m| key(m).extent.truncate(15)),
    ("an extent id of 17 bytes", |m| key(m).extent.push(0)),
    ("an extent id that is a path", |m| key(m).extent = b"../../../../etc/passwd".to_vec()),
    ("no extent id", |m| key(m).extent.clear()),
    ("a slot of k+m", |m| key(m).slot = 6),
    ("a slot of 32", |m| key(m).slot = 32),
    ("a slot of 256, which is 0 in a byte", |m| key(m).slot = 256),
    ("the largest slot", |m| key(m).slot = u32::MAX),
    ("another slot than the checksums say", |m| key(m).slot = 1),
    ("another extent than the checksums say", |m| key(m).extent[0] ^= 1),
    ("another cluster", |m| header(m).cluster = ClusterId::random().as_bytes().to_vec()),
    ("no cluster", |m| header(m).cluster.clear()),
    ("no data shards", |m| header(m).data_shards = 0),
    ("33 shards", |m| header(m).data_shards = 31),
    ("2^32 - 1 shards", |m| header(m).parity_shards = u32::MAX),
    ("no cell bytes", |m| header(m).cell_bytes = 0),
    ("cells beyond the limit", |m| header(m).cell_bytes = CELL_BYTES_MAX as u32 + 1),
    ("cells smaller than those that come", |m| header(m).cell_bytes = 1000),
    ("cells larger than those that come", |m| header(m).cell_bytes = 2048),
    ("a second header", |m| m[2].header = m[0].header.clone()),
    ("a wrong checksum", |m| m[2].cells[0].checksum ^= 1),
    ("a checksum of 0", |m| m[1].cells[0].checksum = 0),
    ("a flipped bit", |m| flip(&mut m[3].cells[0])),
    ("cells out of order", |m| m.swap(1, 2)),
    ("a cell twice", |m| m.insert(2, m[1].clone())),
    ("a cell missing in the middle", |m| drop(m.remove(2))),
    ("the last cell missing", |m| drop(m.remove(4))),
    ("an empty cell", |m| m[4].cells[0].data = bytes::Bytes::new()),
    ("a cell too many", |m| m.insert(5, m[4].clone())),
    ("a finish that is too short", |m| finish(m, 4096 * 3)),
    ("a finish that is too long", |m| finish(m, 4096 * 4)),
    ("a finish beyond every extent", |m| finish(m, u64::MAX)),
    ("no finish", |m| drop(m.pop())),
    ("only a header", |m| m.truncate(1)),
    ("a finish at once", |m| drop(m.drain(1..5))),
];

fn flip(cell: &mut Cell) {
    let mut data = cell.data.to_vec();
    data[100] ^= 4;
    cell.data = data.into();
}

fn finish(messages: &mut [PutRequest], extent_bytes: u64) {
    messages.last_mut().unwrap().finish = Some(PutFinish { extent_bytes });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoiled_put_is_refused_and_leaves_nothing() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let before = files(bed.path());
    for (name, spoil) in SPOILED {
        let sample = Sample::small(bed.cluster());
        let mut messages = sample.messages();
        spoil(&mut messages);
        let error = send(&client, messages).await.expect_err(name);
        assert_eq!(error.kind, ShardErrorKind::Invalid, "{name}: {error}");
        assert_eq!(get(&client, sample.key(), 0, 0).await.unwrap_err().kind, ShardErrorKind::NotFound);
    }
    assert_eq!(files(bed.path()), before, "a file was made or left");
    let good = Sample::small(bed.cluster());
    put(&client, &good).await.unwrap();
    assert_stored(&client, &good).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_keys_are_refused_by_every_method() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let good = Sample::small(bed.cluster()).key();
    let bad = [
        ShardKey { extent: vec![1; 15], ..good.clone() },
        ShardKey { extent: b"../../../../../../../../etc/passwd".to_vec(), ..good.clone() },
        ShardKey { extent: b"..%2f..%2f..%2f.\0".to_vec(), ..good.clone() },
        ShardKey { slot: 32, ..good.clone() },
        ShardKey::default(),
    ];
    for key in bad {
        let refused = [
            get(&client, key.clone(), 0, 0).await.map(drop),
            delete(&client, vec![good.clone(), key.clone()], 1).await.map(drop),
            client
                .clone()
                .verify(VerifyRequest { keys: vec![key.clone()] })
                .await
                .map(drop)
                .map_err(ShardError::from),
            list_after(&client, key.clone()).await,
        ];
        for result in refused {
            assert_eq!(result.unwrap_err().kind, ShardErrorKind::Invalid, "{key:?}");
        }
    }
    node.stop().await;
}

async fn list_after(client: &Client, key: ShardKey) -> Result<(), ShardError> {
    let request = asterism_proto::storage::ListRequest { after: Some(key) };
    client.clone().list(request).await?.into_inner().message().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_keys_are_refused() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let keys = |count| vec![Sample::small(bed.cluster()).key(); count];
    assert_eq!(delete(&client, keys(1024), 1).await.unwrap().len(), 1024);
    assert_eq!(delete(&client, keys(1025), 1).await.unwrap_err().kind, ShardErrorKind::Invalid);
    let verified = client.clone().verify(VerifyRequest { keys: keys(1025) }).await;
    assert_eq!(verified.unwrap_err().code(), Code::InvalidArgument);
    // Beyond the limit of a message it is not even decoded.
    let flood = client.clone().verify(VerifyRequest { keys: keys(100_000) }).await.unwrap_err();
    assert!(matches!(flood.code(), Code::OutOfRange | Code::ResourceExhausted), "{flood}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_message_is_refused() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let sample = Sample::small(bed.cluster());
    let mut message = sample.message();
    message.cells[0].data = vec![0; 64 << 20].into();
    let refused = client.clone().put(tokio_stream::iter([message])).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    assert_eq!(counts(node.directory()), (0, 0, 0));
    put(&client, &sample).await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_message_is_refused() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let identity = bed.identity(Role::IndexServer);
    let channel = asterism_service::grpc::channel(&node.grpc.to_string(), &identity, node.target()).unwrap();
    let refused = raw_call(channel, b"\x01\0\0\0\x04bomb").await;
    assert_eq!(refused, Some(Code::Unimplemented));
    let identity = bed.identity(Role::IndexServer);
    let channel = asterism_service::grpc::channel(&node.grpc.to_string(), &identity, node.target()).unwrap();
    let cut = raw_call(channel, b"\0\0\0\x10\0\x0a\xff").await;
    assert!(cut.is_some_and(|code| code != Code::Ok), "{cut:?}");
    node.stop().await;
}

/// Sends bytes as the body of a `Verify` call, and gives back the status.
async fn raw_call(mut channel: tonic::transport::Channel, body: &'static [u8]) -> Option<Code> {
    use tonic::codegen::{Service, http};
    std::future::poll_fn(|context| {
        Service::<http::Request<tonic::body::Body>>::poll_ready(&mut channel, context)
    })
    .await
    .unwrap();
    let request = http::Request::post("/asterism.storage.v1.ShardStore/Verify")
        .header("content-type", "application/grpc")
        .header("grpc-encoding", "gzip")
        .header("te", "trailers")
        .body(tonic::body::Body::new(http_body_util::Full::from(body)))
        .unwrap();
    let response = channel.call(request).await.unwrap();
    let status = response.headers().get("grpc-status")?.to_str().ok()?.parse().ok()?;
    Some(Code::from_i32(status))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_grpc_ends_and_harms_nobody() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let client = bed.client(&node);
    let garbage: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3],
        &[0xff; 4096],
    ];
    for port in [node.grpc, node.http] {
        for bytes in garbage {
            let mut stream = tokio::net::TcpStream::connect(port).await.unwrap();
            // The node may have closed already.
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.len() < 4096);
        }
    }
    let sample = Sample::small(bed.cluster());
    put(&client, &sample).await.unwrap();
    assert_stored(&client, &sample).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_at_any_point_leaves_nothing() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let large = asterism_erasure::Policy::new(1, 0).unwrap();
    for kept in [1, 2, 5, 9, 16] {
        let sample = Sample::new(bed.cluster(), large, CELL_BYTES_MAX, 4 << 20);
        let client = bed.client(&node);
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let call = tokio::spawn(async move {
            client.clone().put(tokio_stream::wrappers::ReceiverStream::new(receiver)).await
        });
        for message in sample.messages().into_iter().take(kept) {
            sender.send(message).await.unwrap();
        }
        // The caller vanishes: neither end nor error is sent, the stream is reset.
        call.abort();
        assert!(call.await.is_err_and(|error| error.is_cancelled()));
    }
    eventually("nothing is left of cut puts", async || counts(node.directory()) == (0, 0, 0)).await;
    node.stop().await;
}
