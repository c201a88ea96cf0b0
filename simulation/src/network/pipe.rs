//! One direction of one connection.

use crate::process::{Host, Process};
use bytes::{Buf, Bytes};
use std::{collections::VecDeque, task::Waker};
use tokio::{io::ReadBuf, time::Instant};

/// What is on its way or not yet read; a writer waits when it is more.
const WINDOW_BYTES: usize = 1 << 20;

/// Bytes on their way from one process to another.
pub(super) struct Pipe {
    from: Process,
    to: Process,
    /// With the time at which each arrives.
    packets: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// Nothing comes after what is on its way.
    ended: bool,
    /// One end is gone.
    broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Ends that were dropped.
    pub(super) dropped: u8,
}

/// What a reader finds.
pub(super) enum Found {
    Bytes,
    End,
    Broken,
    /// Something arrives then.
    Later(Instant),
    Nothing,
}

impl Pipe {
    pub(super) fn new(from: &Process, to: &Process) -> Self {
        Self {
            from: from.clone(),
            to: to.clone(),
            packets: VecDeque::new(),
            bytes: 0,
            ended: false,
            broken: false,
            reader: None,
            writer: None,
            dropped: 0,
        }
    }

    pub(super) fn writer(&self) -> &Process {
        &self.from
    }

    pub(super) fn reader(&self) -> &Process {
        &self.to
    }

    /// The host at the other end.
    pub(super) fn other(&self, host: Host) -> Host {
        if self.from.host == host { self.to.host } else { self.from.host }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= WINDOW_BYTES
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Sends bytes that arrive at `at`, but never before those sent before.
    pub(super) fn send(&mut self, bytes: Bytes, at: Instant) {
        let at = self.packets.back().map_or(at, |(last, _)| at.max(*last));
        self.bytes += bytes.len();
        self.packets.push_back((at, bytes));
        self.wake_reader();
    }

    /// Nothing more is sent.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.wake_reader();
    }

    /// One end is gone: what is on its way is lost, and both ends learn of it.
    pub(super) fn reset(&mut self) {
        self.broken = true;
        self.wake_reader();
        self.wake_writer();
    }

    /// Nobody reads any more.
    pub(super) fn stop_reading(&mut self) {
        self.broken = true;
        self.wake_writer();
    }

    /// Takes what has arrived; `is_cut` holds everything back.
    pub(super) fn take(&mut self, buffer: &mut ReadBuf<'_>, is_cut: bool, waker: &Waker) -> Found {
        if self.broken {
            return Found::Broken;
        }
        self.reader = Some(waker.clone());
        if is_cut {
            return Found::Nothing;
        }
        let Some((at, bytes)) = self.packets.front_mut() else {
            return if self.ended { Found::End } else { Found::Nothing };
        };
        if *at > Instant::now() {
            return Found::Later(*at);
        }
        let taken = bytes.len().min(buffer.remaining());
        buffer.put_slice(&bytes[..taken]);
        bytes.advance(taken);
        if bytes.is_empty() {
            self.packets.pop_front();
        }
        self.bytes -= taken;
        self.wake_writer();
        Found::Bytes
    }

    pub(super) fn wait_to_write(&mut self, waker: &Waker) {
        self.writer = Some(waker.clone());
    }

    pub(super) fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}
