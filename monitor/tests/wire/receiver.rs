//! A small HTTP server that keeps what it is told, and that can behave badly.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What the stub does with a request.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    Answers(u16),
    Hangs,
    /// Sends whoever asks to another address.
    Redirects(SocketAddr),
    /// One byte of the answer every tenth of a second.
    Drips,
}

/// Head and body.
pub(crate) type Request = (String, Vec<u8>);
type Requests = Arc<Mutex<Vec<Request>>>;

/// A Pushgateway, a webhook or a receiver of remote write, as far as a client sees it.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    requests: Requests,
    manner: Arc<Mutex<Manner>>,
    task: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, manner) = (Requests::default(), Arc::new(Mutex::new(manner)));
        let task = tokio::spawn({
            let (requests, manner) = (Arc::clone(&requests), Arc::clone(&manner));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&manner), Arc::clone(&requests)));
                }
            }
        });
        Self { address, requests, manner, task }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Answers otherwise from now on.
    pub(crate) fn change(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }
}

async fn serve(mut stream: TcpStream, manner: Arc<Mutex<Manner>>, requests: Requests) {
    while let Some(request) = read_request(&mut stream).await {
        requests.lock().unwrap().push(request);
        let answer = |code| format!("HTTP/1.1 {code} x\r\ncontent-length: 0\r\n\r\n").into_bytes();
        let manner = *manner.lock().unwrap();
        match manner {
            Manner::Answers(code) => stream.write_all(&answer(code)).await.unwrap(),
            Manner::Redirects(to) => {
                let answer = format!("HTTP/1.1 307 x\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            Manner::Hangs => std::future::pending().await,
            Manner::Drips => {
                for byte in answer(200) {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// The next request; `None` at the end.
async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(read[..head_end].to_vec()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let length: usize = length.parse().unwrap();
    while read.len() < head_end + length {
        stream.read_buf(&mut read).await.ok()?;
    }
    Some((head, read[head_end..].to_vec()))
}
