//! NEON: a product is the sum of two table lookups, one for the low and one for the high four bits.
#![allow(unsafe_code, reason = "the functions are sound only where the CPU has the instructions")]

use std::arch::aarch64::*;

use super::{
    Kernel, Supported,
    block::{Block, STEP_BYTES},
    lanes::Lanes,
    pass::{self, pass},
};
use crate::plan::{FirstRow, ROWS_MAX};

/// 16 bytes; a coefficient is its products of the low and of the high four bits.
struct Neon;

const _: () = assert!(STEP_BYTES == 4 * Neon::BYTES);

/// Makes the rows of `block`; `tables` holds one coefficient per row, input by input.
pub(super) fn run(proof: Supported, tables: &[[u8; 32]], first: FirstRow, block: Block<'_, '_>) {
    assert_eq!(proof.kernel(), Kernel::Neon);
    // SAFETY: the proof is made only on a CPU that has the instructions.
    unsafe { pass::run::<Neon>(tables, first, block) }
}

/// The low and the high four bits of every byte.
type Nibbles = [uint8x16_t; 2];

impl Lanes for Neon {
    type Vector = uint8x16_t;
    type Factor = Nibbles;
    type Table = [u8; 32];
    type Coefficient = [uint8x16_t; 2];

    const BYTES: usize = 16;
    const VECTORS: [usize; ROWS_MAX] = [4, 4, 4, 4];
    const UNROLLED: bool = true;
    const SUMS_APART: bool = true;

    #[inline(always)]
    unsafe fn zero() -> uint8x16_t {
        // SAFETY: as for the trait, here and below.
        unsafe { vdupq_n_u8(0) }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> uint8x16_t {
        // SAFETY: see above.
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut u8, vector: uint8x16_t) {
        // SAFETY: see above.
        unsafe { vst1q_u8(to, vector) }
    }

    #[inline(always)]
    unsafe fn sum(one: uint8x16_t, other: uint8x16_t) -> uint8x16_t {
        // SAFETY: see above.
        unsafe { veorq_u8(one, other) }
    }

    #[inline(always)]
    unsafe fn factor(vector: uint8x16_t) -> Nibbles {
        // SAFETY: see above.
        unsafe { [vandq_u8(vector, vdupq_n_u8(0x0f)), vshrq_n_u8::<4>(vector)] }
    }

    #[inline(always)]
    unsafe fn coefficient(table: &[u8; 32]) -> [uint8x16_t; 2] {
        let table = table.as_ptr();
        // SAFETY: a table has two times 16 bytes; the loads need no alignment.
        unsafe { [vld1q_u8(table), vld1q_u8(table.add(Self::BYTES))] }
    }

    #[inline(always)]
    unsafe fn product([low_table, high_table]: [uint8x16_t; 2], [low, high]: Nibbles) -> uint8x16_t {
        // SAFETY: see above.
        unsafe { veorq_u8(vqtbl1q_u8(low_table, low), vqtbl1q_u8(high_table, high)) }
    }

    /// The compiler offers no hint for this architecture yet; its CPUs follow many streams by themselves.
    #[inline(always)]
    fn prefetch(_: *const u8) {}

    #[target_feature(enable = "neon")]
    unsafe fn strides<
        const INPUTS: usize,
        const ROWS: usize,
        const FIRST: u8,
        const ADD: bool,
        const STEP: bool,
    >(
        tables: &[Self::Table],
        block: &mut Block<'_, '_>,
        at: usize,
    ) -> usize {
        // SAFETY: the caller vouches for all of it.
        unsafe { pass::<Self, INPUTS, ROWS, FIRST, ADD, STEP>(tables, block, at) }
    }
}
