//! Scalar twins of the kernels' instructions: the loop, its strides and the tables are checked on every machine with every
//! number of lanes, whatever its CPU can do, and under Miri.

#![allow(unsafe_code, reason = "the loop is sound only where the CPU has the instructions; a twin has none")]

use super::{
    Kernel, Supported,
    block::{Block, STEP_BYTES},
    lanes::Lanes,
    multiply,
    pass::{self, pass},
    tests::{Case, noise},
};
use crate::{
    matrix::Matrix,
    plan::{FirstRow, Plan, ROWS_MAX, affine, nibbles},
};

/// As GFNI on `BYTES` bytes: each byte times an 8×8 bit matrix, by the definition of `GF2P8AFFINEQB`.
struct AffineTwin<const BYTES: usize>;

/// As a shuffle of bytes on `BYTES` bytes: two lookups in tables of 16.
struct NibblesTwin<const BYTES: usize>;

// Never inlined: the loop's many shapes would otherwise take minutes to compile.
macro_rules! plain_bytes {
    () => {
        const BYTES: usize = BYTES;
        const VECTORS: [usize; ROWS_MAX] = [4, 2, 2, 2];

        #[inline(never)]
        unsafe fn zero() -> [u8; BYTES] {
            [0; BYTES]
        }

        #[inline(never)]
        unsafe fn load(from: *const u8) -> [u8; BYTES] {
            // SAFETY: as for the trait.
            unsafe { from.cast::<[u8; BYTES]>().read_unaligned() }
        }

        #[inline(never)]
        unsafe fn store(to: *mut u8, vector: [u8; BYTES]) {
            // SAFETY: as for the trait.
            unsafe { to.cast::<[u8; BYTES]>().write_unaligned(vector) }
        }

        #[inline(never)]
        unsafe fn sum(one: [u8; BYTES], other: [u8; BYTES]) -> [u8; BYTES] {
            std::array::from_fn(|at| one[at] ^ other[at])
        }

        unsafe fn factor(vector: [u8; BYTES]) -> [u8; BYTES] {
            vector
        }

        fn prefetch(_: *const u8) {}

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
            // SAFETY: as for the trait.
            unsafe { pass::<Self, INPUTS, ROWS, FIRST, ADD, STEP>(tables, block, at) }
        }
    };
}

impl<const BYTES: usize> Lanes for AffineTwin<BYTES> {
    type Vector = [u8; BYTES];
    type Factor = [u8; BYTES];
    type Table = u64;
    type Coefficient = u64;

    const UNROLLED: bool = true;
    const SUMS_APART: bool = false;
    plain_bytes!();

    unsafe fn coefficient(table: &u64) -> u64 {
        *table
    }

    #[inline(never)]
    unsafe fn product(matrix: u64, factor: [u8; BYTES]) -> [u8; BYTES] {
        factor.map(|byte| affine_byte(matrix, byte))
    }
}

/// Bit `i` of the result is the parity of the byte masked by byte `7 - i` of the matrix.
fn affine_byte(matrix: u64, byte: u8) -> u8 {
    let rows = matrix.to_le_bytes();
    (0..8).fold(0, |result, bit| result | (((rows[7 - bit] & byte).count_ones() as u8 & 1) << bit))
}

impl<const BYTES: usize> Lanes for NibblesTwin<BYTES> {
    type Vector = [u8; BYTES];
    type Factor = [u8; BYTES];
    type Table = [u8; 32];
    type Coefficient = [u8; 32];

    const UNROLLED: bool = false;
    const SUMS_APART: bool = true;
    plain_bytes!();

    unsafe fn coefficient(table: &[u8; 32]) -> [u8; 32] {
        *table
    }

    #[inline(never)]
    unsafe fn product(table: [u8; 32], factor: [u8; BYTES]) -> [u8; BYTES] {
        factor.map(|byte| table[usize::from(byte & 15)] ^ table[16 + usize::from(byte >> 4)])
    }
}

/// As `multiply`, for whole steps of a few rows, with the loop of a twin.
fn multiply_with<L: Lanes>(
    table: fn(u8) -> L::Table,
    matrix: &Matrix,
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    accumulate: bool,
) {
    let plan = Plan::new(Supported::new(Kernel::Portable).unwrap(), matrix);
    for (group, first) in plan.groups() {
        let rows = |input| group.clone().map(move |row| table(matrix.at(row, input)));
        let tables: Vec<L::Table> = (0..inputs.len()).flat_map(rows).collect();
        let length = outputs[0].len();
        let block = Block::new(inputs, &mut outputs[group], 0..length, accumulate);
        // SAFETY: a twin needs no instructions.
        unsafe { pass::run::<L>(&tables, first, block) }
    }
}

fn slices_mut(rows: &mut [Vec<u8>]) -> Vec<&mut [u8]> {
    rows.iter_mut().map(Vec::as_mut_slice).collect()
}

fn check_twin<L: Lanes>(table: fn(u8) -> L::Table) {
    // A full stride of the widest, and a step that is left over.
    let length = 512 + STEP_BYTES;
    for case in shapes() {
        let (matrix, memory) = (case.matrix(), case.memory(length));
        let inputs: Vec<&[u8]> = memory.iter().map(|input| &input[1..=length]).collect();
        let mut made: Vec<Vec<u8>> = (0..case.rows).map(|row| noise(100 + row as u64, length)).collect();
        let mut expected = made.clone();
        multiply_with::<L>(table, &matrix, &inputs, &mut slices_mut(&mut made), case.accumulate);
        let plan = Plan::new(Supported::new(Kernel::Portable).unwrap(), &matrix);
        multiply(&plan, &inputs, &mut slices_mut(&mut expected), case.accumulate);
        assert!(made == expected, "{case:?}");
    }
}

/// Numbers of inputs that are unrolled and some that are not, with every way to make the first row.
fn shapes() -> impl Iterator<Item = Case> {
    [1, 2, 3, 4, 5, 15, 16, 17]
        .into_iter()
        .flat_map(|inputs| (1..=5).map(move |rows| (inputs, rows)))
        .flat_map(|(inputs, rows)| {
            let firsts = [FirstRow::Multiplied, FirstRow::Summed, FirstRow::Rest];
            firsts.into_iter().flat_map(move |first| {
                [false, true].map(|accumulate| Case { inputs, rows, first, accumulate })
            })
        })
}

#[test]
fn the_twin_of_gfni_on_64_bytes_gives_sums_of_products() {
    check_twin::<AffineTwin<64>>(affine);
}

#[test]
fn the_twin_of_lookups_on_16_bytes_gives_sums_of_products() {
    check_twin::<NibblesTwin<16>>(nibbles);
}
