//! Plain Rust for every CPU, and the twin that the other kernels are checked against.
//!
//! No tables: an input byte is doubled seven times, and each output adds the doublings that its coefficient has bits for.
//! The same is done to all bytes of a piece, so the compiler turns it into whatever vectors the target has.

use super::block::Block;
use crate::field::double;

/// The sums of four rows and a piece of input stay in the first-level cache.
const PIECE_BYTES: usize = 1 << 10;

type Sums<const ROWS: usize> = [[u8; PIECE_BYTES]; ROWS];

/// Makes the rows of `block`; `coefficients` holds one per row, input by input.
pub(super) fn run(coefficients: &[u8], block: Block<'_, '_>) {
    match block.rows() {
        1 => rows::<1>(coefficients, block),
        2 => rows::<2>(coefficients, block),
        3 => rows::<3>(coefficients, block),
        4 => rows::<4>(coefficients, block),
        more => unreachable!("{more} rows in one pass"),
    }
}

fn rows<const ROWS: usize>(coefficients: &[u8], mut block: Block<'_, '_>) {
    let (coefficients, _) = coefficients.as_chunks::<ROWS>();
    let length = block.end() - block.start();
    for start in (0..length).step_by(PIECE_BYTES) {
        let piece = start..length.min(start + PIECE_BYTES);
        let mut sums = [[0; PIECE_BYTES]; ROWS];
        if block.accumulate() {
            for (row, sums) in sums.iter_mut().enumerate() {
                sums[..piece.len()].copy_from_slice(&block.output_bytes(row)[piece.clone()]);
            }
        }
        for (input, coefficients) in coefficients.iter().enumerate() {
            add_multiples(&mut sums, &block.input_bytes(input)[piece.clone()], coefficients);
        }
        for (row, sums) in sums.iter().enumerate() {
            block.output_bytes(row)[piece.clone()].copy_from_slice(&sums[..piece.len()]);
        }
    }
}

/// `sums[row] += coefficients[row] × input`
fn add_multiples<const ROWS: usize>(sums: &mut Sums<ROWS>, input: &[u8], coefficients: &[u8; ROWS]) {
    // All ones for each bit that is set in the coefficient.
    let masks: [[u8; ROWS]; 8] =
        std::array::from_fn(|bit| coefficients.map(|value| 0u8.wrapping_sub((value >> bit) & 1)));
    for at in 0..input.len().min(PIECE_BYTES) {
        let mut doubling = input[at];
        for masks in &masks {
            for (sums, mask) in sums.iter_mut().zip(masks) {
                sums[at] ^= doubling & mask;
            }
            doubling = double(doubling);
        }
    }
}
