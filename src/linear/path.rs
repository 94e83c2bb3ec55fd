//! Many trainings for the price of few: all values of C from warm starts, all folds in one sweep.
//!
//! The solution at one C is close to that at the next. SVM and logistic duals grow with C, so the dual variables, multiplied by the ratio of
//! the two and cut to the new bounds, are where the next C starts (Chu, Ho, Tsai & Lin, "Warm Start for Parameter Selection of Linear
//! Classifiers", KDD 2015). Folds of the same rows differ only in which rows take part: they are further outputs beside each other in the
//! lanes of one sweep, and every row is read once for all of them.

use super::design::Design;
use super::lanes::Scalar;
use super::sweep::{Block, MAX_LANES, Output, block_products};
use super::train::{Blocks, Costs, Trained, assemble, rescale, source, train};
use super::{LinearModel, LinearParams, Problem};
use crate::error::{Error, Result};

/// Learns one model for each C in `cs`, each from the solution of the next smaller one; `params.c` is ignored.
///
/// # Errors
///
/// As [`super::fit`].
pub fn fit_path(problem: &Problem<'_>, params: &LinearParams, cs: &[f64]) -> Result<Vec<LinearModel>> {
    let mut models: Vec<Option<LinearModel>> = vec![None; cs.len()];
    walk(problem, params, cs, None, |at, design, trained, outputs| {
        models[at] = Some(assemble(design, problem.n_classes, trained, outputs));
    })?;
    // The walk has visited every C.
    Ok(models.into_iter().flatten().collect())
}

/// Scores of every row by a model trained without the row's fold.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// The C of the models.
    pub c: f64,
    /// Number of scores of a row, as in [`LinearModel::n_outputs`].
    pub n_outputs: usize,
    /// Rows × outputs.
    pub scores: Vec<f32>,
    /// Whether all models met the tolerance.
    pub is_converged: bool,
}

/// Cross-validates every C in `cs`: for each C, the scores that every row gets from the model trained on the other folds.
///
/// `folds` holds the number of each row's fold. All folds are trained in the same sweeps, so this costs much less than a training for each
/// fold. Balanced class weights are those of all rows. `params.c` is ignored.
///
/// # Errors
///
/// As [`super::fit`], and if there are fewer than two folds.
pub fn cross_scores(problem: &Problem<'_>, params: &LinearParams, cs: &[f64], folds: &[u32]) -> Result<Vec<HeldOut>> {
    let n_folds = folds.iter().max().map_or(0, |&last| last as usize + 1);
    if n_folds < 2 || folds.len() != problem.rows.n_rows() {
        return Err(Error::parameter("cannot cross-validate").expected("a fold for each row, two folds at least"));
    }
    let n_outputs = problem.n_outputs();
    let mut held_out: Vec<Option<HeldOut>> = vec![None; cs.len()];
    walk(problem, params, cs, Some((folds, n_folds)), |at, design, trained, _| {
        let scores = match &trained.blocks {
            Blocks::Single(blocks) => held_out_scores(design, blocks, folds, n_outputs),
            Blocks::Double(blocks) => held_out_scores(design, blocks, folds, n_outputs),
        };
        let is_converged = trained.endings.iter().all(|ending| ending.is_converged);
        held_out[at] = Some(HeldOut { c: cs[at], n_outputs, scores, is_converged });
    })?;
    Ok(held_out.into_iter().flatten().collect())
}

/// Trains along rising C, each from the last, and shows `visit` every solution with its place in `cs`.
fn walk(
    problem: &Problem<'_>,
    params: &LinearParams,
    cs: &[f64],
    folds: Option<(&[u32], usize)>,
    mut visit: impl FnMut(usize, &Design, &Trained, &[Output]),
) -> Result<()> {
    let costs = Costs::new(problem, params)?;
    for &c in cs {
        LinearParams { c, ..params.clone() }.validate()?;
    }
    let mut order: Vec<usize> = (0..cs.len()).collect();
    order.sort_by(|&a, &b| cs[a].total_cmp(&cs[b]));
    let design = Design::build(&source(problem, params), params.seed)?;
    let mut outputs: Vec<Output> = Vec::new();
    let mut last_c = None;
    for at in order {
        let alphas: Vec<Vec<f64>> = outputs.into_iter().map(|output| output.alphas).collect();
        outputs = fold_outputs(&costs, problem.n_outputs(), cs[at], folds);
        if let Some(last_c) = last_c {
            outputs.iter_mut().zip(alphas).for_each(|(output, alphas)| output.alphas = alphas);
            rescale(&mut outputs, params, cs[at] / last_c);
        }
        last_c = Some(cs[at]);
        let trained = train(&design, params, &mut outputs);
        visit(at, &design, &trained, &outputs);
    }
    Ok(())
}

/// The outputs of every fold, first fold first, each without the rows of its own fold.
fn fold_outputs(costs: &Costs<'_>, n_outputs: usize, c: f64, folds: Option<(&[u32], usize)>) -> Vec<Output> {
    let Some((folds, n_folds)) = folds else {
        return (0..n_outputs).map(|k| costs.output(k, c)).collect();
    };
    let without = |fold: u32, mut output: Output| {
        output.costs.iter_mut().zip(folds).filter(|(_, of_row)| **of_row == fold).for_each(|(cost, _)| *cost = 0.0);
        output
    };
    (0..n_folds as u32)
        .flat_map(|fold| (0..n_outputs).map(move |k| (fold, k)))
        .map(|(fold, k)| without(fold, costs.output(k, c)))
        .collect()
}

/// A column that only a held-out row has is unknown to its model, so that products over the slots are complete.
fn held_out_scores<S: Scalar>(design: &Design, blocks: &[Block<S>], folds: &[u32], n_outputs: usize) -> Vec<f32> {
    let mut scores = vec![0.0; folds.len() * n_outputs];
    let mut products = [0.0; MAX_LANES];
    for block in blocks {
        for (p, &row) in design.rows().iter().enumerate() {
            let fold = folds[row as usize] as usize;
            let scores = &mut scores[row as usize * n_outputs..][..n_outputs];
            let of_fold = |output: usize| output / n_outputs == fold;
            if block.outputs.iter().any(|&(_, output)| of_fold(output)) {
                block_products(design, p, block, &mut products);
                for &(lane, output) in block.outputs.iter().filter(|&&(_, output)| of_fold(output)) {
                    scores[output % n_outputs] = products[lane] as f32;
                }
            }
        }
    }
    scores
}
