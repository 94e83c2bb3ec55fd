//! Intervals and paired tests that respect groups: sentences of one article are not independent, so whole articles are drawn.

use rayon::prelude::*;

use crate::evaluate::metrics::{Item, Scores};
use crate::random::Random;

/// Bootstrap samples behind every interval.
pub const N_SAMPLES: usize = 1000;

/// A percentile interval.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Interval {
    /// 2.5 % point.
    pub low: f64,
    /// 97.5 % point.
    pub high: f64,
}

impl Interval {
    /// The middle 95 % of `values`; NaN where there are none.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.retain(|v| !v.is_nan());
        if values.is_empty() {
            return Self { low: f64::NAN, high: f64::NAN };
        }
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        Self { low: at(0.025), high: at(0.975) }
    }
}

/// Scores of `n_samples` draws of groups with replacement (Efron's percentile bootstrap over clusters). The same seed gives the same draws on any number of
/// threads.
pub fn bootstrap(items: &[Item], n_classes: usize, mean_of: &[usize], n_samples: usize, seed: u64) -> Vec<Scores> {
    let n_groups = items.iter().map(|i| i.group + 1).max().unwrap_or(0);
    (0..n_samples)
        .into_par_iter()
        .map(|sample| {
            let times = draw(n_groups, seed, sample);
            let weights: Vec<f64> = items.iter().map(|i| times[i.group]).collect();
            Scores::new(items, &weights, n_classes, mean_of)
        })
        .collect()
}

/// Interval of any score of items by the same draws.
pub fn interval_of(items: &[Item], n_samples: usize, seed: u64, score: impl Fn(&[Item], &[f64]) -> f64 + Sync) -> Interval {
    let n_groups = items.iter().map(|i| i.group + 1).max().unwrap_or(0);
    let of_sample = |sample| {
        let times = draw(n_groups, seed, sample);
        score(items, &items.iter().map(|i| times[i.group]).collect::<Vec<f64>>())
    };
    Interval::of((0..n_samples).into_par_iter().map(of_sample).collect())
}

/// 95 % interval of a share of `n`, of which `hits` were seen (Wilson, JASA 1927); from 0 to 1 where `n` is 0.
pub fn binomial_interval(hits: usize, n: usize) -> Interval {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (share, n) = (hits as f64 / n as f64, n as f64);
    let scale = 1.0 / (1.0 + Z * Z / n);
    let middle = scale * (share + Z * Z / (2.0 * n));
    let half = scale * Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Interval { low: middle - half, high: middle + half }
}

/// How often each group is drawn in one sample.
pub(crate) fn draw(n_groups: usize, seed: u64, sample: usize) -> Vec<f64> {
    let mut random = Random::of_part(seed, sample as u64);
    let mut times = vec![0.0; n_groups];
    (0..n_groups).for_each(|_| times[random.below(n_groups)] += 1.0);
    times
}

/// Difference of a score between two systems on the same items.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// Score of A minus score of B.
    pub difference: f64,
    /// Bootstrap interval of the difference.
    pub interval: Interval,
    /// Chance of a difference at least as large if A and B were exchangeable within each group.
    pub p_value: f64,
}

/// Compares two systems by `score` on the same groups: approximate randomisation over groups (Noreen 1989; Yeh, COLING 2000) with
/// `n_samples` exchanges, p = (1 + number at least as large) / (1 + n_samples).
pub fn compare(a: &[Item], b: &[Item], n_samples: usize, seed: u64, score: impl Fn(&[Item], &[f64]) -> f64 + Sync) -> Comparison {
    let n_groups = a.iter().chain(b).map(|i| i.group + 1).max().unwrap_or(0);
    let plain = |items: &[Item]| score(items, &vec![1.0; items.len()]);
    let difference = plain(a) - plain(b);
    let exchanged: Vec<f64> = (0..n_samples)
        .into_par_iter()
        .map(|sample| {
            let mut random = Random::of_part(seed, sample as u64);
            let swap: Vec<bool> = (0..n_groups).map(|_| random.next_u64() >> 63 == 1).collect();
            let pick = |first: &[Item], second: &[Item]| -> Vec<Item> {
                first.iter().filter(|i| !swap[i.group]).chain(second.iter().filter(|i| swap[i.group])).cloned().collect()
            };
            plain(&pick(a, b)) - plain(&pick(b, a))
        })
        .collect();
    let as_large = exchanged.iter().filter(|d| d.abs() >= difference.abs() - 1e-12).count();
    let drawn: Vec<f64> = (0..n_samples)
        .into_par_iter()
        .map(|sample| {
            let times = draw(n_groups, seed ^ 1, sample);
            let drawn = |items: &[Item]| score(items, &items.iter().map(|i| times[i.group]).collect::<Vec<f64>>());
            drawn(a) - drawn(b)
        })
        .collect();
    Comparison { difference, interval: Interval::of(drawn), p_value: (1 + as_large) as f64 / (1 + n_samples) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(right: impl Fn(usize) -> bool) -> Vec<Item> {
        (0..200)
            .map(|i| Item {
                gold: 0,
                predicted: usize::from(!right(i)),
                gold_probability: 0.5,
                confidence: 0.5,
                group: i / 4,
                given: 0,
            })
            .collect()
    }

    fn accuracy(items: &[Item], weights: &[f64]) -> f64 {
        Scores::new(items, weights, 2, &[]).accuracy
    }

    #[test]
    fn the_interval_holds_the_score() {
        let items = items(|i| i % 4 != 0);
        let samples = bootstrap(&items, 2, &[], 200, 1);
        let interval = Interval::of(samples.iter().map(|s| s.accuracy).collect());
        assert!(interval.low <= 0.75 && 0.75 <= interval.high);
    }

    #[test]
    fn the_binomial_interval_is_wilsons() {
        // Newcombe, Statistics in Medicine 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
        let interval = binomial_interval(81, 263);
        assert!((interval.low - 0.2553).abs() < 1e-4 && (interval.high - 0.3662).abs() < 1e-4, "{interval:?}");
    }

    #[test]
    fn a_system_does_not_differ_from_itself() {
        let a = items(|i| i % 3 == 0);
        let comparison = compare(&a, &a, 100, 1, accuracy);
        assert_eq!((comparison.difference, comparison.p_value), (0.0, 1.0));
    }

    #[test]
    fn a_clear_difference_is_found() {
        let comparison = compare(&items(|i| i % 10 != 0), &items(|i| i % 2 == 0), 500, 1, accuracy);
        assert!(comparison.p_value < 0.01 && comparison.interval.low > 0.0);
    }
}
