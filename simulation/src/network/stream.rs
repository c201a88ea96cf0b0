//! One end of a connection.

use super::{Network, pipe::Found};
use crate::process::{Process, lock};
use asterism_service::Peer;
use bytes::Bytes;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tonic::transport::server::Connected;

/// One end of a connection, held by a process.
pub struct Stream {
    network: Network,
    own: Process,
    peer: Process,
    incoming: u64,
    outgoing: u64,
    arrival: Pin<Box<Sleep>>,
}

impl Stream {
    /// The end of `own`, which reads from one pipe and writes into another.
    pub(super) fn new(
        network: &Network,
        own: &Process,
        peer: &Process,
        incoming: u64,
        outgoing: u64,
    ) -> Self {
        let arrival = Box::pin(sleep_until(Instant::now()));
        Self { network: network.clone(), own: own.clone(), peer: peer.clone(), incoming, outgoing, arrival }
    }
}

impl Connected for Stream {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.peer
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.own.is_dead() {
            return Poll::Pending;
        }
        loop {
            let found = {
                let mut state = lock(&self.network.0);
                let is_cut = state.is_cut(self.peer.host, self.own.host);
                let pipe = state.pipes.get_mut(&self.incoming);
                pipe.map_or(Found::Broken, |pipe| pipe.take(buffer, is_cut, context.waker()))
            };
            match found {
                Found::Bytes | Found::End => return Poll::Ready(Ok(())),
                Found::Broken => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                Found::Nothing => return Poll::Pending,
                Found::Later(at) => {
                    self.arrival.as_mut().reset(at);
                    ready!(self.arrival.as_mut().poll(context));
                }
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.own.is_dead() {
            return Poll::Pending;
        }
        let mut state = lock(&self.network.0);
        let delay = state.delay(self.own.host, self.peer.host);
        let Some(pipe) = state.pipes.get_mut(&self.outgoing).filter(|pipe| !pipe.is_broken()) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        if pipe.is_full() {
            pipe.wait_to_write(context.waker());
            return Poll::Pending;
        }
        pipe.send(Bytes::copy_from_slice(bytes), Instant::now() + delay);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.own.is_dead()
            && let Some(pipe) = lock(&self.network.0).pipes.get_mut(&self.outgoing)
        {
            pipe.end();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = lock(&self.network.0);
        for number in [self.incoming, self.outgoing] {
            let Some(pipe) = state.pipes.get_mut(&number) else { continue };
            pipe.dropped += 1;
            match (self.own.is_dead(), number == self.outgoing) {
                (true, _) => {} // Its kernel has told, or will.
                (false, true) => pipe.end(),
                (false, false) => pipe.stop_reading(),
            }
            if pipe.dropped == 2 {
                state.pipes.remove(&number);
            }
        }
    }
}
