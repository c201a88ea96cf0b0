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
    /// Of each group of rows.
    first_rows: Vec<FirstRow>,
}

/// How the first row of a group is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstRow {
    /// As all others: inputs are multiplied and summed up.
    Multiplied,
    /// Its coefficients are ones: the plain sum of the inputs.
    Summed,
    /// The group's rows sum up to the plain sum of the inputs without the last `rows - 1`: it is what the other rows leave
    /// of that sum. So come back data shards that are lost together, when the first parity shard is there.
    Rest,
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
        let first_rows = groups(rows).map(|group| first_row(matrix, group)).collect();
        Self { kernel, inputs, rows, tables, first_rows }
    }

    /// The rows that are made together, in order, and how the first of them is made.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (Range<usize>, FirstRow)> {
        groups(self.rows).zip(self.first_rows.iter().copied())
    }

    /// Where the coefficients of a group are in the tables.
    pub(crate) fn coefficients(&self, group: &Range<usize>) -> Range<usize> {
        group.start * self.inputs..group.end * self.inputs
    }
}

/// As few groups as possible, of sizes as even as possible: 5 rows are 3 + 2, not 4 + 1.
pub(crate) fn groups(rows: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let size = rows.div_ceil(rows.div_ceil(ROWS_MAX).max(1)).max(1);
    (0..rows).step_by(size).map(move |start| start..rows.min(start + size))
}

fn first_row(matrix: &Matrix, group: Range<usize>) -> FirstRow {
    let (first, inputs) = (group.start, matrix.columns());
    let is_sum = |row: &dyn Fn(usize) -> u8, summed: usize| {
        (0..inputs).all(|input| row(input) == u8::from(input < summed))
    };
    let others = group.len() - 1;
    if is_sum(&|input| matrix.at(first, input), inputs) {
        FirstRow::Summed
    } else if inputs > others
        && is_sum(&|input| group.clone().fold(0, |sum, row| sum ^ matrix.at(row, input)), inputs - others)
    {
        FirstRow::Rest
    } else {
        FirstRow::Multiplied
    }
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
pub(crate) const fn affine(coefficient: u8) -> u64 {
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
        tables[value] = nibbles(value as u8);
        value += 1;
    }
    tables
};

/// "Multiply by `coefficient`" as two tables of 16: for the low and for the high four bits.
pub(crate) const fn nibbles(coefficient: u8) -> [u8; 32] {
    let mut table = [0; 32];
    let mut nibble = 0;
    while nibble < 16 {
        table[nibble] = product(coefficient, nibble as u8);
        table[16 + nibble] = product(coefficient, (nibble << 4) as u8);
        nibble += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, cache::Pattern, matrix::generator, recovery::recovery_matrix};

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

    fn check_first(matrix: &Matrix, expected: &[FirstRow]) {
        let plan = Plan::new(Supported::new(Kernel::Portable).unwrap(), matrix);
        assert_eq!(plan.groups().map(|(_, first)| first).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_first_parity_row_is_a_sum() {
        check_first(&Matrix::from_fn(2, 4, generator), &[FirstRow::Summed]);
        check_first(&Matrix::from_fn(6, 4, generator), &[FirstRow::Summed, FirstRow::Multiplied]);
        check_first(&Matrix::from_fn(1, 1, |_, _| 7), &[FirstRow::Multiplied]);
    }

    #[test]
    fn lost_data_is_the_rest_of_a_sum_while_the_first_parity_is_there() {
        let policy = Policy::new(4, 2).unwrap();
        let recovery = |inputs, outputs| recovery_matrix(policy, Pattern { inputs, outputs });
        check_first(&recovery(0b11_1100, 0b00_0011), &[FirstRow::Rest]);
        check_first(&recovery(0b11_0110, 0b00_1001), &[FirstRow::Rest]);
        check_first(&recovery(0b01_1110, 0b00_0001), &[FirstRow::Summed]);
        // One of the two that are lost is not wanted, or the first parity is lost as well.
        check_first(&recovery(0b11_1100, 0b00_0001), &[FirstRow::Multiplied]);
        check_first(&recovery(0b10_1110, 0b00_0001), &[FirstRow::Multiplied]);
    }

    #[test]
    fn groups_cover_every_row_once() {
        for rows in 0..=crate::SHARDS_MAX {
            assert!(groups(rows).flatten().eq(0..rows), "{rows} rows");
            assert!(groups(rows).all(|group| (1..=ROWS_MAX).contains(&group.len())), "{rows} rows");
        }
    }
}
