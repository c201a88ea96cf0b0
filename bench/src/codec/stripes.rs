//! The codec's work on stripes of memory, timed by what its thread had of a processor.

use crate::content::Content;
use asterism_erasure::{Code, cell_stride};
use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

/// Far more than the last-level cache of today's machines gives to one core.
pub(super) const COLD_BYTES: usize = 192 << 20;

/// What is done with a stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Half of the data cells onto the other half: what the machine can do at all.
    Copy,
    Encode,
    /// As many data cells as there is parity.
    Reconstruct,
}

/// Stripes that are used in turn, cells at the distance that a caller of the codec should keep.
pub(super) struct Stripes {
    code: Code,
    cell_bytes: usize,
    memory: Vec<u8>,
    count: usize,
    turn: usize,
}

impl Stripes {
    pub(super) fn new(code: Code, cell_bytes: usize, count: usize) -> Self {
        let bytes = count * code.policy().total() * cell_stride(cell_bytes);
        let content = Content::new(0, bytes as u64);
        let mut memory = Vec::with_capacity(bytes);
        while memory.len() < bytes {
            memory.extend_from_slice(&content.piece(memory.len() as u64, content.bytes));
        }
        Self { code, cell_bytes, memory, count, turn: 0 }
    }

    /// How many of a shape go beyond the caches.
    pub(super) fn cold(cells: usize, cell_bytes: usize, cold_bytes: usize) -> usize {
        (cold_bytes / (cells * cell_bytes)).max(1)
    }

    /// Does `task` for about so long: the bytes of content it went over, and the processor seconds.
    pub(super) fn slice(&mut self, task: Task, length: Duration) -> anyhow::Result<(u64, f64)> {
        let (began, cpu_began) = (Instant::now(), thread_cpu());
        // Once at least: on a busy machine the time may be over before the work begins.
        let mut bytes = self.once(task)?;
        while began.elapsed() < length {
            bytes += self.once(task)?;
        }
        let wall = began.elapsed();
        let took = cpu_began.zip(thread_cpu()).map_or(wall, |(began, ended)| ended.saturating_sub(began));
        Ok((bytes as u64, took.max(Duration::from_micros(1)).as_secs_f64()))
    }

    fn once(&mut self, task: Task) -> anyhow::Result<usize> {
        let (code, cell_bytes) = (self.code.clone(), self.cell_bytes);
        let (data, parity) = (code.policy().data(), code.policy().parity());
        let mut cells = self.next();
        match task {
            Task::Copy => {
                let (from, to) = cells.split_at_mut(data / 2);
                from.iter().zip(to).for_each(|(from, to)| to.copy_from_slice(black_box(from)));
                return Ok(data / 2 * cell_bytes);
            }
            Task::Encode => {
                let (content, parity) = cells.split_at_mut(data);
                let content: Vec<&[u8]> = content.iter().map(|cell| &**cell).collect();
                code.encode(&content, parity)?;
            }
            Task::Reconstruct => {
                let lost = parity.min(data);
                let (lost, present) = cells.split_at_mut(lost);
                let present = present.iter().map(|cell| Some(&**cell));
                let shards: Vec<Option<&[u8]>> = lost.iter().map(|_| None).chain(present).collect();
                let mut wanted: Vec<_> = lost.iter_mut().map(|cell| &mut **cell).enumerate().collect();
                code.reconstruct(&shards, &mut wanted)?;
            }
        }
        Ok(data * cell_bytes)
    }

    fn next(&mut self) -> Vec<&mut [u8]> {
        let stride = cell_stride(self.cell_bytes);
        let stripe = self.code.policy().total() * stride;
        self.turn = (self.turn + 1) % self.count;
        let cells = self.memory[self.turn * stripe..][..stripe].chunks_exact_mut(stride);
        cells.map(|cell| &mut cell[..self.cell_bytes]).collect()
    }
}

/// What this thread has had of a processor: other processes then do not count against the codec.
fn thread_cpu() -> Option<Duration> {
    // Giving way brings the kernel's count up to date; without that it lags by a scheduler tick.
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().map(Duration::from_nanos).ok()
}
