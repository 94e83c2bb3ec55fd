//! The training matrix as the solvers want it: columns renumbered so that sweeps touch little memory, nothing lost.
//!
//! Four things are done to the rows, once per training, all of them exact:
//!
//! 1. A column that only one row has needs no weight while training: in the dual, w_j = β_i x_ij, so its part of xᵢᵀw is β_i x_ij². The sum of
//!    these squares is one number per row ([`Design::lone_norms`]). Most columns of n-gram features are of this kind.
//! 2. Columns are numbered by falling frequency: what most rows touch fits the cache.
//! 3. Given (Daumé III 2007): the doubled row (x, s·x_given) is never built. A column that occurs with one given value only has
//!    w_given = s·w_shared at all times, so that one weight on x·√(1+s²) replaces both. Other columns ("doubled") own 1 + G neighbouring
//!    slots: the shared weight and, for each given value, s·w_given.
//!
//! 4. Rows are stored in random order, so that a solver may visit neighbours one after the other ([`Design::shuffle`]): reading memory in
//!    stretches costs a fraction of jumping to every row. Solvers know rows by their position in this order.
//!
//! The bias, if wanted, is a last column of constant value; it is doubled like any other.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::random::Random;
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
    chunks: Vec<Chunk>,
    /// The row at each position.
    rows: Vec<u32>,
    /// Positions visited one after the other.
    stretch: usize,
    /// Given value at each position; empty without given.
    givens: Vec<u32>,
    n_givens: usize,
    n_slots: usize,
    /// At each position ‖x‖² of the (virtually) doubled row, with bias.
    pub(crate) squared_norms: Vec<f64>,
    /// The part of it that comes from columns no other row has.
    pub(crate) lone_norms: Vec<f64>,
    /// s²
    pub(crate) given_factor: f64,
    bias: f64,
    columns: Columns,
    lone: Vec<Lone>,
}

/// Rows of a chunk; chunks are filled by different threads. In smaller pieces of memory, what a matrix leaves behind is kept by the allocator.
const CHUNK_ROWS: usize = 1 << 11;

/// Bytes read in one go when rows are visited in random order.
const STRETCH_BYTES: usize = 1 << 15;
/// More neighbours than this would make the order of rows too regular.
const MAX_STRETCH: usize = 32;

/// The entries of [`CHUNK_ROWS`] rows.
#[derive(Debug, Default)]
struct Chunk {
    /// For each row where it starts and where its doubled entries end; one more start at the end.
    bounds: Vec<(usize, usize)>,
    entries: Vec<Entry>,
    squared_norms: Vec<f64>,
    lone_norms: Vec<f64>,
    /// Lone columns with what is known of each.
    lone: Vec<(u32, Lone)>,
}

/// The only value of a column, and the position of its row.
#[derive(Debug, Clone, Copy)]
struct Lone {
    position: u32,
    value: f32,
}

/// Where the weight of each original column is found.
#[derive(Debug)]
struct Columns {
    /// The slot; [`LONE`] plus the place in the list of lone columns; or [`ABSENT`].
    codes: Vec<u32>,
    /// Slots below this belong to doubled columns.
    n_doubled_slots: u32,
    /// With given, the only given value of each column that is not doubled.
    givens: Vec<u32>,
}

/// Bit that marks a lone column.
const LONE: u32 = 1 << 31;
/// Marks a column that no row has.
const ABSENT: u32 = u32::MAX;

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

/// Weights of this many slots stay in the cache; entries beyond follow the others in a row, so that their loads overlap.
const N_HOT_SLOTS: u32 = 1 << 14;

impl Design {
    /// Renumbers the rows of `source` on the threads of the current rayon pool; O(values + columns · log columns).
    pub(crate) fn build(source: &Source<'_>, seed: u64) -> Result<Self> {
        let n_rows = source.rows.n_rows();
        let (mut columns, n_slots) = Census::take(source).number_columns(source)?;
        let given_factor = if source.given.is_some() { source.given_scale * source.given_scale } else { 0.0 };
        let mut rows: Vec<u32> = (0..n_rows as u32).collect();
        Random::new(seed).shuffle(&mut rows);
        let fill = |(c, rows): (usize, &[u32])| Chunk::fill(source, &columns, given_factor, rows, c * CHUNK_ROWS);
        let mut chunks = rows.par_chunks(CHUNK_ROWS).enumerate().map(fill).collect::<Result<Vec<_>>>()?;
        let mut gather =
            |part: fn(&mut Chunk) -> &mut Vec<f64>| chunks.iter_mut().flat_map(|c| std::mem::take(part(c))).collect();
        let squared_norms = gather(|chunk| &mut chunk.squared_norms);
        let lone_norms = gather(|chunk| &mut chunk.lone_norms);
        let mut lone = Vec::with_capacity(chunks.iter().map(|chunk| chunk.lone.len()).sum());
        for (column, of_column) in chunks.iter_mut().flat_map(|chunk| std::mem::take(&mut chunk.lone)) {
            columns.codes[column as usize] = LONE | lone.len() as u32;
            lone.push(of_column);
        }
        Ok(Self {
            chunks,
            givens: source.given.map_or_else(Vec::new, |(values, _)| rows.iter().map(|&i| values[i as usize]).collect()),
            stretch: (STRETCH_BYTES * n_rows / (size_of::<Entry>() * source.rows.n_values().max(1))).clamp(1, MAX_STRETCH),
            rows,
            n_givens: source.given.map_or(0, |(_, n)| n),
            n_slots,
            squared_norms,
            lone_norms,
            given_factor,
            bias: source.bias.unwrap_or(0.0),
            columns,
            lone,
        })
    }

    /// The row at position `p`.
    #[inline(always)]
    pub(crate) fn row(&self, p: usize) -> Row<'_> {
        let chunk = &self.chunks[p / CHUNK_ROWS];
        let (start, split) = chunk.bounds[p % CHUNK_ROWS];
        let (end, _) = chunk.bounds[p % CHUNK_ROWS + 1];
        let given = self.givens.get(p).map_or(0, |&g| g as usize + 1);
        Row { doubled: &chunk.entries[start..split], single: &chunk.entries[split..end], given }
    }

    /// The number of the original row at each position.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Puts all positions into a new random order: stretches of neighbours, and the neighbours within each.
    pub(crate) fn shuffle(&self, order: &mut Vec<u32>, rng: &mut Random) {
        let n_rows = self.rows.len();
        let mut stretches: Vec<usize> = (0..n_rows.div_ceil(self.stretch)).collect();
        rng.shuffle(&mut stretches);
        order.clear();
        for stretch in stretches {
            let first = order.len();
            order.extend(stretch as u32 * self.stretch as u32..n_rows.min((stretch + 1) * self.stretch) as u32);
            rng.shuffle(&mut order[first..]);
        }
    }

    pub(crate) fn n_slots(&self) -> usize {
        self.n_slots
    }

    pub(crate) fn n_givens(&self) -> usize {
        self.n_givens
    }

    /// Original columns, the bias not counted.
    pub(crate) fn n_features(&self) -> usize {
        self.columns.codes.len() - 1
    }

    /// Value of the bias column, 0 without one.
    pub(crate) fn bias(&self) -> f64 {
        self.bias
    }

    /// Where the weights of `column` are; the bias column is number `n_features()`.
    #[inline]
    pub(crate) fn place(&self, column: usize) -> Place {
        match self.columns.codes[column] {
            ABSENT => Place::Nowhere,
            code if code & LONE != 0 => {
                let Lone { position, value } = self.lone[(code & !LONE) as usize];
                let given = self.givens.get(position as usize).map(|&g| g as usize);
                Place::Lone { row: self.rows[position as usize] as usize, value: f64::from(value), given }
            }
            slot if slot < self.columns.n_doubled_slots => Place::Doubled(slot as usize),
            slot => {
                let given = self.columns.givens.get(column).map(|&g| g as usize);
                Place::Single { slot: slot as usize, factor: 1.0 / (1.0 + self.given_factor).sqrt(), given }
            }
        }
    }
}

impl Chunk {
    /// The chunk of `rows`, whose positions begin at `first`.
    fn fill(source: &Source<'_>, columns: &Columns, given_factor: f64, rows: &[u32], first: usize) -> Result<Self> {
        let n_values: usize = rows.iter().map(|&i| source.rows.row(i as usize).indices.len() + 1).sum();
        let mut chunk = Self { entries: Vec::with_capacity(n_values), ..Self::default() };
        let mut spare = Vec::new();
        for (position, &i) in (first as u32..).zip(rows) {
            chunk.push_row(source, columns, given_factor, i as usize, position, &mut spare)?;
        }
        chunk.bounds.push((chunk.entries.len(), chunk.entries.len()));
        Ok(chunk)
    }

    fn push_row(
        &mut self,
        source: &Source<'_>,
        columns: &Columns,
        given_factor: f64,
        i: usize,
        position: u32,
        cold: &mut Vec<Entry>,
    ) -> Result<()> {
        let row = source.rows.row(i);
        let start = self.entries.len();
        let single_factor = (1.0 + given_factor).sqrt() as f32;
        let (mut norm, mut lone_norm, mut split) = (0.0, 0.0, start);
        let bias = source.bias.map(|b| (source.rows.n_columns() as u32, b as f32));
        for (column, value) in row.iter().chain(bias) {
            let square = f64::from(value) * f64::from(value);
            norm += square;
            match columns.codes[column as usize] {
                code if code & LONE != 0 => {
                    lone_norm += square;
                    self.lone.push((column, Lone { position, value }));
                }
                slot if slot < columns.n_doubled_slots => {
                    self.entries.push(Entry { slot, value });
                    let last = self.entries.len() - 1;
                    self.entries.swap(split, last);
                    split += 1;
                }
                slot if slot < N_HOT_SLOTS => self.entries.push(Entry { slot, value: value * single_factor }),
                slot => cold.push(Entry { slot, value: value * single_factor }),
            }
        }
        self.entries.append(cold);
        if !norm.is_finite() {
            return Err(Error::input(format!("row {i} holds a value that is not finite")).expected("finite values"));
        }
        self.bounds.push((start, split));
        self.squared_norms.push(norm * (1.0 + given_factor));
        self.lone_norms.push(lone_norm * (1.0 + given_factor));
        Ok(())
    }
}

/// How often each column occurs and with which given value.
#[derive(Default)]
struct Census {
    counts: Vec<u32>,
    /// The only given value of a column, or [`SEVERAL`]; empty without given.
    givens: Vec<u32>,
}

impl Census {
    /// Counts parts of the rows on each thread; the sum is the same however they are cut.
    fn take(source: &Source<'_>) -> Self {
        let n_rows = source.rows.n_rows();
        let part_len = n_rows.div_ceil(rayon::current_num_threads()).max(1);
        let firsts: Vec<usize> = (0..n_rows).step_by(part_len).collect();
        let parts = firsts.par_iter().map(|&first| Self::take_part(source, first..n_rows.min(first + part_len)));
        let mut census = parts.reduce(Self::default, Self::merge);
        census.counts.resize(source.rows.n_columns() + 1, 0);
        census
    }

    fn take_part(source: &Source<'_>, range: Range<usize>) -> Self {
        let n_columns = source.rows.n_columns() + 1;
        let mut census = Self { counts: vec![0; n_columns], givens: Vec::new() };
        let bias = source.bias.map(|_| n_columns as u32 - 1);
        match source.given {
            None => {
                census.counts[n_columns - 1] = if bias.is_some() { range.len() as u32 } else { 0 };
                range.for_each(|i| source.rows.row(i).indices.iter().for_each(|&j| census.counts[j as usize] += 1));
            }
            Some((values, _)) => {
                census.givens = vec![0; n_columns];
                for i in range {
                    let columns = source.rows.row(i).indices.iter().copied().chain(bias);
                    columns.for_each(|j| census.count_with_given(j as usize, 1, values[i]));
                }
            }
        }
        census
    }

    fn count_with_given(&mut self, column: usize, count: u32, given: u32) {
        let known = &mut self.givens[column];
        *known = if self.counts[column] == 0 || *known == given { given } else { SEVERAL };
        self.counts[column] += count;
    }

    fn merge(mut self, other: Self) -> Self {
        if self.counts.is_empty() {
            return other;
        }
        for (j, &count) in other.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            match other.givens.get(j) {
                Some(&given) => self.count_with_given(j, count, given),
                None => self.counts[j] += count,
            }
        }
        self
    }

    /// Gives every column its slot; returns the number of slots too.
    fn number_columns(self, source: &Source<'_>) -> Result<(Columns, usize)> {
        let is_doubled = |j: u32| self.givens.get(j as usize) == Some(&SEVERAL);
        let code = |count: &u32| if *count == 1 { LONE } else { ABSENT };
        let mut codes: Vec<u32> = self.counts.iter().map(code).collect();
        let mut order: Vec<u32> = (0..self.counts.len() as u32).filter(|&j| self.counts[j as usize] > 1).collect();
        order.par_sort_unstable_by_key(|&j| (!is_doubled(j), u32::MAX - self.counts[j as usize], j));
        let per_doubled = 1 + source.given.map_or(0, |(_, n)| n);
        let (mut n_slots, mut n_doubled_slots) = (0usize, 0);
        for &j in &order {
            codes[j as usize] = n_slots as u32;
            n_slots += if is_doubled(j) { per_doubled } else { 1 };
            if n_slots >= LONE as usize {
                return Err(too_many_slots());
            }
            n_doubled_slots = if is_doubled(j) { n_slots as u32 } else { n_doubled_slots };
        }
        Ok((Columns { codes, n_doubled_slots, givens: self.givens }, n_slots))
    }
}

fn too_many_slots() -> Error {
    Error::parameter("too many features for this number of given values")
        .help("use fewer n-grams or hash them into fewer columns")
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
        let design = Design::build(&Source { rows: &rows, given: None, given_scale: 1.0, bias: None }, 1).unwrap();
        let position = |row: u32| design.rows().iter().position(|&r| r == row).unwrap();
        assert_eq!(design.n_slots(), 2);
        assert_eq!(design.place(0), Place::Single { slot: 0, factor: 1.0, given: None });
        assert_eq!(design.place(1), Place::Single { slot: 1, factor: 1.0, given: None });
        assert_eq!(design.place(3), Place::Lone { row: 0, value: 4.0, given: None });
        assert_eq!(design.place(4), Place::Nowhere);
        assert_eq!((design.squared_norms[position(0)], design.lone_norms[position(0)]), (21.0, 16.0));
    }

    #[test]
    fn columns_of_several_given_values_are_doubled() {
        let rows = rows();
        let source = Source { rows: &rows, given: Some((&[0, 0, 1], 2)), given_scale: 1.0, bias: Some(1.0) };
        let design = Design::build(&source, 1).unwrap();
        let position = |row: u32| design.rows().iter().position(|&r| r == row).unwrap();
        // Columns 0 and the bias with both values: 3 slots each; column 1 with value 0 only.
        assert_eq!(design.n_slots(), 7);
        assert!(matches!(design.place(0), Place::Doubled(_)) && matches!(design.place(5), Place::Doubled(_)));
        assert!(matches!(design.place(1), Place::Single { given: Some(0), .. }));
        assert_eq!(design.row(position(0)).doubled.len(), 2);
        assert_eq!((design.row(position(0)).given, design.row(position(2)).given), (1, 2));
        assert_eq!(design.squared_norms[position(2)], 4.0);
    }

    #[test]
    fn a_value_that_is_not_finite_is_refused() {
        let mut rows = SparseRows::new(1);
        rows.push(&[0], &[f32::NAN]);
        assert!(Design::build(&Source { rows: &rows, given: None, given_scale: 1.0, bias: None }, 1).is_err());
    }

    #[test]
    fn an_order_holds_every_position_once() {
        let mut rows = SparseRows::new(1);
        (0..5000).for_each(|_| rows.push(&[0], &[1.0]));
        let design = Design::build(&Source { rows: &rows, given: None, given_scale: 1.0, bias: None }, 1).unwrap();
        let mut order = Vec::new();
        design.shuffle(&mut order, &mut Random::new(3));
        assert_ne!(order[..40], (0..40).collect::<Vec<_>>()[..]);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..5000));
    }
}
