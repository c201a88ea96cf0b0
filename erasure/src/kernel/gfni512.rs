//! GFNI with AVX-512: one instruction multiplies 64 bytes by a coefficient.
#![allow(unsafe_code, reason = "the functions are sound only where the CPU has the instructions")]

use std::arch::x86_64::*;

use super::{
    Kernel, Supported,
    block::{Block, STEP_BYTES},
    lanes::Lanes,
    pass::{self, pass},
};
use crate::plan::{FirstRow, ROWS_MAX};

/// 64 bytes; a coefficient is an 8×8 bit matrix.
struct Gfni512;

const _: () = assert!(STEP_BYTES == Gfni512::BYTES);

/// Makes the rows of `block`; `tables` holds one coefficient per row, input by input.
pub(super) fn run(proof: Supported, tables: &[u64], first: FirstRow, block: Block<'_, '_>) {
    assert_eq!(proof.kernel(), Kernel::Gfni512);
    // SAFETY: the proof is made only on a CPU that has the instructions.
    unsafe { pass::run::<Gfni512>(tables, first, block) }
}

impl Lanes for Gfni512 {
    type Vector = __m512i;
    type Factor = __m512i;
    type Table = u64;
    type Coefficient = __m512i;

    const BYTES: usize = 64;
    const VECTORS: [usize; ROWS_MAX] = [8, 4, 4, 4];
    const UNROLLED: bool = true;
    // One instruction each: apart, a sum would save next to nothing.
    const SUMS_APART: bool = false;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: as for the trait, here and below.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(from: *const u8) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut u8, vector: __m512i) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_si512(to.cast(), vector) }
    }

    #[inline(always)]
    unsafe fn sum(one: __m512i, other: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_xor_si512(one, other) }
    }

    #[inline(always)]
    unsafe fn factor(vector: __m512i) -> __m512i {
        vector
    }

    #[inline(always)]
    unsafe fn coefficient(table: &u64) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_set1_epi64(table.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn product(coefficient: __m512i, factor: __m512i) -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_gf2p8affine_epi64_epi8::<0>(factor, coefficient) }
    }

    #[inline(always)]
    fn prefetch(from: *const u8) {
        // SAFETY: part of every x86-64; a hint faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }

    #[target_feature(enable = "avx512f,avx512bw,gfni")]
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
