//! Plain Rust for every CPU, and the twin that the other kernels are checked against.
//!
//! Eight bytes at a time, without tables: an input is doubled seven times and each output adds the doublings that its
//! coefficient has bits for. The compiler turns the loop over a piece into whatever vectors the target has.

use super::block::Block;
use crate::field::REDUCTION;

/// An input piece and the output piece that it feeds stay in the first-level cache.
const PIECE_BYTES: usize = 4 << 10;
const WORD_BYTES: usize = 8;
const LOW_BITS: u64 = 0x0101_0101_0101_0101;

/// Makes the rows of `block`; `coefficients` holds one per row, input by input.
pub(super) fn run(coefficients: &[u8], mut block: Block<'_, '_>) {
    let (rows, length) = (block.rows(), block.end() - block.start());
    for start in (0..length).step_by(PIECE_BYTES) {
        let piece = start..length.min(start + PIECE_BYTES);
        for row in 0..rows {
            if !block.accumulate() {
                block.output_bytes(row)[piece.clone()].fill(0);
            }
            for input in 0..block.inputs() {
                let from = &block.input_bytes(input)[piece.clone()];
                let to = &mut block.output_bytes(row)[piece.clone()];
                add_multiple(coefficients[input * rows + row], from, to);
            }
        }
    }
}

/// `output += coefficient × input`
fn add_multiple(coefficient: u8, input: &[u8], output: &mut [u8]) {
    let masks = std::array::from_fn(|bit| 0u64.wrapping_sub(u64::from(coefficient >> bit & 1)));
    let (input_words, _) = input.as_chunks::<WORD_BYTES>();
    let (output_words, _) = output.as_chunks_mut::<WORD_BYTES>();
    for (from, to) in input_words.iter().zip(output_words) {
        let sum = u64::from_le_bytes(*to) ^ multiple(&masks, u64::from_le_bytes(*from));
        *to = sum.to_le_bytes();
    }
}

/// Eight products at once. `masks[i]` is all ones where bit `i` of the coefficient is set.
fn multiple(masks: &[u64; 8], mut word: u64) -> u64 {
    let mut sum = word & masks[0];
    for mask in &masks[1..] {
        word = double(word);
        sum ^= word & mask;
    }
    sum
}

/// Eight bytes, each doubled in the field.
fn double(word: u64) -> u64 {
    let carries = (word >> 7) & LOW_BITS;
    ((word & !(LOW_BITS << 7)) << 1) ^ (carries * u64::from(REDUCTION))
}
