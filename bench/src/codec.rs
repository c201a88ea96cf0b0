//! The erasure code beside `memcpy` and other codecs, on one core.

mod beside;
mod shapes;
mod stripes;

use crate::measure::{Sample, Work};
use asterism_erasure::{CELL_BYTES_MAX, Code};
#[cfg(test)]
pub(crate) use shapes::Speed;
pub(crate) use shapes::{ENCODE, Heat, OURS, RECONSTRUCT, ShapeRow, measure as measure_shapes};
use std::time::Duration;
use stripes::{COLD_BYTES, Stripes, Task};

const DATA: usize = 4;
const PARITY: usize = 2;
/// Works take turns in short slices, so that a disturbance hits all alike.
const SLICES: u32 = 5;
const SLICE: Duration = Duration::from_millis(20);

/// Which code is measured, for the table.
pub(crate) fn name() -> anyhow::Result<String> {
    let code = Code::new(DATA, PARITY)?;
    Ok(format!("{}, kernel {}", code.policy(), code.kernel()))
}

/// One sample of each work of the codec, over more memory than a cache holds.
pub(crate) fn measure() -> anyhow::Result<Vec<(Work, Sample)>> {
    let code = Code::new(DATA, PARITY)?;
    let count = Stripes::cold(DATA + PARITY, CELL_BYTES_MAX, COLD_BYTES);
    let mut stripes = Stripes::new(code, CELL_BYTES_MAX, count);
    let works =
        [(Work::Memcpy, Task::Copy), (Work::Encode, Task::Encode), (Work::Reconstruct, Task::Reconstruct)];
    let mut totals = works.map(|(work, task)| (work, task, 0_u64, 0.0));
    for _ in 0..SLICES {
        for (_, task, bytes, seconds) in &mut totals {
            let (more, took) = stripes.slice(*task, SLICE)?;
            *bytes += more;
            *seconds += took;
        }
    }
    let sample = |bytes: u64, seconds| Sample::of(bytes as f64 / 1e9, seconds);
    Ok(totals.into_iter().map(|(work, _, bytes, seconds)| (work, sample(bytes, seconds))).collect())
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
