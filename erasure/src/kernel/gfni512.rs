//! GFNI with AVX-512: one instruction multiplies 64 bytes by a coefficient.
//!
//! For the usual numbers of inputs the loop over them is unrolled at compile time: each input stream then has a load
//! instruction of its own, which the CPU's prefetcher can follow as long as there are not too many. Wider codes prefetch by
//! themselves, and the widest loop.
#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

use std::arch::x86_64::*;

use super::{
    Kernel, Supported,
    block::{Block, STEP_BYTES},
};

const VECTOR_BYTES: usize = 64;
const _: () = assert!(STEP_BYTES.is_multiple_of(VECTOR_BYTES));
/// So many inputs the CPU's prefetcher follows by itself. Asking it for more costs speed, leaving it alone with more too.
const STREAMS_MAX: usize = 12;
/// How far wide codes read ahead: enough to hide the memory, too little to run out of the cache.
const PREFETCH_BYTES: usize = 512;

/// Makes the rows of `block`; `coefficients` holds one per row, input by input.
pub(super) fn run(proof: Supported, coefficients: &[u64], mut block: Block<'_, '_>) {
    assert_eq!(proof.kernel(), Kernel::Gfni512);
    assert_eq!(coefficients.len(), block.inputs() * block.rows());
    // SAFETY: the proof is made only on a CPU with all features that these functions enable.
    unsafe {
        match block.rows() {
            1 => rows::<1, 8>(coefficients, &mut block),
            2 => rows::<2, 4>(coefficients, &mut block),
            3 => rows::<3, 4>(coefficients, &mut block),
            4 => rows::<4, 4>(coefficients, &mut block),
            more => unreachable!("{more} rows in one pass"),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn rows<const ROWS: usize, const VECTORS: usize>(coefficients: &[u64], block: &mut Block<'_, '_>) {
    let start = block.start();
    if block.accumulate() {
        let at = looped::<ROWS, VECTORS, true>(coefficients, block, start);
        looped::<ROWS, 1, true>(coefficients, block, at);
    } else {
        let at = by_inputs::<ROWS, VECTORS>(coefficients, block);
        looped::<ROWS, 1, false>(coefficients, block, at);
    }
}

#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn by_inputs<const ROWS: usize, const VECTORS: usize>(
    coefficients: &[u64],
    block: &mut Block<'_, '_>,
) -> usize {
    macro_rules! unrolled_for {
        ($($inputs:literal)*) => {
            match block.inputs() {
                $($inputs => unrolled::<$inputs, ROWS, VECTORS>(coefficients, block),)*
                _ => looped::<ROWS, VECTORS, false>(coefficients, block, block.start()),
            }
        };
    }
    unrolled_for!(2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

/// Goes from the block's start in strides of `VECTORS` vectors and returns where fewer than that are left.
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn unrolled<const INPUTS: usize, const ROWS: usize, const VECTORS: usize>(
    coefficients: &[u64],
    block: &mut Block<'_, '_>,
) -> usize {
    let inputs: [*const u8; INPUTS] = std::array::from_fn(|index| block.input(index));
    let outputs: [*mut u8; ROWS] = std::array::from_fn(|index| block.output(index));
    let (coefficients, _) = coefficients[..INPUTS * ROWS].as_chunks::<ROWS>();
    let (mut at, end) = (block.start(), block.end());
    while end - at >= VECTORS * VECTOR_BYTES {
        let mut sums = [[_mm512_setzero_si512(); VECTORS]; ROWS];
        // Written out, as the compiler stops unrolling long before sixteen inputs of four rows.
        macro_rules! add_inputs {
            ($($index:literal)*) => {
                $(if $index < INPUTS {
                    if INPUTS > STREAMS_MAX {
                        prefetch::<VECTORS>(inputs[$index].wrapping_add(at));
                    }
                    // SAFETY: input and output reach to `end`, and this stride doesn't pass it.
                    let vectors = unsafe { load::<VECTORS>(inputs[$index].add(at)) };
                    add_multiples(&mut sums, &vectors, &coefficients[$index]);
                })*
            };
        }
        add_inputs!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        for (output, sums) in outputs.iter().zip(&sums) {
            // SAFETY: as above; the block has its outputs for itself.
            unsafe { store(output.add(at), sums) };
        }
        at += VECTORS * VECTOR_BYTES;
    }
    at
}

/// The same from `at` for any number of inputs, on top of what the outputs hold if `ADD`.
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn looped<const ROWS: usize, const VECTORS: usize, const ADD: bool>(
    coefficients: &[u64],
    block: &mut Block<'_, '_>,
    mut at: usize,
) -> usize {
    let outputs: [*mut u8; ROWS] = std::array::from_fn(|index| block.output(index));
    let (coefficients, _) = coefficients.as_chunks::<ROWS>();
    let end = block.end();
    while end - at >= VECTORS * VECTOR_BYTES {
        let mut sums = [[_mm512_setzero_si512(); VECTORS]; ROWS];
        if ADD {
            for (output, sums) in outputs.iter().zip(&mut sums) {
                // SAFETY: input and output reach to `end`, and this stride doesn't pass it.
                *sums = unsafe { load::<VECTORS>(output.add(at)) };
            }
        }
        for (index, coefficients) in coefficients.iter().enumerate() {
            let input = block.input(index).wrapping_add(at);
            prefetch::<VECTORS>(input);
            // SAFETY: as above.
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
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn add_multiples<const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[__m512i; VECTORS]; ROWS],
    vectors: &[__m512i; VECTORS],
    coefficients: &[u64; ROWS],
) {
    for row in 0..ROWS {
        let matrix = _mm512_set1_epi64(coefficients[row].cast_signed());
        for vector in 0..VECTORS {
            let product = _mm512_gf2p8affine_epi64_epi8::<0>(vectors[vector], matrix);
            sums[row][vector] = _mm512_xor_si512(sums[row][vector], product);
        }
    }
}

/// # Safety
/// `VECTORS` vectors are readable at `from`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
unsafe fn load<const VECTORS: usize>(from: *const u8) -> [__m512i; VECTORS] {
    let mut vectors = [_mm512_setzero_si512(); VECTORS];
    for (index, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the bytes; the load needs no alignment.
        *vector = unsafe { _mm512_loadu_si512(from.add(index * VECTOR_BYTES).cast()) };
    }
    vectors
}

/// # Safety
/// `VECTORS` vectors are writable at `to`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
unsafe fn store<const VECTORS: usize>(to: *mut u8, vectors: &[__m512i; VECTORS]) {
    for (index, vector) in vectors.iter().enumerate() {
        // SAFETY: the caller vouches for the bytes; the store needs no alignment.
        unsafe { _mm512_storeu_si512(to.add(index * VECTOR_BYTES).cast(), *vector) };
    }
}

/// A hint: it faults nowhere, not even past the shard's end.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn prefetch<const VECTORS: usize>(from: *const u8) {
    for vector in 0..VECTORS {
        _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(vector * VECTOR_BYTES + PREFETCH_BYTES).cast());
    }
}
