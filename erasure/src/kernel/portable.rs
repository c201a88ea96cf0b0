//! Plain Rust for every CPU, and the twin that the other kernels are checked against.
//!
//! Eight bytes at a time, without tables: an input is doubled seven times and each output adds the doublings that its
//! coefficient has bits for. The compiler turns the loop over a block into whatever vectors the target has.

use crate::{field::REDUCTION, matrix::Matrix};

/// An input block and the output blocks it feeds stay in the first-level cache.
const BLOCK_BYTES: usize = 4 << 10;
const WORD_BYTES: usize = 8;
const LOW_BITS: u64 = 0x0101_0101_0101_0101;

pub(super) fn multiply(matrix: &Matrix, inputs: &[&[u8]], outputs: &mut [&mut [u8]], accumulate: bool) {
    let length = outputs.first().map_or(0, |output| output.len());
    for start in (0..length).step_by(BLOCK_BYTES) {
        let end = length.min(start + BLOCK_BYTES);
        for (row, output) in outputs.iter_mut().enumerate() {
            let output = &mut output[start..end];
            if !accumulate {
                output.fill(0);
            }
            for (column, input) in inputs.iter().enumerate() {
                add_multiple(matrix.at(row, column), &input[start..end], output);
            }
        }
    }
}

/// `output += coefficient × input`
fn add_multiple(coefficient: u8, input: &[u8], output: &mut [u8]) {
    let masks = std::array::from_fn(|bit| 0u64.wrapping_sub(u64::from(coefficient >> bit & 1)));
    let (input_words, input_tail) = input.as_chunks::<WORD_BYTES>();
    let (output_words, output_tail) = output.as_chunks_mut::<WORD_BYTES>();
    for (from, to) in input_words.iter().zip(output_words) {
        let sum = u64::from_le_bytes(*to) ^ multiple(&masks, u64::from_le_bytes(*from));
        *to = sum.to_le_bytes();
    }
    for (from, to) in input_tail.iter().zip(output_tail) {
        *to ^= multiple(&masks, u64::from(*from)) as u8;
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

fn double(word: u64) -> u64 {
    let carries = (word >> 7) & LOW_BITS;
    ((word & !(LOW_BITS << 7)) << 1) ^ (carries * u64::from(REDUCTION))
}
