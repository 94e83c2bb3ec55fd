//! From a problem to a model: costs of the rows, the choice of solver and precision, and weights put back in the order of the features.

use rayon::prelude::*;

use super::design::{Design, Place, Source};
use super::lanes::Scalar;
use super::logistic::LogisticRule;
use super::svm::SvmRule;
use super::sweep::{self, Block, Ending, Output, Schedule};
use super::{ClassWeights, Convergence, LinearModel, LinearParams, Loss, Problem, Targets};
use crate::error::{Error, Result};

/// Below this tolerance the rounding of single precision would show.
pub(super) const DOUBLE_PRECISION_BELOW: f64 = 1e-3;

/// The dual variables of a solution: where a similar problem can start.
#[derive(Debug, Clone, PartialEq)]
pub struct Duals {
    /// The C they were found at; they are rescaled to the C they are used at.
    pub c: f64,
    /// For each output, one number ≥ 0 for each row.
    pub alphas: Vec<Vec<f64>>,
}

impl Duals {
    /// Those of the rows at `rows`, in that order, as for a fold of the data.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self { c: self.c, alphas: self.alphas.iter().map(|alphas| rows.iter().map(|&i| alphas[i]).collect()).collect() }
    }
}

/// Learns a linear model, one-vs-rest if there are more than two classes.
///
/// # Errors
///
/// If a parameter or the problem is not legal. Missing the tolerance is no error: see [`LinearModel::convergence`].
///
/// # Examples
///
/// ```
/// use stancekit::linear::{LinearParams, Problem, fit};
/// use stancekit::sparse::SparseRows;
///
/// let mut rows = SparseRows::new(2);
/// rows.push(&[0], &[1.0]);
/// rows.push(&[1], &[1.0]);
/// let model = fit(&Problem::single(&rows, &[0, 1], 2), &LinearParams::default())?;
/// assert_eq!(model.predict_classes(&rows, None), [0, 1]);
/// # Ok::<(), stancekit::Error>(())
/// ```
pub fn fit(problem: &Problem<'_>, params: &LinearParams) -> Result<LinearModel> {
    fit_from(problem, params, None).map(|(model, _)| model)
}

/// Like [`fit`], from the dual variables of a similar problem with the same rows and outputs, and with those of the solution.
///
/// # Errors
///
/// As [`fit`]; also if `start` does not have one number for each output and row.
pub fn fit_from(problem: &Problem<'_>, params: &LinearParams, start: Option<&Duals>) -> Result<(LinearModel, Duals)> {
    let mut solver = Solver::new(problem, params)?;
    if let Some(start) = start {
        start_from(&mut solver.outputs, start, params)?;
    }
    Ok(solver.run())
}

/// A problem laid out for its solver, which needs the rows no more.
pub(crate) struct Solver<'p> {
    params: &'p LinearParams,
    n_classes: usize,
    design: Design,
    outputs: Vec<Output>,
}

impl<'p> Solver<'p> {
    /// Checks and lays out `problem`, on all threads.
    ///
    /// # Errors
    ///
    /// As [`fit`].
    pub(crate) fn new(problem: &Problem<'_>, params: &'p LinearParams) -> Result<Self> {
        let costs = Costs::new(problem, params)?;
        let design = Design::build(&source(problem, params), params.seed)?;
        let outputs = (0..problem.n_outputs()).map(|k| costs.output(k, params.c)).collect();
        Ok(Self { params, n_classes: problem.n_classes, design, outputs })
    }

    /// Learns the model, on as many threads as there are outputs.
    pub(crate) fn run(mut self) -> (LinearModel, Duals) {
        let trained = train(&self.design, self.params, &mut self.outputs);
        let model = assemble(&self.design, self.n_classes, &trained, &self.outputs);
        let alphas = self.outputs.into_iter().map(|output| output.alphas).collect();
        (model, Duals { c: self.params.c, alphas })
    }
}

/// The primal objective of each output of `model`: ½‖w‖² + Σ_i C_i loss(y_i·score_i), what [`fit`] minimises.
///
/// # Errors
///
/// As [`fit`].
pub fn objective(model: &LinearModel, problem: &Problem<'_>, params: &LinearParams) -> Result<Vec<f64>> {
    let costs = Costs::new(problem, params)?;
    let mut sums = regulariser(model, params);
    let mut scores = vec![0.0; model.n_outputs];
    for (i, row) in problem.rows.iter().enumerate() {
        model.scores_into(row, problem.given.map(|(values, _)| values[i]), &mut scores);
        for (k, sum) in sums.iter_mut().enumerate() {
            let cost = costs.of_row(k, i, params.c);
            *sum += cost.abs() * loss(params.loss, scores[k] * cost.signum());
        }
    }
    Ok(sums)
}

/// ½‖w‖² of each output, with the bias and the weights given a value as the solver sees them.
pub(super) fn regulariser(model: &LinearModel, params: &LinearParams) -> Vec<f64> {
    let (scale, bias_scale) = (f64::from(params.given_scale), params.intercept_scaling);
    (0..model.n_outputs)
        .map(|k| {
            let square = |w: &f32| f64::from(*w) * f64::from(*w);
            let of_output = |weights: &[f32]| -> f64 { weights.iter().skip(k).step_by(model.n_outputs).map(square).sum() };
            let bias_of_output = |bias: &[f64]| -> f64 { bias.iter().skip(k).step_by(model.n_outputs).map(|b| b * b).sum() };
            let shared = of_output(&model.shared) + bias_of_output(&model.bias) / bias_scale.powi(2);
            let own = of_output(&model.per_given) + bias_of_output(&model.bias_per_given) / bias_scale.powi(2);
            0.5 * (shared + own / scale.powi(2))
        })
        .collect()
}

fn loss(loss: Loss, margin: f64) -> f64 {
    let slack = (1.0 - margin).max(0.0);
    match loss {
        Loss::Hinge => slack,
        Loss::SquaredHinge => slack * slack,
        Loss::Logistic => (-margin.abs()).exp().ln_1p() + (-margin).max(0.0),
    }
}

/// What to renumber for `problem`.
pub(super) fn source<'a>(problem: &Problem<'a>, params: &LinearParams) -> Source<'a> {
    Source {
        rows: problem.rows,
        given: problem.given,
        given_scale: f64::from(params.given_scale),
        bias: params.intercept.then_some(params.intercept_scaling),
    }
}

/// The costs of the rows of a checked problem.
pub(super) struct Costs<'a> {
    problem: Problem<'a>,
    /// Factor for the rows of an output's class and for the others.
    factors: Vec<(f64, f64)>,
}

impl<'a> Costs<'a> {
    /// Checks `problem` and `params`.
    pub(super) fn new(problem: &Problem<'a>, params: &LinearParams) -> Result<Self> {
        params.validate()?;
        problem.validate()?;
        let factors = class_factors(problem, &params.class_weights)?;
        Ok(Self { problem: *problem, factors })
    }

    /// Cost of row `i` in output `k` at `c`, negative for a negative row.
    pub(super) fn of_row(&self, k: usize, i: usize, c: f64) -> f64 {
        let class = if self.problem.n_outputs() == 1 && self.problem.n_classes == 2 { 1 } else { k as u32 };
        let (positive, negative) = self.factors[k];
        let signed = if self.problem.targets.is_class(i, class) { positive } else { -negative };
        signed * c * self.problem.sample_weight(i)
    }

    /// The binary problem of output `k`.
    pub(super) fn output(&self, k: usize, c: f64) -> Output {
        let n = self.problem.rows.n_rows();
        Output { costs: (0..n).map(|i| self.of_row(k, i, c)).collect(), alphas: vec![0.0; n] }
    }
}

/// Factors on C for each output's own rows and for the rest, as LIBLINEAR's `train` applies class weights.
fn class_factors(problem: &Problem<'_>, weights: &ClassWeights) -> Result<Vec<(f64, f64)>> {
    let by_class = match weights {
        ClassWeights::None => vec![1.0; problem.n_classes],
        ClassWeights::Given(weights) if weights.len() == problem.n_classes => weights.clone(),
        ClassWeights::Given(weights) => {
            return Err(Error::parameter("class weights do not match the classes")
                .expected(problem.n_classes.to_string())
                .found(weights.len().to_string()));
        }
        ClassWeights::Balanced => return balanced_factors(problem),
    };
    Ok(spread_factors(problem, &by_class))
}

fn spread_factors(problem: &Problem<'_>, by_class: &[f64]) -> Vec<(f64, f64)> {
    match problem.n_outputs() {
        1 if problem.n_classes == 2 => vec![(by_class[1], by_class[0])],
        _ => by_class.iter().map(|&weight| (weight, 1.0)).collect(),
    }
}

fn balanced_factors(problem: &Problem<'_>) -> Result<Vec<(f64, f64)>> {
    let counts = problem.class_counts()?;
    let total: f64 = (0..problem.rows.n_rows()).map(|i| problem.sample_weight(i)).sum();
    let balance = |count: f64, n_present: f64| if count > 0.0 { total / (n_present * count) } else { 1.0 };
    Ok(match problem.targets {
        Targets::Single(_) => {
            let n_present = counts.iter().filter(|&&count| count > 0.0).count() as f64;
            spread_factors(problem, &counts.iter().map(|&count| balance(count, n_present)).collect::<Vec<_>>())
        }
        // Every output is a problem of its own with the classes yes and no.
        Targets::Multi(_) => counts.iter().map(|&count| (balance(count, 2.0), balance(total - count, 2.0))).collect(),
    })
}

/// Sets the starting point, rescaled to the new C and cut to the new bounds.
fn start_from(outputs: &mut [Output], start: &Duals, params: &LinearParams) -> Result<()> {
    let is_matching = start.alphas.len() == outputs.len()
        && outputs.iter().zip(&start.alphas).all(|(output, alphas)| output.costs.len() == alphas.len());
    if !is_matching || start.c.is_nan() || start.c <= 0.0 || start.alphas.iter().flatten().any(|alpha| !alpha.is_finite()) {
        return Err(Error::parameter("the starting point does not fit the problem").expected("a number for each output and row"));
    }
    for (output, alphas) in outputs.iter_mut().zip(&start.alphas) {
        output.alphas.clone_from(alphas);
    }
    rescale(outputs, params, params.c / start.c);
    Ok(())
}

/// Multiplies all dual variables and cuts them to their bounds.
pub(super) fn rescale(outputs: &mut [Output], params: &LinearParams, ratio: f64) {
    for Output { costs, alphas } in outputs {
        for (alpha, cost) in alphas.iter_mut().zip(costs) {
            let bound = if params.loss == Loss::SquaredHinge && *cost != 0.0 { f64::INFINITY } else { cost.abs() };
            *alpha = (*alpha * ratio).clamp(0.0, bound);
        }
    }
}

/// Weights of some outputs in either precision, and how each output ended.
pub(super) struct Trained {
    pub(super) blocks: Blocks,
    pub(super) endings: Vec<Ending>,
}

/// Weights in the precision they were trained in.
pub(super) enum Blocks {
    Single(Vec<Block<f32>>),
    Double(Vec<Block<f64>>),
}

/// Trains `outputs` with the solver that `params` asks for.
pub(super) fn train(design: &Design, params: &LinearParams, outputs: &mut [Output]) -> Trained {
    if params.eps < DOUBLE_PRECISION_BELOW {
        let (blocks, endings) = train_in::<f64>(design, params, outputs);
        Trained { blocks: Blocks::Double(blocks), endings }
    } else {
        let (blocks, endings) = train_in::<f32>(design, params, outputs);
        Trained { blocks: Blocks::Single(blocks), endings }
    }
}

fn train_in<S: Scalar>(design: &Design, params: &LinearParams, outputs: &mut [Output]) -> (Vec<Block<S>>, Vec<Ending>) {
    let schedule = Schedule { seed: params.seed, max_passes: params.max_iter };
    let &LinearParams { eps, shrinking: is_shrinking, .. } = params;
    match params.loss {
        Loss::Logistic => sweep::train(design, &LogisticRule { eps }, schedule, outputs),
        Loss::SquaredHinge => sweep::train(design, &SvmRule { is_squared: true, is_shrinking, eps }, schedule, outputs),
        Loss::Hinge => sweep::train(design, &SvmRule { is_squared: false, is_shrinking, eps }, schedule, outputs),
    }
}

/// Puts the weights back in the order of the features.
pub(super) fn assemble(design: &Design, n_classes: usize, trained: &Trained, outputs: &[Output]) -> LinearModel {
    let mut model = LinearModel::zeros(design.n_features(), n_classes, outputs.len(), design.n_givens());
    let n_rows = design.rows().len();
    let signed = |k: usize, i: usize| outputs[k].alphas[i].copysign(outputs[k].costs[i]) as f32;
    let betas = (0..n_rows).flat_map(|i| (0..outputs.len()).map(move |k| (k, i))).map(|(k, i)| signed(k, i)).collect();
    match &trained.blocks {
        Blocks::Single(blocks) => unpack(design, blocks, betas, &mut model),
        Blocks::Double(blocks) => unpack(design, blocks, betas, &mut model),
    }
    let convergence = |ending: &Ending| Convergence {
        n_passes: ending.n_passes,
        is_converged: ending.is_converged,
        violation: ending.violation,
    };
    model.convergence = trained.endings.iter().map(convergence).collect();
    model
}

/// Features whose weights one task fills.
const FEATURES_A_TASK: usize = 1 << 14;

/// Fills the weights of `model`; `betas` holds, row by row, the multiple of the row that each output's weights contain.
pub(super) fn unpack<S: Scalar>(design: &Design, blocks: &[Block<S>], betas: Vec<f32>, model: &mut LinearModel) {
    let (n_features, n_outputs) = (model.n_features, model.n_outputs);
    let weights = Weights { design, n_outputs, by_slot: join_blocks(design, blocks, n_outputs), betas };
    model.shared.par_chunks_mut(FEATURES_A_TASK * n_outputs).enumerate().for_each(|(task, chunk)| {
        for (f, into) in chunk.chunks_exact_mut(n_outputs).enumerate() {
            weights.shared_into(task * FEATURES_A_TASK + f, into);
        }
    });
    if n_features > 0 {
        model.per_given.par_chunks_mut(n_features * n_outputs).enumerate().for_each(|(given, of_given)| {
            for (f, into) in of_given.chunks_exact_mut(n_outputs).enumerate() {
                weights.given_into(f, given, into);
            }
        });
    }
    let mut bias = vec![0.0; n_outputs];
    let scaled = |into: &mut [f64], bias: &[f32]| {
        into.iter_mut().zip(bias).for_each(|(into, &weight)| *into = f64::from(weight) * design.bias());
    };
    weights.shared_into(n_features, &mut bias);
    scaled(&mut model.bias, &bias);
    for (given, into) in model.bias_per_given.chunks_exact_mut(n_outputs).enumerate() {
        bias.fill(0.0);
        weights.given_into(n_features, given, &mut bias);
        scaled(into, &bias);
    }
}

/// The weights of all outputs, slot by slot.
fn join_blocks<S: Scalar>(design: &Design, blocks: &[Block<S>], n_outputs: usize) -> Vec<f32> {
    let mut joined = vec![0.0; design.n_slots() * n_outputs];
    for block in blocks {
        for (into, from) in joined.chunks_exact_mut(n_outputs).zip(block.weights.chunks_exact(block.stride)) {
            block.outputs.iter().for_each(|&(lane, k)| into[k] = from[lane].to_f64() as f32);
        }
    }
    joined
}

/// Trained weights, looked up by feature.
struct Weights<'a> {
    design: &'a Design,
    n_outputs: usize,
    by_slot: Vec<f32>,
    betas: Vec<f32>,
}

impl Weights<'_> {
    /// The shared weights of `feature`; leaves `into` alone if they are zero.
    fn shared_into(&self, feature: usize, into: &mut [f32]) {
        match self.design.place(feature) {
            Place::Nowhere => {}
            Place::Lone { row, value, .. } => scale_into(&self.betas[row * self.n_outputs..], value, into),
            Place::Single { slot, factor, .. } => scale_into(&self.by_slot[slot * self.n_outputs..], factor, into),
            Place::Doubled(slot) => scale_into(&self.by_slot[slot * self.n_outputs..], 1.0, into),
        }
    }

    /// The weights of `feature` added when `given`; leaves `into` alone if they are zero.
    fn given_into(&self, feature: usize, given: usize, into: &mut [f32]) {
        let own = self.design.given_factor;
        match self.design.place(feature) {
            Place::Lone { row, value, given: only } if only == Some(given) => {
                scale_into(&self.betas[row * self.n_outputs..], value * own, into);
            }
            Place::Single { slot, factor, given: only } if only == Some(given) => {
                scale_into(&self.by_slot[slot * self.n_outputs..], factor * own, into);
            }
            Place::Doubled(slot) => scale_into(&self.by_slot[(slot + 1 + given) * self.n_outputs..], 1.0, into),
            _ => {}
        }
    }
}

fn scale_into(from: &[f32], factor: f64, into: &mut [f32]) {
    for (into, &weight) in into.iter_mut().zip(from) {
        *into = (f64::from(weight) * factor) as f32;
    }
}
