//! AVX2 without GFNI: a product is the sum of two table lookups, one for the low and one for the high four bits.
#![allow(unsafe_code, reason = "the functions are sound only where the CPU has the instructions")]

use std::arch::x86_64::*;

use super::{
    Kernel, Supported,
    block::{Block, STEP_BYTES},
    lanes::Lanes,
    pass::{self, pass},
};
use crate::plan::{FirstRow, ROWS_MAX};

/// 32 bytes; a coefficient is its products of the low and of the high four bits.
struct Avx2;

const _: () = assert!(STEP_BYTES == 2 * Avx2::BYTES);

/// Makes the rows of `block`; `tables` holds one coefficient per row, input by input.
pub(super) fn run(proof: Supported, tables: &[[u8; 32]], first: FirstRow, block: Block<'_, '_>) {
    assert_eq!(proof.kernel(), Kernel::Avx2);
    // SAFETY: the proof is made only on a CPU that has the instructions.
    unsafe { pass::run::<Avx2>(tables, first, block) }
}

/// The low and the high four bits of every byte.
type Nibbles = [__m256i; 2];

impl Lanes for Avx2 {
    type Vector = __m256i;
    type Factor = Nibbles;
    type Table = [u8; 32];
    type Coefficient = [__m256i; 2];

    const BYTES: usize = 32;
    // With more vectors, the sums of four rows and the tables would not fit sixteen registers.
    const VECTORS: [usize; ROWS_MAX] = [2, 2, 2, 2];
    const UNROLLED: bool = true;
    const SUMS_APART: bool = true;

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
    unsafe fn factor(vector: __m256i) -> Nibbles {
        // SAFETY: see above.
        unsafe {
            let low_bits = _mm256_set1_epi8(0x0f);
            let high = _mm256_and_si256(_mm256_srli_epi64::<4>(vector), low_bits);
            [_mm256_and_si256(vector, low_bits), high]
        }
    }

    /// Each table repeated: a shuffle looks up within its half of the register.
    #[inline(always)]
    unsafe fn coefficient(table: &[u8; 32]) -> [__m256i; 2] {
        let halves = table.as_ptr().cast::<__m128i>();
        // SAFETY: a table has two times 16 bytes; the loads need no alignment.
        unsafe {
            let (low, high) = (_mm_loadu_si128(halves), _mm_loadu_si128(halves.add(1)));
            [_mm256_broadcastsi128_si256(low), _mm256_broadcastsi128_si256(high)]
        }
    }

    #[inline(always)]
    unsafe fn product([low_table, high_table]: [__m256i; 2], [low, high]: Nibbles) -> __m256i {
        // SAFETY: see above.
        unsafe {
            _mm256_xor_si256(_mm256_shuffle_epi8(low_table, low), _mm256_shuffle_epi8(high_table, high))
        }
    }

    #[inline(always)]
    fn prefetch(from: *const u8) {
        // SAFETY: part of every x86-64; a hint faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }

    #[target_feature(enable = "avx2")]
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
