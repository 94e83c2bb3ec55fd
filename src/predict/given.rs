//! Weights that depend on what a head is given (the stance on each topic), laid out for answers.
//!
//! The model has them in three arrays, each of which a look-up would touch in another place. Here a feature's record itself says which given labels the
//! feature has weights for, one bit each, and where these begin. The words that say so are copied while the record is at hand; of most features they
//! tell that there is nothing to add, and of the others where the weights are.

use crate::model::{GivenView, GivenWeights};

/// Given labels to a word.
const BITS: usize = u32::BITS as usize;
/// Hits whose weights are loaded together.
const BATCH: usize = 64;

/// The weights of one head.
#[derive(Debug)]
pub(super) struct Pairs {
    /// For each pair of a feature and a given label one weight for each output, as f32 or two i16 to a word.
    words: Vec<u32>,
    /// Words of a pair.
    stride: usize,
    n_outputs: usize,
    is_f32: bool,
    /// First of the words in which a record tells of these pairs.
    first: usize,
    /// How many there are: where the pairs begin, then the bits.
    n_telling: usize,
}

impl Pairs {
    /// Pairs of which records tell from word `first` on.
    pub(super) fn new(view: GivenView<'_>, n_outputs: usize, n_given: usize, first: usize) -> Self {
        let is_f32 = is_f32(view);
        let stride = pair_stride(is_f32, n_outputs);
        let mut words = vec![0; view.ids.len() * stride];
        match view.weights {
            GivenWeights::F32(all) => words.copy_from_slice(bytemuck::cast_slice(all)),
            GivenWeights::I16(all) => {
                for (words, weights) in words.chunks_exact_mut(stride).zip(all.chunks_exact(n_outputs)) {
                    bytemuck::cast_slice_mut(words)[..n_outputs].copy_from_slice(weights);
                }
            }
        }
        Self { words, stride, n_outputs, is_f32, first, n_telling: n_telling(n_given) }
    }

    /// The word of a record behind those that tell of these pairs.
    pub(super) fn end(&self) -> usize {
        self.first + self.n_telling
    }

    /// Writes to the record of a feature what it tells.
    pub(super) fn tell(&self, view: GivenView<'_>, feature: usize, record: &mut [u32]) {
        let telling = &mut record[self.first..self.end()];
        telling.fill(0);
        let (start, end) = (view.starts[feature] as usize, view.starts[feature + 1] as usize);
        telling[0] = (start * self.stride) as u32;
        for &id in &view.ids[start..end] {
            telling[1 + usize::from(id) / BITS] |= 1 << (usize::from(id) % BITS);
        }
    }

    /// Adds value times weights for `given` of each hit to `outputs`, times `scales`. A hit comes with what its record tells of all heads, from word
    /// `first_told` on.
    pub(super) fn add<'t>(
        &self,
        given: usize,
        hits: impl Iterator<Item = (&'t [u32], f32)>,
        first_told: usize,
        scales: &[f32],
        outputs: &mut [f64],
    ) {
        let (at, bit) = (self.first - first_told, given % BITS);
        let (mut found, mut n) = ([(0, 0.0); BATCH], 0);
        for (told, value) in hits {
            let (masks, mask) = (&told[at + 1..at + 1 + given / BITS], told[at + 1 + given / BITS]);
            let before = masks.iter().map(|mask| mask.count_ones()).sum::<u32>() + (mask & ((1 << bit) - 1)).count_ones();
            // Every hit is written, and those with the label are kept: no branch on what was found.
            found[n] = (told[at] as usize + before as usize * self.stride, value);
            n += usize::from(mask >> bit & 1 == 1);
            if n == BATCH {
                self.add_found(&found, scales, outputs);
                n = 0;
            }
        }
        self.add_found(&found[..n], scales, outputs);
    }

    fn add_found(&self, found: &[(usize, f32)], scales: &[f32], outputs: &mut [f64]) {
        for &(start, value) in found {
            self.add_pair(&self.words[start..start + self.stride], value, scales, outputs);
        }
    }

    #[inline(always)]
    fn add_pair(&self, weights: &[u32], value: f32, scales: &[f32], outputs: &mut [f64]) {
        if self.is_f32 {
            let weights: &[f32] = bytemuck::cast_slice(weights);
            outputs.iter_mut().zip(weights).for_each(|(output, &weight)| *output += f64::from(value) * f64::from(weight));
        } else {
            let weights: &[i16] = &bytemuck::cast_slice(weights)[..self.n_outputs];
            for ((output, &weight), &scale) in outputs.iter_mut().zip(weights).zip(scales) {
                *output += f64::from(value) * f64::from(f32::from(weight) * scale);
            }
        }
    }
}

/// Words in which a record tells of the pairs of a head.
pub(super) fn n_telling(n_given: usize) -> usize {
    1 + n_given.div_ceil(BITS)
}

/// Words of all pairs of a head. A record can tell of 2³² of them.
pub(super) fn n_words(view: GivenView<'_>, n_outputs: usize) -> u128 {
    view.ids.len() as u128 * pair_stride(is_f32(view), n_outputs) as u128
}

fn is_f32(view: GivenView<'_>) -> bool {
    matches!(view.weights, GivenWeights::F32(_))
}

fn pair_stride(is_f32: bool, n_outputs: usize) -> usize {
    if is_f32 { n_outputs } else { n_outputs.div_ceil(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_and_others_add_nothing() {
        let starts = [0, 2, 2, 3];
        let weights: Vec<i16> = (1..=9).collect();
        let view = GivenView { starts: &starts, ids: &[4, 40, 4], weights: GivenWeights::I16(&weights) };
        let pairs = Pairs::new(view, 3, 41, 1);
        let sum = |given: usize, features: &[usize]| {
            let mut records = vec![[9; 4]; features.len()];
            records.iter_mut().zip(features).for_each(|(record, &f)| pairs.tell(view, f, record));
            assert!(records.iter().all(|record| record[0] == 9));
            let mut outputs = [0.0; 3];
            pairs.add(given, records.iter().map(|record| (&record[1..], 2.0)), 1, &[1.0, 1.0, 0.5], &mut outputs);
            outputs
        };
        assert_eq!(sum(4, &[0, 1, 2]), [2.0 * (1.0 + 7.0), 2.0 * (2.0 + 8.0), 3.0 + 9.0]);
        assert_eq!(sum(40, &[0, 1, 2]), [8.0, 10.0, 6.0]);
        assert_eq!(sum(5, &[0, 1, 2]), [0.0; 3]);
        assert_eq!(sum(40, &[0; 200]), [1600.0, 2000.0, 1200.0]);
    }
}
