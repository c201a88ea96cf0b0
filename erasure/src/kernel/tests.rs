//! Every kernel of this CPU against the definition: sums of products in the field.

use proptest::prelude::*;

use super::*;
use crate::{field::product, matrix::Matrix};

/// Bytes around each output that no kernel may touch.
const GUARD_BYTES: usize = 64;
const GUARD: u8 = 0xC3;

/// Bytes that look random and differ for each `seed`.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(next).collect()
}

struct Case {
    inputs: usize,
    rows: usize,
    length: usize,
    /// Where slices begin in their memory: kernels must not count on alignment.
    offset: usize,
    accumulate: bool,
}

fn check(case: &Case) {
    for kernel in Kernel::available() {
        check_kernel(kernel, case);
    }
}

fn check_kernel(kernel: Kernel, case: &Case) {
    let Case { inputs, rows, length, offset, accumulate } = *case;
    let coefficients = noise(1, inputs * rows);
    let matrix = Matrix::from_fn(rows, inputs, |row, input| coefficients[row * inputs + input]);
    let input_memory: Vec<Vec<u8>> =
        (0..inputs).map(|input| noise(2 + input as u64, offset + length)).collect();
    let input_slices: Vec<&[u8]> = input_memory.iter().map(|memory| &memory[offset..]).collect();
    let body = GUARD_BYTES + offset..GUARD_BYTES + offset + length;
    let before: Vec<Vec<u8>> =
        (0..rows).map(|row| guarded(&noise(100 + row as u64, length), offset)).collect();
    let mut after = before.clone();
    let mut output_slices: Vec<&mut [u8]> =
        after.iter_mut().map(|memory| &mut memory[body.clone()]).collect();

    let plan = Plan::new(Supported::new(kernel).unwrap(), &matrix);
    multiply(&plan, &input_slices, &mut output_slices, accumulate);

    for (row, (before, after)) in before.iter().zip(&after).enumerate() {
        let mut expected = before.clone();
        for at in 0..length {
            let sum = (0..inputs)
                .fold(0, |sum, input| sum ^ product(matrix.at(row, input), input_slices[input][at]));
            let old = if accumulate { before[body.start + at] } else { 0 };
            expected[body.start + at] = old ^ sum;
        }
        assert!(
            *after == expected,
            "{kernel}: row {row} of {rows} from {inputs} inputs, {length} bytes at {offset}, accumulate {accumulate}"
        );
    }
}

fn guarded(bytes: &[u8], offset: usize) -> Vec<u8> {
    let mut memory = vec![GUARD; GUARD_BYTES + offset];
    memory.extend_from_slice(bytes);
    memory.extend_from_slice(&[GUARD; GUARD_BYTES]);
    memory
}

#[test]
fn every_shape_gives_sums_of_products() {
    // Long enough for a full stride of the widest kernel, a single step and a tail.
    for inputs in 1..SHARDS_MAX {
        for rows in 1..=SHARDS_MAX - inputs {
            check(&Case { inputs, rows, length: 512 + 64 + 7, offset: 1, accumulate: inputs % 2 == 0 });
        }
    }
}

#[test]
fn every_length_gives_sums_of_products() {
    for length in 0..700 {
        check(&Case { inputs: 5, rows: 4, length, offset: length % 67, accumulate: length % 2 == 0 });
        check(&Case { inputs: 3, rows: 1, length, offset: length % 61, accumulate: length % 3 == 0 });
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
        accumulate: bool,
    ) {
        check(&Case { inputs, rows: rows.min(SHARDS_MAX - inputs), length, offset, accumulate });
    }
}

#[test]
fn the_best_kernel_comes_first_and_there_is_always_one() {
    let available: Vec<Kernel> = Kernel::available().collect();
    assert_eq!(available.first(), Some(&Kernel::best()));
    assert_eq!(available.last(), Some(&Kernel::Portable));
    assert!(available.iter().all(|&kernel| Supported::new(kernel).is_some()));
}
