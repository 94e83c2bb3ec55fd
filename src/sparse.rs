//! Sparse rows: the records that features produce and linear models consume.
//!
//! One compressed-row matrix with 32-bit column numbers and values. It is a container, not a matrix library: rows are appended, read and
//! selected, nothing else.

use crate::error::{Error, Result};

/// Rows of a sparse matrix: `n_rows` × `n_columns`, columns ascending within a row.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseRows {
    /// Row `i` is `indices[starts[i]..starts[i + 1]]`; one more entry than rows.
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
    n_columns: usize,
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
        Self { starts: vec![0], indices: Vec::new(), values: Vec::new(), n_columns }
    }

    /// No rows yet, with room for `n_values` values.
    pub fn with_capacity(n_columns: usize, n_values: usize) -> Self {
        Self { starts: vec![0], indices: Vec::with_capacity(n_values), values: Vec::with_capacity(n_values), n_columns }
    }

    /// Takes over the three arrays of a compressed-row matrix.
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
        Ok(Self { starts, indices, values, n_columns })
    }

    /// Appends a row; `indices` ascend and stay below the number of columns.
    pub fn push(&mut self, indices: &[u32], values: &[f32]) {
        debug_assert_eq!(indices.len(), values.len());
        debug_assert!(indices.windows(2).all(|w| w[0] < w[1]));
        debug_assert!(indices.last().is_none_or(|&i| (i as usize) < self.n_columns));
        self.indices.extend_from_slice(indices);
        self.values.extend_from_slice(values);
        self.starts.push(self.indices.len());
    }

    /// Appends all rows of `other`, which has the same columns.
    pub fn append(&mut self, other: &SparseRows) {
        debug_assert_eq!(self.n_columns, other.n_columns);
        let offset = self.indices.len();
        self.indices.extend_from_slice(&other.indices);
        self.values.extend_from_slice(&other.values);
        self.starts.extend(other.starts[1..].iter().map(|s| s + offset));
    }

    /// Row `i`.
    #[inline]
    pub fn row(&self, i: usize) -> SparseRow<'_> {
        let range = self.starts[i]..self.starts[i + 1];
        SparseRow { indices: &self.indices[range.clone()], values: &self.values[range] }
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = SparseRow<'_>> {
        (0..self.n_rows()).map(|i| self.row(i))
    }

    /// The rows at `rows`, in that order.
    pub fn select(&self, rows: &[usize]) -> SparseRows {
        let mut selected = SparseRows::new(self.n_columns);
        selected.starts.reserve(rows.len());
        for &i in rows {
            let row = self.row(i);
            selected.push(row.indices, row.values);
        }
        selected
    }

    /// Whether all values are finite and none is negative, as counts and their weights are.
    pub fn are_counts(&self) -> bool {
        self.values.iter().all(|v| v.is_finite() && *v >= 0.0)
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Number of stored values.
    pub fn n_values(&self) -> usize {
        self.values.len()
    }

    /// All values, for scaling in place.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
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
