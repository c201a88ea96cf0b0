//! A matrix, made ready for one kernel.

use std::ops::Range;

use crate::{
    field::product,
    kernel::{Kernel, Supported},
    matrix::Matrix,
};

/// A kernel makes up to so many outputs in one pass: their sums, the inputs and a coefficient fit the registers.
pub(crate) const ROWS_MAX: usize = 4;

/// Which multiple of which input goes into which output.
pub(crate) struct Plan {
    pub(crate) kernel: Supported,
    pub(crate) inputs: usize,
    pub(crate) rows: usize,
    pub(crate) tables: Tables,
}

/// The coefficients in the form that the kernel multiplies by, one group of rows after the other, inside a group input by
/// input, for each input row by row: the order in which they are used.
pub(crate) enum Tables {
    /// As 8×8 bit matrices, for an affine transform of every byte.
    Affine(Vec<u64>),
    /// As products of the low and of the high four bits, for two table lookups per byte.
    Nibbles(Vec<[u8; 32]>),
    /// As they are.
    Plain(Vec<u8>),
}

impl Plan {
    /// `matrix` has one row per output and one column per input.
    pub(crate) fn new(kernel: Supported, matrix: &Matrix) -> Self {
        let (inputs, rows) = (matrix.columns(), matrix.rows());
        let coefficients = groups(rows).flat_map(|group| {
            (0..inputs).flat_map(move |input| group.clone().map(move |row| matrix.at(row, input)))
        });
        let tables = match kernel.kernel() {
            Kernel::Gfni512 | Kernel::Gfni256 => {
                Tables::Affine(coefficients.map(|value| AFFINE[usize::from(value)]).collect())
            }
            Kernel::Avx2 | Kernel::Neon => {
                Tables::Nibbles(coefficients.map(|value| NIBBLES[usize::from(value)]).collect())
            }
            Kernel::Portable => Tables::Plain(coefficients.collect()),
        };
        Self { kernel, inputs, rows, tables }
    }

    /// The rows that are made together, in order.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        groups(self.rows)
    }

    /// Where the coefficients of a group are in the tables.
    pub(crate) fn coefficients(&self, group: &Range<usize>) -> Range<usize> {
        group.start * self.inputs..group.end * self.inputs
    }
}

/// As few groups as possible, of sizes as even as possible: 5 rows are 3 + 2, not 4 + 1.
fn groups(rows: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let size = rows.div_ceil(rows.div_ceil(ROWS_MAX).max(1)).max(1);
    (0..rows).step_by(size).map(move |start| start..rows.min(start + size))
}

static AFFINE: [u64; 256] = {
    let mut tables = [0; 256];
    let mut value = 0;
    while value < 256 {
        tables[value] = affine(value as u8);
        value += 1;
    }
    tables
};

/// "Multiply by `coefficient`" as the bit matrix of `GF2P8AFFINEQB`: byte `7 - i` selects what sums up to bit `i`.
const fn affine(coefficient: u8) -> u64 {
    let mut matrix = [0; 8];
    let mut input_bit = 0;
    while input_bit < 8 {
        let column = product(coefficient, 1 << input_bit);
        let mut output_bit = 0;
        while output_bit < 8 {
            matrix[7 - output_bit] |= ((column >> output_bit) & 1) << input_bit;
            output_bit += 1;
        }
        input_bit += 1;
    }
    u64::from_le_bytes(matrix)
}

static NIBBLES: [[u8; 32]; 256] = {
    let mut tables = [[0; 32]; 256];
    let mut value = 0;
    while value < 256 {
        let mut nibble = 0;
        while nibble < 16 {
            tables[value][nibble] = product(value as u8, nibble as u8);
            tables[value][16 + nibble] = product(value as u8, (nibble << 4) as u8);
            nibble += 1;
        }
        value += 1;
    }
    tables
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check_groups(rows: usize, expected: &[usize]) {
        assert_eq!(groups(rows).map(|group| group.len()).collect::<Vec<_>>(), expected, "{rows} rows");
    }

    #[test]
    fn rows_are_grouped_evenly() {
        check_groups(0, &[]);
        check_groups(1, &[1]);
        check_groups(4, &[4]);
        check_groups(5, &[3, 2]);
        check_groups(6, &[3, 3]);
        check_groups(9, &[3, 3, 3]);
        check_groups(16, &[4, 4, 4, 4]);
    }

    #[test]
    fn groups_cover_every_row_once() {
        for rows in 0..=crate::SHARDS_MAX {
            assert!(groups(rows).flatten().eq(0..rows), "{rows} rows");
            assert!(groups(rows).all(|group| (1..=ROWS_MAX).contains(&group.len())), "{rows} rows");
        }
    }
}
