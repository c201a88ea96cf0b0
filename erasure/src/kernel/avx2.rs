//! AVX2 without GFNI: a product is the sum of two table lookups, one for the low and one for the high four bits.
#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

use std::arch::x86_64::*;

use super::{
    Kernel, Supported,
    block::{Block, STEP_BYTES},
};

const VECTOR_BYTES: usize = 32;
/// One step is two vectors: with more, the sums of four rows and the tables would not fit sixteen registers.
const VECTORS: usize = STEP_BYTES / VECTOR_BYTES;
const _: () = assert!(VECTORS == 2);
const PREFETCH_BYTES: usize = 512;

/// The low and the high four bits of every byte.
type Nibbles = [[__m256i; VECTORS]; 2];

/// Makes the rows of `block`; `tables` holds one per row, input by input.
pub(super) fn run(proof: Supported, tables: &[[u8; 32]], mut block: Block<'_, '_>) {
    assert_eq!(proof.kernel(), Kernel::Avx2);
    assert_eq!(tables.len(), block.inputs() * block.rows());
    // SAFETY: the proof is made only on a CPU with all features that these functions enable.
    unsafe {
        match (block.rows(), block.accumulate()) {
            (1, false) => rows::<1, false>(tables, &mut block),
            (2, false) => rows::<2, false>(tables, &mut block),
            (3, false) => rows::<3, false>(tables, &mut block),
            (4, false) => rows::<4, false>(tables, &mut block),
            (1, true) => rows::<1, true>(tables, &mut block),
            (2, true) => rows::<2, true>(tables, &mut block),
            (3, true) => rows::<3, true>(tables, &mut block),
            (4, true) => rows::<4, true>(tables, &mut block),
            (more, _) => unreachable!("{more} rows in one pass"),
        }
    }
}

#[target_feature(enable = "avx2")]
fn rows<const ROWS: usize, const ADD: bool>(tables: &[[u8; 32]], block: &mut Block<'_, '_>) {
    let outputs: [*mut u8; ROWS] = std::array::from_fn(|index| block.output(index));
    let (tables, _) = tables.as_chunks::<ROWS>();
    for at in (block.start()..block.end()).step_by(STEP_BYTES) {
        let mut sums = [[_mm256_setzero_si256(); VECTORS]; ROWS];
        if ADD {
            for (output, sums) in outputs.iter().zip(&mut sums) {
                // SAFETY: input and output reach to the block's end, and a step doesn't pass it.
                *sums = unsafe { load(output.add(at)) };
            }
        }
        for (index, tables) in tables.iter().enumerate() {
            let input = block.input(index).wrapping_add(at);
            // A hint: it faults nowhere, not even past the shard's end.
            _mm_prefetch::<_MM_HINT_T0>(input.wrapping_add(PREFETCH_BYTES).cast());
            // SAFETY: as for the outputs.
            let nibbles = split(unsafe { load(input) });
            add_multiples(&mut sums, &nibbles, tables);
        }
        for (output, sums) in outputs.iter().zip(&sums) {
            // SAFETY: as above; the block has its outputs for itself.
            unsafe { store(output.add(at), sums) };
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn split(vectors: [__m256i; VECTORS]) -> Nibbles {
    let low_bits = _mm256_set1_epi8(0x0f);
    let mut nibbles = [[low_bits; VECTORS]; 2];
    for vector in 0..VECTORS {
        nibbles[0][vector] = _mm256_and_si256(vectors[vector], low_bits);
        nibbles[1][vector] = _mm256_and_si256(_mm256_srli_epi64::<4>(vectors[vector]), low_bits);
    }
    nibbles
}

/// `sums[row] += coefficient of the row × bytes`
#[inline]
#[target_feature(enable = "avx2")]
fn add_multiples<const ROWS: usize>(
    sums: &mut [[__m256i; VECTORS]; ROWS],
    [low, high]: &Nibbles,
    tables: &[[u8; 32]; ROWS],
) {
    for row in 0..ROWS {
        let [low_table, high_table] = both_lanes(&tables[row]);
        for vector in 0..VECTORS {
            let low_product = _mm256_shuffle_epi8(low_table, low[vector]);
            let high_product = _mm256_shuffle_epi8(high_table, high[vector]);
            let product = _mm256_xor_si256(low_product, high_product);
            sums[row][vector] = _mm256_xor_si256(sums[row][vector], product);
        }
    }
}

/// The tables for low and high bits, each repeated: a shuffle looks up within its half of the register.
#[inline]
#[target_feature(enable = "avx2")]
fn both_lanes(table: &[u8; 32]) -> [__m256i; 2] {
    let halves = table.as_ptr().cast::<__m128i>();
    // SAFETY: a table has two times 16 bytes; the loads need no alignment.
    let (low, high) = unsafe { (_mm_loadu_si128(halves), _mm_loadu_si128(halves.add(1))) };
    [_mm256_broadcastsi128_si256(low), _mm256_broadcastsi128_si256(high)]
}

/// # Safety
/// A step is readable at `from`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load(from: *const u8) -> [__m256i; VECTORS] {
    let from = from.cast::<__m256i>();
    // SAFETY: the caller vouches for the bytes; the loads need no alignment.
    unsafe { [_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))] }
}

/// # Safety
/// A step is writable at `to`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store(to: *mut u8, vectors: &[__m256i; VECTORS]) {
    let to = to.cast::<__m256i>();
    // SAFETY: the caller vouches for the bytes; the stores need no alignment.
    unsafe {
        _mm256_storeu_si256(to, vectors[0]);
        _mm256_storeu_si256(to.add(1), vectors[1]);
    }
}
