//! The erasure code beside `memcpy`, on one core, over more memory than a cache holds.

use crate::{
    content::Content,
    measure::{Sample, Work},
};
use asterism_erasure::{CELL_BYTES_MAX, Code, cell_stride};
use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

const DATA: usize = 4;
const PARITY: usize = 2;
/// Far more than the last-level cache of today's machines gives to one core.
const MEMORY_BYTES: usize = 192 << 20;
/// Works take turns in short slices, so that a disturbance hits all alike.
const SLICES: u32 = 5;
const SLICE: Duration = Duration::from_millis(20);

/// Which code is measured, for the table.
pub(crate) fn name() -> anyhow::Result<String> {
    let code = Code::new(DATA, PARITY)?;
    Ok(format!("{}, kernel {}", code.policy(), code.kernel()))
}

/// One sample of each work of the codec.
pub(crate) fn measure() -> anyhow::Result<Vec<(Work, Sample)>> {
    let code = Code::new(DATA, PARITY)?;
    let mut memory = Memory::new();
    let works = [Work::Memcpy, Work::Encode, Work::Reconstruct];
    let mut totals = works.map(|work| (work, 0_u64, 0.0));
    for _ in 0..SLICES {
        for (work, bytes, seconds) in &mut totals {
            let (more, took) = slice(*work, &code, &mut memory)?;
            *bytes += more;
            *seconds += took;
        }
    }
    Ok(totals
        .into_iter()
        .map(|(work, bytes, seconds)| (work, Sample::of(bytes as f64 / 1e9, seconds)))
        .collect())
}

/// The bytes of content that `work` went over in one slice, and the processor seconds that it took.
fn slice(work: Work, code: &Code, memory: &mut Memory) -> anyhow::Result<(u64, f64)> {
    let (began, cpu_began) = (Instant::now(), thread_cpu());
    let mut bytes = 0;
    while began.elapsed() < SLICE {
        bytes += run(work, code, memory.next_stripe())?;
    }
    let wall = began.elapsed();
    let took = cpu_began.zip(thread_cpu()).map_or(wall, |(began, ended)| ended.saturating_sub(began));
    Ok((bytes as u64, took.max(Duration::from_micros(1)).as_secs_f64()))
}

/// Does `work` once on a stripe and gives the bytes of content it went over.
fn run(work: Work, code: &Code, mut stripe: Vec<&mut [u8]>) -> anyhow::Result<usize> {
    match work {
        Work::Encode => {
            let (data, parity) = stripe.split_at_mut(DATA);
            let data: Vec<&[u8]> = data.iter().map(|cell| &**cell).collect();
            code.encode(&data, parity)?;
        }
        Work::Reconstruct => {
            let (lost, present) = stripe.split_at_mut(PARITY);
            let shards: Vec<Option<&[u8]>> =
                (0..PARITY).map(|_| None).chain(present.iter().map(|cell| Some(&**cell))).collect();
            let mut wanted: Vec<_> = lost.iter_mut().map(|cell| &mut **cell).enumerate().collect();
            code.reconstruct(&shards, &mut wanted)?;
        }
        _ => {
            let (from, to) = stripe.split_at_mut(DATA / 2);
            from.iter().zip(to).for_each(|(from, to)| to.copy_from_slice(black_box(from)));
            return Ok(DATA / 2 * CELL_BYTES_MAX);
        }
    }
    Ok(DATA * CELL_BYTES_MAX)
}

/// What this thread has had of a processor: other processes then do not count against the codec.
fn thread_cpu() -> Option<Duration> {
    // Giving way brings the kernel's count up to date; without that it lags by a scheduler tick.
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().map(Duration::from_nanos).ok()
}

/// Stripes that are used in turn, cells at the distance that a caller of the codec should keep.
struct Memory {
    bytes: Vec<u8>,
    stripes: usize,
    turn: usize,
}

impl Memory {
    fn new() -> Self {
        let stripe = (DATA + PARITY) * cell_stride(CELL_BYTES_MAX);
        let stripes = MEMORY_BYTES / stripe;
        let content = Content::new(0, (stripes * stripe) as u64);
        let mut bytes = Vec::with_capacity(stripes * stripe);
        while (bytes.len() as u64) < content.bytes {
            bytes.extend_from_slice(&content.piece(bytes.len() as u64, content.bytes));
        }
        Self { bytes, stripes, turn: 0 }
    }

    fn next_stripe(&mut self) -> Vec<&mut [u8]> {
        let stride = cell_stride(CELL_BYTES_MAX);
        let stripe = (DATA + PARITY) * stride;
        self.turn = (self.turn + 1) % self.stripes;
        let cells = self.bytes[self.turn * stripe..][..stripe].chunks_exact_mut(stride);
        cells.map(|cell| &mut cell[..CELL_BYTES_MAX]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_work_is_measured() {
        let samples = measure().unwrap();
        assert_eq!(samples.len(), 3);
        assert!(samples.iter().all(|(_, sample)| sample.rate > 0.0), "{samples:?}");
    }
}
