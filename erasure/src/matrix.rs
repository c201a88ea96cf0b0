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
