//! The same edge behind a real socket: what only HTTP itself can do wrong.

use super::TestBed;
use crate::{catalog::Role, events::Event, test_bed::noise};
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Longer than any deadline of the server.
const PATIENCE: Duration = Duration::from_secs(40);

/// A server that ends with the test.
struct Served {
    bed: TestBed,
    address: SocketAddr,
    serving: JoinHandle<()>,
    _stop: DropGuard,
}

async fn serve() -> Served {
    let bed = TestBed::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = asterism_service::http::serve(listener, bed.router.clone(), 64, stop.clone());
    Served { bed, address, serving: tokio::spawn(serving), _stop: stop.drop_guard() }
}

impl Served {
    /// Sends bytes as they are; all that comes back until the server hangs up.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        read_to_end(&mut stream).await
    }

    async fn web_socket(
        &self,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Socket, tungstenite::Error> {
        let mut request =
            format!("ws://{}/api/v1/events{query}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        connect_async(request).await.map(|(socket, _)| socket)
    }

    async fn is_there(&self, path: &str) -> bool {
        self.bed.asks("editor", "GET", &format!("/api/v1/files{path}")).send().await.status == 200
    }

    /// Stops the server, which must come to its end by itself.
    async fn end(self) -> TestBed {
        drop(self._stop);
        timeout(PATIENCE, self.serving).await.expect("the server ends").unwrap();
        self.bed
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is a way to hang up, too.
    let _ended =
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server hangs up in time");
    String::from_utf8_lossy(&answer).into_owned()
}

fn put(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("PUT /api/v1/content{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer editor\r\nConnection: close\r\n{headers}\r\n{body}")
        .into_bytes()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn uploads_with_and_without_a_length_arrive() {
    let served = serve().await;
    assert_eq!(status(&served.raw(&put("/plain", "Content-Length: 5\r\n", "plain")).await), 201);
    let chunked = "5\r\nchunk\r\n2;extension=x\r\ned\r\n0\r\nTrailer: y\r\n\r\n";
    assert_eq!(status(&served.raw(&put("/chunked", "Transfer-Encoding: chunked\r\n", chunked)).await), 201);
    assert_eq!(served.bed.content("editor", "/plain").await, b"plain");
    assert_eq!(served.bed.content("editor", "/chunked").await, b"chunked");
    let waits = served.raw(&put("/expected", "Content-Length: 2\r\nExpect: 100-continue\r\n", "ok")).await;
    assert!(waits.starts_with("HTTP/1.1 100 Continue") && waits.contains("HTTP/1.1 201 Created"), "{waits}");
    served.end().await;
}

#[tokio::test]
async fn lengths_that_lie_make_no_file() {
    let served = serve().await;
    for (headers, body) in [
        ("Content-Length: -1\r\n", "x"),
        ("Content-Length: 1\r\nContent-Length: 2\r\n", "xx"),
        ("Content-Length: 1, 2\r\n", "xx"),
        ("Content-Length: 99999999999999999999\r\n", "x"),
        ("Content-Length: +1\r\n", "x"),
        ("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nx"),
        ("Transfer-Encoding: chunked\r\n", "-1\r\nx\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nxx"),
        ("Transfer-Encoding: gzip\r\n", "x"),
        ("Transfer-Encoding: chunked, identity\r\n", "x"),
        ("Content-Length: 10\r\n", "five."),
    ] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(&put("/lie", headers, body)).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(!(200..300).contains(&status(&answer)), "{headers:?} {body:?}: {answer}");
        assert!(!served.is_there("/lie").await, "{headers:?} {body:?}");
    }
    // Both a length and chunks: never two readings of one request.
    let smuggled = "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n";
    let answer = served.raw(&put("/both", smuggled, "0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    let bed = served.end().await;
    let both = bed.asks("editor", "GET", "/api/v1/files/both").send().await.status == 200;
    bed.leaks_nothing(if both { &[("editor", "/both")] } else { &[] }).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing() {
    let served = serve().await;
    for bytes in [0, 10, 3_000_000] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(&put("/cut", "Content-Length: 9000000\r\n", "")).await.unwrap();
        stream.write_all(&noise(bytes, 1)).await.unwrap();
        drop(stream);
    }
    // The server ends when the last request has: nothing is in flight after that.
    let bed = served.end().await;
    bed.asks("editor", "GET", "/api/v1/files/cut").send().await.is(404);
    bed.leaks_nothing(&[]).await;
}

#[tokio::test]
async fn a_body_that_breaks_is_no_complete_answer() {
    let served = serve().await;
    served.bed.put("editor", "/f", noise(5_000_000, 2)).await;
    let fault = asterism_cluster::memory::Fault::DiesAfter(2);
    (0..3).for_each(|node| served.bed.shards.set_fault(served.bed.nodes[node], fault));
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let get = "GET /api/v1/content/f HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer editor\r\n\r\n";
    stream.write_all(get.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _reset = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection is closed");
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let text = String::from_utf8_lossy(&answer[..head]).to_lowercase();
    assert!(text.contains("content-length: 5000000"), "{text}");
    assert!(answer.len() - head < 5_000_000);
    assert_eq!(answer[head..], noise(5_000_000, 2)[..answer.len() - head], "what came is right");
}

#[tokio::test]
async fn slow_clients_are_cut_off() {
    let served = serve().await;
    let unfinished = [
        "GET / HTTP/1.1\r\nHost: x\r\nX-Slow",
        "",
        "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
    ];
    let waits = unfinished.map(|request| served.raw(request.as_bytes()));
    let answers = futures::future::join_all(waits).await;
    assert_eq!(status(&answers[2]), 408, "{answers:?}");
    assert!(answers[2].contains("request_timeout"), "{answers:?}");
    served.end().await;
}

#[tokio::test]
async fn what_is_no_http_is_survived() {
    let served = serve().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(1000));
    for request in [
        "GET / HTTP/9.9\r\n\r\n",
        "\u{16}\u{3}\u{1}hello\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /\u{0} HTTP/1.1\r\n\r\n",
        &long,
        &many,
    ] {
        let answer = served.raw(request.as_bytes()).await;
        assert!(answer.is_empty() || (400..500).contains(&status(&answer)), "{answer}");
    }
    let early = "Content-Length: 9000000000000000\r\n";
    assert_eq!(status(&served.raw(&put("/huge", early, "")).await), 413);
    served.end().await;
}

/// The next event of a socket.
async fn event(socket: &mut Socket) -> Value {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("an event").unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// What the server answers to a socket that it does not want.
async fn check_refused(served: &Served, headers: &[(&'static str, &str)], expected: u16) {
    match served.web_socket("", headers).await {
        Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), expected, "{headers:?}"),
        other => panic!("{headers:?}: {other:?}"),
    }
}

#[tokio::test]
async fn sockets_are_for_our_own_pages() {
    let served = serve().await;
    let own = format!("http://{}", served.address);
    let cookie = ("cookie", "asterism_session=editor");
    check_refused(&served, &[], 401).await;
    check_refused(&served, &[("authorization", "Bearer wrong")], 401).await;
    for origin in ["https://evil.example", "null", "http://127.0.0.1"] {
        check_refused(&served, &[cookie, ("origin", origin)], 403).await;
    }
    check_refused(&served, &[cookie], 403).await;
    check_refused(&served, &[cookie, ("origin", &own), ("sec-websocket-version", "1")], 400).await;
    served.web_socket("", &[cookie, ("origin", &own)]).await.unwrap().close(None).await.unwrap();
    let plain = served.raw(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer editor\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status(&plain), 400, "{plain}");
}

#[tokio::test]
async fn a_socket_tells_what_is_the_callers_and_resumes() {
    let served = serve().await;
    served.bed.add("eve", Role::Reader).await;
    let editor = [("authorization", "Bearer editor")];
    let mut socket = served.web_socket("", &editor).await.unwrap();
    let mut eves = served.web_socket("", &[("authorization", "Bearer eve")]).await.unwrap();
    // Once an answer to a ping is there, the socket listens.
    for socket in [&mut socket, &mut eves] {
        socket.send(Message::Ping("are you there".into())).await.unwrap();
        while !matches!(timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap(), Message::Pong(_)) {
        }
    }
    served.bed.put("editor", "/a <b>\"", "x").await;
    let stored = event(&mut socket).await;
    assert_eq!((&stored["type"], &stored["path"]), (&"file_stored".into(), &"/a <b>\"".into()));
    served.bed.api.events.publish_to_all(Event::GroupsChanged { worst_margin: Some(1), short_extents: 3 });
    assert_eq!(event(&mut socket).await["type"], "groups_changed");
    let first = event(&mut eves).await;
    assert_eq!(
        (&first["type"], &first["worst_margin"]),
        (&"groups_changed".into(), &1.into()),
        "not the other's file"
    );
    let mut again = served.web_socket(&format!("?since={}", stored["seq"]), &editor).await.unwrap();
    assert_eq!(event(&mut again).await["type"], "groups_changed");
    let mut lost = served.web_socket("?since=999", &editor).await.unwrap();
    assert_eq!(event(&mut lost).await["type"], "resync");
    check_refused_query(&served, "?since=-1").await;
}

async fn check_refused_query(served: &Served, query: &str) {
    match served.web_socket(query, &[("authorization", "Bearer editor")]).await {
        Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 400),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_talks_to_the_socket_is_cut_off() {
    let served = serve().await;
    let headers = [("authorization", "Bearer editor")];
    for (message, expected) in [
        (Message::Text("hello".into()), CloseCode::Policy),
        (Message::Binary(vec![0; 10].into()), CloseCode::Policy),
        (Message::Text("x".repeat(100_000).into()), CloseCode::Size),
    ] {
        let mut socket = served.web_socket("", &headers).await.unwrap();
        socket.send(message).await.unwrap();
        check_closed(&mut socket, expected).await;
    }
}

/// Reads until the server closes. A reset may overtake the reason when the server did not read all that was sent.
async fn check_closed(socket: &mut Socket, expected: CloseCode) {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("the server hangs up") {
            Some(Ok(Message::Close(Some(frame)))) => return assert_eq!(frame.code, expected),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            None | Some(Err(_)) if expected == CloseCode::Size => return,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_session_that_ends_takes_its_socket_along() {
    let served = serve().await;
    let mut socket = served.web_socket("", &[("authorization", "Bearer editor")]).await.unwrap();
    served.bed.asks("editor", "DELETE", "/api/v1/session").send().await.is(204);
    check_closed(&mut socket, CloseCode::Policy).await;
}
