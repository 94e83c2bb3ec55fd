//! Sparse rows: the records that features produce and linear models consume.
//!
//! Compressed rows with 32-bit column numbers and values, in pieces of so many rows. It is a container, not a matrix library: rows are appended, read and
//! selected, nothing else.

use crate::error::{Error, Result};

/// Rows of a piece. Threads fill pieces of their own, which then stay where they are: one array for all would be a second copy of everything.
pub(crate) const PIECE_ROWS: usize = 256;

/// Rows of a sparse matrix: `n_rows` × `n_columns`, columns ascending within a row.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseRows {
    /// All but the last have [`PIECE_ROWS`] rows.
    pieces: Vec<Piece>,
    n_columns: usize,
}

/// A compressed-row matrix.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    /// Row `i` is `indices[starts[i]..starts[i + 1]]`; one more entry than rows.
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
}

/// One row: parallel slices of column numbers and values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SparseRow<'a> {
    /// Column numbers, ascending.
    pub indices: &'a [u32],
    /// Values, as many as `indices`.
    pub values: &'a [f32],
}

impl SparseRows {
    /// No rows yet, over `n_columns` columns.
    pub fn new(n_columns: usize) -> Self {
        Self { pieces: Vec::new(), n_columns }
    }

    /// At most [`PIECE_ROWS`] rows: `starts` has one more entry, columns ascend within a row.
    pub(crate) fn of_piece(starts: Vec<usize>, mut indices: Vec<u32>, mut values: Vec<f32>, n_columns: usize) -> Self {
        debug_assert!(starts.len() <= PIECE_ROWS + 1 && starts.last() == Some(&indices.len()) && indices.len() == values.len());
        indices.shrink_to_fit();
        values.shrink_to_fit();
        Self { pieces: vec![Piece { starts, indices, values }], n_columns }
    }

    /// Takes the three arrays of a compressed-row matrix.
    ///
    /// # Errors
    ///
    /// If `starts` does not ascend from 0 to the number of values, or a row's columns do not ascend below `n_columns`.
    pub fn from_parts(starts: Vec<usize>, indices: Vec<u32>, values: Vec<f32>, n_columns: usize) -> Result<Self> {
        let is_framed = starts.first() == Some(&0)
            && starts.last() == Some(&indices.len())
            && indices.len() == values.len()
            && starts.windows(2).all(|w| w[0] <= w[1]);
        let is_sorted = is_framed
            && starts.windows(2).all(|w| {
                let row = &indices[w[0]..w[1]];
                row.windows(2).all(|p| p[0] < p[1]) && row.last().is_none_or(|&last| (last as usize) < n_columns)
            });
        if !is_sorted {
            return Err(Error::input("not a compressed-row matrix")
                .expected("ascending row starts and ascending columns within each row"));
        }
        let mut rows = Self::new(n_columns);
        starts.windows(2).for_each(|w| rows.push(&indices[w[0]..w[1]], &values[w[0]..w[1]]));
        Ok(rows)
    }

    /// Appends a row; `indices` ascend and stay below the number of columns.
    pub fn push(&mut self, indices: &[u32], values: &[f32]) {
        debug_assert_eq!(indices.len(), values.len());
        debug_assert!(indices.windows(2).all(|w| w[0] < w[1]));
        debug_assert!(indices.last().is_none_or(|&i| (i as usize) < self.n_columns));
        if self.pieces.last().is_none_or(|last| last.n_rows() == PIECE_ROWS) {
            self.pieces.push(Piece { starts: vec![0], indices: Vec::new(), values: Vec::new() });
        }
        self.pieces.last_mut().expect("pushed above").push(indices, values);
    }

    /// Appends all rows of `others`, which have the same columns; whole pieces are not copied.
    pub(crate) fn extend(&mut self, others: SparseRows) {
        debug_assert_eq!(self.n_columns, others.n_columns);
        if self.n_rows().is_multiple_of(PIECE_ROWS) {
            self.pieces.extend(others.pieces.into_iter().filter(|piece| piece.n_rows() > 0));
        } else {
            others.iter().for_each(|row| self.push(row.indices, row.values));
        }
    }

    /// Row `i`.
    #[inline]
    pub fn row(&self, i: usize) -> SparseRow<'_> {
        self.pieces[i / PIECE_ROWS].row(i % PIECE_ROWS)
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = SparseRow<'_>> {
        (0..self.n_rows()).map(|i| self.row(i))
    }

    /// The rows at `rows`, in that order.
    pub fn select(&self, rows: &[usize]) -> SparseRows {
        let mut selected = SparseRows::new(self.n_columns);
        for &i in rows {
            let row = self.row(i);
            selected.push(row.indices, row.values);
        }
        selected
    }

    /// Whether all values are finite and none is negative, as counts and their weights are.
    pub fn are_counts(&self) -> bool {
        self.pieces.iter().flat_map(|piece| &piece.values).all(|v| v.is_finite() && *v >= 0.0)
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.pieces.last().map_or(0, |last| (self.pieces.len() - 1) * PIECE_ROWS + last.n_rows())
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Number of stored values.
    pub fn n_values(&self) -> usize {
        self.pieces.iter().map(|piece| piece.values.len()).sum()
    }

    /// All values, for scaling in place.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut f32> {
        self.pieces.iter_mut().flat_map(|piece| &mut piece.values)
    }
}

impl Piece {
    fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    fn push(&mut self, indices: &[u32], values: &[f32]) {
        self.indices.extend_from_slice(indices);
        self.values.extend_from_slice(values);
        self.starts.push(self.indices.len());
    }

    #[inline]
    fn row(&self, i: usize) -> SparseRow<'_> {
        let range = self.starts[i]..self.starts[i + 1];
        SparseRow { indices: &self.indices[range.clone()], values: &self.values[range] }
    }
}

impl SparseRow<'_> {
    /// Sum of squares of the values.
    pub fn squared_norm(&self) -> f64 {
        self.values.iter().map(|&v| f64::from(v) * f64::from(v)).sum()
    }

    /// Column-value pairs in column order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.indices.iter().copied().zip(self.values.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_many_pieces_are_those_that_were_joined() {
        let row = |i: u32| ([i, i + 1 + i % 3], [i as f32, 0.5]);
        let push = |rows: &mut SparseRows, from: u32, to: u32| {
            (from..to).map(row).for_each(|(indices, values)| rows.push(&indices, &values));
        };
        let mut all = SparseRows::new(2000);
        push(&mut all, 0, 1000);
        for cuts in [[0, 0, 1000], [256, 512, 1000], [255, 600, 1000], [512, 512, 1000]] {
            let mut joined = SparseRows::new(2000);
            let mut from = 0;
            for to in cuts {
                let mut part = SparseRows::new(2000);
                push(&mut part, from, to);
                joined.extend(part);
                from = to;
            }
            assert_eq!(joined, all);
        }
        assert_eq!((all.n_rows(), all.n_values()), (1000, 2000));
        assert_eq!(all.row(700).indices, [700, 702]);
    }

    #[test]
    fn rows_come_back_as_they_were_pushed() {
        let mut rows = SparseRows::new(5);
        rows.push(&[0, 3], &[1.0, 2.0]);
        rows.push(&[], &[]);
        rows.push(&[4], &[3.0]);
        assert_eq!(rows.n_rows(), 3);
        assert_eq!(rows.row(0).indices, [0, 3]);
        assert!(rows.row(1).indices.is_empty());
        assert_eq!(rows.select(&[2, 0]).row(0).values, [3.0]);
    }

    #[test]
    fn parts_that_are_no_matrix_are_refused() {
        assert!(SparseRows::from_parts(vec![0, 2], vec![1, 0], vec![1.0, 1.0], 3).is_err());
        assert!(SparseRows::from_parts(vec![0, 1], vec![3], vec![1.0], 3).is_err());
        assert!(SparseRows::from_parts(vec![1], vec![], vec![], 3).is_err());
        assert!(SparseRows::from_parts(vec![0, 1], vec![2], vec![1.0], 3).is_ok());
    }
}
