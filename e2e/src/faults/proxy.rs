//! A wire with faults: a TCP proxy whose manners can be changed while connections are open.
//!
//! The kernels that tests run on have no netem, so delay and silence are made here.

use anyhow::Context;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What the wire does to bytes, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manners {
    /// Passes them on.
    #[default]
    Pass,
    /// Holds each piece back for so long, plus or minus half of it.
    Delay(Duration),
    /// Takes everything and gives nothing: connections are accepted and stay silent.
    Silence,
    /// Passes requests on; every connection breaks at the first byte of an answer.
    CutAtAnswer,
    /// Flips one bit of every piece.
    Flip,
    /// Refuses: every connection is broken at once.
    Break,
}

/// A running proxy; dropping it breaks every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    manners: watch::Sender<Manners>,
    answers_cut: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy on a free loopback port in front of `target`.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn start(target: &str) -> anyhow::Result<Self> {
        Self::listen("127.0.0.1:0", target).await
    }

    /// A proxy on `address` in front of `target`.
    ///
    /// # Errors
    /// It cannot listen, or the target is no address.
    pub async fn listen(address: &str, target: &str) -> anyhow::Result<Self> {
        let target: SocketAddr = target.parse().with_context(|| target.to_owned())?;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (manners, seen) = watch::channel(Manners::default());
        let answers_cut = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn(accept(listener, target, seen, Arc::clone(&answers_cut)));
        Ok(Self { address, manners, answers_cut, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes its manners, also on connections that are open.
    pub fn set(&self, manners: Manners) {
        self.manners.send_replace(manners);
    }

    /// Answers that were cut off so far.
    pub fn answers_cut(&self) -> u64 {
        self.answers_cut.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    manners: watch::Receiver<Manners>,
    answers_cut: Arc<AtomicU64>,
) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                connections.spawn(connection(client, target, manners.clone(), Arc::clone(&answers_cut)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(
    client: TcpStream,
    target: SocketAddr,
    manners: watch::Receiver<Manners>,
    answers_cut: Arc<AtomicU64>,
) {
    if *manners.borrow() == Manners::Break {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let requests = pump(from_client, to_server, manners.clone(), None);
    let answers = pump(from_server, to_client, manners.clone(), Some(answers_cut));
    let mut broken = manners;
    tokio::select! {
        _ = async { tokio::join!(requests, answers) } => {}
        // An error means that the proxy is gone.
        _ = broken.wait_for(|manners| *manners == Manners::Break) => {}
    }
}

/// Moves bytes one way until an end closes; `answers` counts what is cut off where this is the way back.
async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    manners: watch::Receiver<Manners>,
    answers: Option<Arc<AtomicU64>>,
) {
    let mut buffer = vec![0; 64 << 10];
    let mut pieces: u64 = 0;
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            // One way may end before the other.
            let _ = to.shutdown().await;
            return;
        }
        pieces += 1;
        let now = *manners.borrow();
        match (now, &answers) {
            (Manners::Pass, _) | (Manners::CutAtAnswer, None) => {}
            (Manners::Delay(delay), _) => {
                // Between half and one and a half, by a pattern that repeats.
                let share = 50 + pieces * 37 % 101;
                tokio::time::sleep(delay * share as u32 / 100).await;
            }
            (Manners::Silence, _) => continue,
            (Manners::Flip, _) => buffer[count / 2] ^= 1,
            (Manners::Break, _) => return,
            (Manners::CutAtAnswer, Some(answers)) => {
                answers.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// A server that answers each byte with itself.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn ask(address: SocketAddr) -> std::io::Result<[u8; 4]> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"ping").await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn the_wire_does_what_it_is_told() {
        let proxy = Proxy::start(&echo().await.to_string()).await.unwrap();
        assert_eq!(ask(proxy.address()).await.unwrap(), *b"ping");
        proxy.set(Manners::Flip);
        let flipped = ask(proxy.address()).await.unwrap();
        // Once on the way there and once on the way back.
        assert_eq!(flipped, *b"ping");
        proxy.set(Manners::CutAtAnswer);
        assert!(ask(proxy.address()).await.is_err());
        assert_eq!(proxy.answers_cut(), 1);
        proxy.set(Manners::Delay(Duration::from_millis(100)));
        let begin = Instant::now();
        assert_eq!(ask(proxy.address()).await.unwrap(), *b"ping");
        assert!(begin.elapsed() >= Duration::from_millis(100));
        proxy.set(Manners::Silence);
        let silent = tokio::time::timeout(Duration::from_millis(300), ask(proxy.address())).await;
        assert!(silent.is_err(), "{silent:?}");
        proxy.set(Manners::Break);
        assert!(ask(proxy.address()).await.is_err());
    }
}
