//! Weights of several outputs side by side, and the two operations on them that all solvers spend their time in.
//!
//! The weights of one column for all outputs ("lanes") are neighbours in memory. A row's entries are then read once for all outputs, one
//! cache line serves them all, and the inner loop over a constant number of lanes becomes vector instructions. Every lane is computed by the
//! same operations in the same order however many lanes stand beside it: results do not depend on how outputs are spread over threads.

use super::design::{Entry, Row};

/// The number type of the weights: `f32` is twice as fast, `f64` reaches tight tolerances.
pub(crate) trait Scalar: Copy + Send + Sync + 'static {
    const ZERO: Self;
    fn from_f32(value: f32) -> Self;
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
    /// `self + a · b`
    fn plus_product(self, a: Self, b: Self) -> Self;
    fn plus(self, other: Self) -> Self;
}

macro_rules! impl_scalar {
    ($type:ty) => {
        impl Scalar for $type {
            const ZERO: Self = 0.0;
            #[inline(always)]
            fn from_f32(value: f32) -> Self {
                value as $type
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn plus_product(self, a: Self, b: Self) -> Self {
                self + a * b
            }
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
        }
    };
}
impl_scalar!(f32);
impl_scalar!(f64);

/// `n_slots` × `L` weights, all zero at first, starting on a cache line.
#[derive(Debug)]
pub(crate) struct LaneWeights<S, const L: usize> {
    buffer: Vec<S>,
    start: usize,
    n_slots: usize,
}

/// Bytes of a cache line; `L` lanes never straddle two lines if they fit one.
const LINE: usize = 64;

impl<S: Scalar, const L: usize> LaneWeights<S, L> {
    pub(crate) fn zeros(n_slots: usize) -> Self {
        let spare = LINE / size_of::<S>();
        let buffer = vec![S::ZERO; n_slots * L + spare];
        let start = buffer.as_ptr().align_offset(LINE).min(spare);
        Self { buffer, start, n_slots }
    }

    #[inline]
    pub(crate) fn slots(&self) -> &[[S; L]] {
        self.buffer[self.start..self.start + self.n_slots * L].as_chunks::<L>().0
    }

    #[inline]
    pub(crate) fn slots_mut(&mut self) -> &mut [[S; L]] {
        self.buffer[self.start..self.start + self.n_slots * L].as_chunks_mut::<L>().0
    }
}

/// `xᵀw` for every lane; a doubled entry meets its shared weight and that of the row's given value.
#[inline]
pub(crate) fn dot<S: Scalar, const L: usize>(row: Row<'_>, weights: &[[S; L]]) -> [S; L] {
    // Two running sums hide the latency of the addition; more would not fit the registers at 16 lanes.
    let mut sums = [[S::ZERO; L]; 2];
    let (pairs, last) = row.single.as_chunks::<2>();
    for pair in pairs {
        add_product(&mut sums[0], &pair[0], weights);
        add_product(&mut sums[1], &pair[1], weights);
    }
    for entry in last {
        add_product(&mut sums[0], entry, weights);
    }
    for entry in row.doubled {
        let (value, slot) = (S::from_f32(entry.value), entry.slot as usize);
        let (shared, own) = (&weights[slot], &weights[slot + row.given]);
        for l in 0..L {
            sums[1][l] = sums[1][l].plus_product(value, shared[l].plus(own[l]));
        }
    }
    std::array::from_fn(|l| sums[0][l].plus(sums[1][l]))
}

#[inline(always)]
fn add_product<S: Scalar, const L: usize>(sum: &mut [S; L], entry: &Entry, weights: &[[S; L]]) {
    let value = S::from_f32(entry.value);
    let weight = &weights[entry.slot as usize];
    for l in 0..L {
        sum[l] = sum[l].plus_product(value, weight[l]);
    }
}

/// `w ← w + step · x` for every lane.
#[inline]
pub(crate) fn axpy<S: Scalar, const L: usize>(step: &[f64; L], given_factor: f64, row: Row<'_>, weights: &mut [[S; L]]) {
    let steps: [S; L] = std::array::from_fn(|l| S::from_f64(step[l]));
    for entry in row.single {
        let value = S::from_f32(entry.value);
        let weight = &mut weights[entry.slot as usize];
        for l in 0..L {
            weight[l] = weight[l].plus_product(value, steps[l]);
        }
    }
    let own_steps: [S; L] = std::array::from_fn(|l| S::from_f64(step[l] * given_factor));
    for entry in row.doubled {
        let (value, slot) = (S::from_f32(entry.value), entry.slot as usize);
        for l in 0..L {
            weights[slot][l] = weights[slot][l].plus_product(value, steps[l]);
        }
        let own = &mut weights[slot + row.given];
        for l in 0..L {
            own[l] = own[l].plus_product(value, own_steps[l]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_start_on_a_cache_line() {
        let weights = LaneWeights::<f32, 8>::zeros(1000);
        assert_eq!(weights.slots().as_ptr().addr() % LINE, 0);
        assert_eq!(weights.slots().len(), 1000);
    }

    #[test]
    fn doubled_entries_meet_both_weights() {
        let entries = [Entry { slot: 0, value: 2.0 }, Entry { slot: 3, value: 5.0 }];
        let row = Row { doubled: &entries[..1], single: &entries[1..], given: 2 };
        let mut weights = [[1.0f64], [7.0], [3.0], [10.0]];
        assert_eq!(dot(row, &weights), [2.0 * (1.0 + 3.0) + 5.0 * 10.0]);
        axpy(&[0.5], 4.0, row, &mut weights);
        assert_eq!(weights, [[2.0], [7.0], [7.0], [12.5]]);
    }
}
