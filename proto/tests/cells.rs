//! What our own encoding of messages puts on the wire is what everybody else's does.

use asterism_proto::{
    storage::{Cell, GetResponse, PutFinish, PutRequest, ShardHeader},
    wire::{Carrier, Messages, chunks, frame, status_trailers},
};
use bytes::{Buf, Bytes, BytesMut};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use std::{collections::VecDeque, convert::Infallible};
use tonic::{Code, Status, body::Body};

const MOST: usize = 1 << 20;

fn cell(bytes: usize, checksum: u64) -> Cell {
    Cell { data: (0..bytes).map(|at| (at * 7) as u8).collect::<Vec<_>>().into(), checksum }
}

fn puts() -> Vec<PutRequest> {
    let header = ShardHeader { cluster: vec![1; 16], cell_bytes: 262_144, epoch: 7, ..Default::default() };
    vec![
        PutRequest { header: Some(header), cells: vec![cell(100_000, 5)], finish: None },
        PutRequest {
            cells: vec![cell(3, 1), cell(20_000, 2), cell(0, 3), cell(9_000, 0)],
            ..Default::default()
        },
        PutRequest { finish: Some(PutFinish { extent_bytes: 1 << 40 }), ..Default::default() },
        PutRequest::default(),
    ]
}

fn encoded<M: Carrier>(messages: Vec<M>) -> Bytes {
    let mut pieces = VecDeque::new();
    messages.into_iter().for_each(|message| chunks(message, &mut pieces));
    pieces
        .into_iter()
        .fold(BytesMut::new(), |mut all, piece| {
            all.extend_from_slice(&piece);
            all
        })
        .freeze()
}

/// The body that comes in pieces of so many bytes.
fn body(bytes: &Bytes, piece: usize, last: Option<Status>) -> Body {
    let data: Vec<_> = bytes.chunks(piece).map(|piece| Frame::data(Bytes::copy_from_slice(piece))).collect();
    let last = last.map(|status| Frame::trailers(status_trailers(&status)));
    Body::new(StreamBody::new(futures::stream::iter(data.into_iter().chain(last).map(Ok::<_, Infallible>))))
}

async fn read<M: Message + Default>(mut messages: Messages<M>) -> (Vec<M>, Result<(), Code>) {
    let mut all = Vec::new();
    loop {
        match messages.next().await {
            Ok(Some(message)) => all.push(message),
            Ok(None) => return (all, Ok(())),
            Err(status) => return (all, Err(status.code())),
        }
    }
}

#[test]
fn others_understand_our_messages() {
    let mut bytes = encoded(puts());
    for expected in puts() {
        assert_eq!(bytes.get_u8(), 0);
        let length = bytes.get_u32() as usize;
        assert_eq!(PutRequest::decode(bytes.split_to(length)).unwrap(), expected);
    }
    assert!(bytes.is_empty());
    let answer = GetResponse { extent_bytes: 9, cells: vec![cell(50_000, 4)], ..Default::default() };
    let mut bytes = encoded(vec![answer.clone()]);
    bytes.advance(5);
    assert_eq!(GetResponse::decode(bytes).unwrap(), answer);
}

#[test]
fn large_cells_are_not_copied() {
    let cell = cell(100_000, 1);
    let at = cell.data.as_ptr();
    let mut pieces = VecDeque::new();
    chunks(PutRequest { cells: vec![cell], ..Default::default() }, &mut pieces);
    assert!(pieces.iter().any(|piece| piece.as_ptr() == at));
}

#[tokio::test]
async fn messages_are_read_in_whatever_pieces_they_come() {
    let theirs = puts().iter().fold(BytesMut::new(), |mut all, message| {
        all.extend_from_slice(&frame(message));
        all
    });
    for bytes in [encoded(puts()), theirs.freeze()] {
        for piece in [1, 3, 5, 1000, 99_999, usize::MAX] {
            let messages = Messages::of_request(body(&bytes, piece, None), MOST);
            assert_eq!(read(messages).await, (puts(), Ok(())), "in pieces of {piece}");
        }
    }
}

async fn check(body: Body, expected: Result<(), Code>) {
    let answer = http::Response::new(body);
    let ended = match Messages::<PutRequest>::of_answer(answer, MOST) {
        Ok(messages) => read(messages).await.1,
        Err(status) => Err(status.code()),
    };
    assert_eq!(ended, expected);
}

#[tokio::test]
async fn an_answer_is_complete_with_its_trailers_alone() {
    let bytes = encoded(puts());
    check(body(&bytes, 1000, Some(Status::ok(""))), Ok(())).await;
    check(body(&bytes, 1000, Some(Status::data_loss("x"))), Err(Code::DataLoss)).await;
    check(body(&bytes, 1000, None), Err(Code::Unavailable)).await;
    check(body(&bytes.slice(..bytes.len() - 1), 1000, Some(Status::ok(""))), Err(Code::Internal)).await;
    let refused = http::Response::builder().header("grpc-status", "7").body(Body::empty()).unwrap();
    assert_eq!(Messages::<PutRequest>::of_answer(refused, MOST).unwrap_err().code(), Code::PermissionDenied);
    let strange = http::Response::builder().status(502).body(Body::empty()).unwrap();
    assert_eq!(Messages::<PutRequest>::of_answer(strange, MOST).unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    for (bytes, code) in [
        (&[1, 0, 0, 0, 1, 0][..], Code::Unimplemented),
        (&[0, 0xff, 0xff, 0xff, 0xff, 0], Code::OutOfRange),
        (&[0, 0, 0, 0, 2, 0x0f, 0xff], Code::Internal),
        (&[0, 0, 0], Code::Internal),
    ] {
        let messages = Messages::<PutRequest>::of_request(body(&Bytes::from_static(bytes), 2, None), MOST);
        assert_eq!(read(messages).await.1, Err(code), "{bytes:?}");
    }
}
