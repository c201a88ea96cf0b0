//! The inner loop: every output is a sum of multiples of the inputs.
//!
//! A kernel makes a group of a few outputs in one pass over the inputs, in whole steps of 64 bytes. What it knows is its
//! instructions (`lanes`). The loop (`pass`) and what surrounds it are the same for all: choice of the kernel, tiles that stay
//! in the cache, the odd tail. Only the portable kernel has a loop of its own, without vectors.

mod block;
mod lanes;
mod pass;
mod portable;
#[cfg(test)]
mod twin;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod gfni256;
#[cfg(target_arch = "x86_64")]
mod gfni512;
#[cfg(target_arch = "aarch64")]
mod neon;

use std::fmt;

use crate::{
    SHARDS_MAX,
    plan::{Plan, ROWS_MAX, Tables},
};
use block::{Block, STEP_BYTES};

/// A way to multiply, named by what it needs of the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// x86-64 with GFNI and AVX-512: 64 bytes by one instruction.
    Gfni512,
    /// x86-64 with GFNI and AVX2: 32 bytes by one instruction.
    Gfni256,
    /// x86-64 with AVX2: two table lookups for 32 bytes.
    Avx2,
    /// AArch64: two table lookups for 16 bytes.
    Neon,
    /// Plain Rust, for every CPU.
    Portable,
}

impl Kernel {
    /// All of them, the fastest first.
    pub const ALL: [Self; 5] = [Self::Gfni512, Self::Gfni256, Self::Avx2, Self::Neon, Self::Portable];

    /// The fastest kernel that this CPU can run.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self::Portable)
    }

    /// The kernels that this CPU can run, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kernel| kernel.is_available())
    }

    /// Whether this CPU can run it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Gfni512 => {
                is_x86_feature_detected!("gfni")
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Gfni256 => is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Self::Portable => true,
            #[allow(unreachable_patterns, reason = "kernels of other architectures")]
            _ => false,
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gfni512 => "gfni-avx512",
            Self::Gfni256 => "gfni-avx2",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        })
    }
}

/// A kernel that this CPU is known to run: what makes calling it sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Supported(Kernel);

impl Supported {
    /// Asks the CPU.
    pub(crate) fn new(kernel: Kernel) -> Option<Self> {
        kernel.is_available().then_some(Self(kernel))
    }

    pub(crate) fn kernel(self) -> Kernel {
        self.0
    }
}

/// More outputs than fit one pass read the inputs again: a tile of all inputs stays in the first-level cache meanwhile.
const TILE_BYTES: usize = 32 << 10;

/// Sets every output to its sum of multiples of the inputs, or adds it to what the output holds.
///
/// All slices have one length; the plan has an input per column and an output per row.
pub(crate) fn multiply(plan: &Plan, inputs: &[&[u8]], outputs: &mut [&mut [u8]], accumulate: bool) {
    let Some(length) = outputs.first().map(|output| output.len()) else { return };
    assert_eq!((plan.inputs, plan.rows), (inputs.len(), outputs.len()), "the plan has another shape");
    let whole = length - length % STEP_BYTES;
    let tile = tile_bytes(plan, whole);
    for start in (0..whole).step_by(tile) {
        multiply_tile(plan, inputs, outputs, start..whole.min(start + tile), accumulate);
    }
    if whole < length {
        multiply_tail(plan, inputs, outputs, whole, accumulate);
    }
}

fn tile_bytes(plan: &Plan, whole: usize) -> usize {
    if plan.rows <= ROWS_MAX {
        return whole.max(STEP_BYTES);
    }
    let bytes = TILE_BYTES / plan.inputs.max(1);
    (bytes - bytes % STEP_BYTES).max(STEP_BYTES)
}

fn multiply_tile(
    plan: &Plan,
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    range: std::ops::Range<usize>,
    accumulate: bool,
) {
    for (group, first) in plan.groups() {
        let coefficients = plan.coefficients(&group);
        let block = Block::new(inputs, &mut outputs[group], range.clone(), accumulate);
        match (plan.kernel.kernel(), &plan.tables) {
            #[cfg(target_arch = "x86_64")]
            (Kernel::Gfni512, Tables::Affine(tables)) => {
                gfni512::run(plan.kernel, &tables[coefficients], first, block)
            }
            #[cfg(target_arch = "x86_64")]
            (Kernel::Gfni256, Tables::Affine(tables)) => {
                gfni256::run(plan.kernel, &tables[coefficients], first, block)
            }
            #[cfg(target_arch = "x86_64")]
            (Kernel::Avx2, Tables::Nibbles(tables)) => {
                avx2::run(plan.kernel, &tables[coefficients], first, block)
            }
            #[cfg(target_arch = "aarch64")]
            (Kernel::Neon, Tables::Nibbles(tables)) => {
                neon::run(plan.kernel, &tables[coefficients], first, block)
            }
            (Kernel::Portable, Tables::Plain(tables)) => portable::run(&tables[coefficients], block),
            _ => unreachable!("a plan has the tables of its kernel"),
        }
    }
}

/// The last bytes, fewer than a step: padded to a whole one beside the shards, so that no kernel knows of tails.
fn multiply_tail(plan: &Plan, inputs: &[&[u8]], outputs: &mut [&mut [u8]], start: usize, accumulate: bool) {
    let mut padded_inputs = [[0; STEP_BYTES]; SHARDS_MAX];
    let mut padded_outputs = [[0; STEP_BYTES]; SHARDS_MAX];
    for (padded, input) in padded_inputs.iter_mut().zip(inputs) {
        let tail = &input[start..];
        padded[..tail.len()].copy_from_slice(tail);
    }
    for (padded, output) in padded_outputs.iter_mut().zip(outputs.iter()) {
        let tail = &output[start..];
        padded[..tail.len()].copy_from_slice(tail);
    }
    let whole_inputs = padded_inputs.each_ref().map(|padded| padded.as_slice());
    let mut whole_outputs = padded_outputs.each_mut().map(|padded| padded.as_mut_slice());
    let (used_inputs, used_outputs) = (&whole_inputs[..inputs.len()], &mut whole_outputs[..outputs.len()]);
    multiply_tile(plan, used_inputs, used_outputs, 0..STEP_BYTES, accumulate);
    for (output, padded) in outputs.iter_mut().zip(&padded_outputs) {
        let tail = &mut output[start..];
        tail.copy_from_slice(&padded[..tail.len()]);
    }
}

#[cfg(test)]
mod tests;
