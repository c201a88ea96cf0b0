//! GFNI with AVX2, for CPUs without AVX-512: one instruction multiplies 32 bytes by a coefficient.
#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

use std::arch::x86_64::*;

use super::{
    Kernel, Supported,
    block::{Block, STEP_BYTES},
};

const VECTOR_BYTES: usize = 32;
/// One step is two vectors.
const _: () = assert!(STEP_BYTES == 2 * VECTOR_BYTES);
const PREFETCH_BYTES: usize = 512;

/// Makes the rows of `block`; `coefficients` holds one per row, input by input.
pub(super) fn run(proof: Supported, coefficients: &[u64], mut block: Block<'_, '_>) {
    assert_eq!(proof.kernel(), Kernel::Gfni256);
    assert_eq!(coefficients.len(), block.inputs() * block.rows());
    // SAFETY: the proof is made only on a CPU with all features that these functions enable.
    unsafe {
        match block.rows() {
            1 => rows::<1, 4>(coefficients, &mut block),
            2 => rows::<2, 4>(coefficients, &mut block),
            3 => rows::<3, 2>(coefficients, &mut block),
            4 => rows::<4, 2>(coefficients, &mut block),
            more => unreachable!("{more} rows in one pass"),
        }
    }
}

#[target_feature(enable = "avx2,gfni")]
fn rows<const ROWS: usize, const VECTORS: usize>(coefficients: &[u64], block: &mut Block<'_, '_>) {
    let start = block.start();
    if block.accumulate() {
        let at = looped::<ROWS, VECTORS, true>(coefficients, block, start);
        looped::<ROWS, 2, true>(coefficients, block, at);
    } else {
        let at = looped::<ROWS, VECTORS, false>(coefficients, block, start);
        looped::<ROWS, 2, false>(coefficients, block, at);
    }
}

/// Goes on from `at` in strides of `VECTORS` vectors, on top of what the outputs hold if `ADD`, and returns where fewer than
/// a stride is left.
#[target_feature(enable = "avx2,gfni")]
fn looped<const ROWS: usize, const VECTORS: usize, const ADD: bool>(
    coefficients: &[u64],
    block: &mut Block<'_, '_>,
    mut at: usize,
) -> usize {
    let outputs: [*mut u8; ROWS] = std::array::from_fn(|index| block.output(index));
    let (coefficients, _) = coefficients.as_chunks::<ROWS>();
    let end = block.end();
    while end - at >= VECTORS * VECTOR_BYTES {
        let mut sums = [[_mm256_setzero_si256(); VECTORS]; ROWS];
        if ADD {
            for (output, sums) in outputs.iter().zip(&mut sums) {
                // SAFETY: input and output reach to `end`, and this stride doesn't pass it.
                *sums = unsafe { load::<VECTORS>(output.add(at)) };
            }
        }
        for (index, coefficients) in coefficients.iter().enumerate() {
            let input = block.input(index).wrapping_add(at);
            // A hint: it faults nowhere, not even past the shard's end.
            _mm_prefetch::<_MM_HINT_T0>(input.wrapping_add(PREFETCH_BYTES).cast());
            // SAFETY: as for the outputs.
            let vectors = unsafe { load::<VECTORS>(input) };
            add_multiples(&mut sums, &vectors, coefficients);
        }
        for (output, sums) in outputs.iter().zip(&sums) {
            // SAFETY: as above; the block has its outputs for itself.
            unsafe { store(output.add(at), sums) };
        }
        at += VECTORS * VECTOR_BYTES;
    }
    at
}

/// `sums[row] += coefficients[row] × vectors`
#[inline]
#[target_feature(enable = "avx2,gfni")]
fn add_multiples<const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[__m256i; VECTORS]; ROWS],
    vectors: &[__m256i; VECTORS],
    coefficients: &[u64; ROWS],
) {
    for row in 0..ROWS {
        let matrix = _mm256_set1_epi64x(coefficients[row].cast_signed());
        for vector in 0..VECTORS {
            let product = _mm256_gf2p8affine_epi64_epi8::<0>(vectors[vector], matrix);
            sums[row][vector] = _mm256_xor_si256(sums[row][vector], product);
        }
    }
}

/// # Safety
/// `VECTORS` vectors are readable at `from`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load<const VECTORS: usize>(from: *const u8) -> [__m256i; VECTORS] {
    let mut vectors = [_mm256_setzero_si256(); VECTORS];
    for (index, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the bytes; the load needs no alignment.
        *vector = unsafe { _mm256_loadu_si256(from.add(index * VECTOR_BYTES).cast()) };
    }
    vectors
}

/// # Safety
/// `VECTORS` vectors are writable at `to`.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store<const VECTORS: usize>(to: *mut u8, vectors: &[__m256i; VECTORS]) {
    for (index, vector) in vectors.iter().enumerate() {
        // SAFETY: the caller vouches for the bytes; the store needs no alignment.
        unsafe { _mm256_storeu_si256(to.add(index * VECTOR_BYTES).cast(), *vector) };
    }
}
