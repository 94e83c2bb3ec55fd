//! Agreement of annotators: Cohen's kappa for two, Krippendorff's alpha for any number with gaps.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::evaluate::bootstrap::{Interval, draw};

/// Cohen's kappa (1960): (p_o - p_e) / (1 - p_e), with p_e from each annotator's own label frequencies. 1 where both gave one same label throughout; NaN
/// without items.
pub fn cohen_kappa<L: Ord>(first: &[L], second: &[L]) -> f64 {
    let n = first.len().min(second.len()) as f64;
    let agreed = first.iter().zip(second).filter(|(a, b)| a == b).count() as f64 / n;
    let mut frequencies: BTreeMap<&L, (f64, f64)> = BTreeMap::new();
    for (a, b) in first.iter().zip(second) {
        frequencies.entry(a).or_default().0 += 1.0;
        frequencies.entry(b).or_default().1 += 1.0;
    }
    let by_chance: f64 = frequencies.values().map(|(a, b)| a * b / (n * n)).sum();
    if by_chance >= 1.0 { 1.0 } else { (agreed - by_chance) / (1.0 - by_chance) }
}

/// Krippendorff's alpha for nominal labels (2004, ch. 11): 1 - D_o / D_e over all pairable values. `units` hold the labels that the annotators gave to each
/// unit, absent ones left out. NaN where nothing can be paired or only one label occurs.
pub fn krippendorff_alpha<L: Ord>(units: &[Vec<L>]) -> f64 {
    alpha_weighted(units, &vec![1.0; units.len()])
}

/// The alpha with a bootstrap interval over units.
pub fn krippendorff_alpha_with_interval<L: Ord + Sync>(units: &[Vec<L>], n_samples: usize, seed: u64) -> (f64, Interval) {
    let drawn = (0..n_samples).into_par_iter().map(|sample| alpha_weighted(units, &draw(units.len(), seed, sample))).collect();
    (krippendorff_alpha(units), Interval::of(drawn))
}

fn alpha_weighted<L: Ord>(units: &[Vec<L>], weights: &[f64]) -> f64 {
    let mut totals: BTreeMap<&L, f64> = BTreeMap::new();
    let (mut observed, mut n) = (0.0, 0.0);
    for (unit, &weight) in units.iter().zip(weights).filter(|(unit, _)| unit.len() >= 2) {
        let mut counts: BTreeMap<&L, f64> = BTreeMap::new();
        unit.iter().for_each(|label| *counts.entry(label).or_default() += 1.0);
        let m = unit.len() as f64;
        let agreeing: f64 = counts.values().map(|c| c * (c - 1.0)).sum();
        observed += weight * (m * (m - 1.0) - agreeing) / (m - 1.0);
        n += weight * m;
        counts.into_iter().for_each(|(label, c)| *totals.entry(label).or_default() += weight * c);
    }
    let expected = (n * n - totals.values().map(|c| c * c).sum::<f64>()) / (n - 1.0);
    if expected > 0.0 { 1.0 - observed / expected } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_of_a_textbook_table() {
        // 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = 0.7, p_e = 0.5.
        let table = [(20, 'y', 'y'), (5, 'y', 'n'), (10, 'n', 'y'), (15, 'n', 'n')];
        let (a, b): (Vec<char>, Vec<char>) = table.iter().flat_map(|&(n, a, b)| std::iter::repeat_n((a, b), n)).unzip();
        assert!((cohen_kappa(&a, &b) - 0.4).abs() < 1e-12);
    }

    #[test]
    fn alpha_of_krippendorffs_own_example() {
        // "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units with gaps, nominal alpha 0.743.
        let rows = ["111", "2232", "3333", "3333", "2222", "1234", "4444", "1121", "2222", "555", "11", "3"];
        let units: Vec<Vec<char>> = rows.iter().map(|r| r.chars().collect()).collect();
        assert!((krippendorff_alpha(&units) - 0.743).abs() < 0.001, "{}", krippendorff_alpha(&units));
    }

    #[test]
    fn agreement_is_one() {
        assert_eq!(cohen_kappa(&["a", "b"], &["a", "b"]), 1.0);
        assert_eq!(krippendorff_alpha(&[vec!["a", "a"], vec!["b", "b"]]), 1.0);
    }
}
