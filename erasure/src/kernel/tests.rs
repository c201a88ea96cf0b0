//! Every kernel of this CPU against the definition: sums of products in the field.

use proptest::prelude::*;

use super::*;
use crate::{
    field::product,
    matrix::Matrix,
    plan::{FirstRow, groups},
};

/// Bytes around each output that no kernel may touch.
const GUARD_BYTES: usize = 64;
const GUARD: u8 = 0xC3;

/// Bytes that look random and differ for each `seed`.
pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(next).collect()
}

/// What is to be made of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) inputs: usize,
    pub(super) rows: usize,
    /// How the first row of each group comes about, where there are inputs enough.
    pub(super) first: FirstRow,
    pub(super) accumulate: bool,
}

impl Case {
    pub(super) fn matrix(&self) -> Matrix {
        let Self { inputs, rows, first, .. } = *self;
        let coefficients = noise(1, inputs * rows);
        let plain = |row, input| coefficients[row * inputs + input];
        Matrix::from_fn(rows, inputs, |row, input| {
            let group = groups(rows).find(|group| group.contains(&row)).unwrap();
            let summed = inputs.saturating_sub(group.len() - 1);
            match first {
                FirstRow::Summed if row == group.start => 1,
                FirstRow::Rest if row == group.start => {
                    group.skip(1).fold(u8::from(input < summed), |sum, row| sum ^ plain(row, input))
                }
                _ => plain(row, input),
            }
        })
    }

    /// A byte more than `length` for each input.
    pub(super) fn memory(&self, length: usize) -> Vec<Vec<u8>> {
        (0..self.inputs).map(|input| noise(2 + input as u64, 1 + length)).collect()
    }
}

/// `length` bytes that begin `offset` into their memory: kernels must not count on alignment.
fn check(case: &Case, length: usize, offset: usize) {
    for kernel in Kernel::available() {
        check_kernel(kernel, case, length, offset);
    }
}

fn check_kernel(kernel: Kernel, case: &Case, length: usize, offset: usize) {
    let (rows, matrix) = (case.rows, case.matrix());
    let input_memory = case.memory(offset + length);
    let input_slices: Vec<&[u8]> = input_memory.iter().map(|memory| &memory[1 + offset..]).collect();
    let body = GUARD_BYTES + offset..GUARD_BYTES + offset + length;
    let before: Vec<Vec<u8>> =
        (0..rows).map(|row| guarded(&noise(100 + row as u64, length), offset)).collect();
    let mut after = before.clone();
    let mut output_slices: Vec<&mut [u8]> =
        after.iter_mut().map(|memory| &mut memory[body.clone()]).collect();

    let plan = Plan::new(Supported::new(kernel).unwrap(), &matrix);
    multiply(&plan, &input_slices, &mut output_slices, case.accumulate);

    for (row, (before, after)) in before.iter().zip(&after).enumerate() {
        let mut expected = before.clone();
        for at in 0..length {
            let sum = (0..case.inputs)
                .fold(0, |sum, input| sum ^ product(matrix.at(row, input), input_slices[input][at]));
            let old = if case.accumulate { before[body.start + at] } else { 0 };
            expected[body.start + at] = old ^ sum;
        }
        assert!(*after == expected, "{kernel}: row {row} of {case:?}, {length} bytes at {offset}");
    }
}

fn guarded(bytes: &[u8], offset: usize) -> Vec<u8> {
    let mut memory = vec![GUARD; GUARD_BYTES + offset];
    memory.extend_from_slice(bytes);
    memory.extend_from_slice(&[GUARD; GUARD_BYTES]);
    memory
}

const FIRST_ROWS: [FirstRow; 3] = [FirstRow::Multiplied, FirstRow::Summed, FirstRow::Rest];

#[test]
fn every_shape_gives_sums_of_products() {
    // Long enough for a full stride of the widest kernel, a single step and a tail.
    for inputs in 1..SHARDS_MAX {
        for rows in 1..=SHARDS_MAX - inputs {
            let first = FIRST_ROWS[(inputs + rows) % 3];
            check(&Case { inputs, rows, first, accumulate: inputs % 2 == 0 }, 512 + 64 + 7, 1);
        }
    }
}

#[test]
fn every_unrolled_shape_gives_sums_of_products() {
    for inputs in 1..=17 {
        for rows in 1..=4 {
            for first in FIRST_ROWS {
                check(&Case { inputs, rows, first, accumulate: false }, 512 + 64, 3);
            }
        }
    }
}

#[test]
fn every_length_gives_sums_of_products() {
    for length in 0..700 {
        let first = FIRST_ROWS[length % 3];
        check(&Case { inputs: 5, rows: 4, first, accumulate: length % 2 == 0 }, length, length % 67);
        check(&Case { inputs: 3, rows: 1, first, accumulate: length % 5 == 0 }, length, length % 61);
    }
}

#[test]
fn every_product_of_two_bytes_is_right() {
    let input: Vec<u8> = (0..=255).collect();
    for kernel in Kernel::available() {
        for coefficient in 0..=255 {
            let plan = Plan::new(Supported::new(kernel).unwrap(), &Matrix::from_fn(1, 1, |_, _| coefficient));
            let mut output = [0; 256];
            multiply(&plan, &[&input], &mut [&mut output], false);
            assert!(
                (0..=255).all(|value| output[usize::from(value)] == product(coefficient, value)),
                "{kernel}: {coefficient}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Long enough for many tiles of wide codes.
    #[test]
    fn any_case_gives_sums_of_products(
        inputs in 1..SHARDS_MAX,
        rows in 1..SHARDS_MAX,
        length in 0usize..20_000,
        offset in 0usize..80,
        first in 0usize..3,
        accumulate: bool,
    ) {
        let (rows, first) = (rows.min(SHARDS_MAX - inputs), FIRST_ROWS[first]);
        check(&Case { inputs, rows, first, accumulate }, length, offset);
    }
}

#[test]
fn the_best_kernel_comes_first_and_there_is_always_one() {
    let available: Vec<Kernel> = Kernel::available().collect();
    assert_eq!(available.first(), Some(&Kernel::best()));
    assert_eq!(available.last(), Some(&Kernel::Portable));
    assert!(available.iter().all(|&kernel| Supported::new(kernel).is_some()));
}
