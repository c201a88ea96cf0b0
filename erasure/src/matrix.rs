//! The generator, and what it takes to undo it.
//!
//! A Cauchy matrix has `1 / (x_i + y_j)` at row `i`, column `j`, for distinct points. Every square submatrix of it is
//! invertible, and stays so when rows and columns are scaled, so the first row and the first column are scaled
//! to ones. Then the first parity shard is the plain XOR of the data, and with one data shard every parity shard is a
//! copy of it. The points don't depend on the policy: the generator of `k+m` is the corner of one table.
//!
//! The table is part of the format of every stored shard. It never changes.

use crate::{
    SHARDS_MAX,
    field::{inverse, product},
};

static GENERATOR: [[u8; SHARDS_MAX]; SHARDS_MAX] = scaled_cauchy();

const fn scaled_cauchy() -> [[u8; SHARDS_MAX]; SHARDS_MAX] {
    let mut rows = [[0; SHARDS_MAX]; SHARDS_MAX];
    let mut i = 0;
    while i < SHARDS_MAX {
        let mut j = 0;
        while j < SHARDS_MAX {
            let row_scale = product(cauchy(0, 0), inverse(cauchy(i, 0)));
            let scale = product(row_scale, inverse(cauchy(0, j)));
            rows[i][j] = product(cauchy(i, j), scale);
            j += 1;
        }
        i += 1;
    }
    rows
}

/// The points are `SHARDS_MAX + i` for rows and `j` for columns: 64 distinct elements.
const fn cauchy(i: usize, j: usize) -> u8 {
    inverse((SHARDS_MAX + i) as u8 ^ j as u8)
}

/// What data shard `data` contributes to parity shard `parity`.
pub(crate) fn generator(parity: usize, data: usize) -> u8 {
    GENERATOR[parity][data]
}

/// A row-major matrix over the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matrix {
    columns: usize,
    cells: Vec<u8>,
}

impl Matrix {
    /// The matrix with `value(row, column)` at each place.
    pub(crate) fn from_fn(rows: usize, columns: usize, value: impl Fn(usize, usize) -> u8) -> Self {
        let cells = (0..rows * columns).map(|place| value(place / columns, place % columns)).collect();
        Self { columns, cells }
    }

    pub(crate) fn rows(&self) -> usize {
        self.cells.len().checked_div(self.columns).unwrap_or(0)
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn at(&self, row: usize, column: usize) -> u8 {
        self.cells[row * self.columns + column]
    }

    /// The inverse of a square matrix by Gauss-Jordan elimination, or `None` for a singular one.
    pub(crate) fn inverted(mut self) -> Option<Self> {
        let size = self.columns;
        let mut result = Self::from_fn(size, size, |row, column| u8::from(row == column));
        for column in 0..size {
            let pivot = (column..size).find(|&row| self.at(row, column) != 0)?;
            let scale = inverse(self.at(pivot, column));
            for matrix in [&mut self, &mut result] {
                matrix.swap_rows(pivot, column);
                matrix.scale_row(column, scale);
            }
            for row in (0..size).filter(|&row| row != column) {
                let factor = self.at(row, column);
                self.add_row(row, column, factor);
                result.add_row(row, column, factor);
            }
        }
        Some(result)
    }

    fn swap_rows(&mut self, a: usize, b: usize) {
        for column in 0..self.columns {
            self.cells.swap(a * self.columns + column, b * self.columns + column);
        }
    }

    fn scale_row(&mut self, row: usize, factor: u8) {
        for cell in &mut self.cells[row * self.columns..][..self.columns] {
            *cell = product(*cell, factor);
        }
    }

    /// `row += factor × source`
    fn add_row(&mut self, row: usize, source: usize, factor: u8) {
        for column in 0..self.columns {
            self.cells[row * self.columns + column] ^= product(factor, self.at(source, column));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recovery::slots;

    /// Every square of rows and columns among the first `rows` and `columns` of the generator.
    fn check_squares(rows: usize, columns: usize) {
        for row_set in 1u32..1 << rows {
            for column_set in (1u32..1 << columns).filter(|set| set.count_ones() == row_set.count_ones()) {
                let (rows, columns): (Vec<_>, Vec<_>) =
                    (slots(row_set).collect(), slots(column_set).collect());
                let square = Matrix::from_fn(rows.len(), rows.len(), |i, j| generator(rows[i], columns[j]));
                let inverse = square.clone().inverted().expect("every square is invertible");
                assert_eq!(
                    multiplied(&square, &inverse),
                    identity(rows.len()),
                    "rows {rows:?}, columns {columns:?}"
                );
            }
        }
    }

    fn multiplied(a: &Matrix, b: &Matrix) -> Matrix {
        Matrix::from_fn(a.rows(), b.columns(), |i, j| {
            (0..a.columns()).fold(0, |sum, n| sum ^ product(a.at(i, n), b.at(n, j)))
        })
    }

    fn identity(size: usize) -> Matrix {
        Matrix::from_fn(size, size, |i, j| u8::from(i == j))
    }

    #[test]
    fn every_square_of_small_codes_is_invertible() {
        // All policies up to 7+7, and the wider ones up to 14+3, are corners of these.
        check_squares(7, 7);
        check_squares(3, 14);
        check_squares(14, 3);
    }

    #[test]
    fn every_pair_of_rows_and_columns_of_the_widest_codes_is_invertible() {
        let pairs = || (0..SHARDS_MAX).flat_map(|a| (0..a).map(move |b| (a, b)));
        for (i, k) in pairs() {
            for (j, l) in pairs() {
                let determinant =
                    product(generator(i, j), generator(k, l)) ^ product(generator(i, l), generator(k, j));
                assert_ne!(determinant, 0, "rows {i} and {k}, columns {j} and {l}");
            }
        }
    }

    #[test]
    fn the_first_row_and_column_are_ones() {
        assert!((0..SHARDS_MAX).all(|j| generator(0, j) == 1));
        assert!((0..SHARDS_MAX).all(|i| generator(i, 0) == 1));
    }

    #[test]
    fn the_generator_is_the_one_that_stored_shards_were_made_with() {
        let corner = Matrix::from_fn(4, 6, generator);
        let expected = [
            [1, 1, 1, 1, 1, 1],
            [1, 232, 220, 240, 194, 14],
            [1, 220, 130, 32, 10, 134],
            [1, 240, 32, 107, 251, 161],
        ];
        assert_eq!(corner.cells, expected.concat());
        let all = (0..SHARDS_MAX).flat_map(|i| (0..SHARDS_MAX).map(move |j| generator(i, j)));
        let fingerprint = all.fold(0u64, |sum, value| sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(value));
        assert_eq!(fingerprint, 0x78B0_DE77_71AD_C120);
    }

    #[test]
    fn a_singular_matrix_has_no_inverse() {
        assert_eq!(Matrix::from_fn(3, 3, |_, j| j as u8 + 1).inverted(), None);
        assert_eq!(Matrix::from_fn(2, 2, |_, _| 0).inverted(), None);
    }
}
