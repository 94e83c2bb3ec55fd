//! The training matrix as the solvers want it: columns renumbered so that sweeps touch little memory, nothing lost.
//!
//! Three things are done to the rows, once per training, all of them exact:
//!
//! 1. A column that only one row has needs no weight while training: in the dual, w_j = β_i x_ij, so its part of xᵢᵀw is β_i x_ij². The sum of
//!    these squares is one number per row ([`Design::lone_norms`]). Most columns of n-gram features are of this kind.
//! 2. Columns are numbered by falling frequency: what most rows touch fits the cache.
//! 3. Given (Daumé III 2007): the doubled row (x, s·x_given) is never built. A column that occurs with one given value only has
//!    w_given = s·w_shared at all times, so that one weight on x·√(1+s²) replaces both. Other columns ("doubled") own 1 + G neighbouring
//!    slots: the shared weight and, for each given value, s·w_given.
//!
//! The bias, if wanted, is a last column of constant value; it is doubled like any other.

use crate::error::{Error, Result};
use crate::sparse::SparseRows;

/// A value and the slot of its weight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) slot: u32,
    pub(crate) value: f32,
}

/// One row of a [`Design`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// Entries whose slot is followed by one slot per given value.
    pub(crate) doubled: &'a [Entry],
    /// Entries with one slot.
    pub(crate) single: &'a [Entry],
    /// Distance from a doubled entry's slot to that of this row's given value.
    pub(crate) given: usize,
}

/// What a [`Design`] is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) rows: &'a SparseRows,
    /// The given value of every row and how many values there are.
    pub(crate) given: Option<(&'a [u32], usize)>,
    pub(crate) given_scale: f64,
    /// Value of the bias column; none without intercept.
    pub(crate) bias: Option<f64>,
}

/// Renumbered rows.
#[derive(Debug)]
pub(crate) struct Design {
    starts: Vec<usize>,
    /// Where a row's doubled entries end.
    splits: Vec<usize>,
    entries: Vec<Entry>,
    /// Given value of each row; empty without given.
    givens: Vec<u32>,
    n_givens: usize,
    n_slots: usize,
    /// ‖x‖² of the (virtually) doubled row, with bias.
    pub(crate) squared_norms: Vec<f64>,
    /// The part of it that comes from columns no other row has.
    pub(crate) lone_norms: Vec<f64>,
    /// s²
    pub(crate) given_factor: f64,
    bias: f64,
    columns: Vec<Column>,
    lone: Vec<Lone>,
}

/// Where the weight of an original column is found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    /// No row has it.
    Absent,
    /// Entry in the list of lone columns.
    Lone(u32),
    /// One slot; with given, the only given value it occurs with.
    Single { slot: u32, given: u32 },
    /// Slot of the shared weight.
    Doubled(u32),
}

/// A column that only `row` has.
#[derive(Debug, Clone, Copy)]
struct Lone {
    row: u32,
    value: f32,
}

/// The weights of one column that are not zero, as the original features see them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// All zero.
    Nowhere,
    /// β_row · value; times s² for the row's given value.
    Lone { row: usize, value: f64, given: Option<usize> },
    /// Slot's weight · factor; times s² for the given value.
    Single { slot: usize, factor: f64, given: Option<usize> },
    /// Shared slot; those of the given values follow.
    Doubled(usize),
}

/// Marks a column seen with several given values.
const SEVERAL: u32 = u32::MAX;

impl Design {
    /// Renumbers the rows of `source`; O(values + columns).
    pub(crate) fn build(source: &Source<'_>) -> Result<Self> {
        let census = Census::take(source);
        let (columns, n_slots, n_lone) = census.number_columns(source)?;
        let mut design = Self {
            starts: Vec::with_capacity(source.rows.n_rows() + 1),
            splits: Vec::with_capacity(source.rows.n_rows()),
            entries: Vec::with_capacity(source.rows.n_values() + source.rows.n_rows()),
            givens: source.given.map_or_else(Vec::new, |(values, _)| values.to_vec()),
            n_givens: source.given.map_or(0, |(_, n)| n),
            n_slots,
            squared_norms: Vec::with_capacity(source.rows.n_rows()),
            lone_norms: Vec::with_capacity(source.rows.n_rows()),
            given_factor: if source.given.is_some() { source.given_scale * source.given_scale } else { 0.0 },
            bias: source.bias.unwrap_or(0.0),
            columns,
            lone: vec![Lone { row: 0, value: 0.0 }; n_lone],
        };
        design.starts.push(0);
        for i in 0..source.rows.n_rows() {
            design.push_row(source, i)?;
        }
        Ok(design)
    }

    fn push_row(&mut self, source: &Source<'_>, i: usize) -> Result<()> {
        let row = source.rows.row(i);
        let start = self.entries.len();
        let single_factor = (1.0 + self.given_factor).sqrt() as f32;
        let (mut lone_norm, mut split) = (0.0, start);
        let bias = source.bias.map(|b| (source.rows.n_columns() as u32, b as f32));
        for (column, value) in row.iter().chain(bias) {
            match self.columns[column as usize] {
                Column::Absent => {}
                Column::Lone(at) => {
                    lone_norm += f64::from(value) * f64::from(value);
                    self.lone[at as usize] = Lone { row: i as u32, value };
                }
                Column::Single { slot, .. } => self.entries.push(Entry { slot, value: value * single_factor }),
                Column::Doubled(slot) => {
                    self.entries.push(Entry { slot, value });
                    let last = self.entries.len() - 1;
                    self.entries.swap(split, last);
                    split += 1;
                }
            }
        }
        let norm = row.squared_norm() + self.bias * self.bias;
        if !norm.is_finite() {
            return Err(Error::input(format!("row {i} holds a value that is not finite")).expected("finite values"));
        }
        self.starts.push(self.entries.len());
        self.splits.push(split);
        self.squared_norms.push(norm * (1.0 + self.given_factor));
        self.lone_norms.push(lone_norm * (1.0 + self.given_factor));
        Ok(())
    }

    /// Row `i`.
    #[inline(always)]
    pub(crate) fn row(&self, i: usize) -> Row<'_> {
        let (start, split, end) = (self.starts[i], self.splits[i], self.starts[i + 1]);
        let given = self.givens.get(i).map_or(0, |&g| g as usize + 1);
        Row { doubled: &self.entries[start..split], single: &self.entries[split..end], given }
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.splits.len()
    }

    pub(crate) fn n_slots(&self) -> usize {
        self.n_slots
    }

    pub(crate) fn n_givens(&self) -> usize {
        self.n_givens
    }

    /// Original columns, the bias not counted.
    pub(crate) fn n_features(&self) -> usize {
        self.columns.len() - 1
    }

    /// Value of the bias column, 0 without one.
    pub(crate) fn bias(&self) -> f64 {
        self.bias
    }

    /// Where the weights of `column` are; the bias column is number `n_features()`.
    #[inline]
    pub(crate) fn place(&self, column: usize) -> Place {
        match self.columns[column] {
            Column::Absent => Place::Nowhere,
            Column::Lone(at) => {
                let Lone { row, value } = self.lone[at as usize];
                let given = self.givens.get(row as usize).map(|&g| g as usize);
                Place::Lone { row: row as usize, value: f64::from(value), given }
            }
            Column::Single { slot, given } => {
                let given = (self.n_givens > 0).then_some(given as usize);
                Place::Single { slot: slot as usize, factor: 1.0 / (1.0 + self.given_factor).sqrt(), given }
            }
            Column::Doubled(slot) => Place::Doubled(slot as usize),
        }
    }
}

/// How often each column occurs and with which given value.
struct Census {
    counts: Vec<u32>,
    /// The only given value of a column, or [`SEVERAL`]; empty without given.
    givens: Vec<u32>,
}

impl Census {
    fn take(source: &Source<'_>) -> Self {
        let n_columns = source.rows.n_columns() + 1;
        let mut census = Self { counts: vec![0; n_columns], givens: Vec::new() };
        match source.given {
            None => source.rows.iter().for_each(|row| row.indices.iter().for_each(|&j| census.counts[j as usize] += 1)),
            Some((values, _)) => {
                census.givens = vec![0; n_columns];
                let bias = source.bias.map(|_| n_columns as u32 - 1);
                for (row, &given) in source.rows.iter().zip(values) {
                    row.indices.iter().copied().chain(bias).for_each(|j| census.count_with_given(j as usize, given));
                }
            }
        }
        if source.bias.is_some() {
            census.counts[n_columns - 1] = source.rows.n_rows() as u32;
        }
        census
    }

    fn count_with_given(&mut self, column: usize, given: u32) {
        let known = &mut self.givens[column];
        *known = if self.counts[column] == 0 || *known == given { given } else { SEVERAL };
        self.counts[column] += 1;
    }

    /// Slots for all columns, the number of slots and the number of lone columns.
    fn number_columns(&self, source: &Source<'_>) -> Result<(Vec<Column>, usize, usize)> {
        let is_doubled = |j: usize| self.givens.get(j) == Some(&SEVERAL);
        let mut order: Vec<u32> = (0..self.counts.len() as u32).filter(|&j| self.counts[j as usize] > 1).collect();
        order.sort_unstable_by_key(|&j| (!is_doubled(j as usize), std::cmp::Reverse(self.counts[j as usize]), j));
        let per_doubled = 1 + source.given.map_or(0, |(_, n)| n);
        let (mut n_slots, mut n_lone) = (0usize, 0u32);
        let mut columns = vec![Column::Absent; self.counts.len()];
        for &j in &order {
            let j = j as usize;
            let slot = u32::try_from(n_slots + per_doubled).map_err(|_| too_many_slots())? - per_doubled as u32;
            let given = self.givens.get(j).copied().unwrap_or(0);
            columns[j] = if is_doubled(j) { Column::Doubled(slot) } else { Column::Single { slot, given } };
            n_slots += if is_doubled(j) { per_doubled } else { 1 };
        }
        for (column, _) in columns.iter_mut().zip(&self.counts).filter(|(_, count)| **count == 1) {
            *column = Column::Lone(n_lone);
            n_lone += 1;
        }
        Ok((columns, n_slots, n_lone as usize))
    }
}

fn too_many_slots() -> Error {
    Error::parameter("too many features for this number of given values").help("use fewer n-grams or hash them into fewer columns")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> SparseRows {
        let mut rows = SparseRows::new(5);
        rows.push(&[0, 1, 3], &[1.0, 2.0, 4.0]);
        rows.push(&[0, 1], &[1.0, 3.0]);
        rows.push(&[0], &[1.0]);
        rows
    }

    #[test]
    fn frequent_columns_come_first_and_lone_ones_have_no_slot() {
        let rows = rows();
        let design = Design::build(&Source { rows: &rows, given: None, given_scale: 1.0, bias: None }).unwrap();
        assert_eq!(design.n_slots(), 2);
        assert_eq!(design.place(0), Place::Single { slot: 0, factor: 1.0, given: None });
        assert_eq!(design.place(1), Place::Single { slot: 1, factor: 1.0, given: None });
        assert_eq!(design.place(3), Place::Lone { row: 0, value: 4.0, given: None });
        assert_eq!(design.place(4), Place::Nowhere);
        assert_eq!((design.squared_norms[0], design.lone_norms[0]), (21.0, 16.0));
    }

    #[test]
    fn columns_of_several_given_values_are_doubled() {
        let rows = rows();
        let source = Source { rows: &rows, given: Some((&[0, 0, 1], 2)), given_scale: 1.0, bias: Some(1.0) };
        let design = Design::build(&source).unwrap();
        // Columns 0 and the bias with both values: 3 slots each; column 1 with value 0 only.
        assert_eq!(design.n_slots(), 7);
        assert!(matches!(design.place(0), Place::Doubled(_)) && matches!(design.place(5), Place::Doubled(_)));
        assert!(matches!(design.place(1), Place::Single { given: Some(0), .. }));
        assert_eq!(design.row(0).doubled.len(), 2);
        assert_eq!((design.row(0).given, design.row(2).given), (1, 2));
        assert_eq!(design.squared_norms[2], 4.0);
    }

    #[test]
    fn a_value_that_is_not_finite_is_refused() {
        let mut rows = SparseRows::new(1);
        rows.push(&[0], &[f32::NAN]);
        assert!(Design::build(&Source { rows: &rows, given: None, given_scale: 1.0, bias: None }).is_err());
    }
}
