//! GFNI with AVX2, for CPUs without AVX-512: one instruction multiplies 32 bytes by a coefficient.
#![allow(unsafe_code, reason = "the functions are sound only where the CPU has the instructions")]

use std::arch::x86_64::*;

use super::{
    Kernel, Supported,
    block::{Block, STEP_BYTES},
    lanes::Lanes,
    pass::{self, pass},
};
use crate::plan::{FirstRow, ROWS_MAX};

/// 32 bytes; a coefficient is an 8×8 bit matrix.
struct Gfni256;

const _: () = assert!(STEP_BYTES == 2 * Gfni256::BYTES);

/// Makes the rows of `block`; `tables` holds one coefficient per row, input by input.
pub(super) fn run(proof: Supported, tables: &[u64], first: FirstRow, block: Block<'_, '_>) {
    assert_eq!(proof.kernel(), Kernel::Gfni256);
    // SAFETY: the proof is made only on a CPU that has the instructions.
    unsafe { pass::run::<Gfni256>(tables, first, block) }
}

impl Lanes for Gfni256 {
    type Vector = __m256i;
    type Factor = __m256i;
    type Table = u64;
    type Coefficient = __m256i;

    const BYTES: usize = 32;
    const VECTORS: [usize; ROWS_MAX] = [4, 4, 2, 2];
    const UNROLLED: bool = false;
    // One instruction each: apart, a sum would save next to nothing.
    const SUMS_APART: bool = false;

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: as for the trait, here and below.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut u8, vector: __m256i) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_si256(to.cast(), vector) }
    }

    #[inline(always)]
    unsafe fn sum(one: __m256i, other: __m256i) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_xor_si256(one, other) }
    }

    #[inline(always)]
    unsafe fn factor(vector: __m256i) -> __m256i {
        vector
    }

    #[inline(always)]
    unsafe fn coefficient(table: &u64) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_set1_epi64x(table.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn product(coefficient: __m256i, factor: __m256i) -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_gf2p8affine_epi64_epi8::<0>(factor, coefficient) }
    }

    #[inline(always)]
    fn prefetch(from: *const u8) {
        // SAFETY: part of every x86-64; a hint faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }

    #[target_feature(enable = "avx2,gfni")]
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
