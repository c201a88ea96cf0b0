//! NEON: a product is the sum of two table lookups, one for the low and one for the high four bits.
#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

use std::arch::aarch64::*;

use super::{
    Kernel, Supported,
    block::{Block, STEP_BYTES},
};

const VECTOR_BYTES: usize = 16;
const VECTORS: usize = STEP_BYTES / VECTOR_BYTES;
const _: () = assert!(VECTORS == 4);

/// The low and the high four bits of every byte.
type Nibbles = [[uint8x16_t; VECTORS]; 2];

/// Makes the rows of `block`; `tables` holds one per row, input by input.
pub(super) fn run(proof: Supported, tables: &[[u8; 32]], mut block: Block<'_, '_>) {
    assert_eq!(proof.kernel(), Kernel::Neon);
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

#[target_feature(enable = "neon")]
fn rows<const ROWS: usize, const ADD: bool>(tables: &[[u8; 32]], block: &mut Block<'_, '_>) {
    let outputs: [*mut u8; ROWS] = std::array::from_fn(|index| block.output(index));
    let (tables, _) = tables.as_chunks::<ROWS>();
    for at in (block.start()..block.end()).step_by(STEP_BYTES) {
        let mut sums = [[vdupq_n_u8(0); VECTORS]; ROWS];
        if ADD {
            for (output, sums) in outputs.iter().zip(&mut sums) {
                // SAFETY: input and output reach to the block's end, and a step doesn't pass it.
                *sums = unsafe { load(output.add(at)) };
            }
        }
        for (index, tables) in tables.iter().enumerate() {
            // SAFETY: as for the outputs.
            let nibbles = split(unsafe { load(block.input(index).add(at)) });
            add_multiples(&mut sums, &nibbles, tables);
        }
        for (output, sums) in outputs.iter().zip(&sums) {
            // SAFETY: as above; the block has its outputs for itself.
            unsafe { store(output.add(at), sums) };
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn split(vectors: [uint8x16_t; VECTORS]) -> Nibbles {
    let low_bits = vdupq_n_u8(0x0f);
    let mut nibbles = [[low_bits; VECTORS]; 2];
    for vector in 0..VECTORS {
        nibbles[0][vector] = vandq_u8(vectors[vector], low_bits);
        nibbles[1][vector] = vshrq_n_u8::<4>(vectors[vector]);
    }
    nibbles
}

/// `sums[row] += coefficient of the row × bytes`
#[inline]
#[target_feature(enable = "neon")]
fn add_multiples<const ROWS: usize>(
    sums: &mut [[uint8x16_t; VECTORS]; ROWS],
    [low, high]: &Nibbles,
    tables: &[[u8; 32]; ROWS],
) {
    for row in 0..ROWS {
        let table = tables[row].as_ptr();
        // SAFETY: a table has two times 16 bytes; the loads need no alignment.
        let (low_table, high_table) = unsafe { (vld1q_u8(table), vld1q_u8(table.add(VECTOR_BYTES))) };
        for vector in 0..VECTORS {
            let low_product = vqtbl1q_u8(low_table, low[vector]);
            let high_product = vqtbl1q_u8(high_table, high[vector]);
            let product = veorq_u8(low_product, high_product);
            sums[row][vector] = veorq_u8(sums[row][vector], product);
        }
    }
}

/// # Safety
/// A step is readable at `from`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load(from: *const u8) -> [uint8x16_t; VECTORS] {
    let mut vectors = [vdupq_n_u8(0); VECTORS];
    for (index, vector) in vectors.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the bytes; the load needs no alignment.
        *vector = unsafe { vld1q_u8(from.add(index * VECTOR_BYTES)) };
    }
    vectors
}

/// # Safety
/// A step is writable at `to`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store(to: *mut u8, vectors: &[uint8x16_t; VECTORS]) {
    for (index, vector) in vectors.iter().enumerate() {
        // SAFETY: the caller vouches for the bytes; the store needs no alignment.
        unsafe { vst1q_u8(to.add(index * VECTOR_BYTES), *vector) };
    }
}
