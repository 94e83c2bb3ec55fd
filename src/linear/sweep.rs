//! Dual coordinate descent for many binary problems over the same rows, in lockstep.
//!
//!   min_α  D(α) = 1/2 ‖Σ_i α_i y_i x_i‖² + Σ_i φ*_i(α_i)      for every output, with its own y, costs and bounds
//!
//! A pass visits the rows in random order. A row's entries are read once, xᵢᵀw is computed for all outputs beside each other
//! ([`super::lanes`]), each output moves its own α_i as its [`Rule`] says, and w follows. What a rule decides for one output depends on
//! that output alone: each has its own shrunk rows, its own stopping, and the same order of rows as if it were trained by itself. So an output's
//! result is the same bits whichever others share its sweep; outputs are grouped by the number of threads, and results do not depend on it.
//!
//! When half of a group's outputs have stopped, the rest moves to narrower lanes.
//! Deterministic for a fixed seed. See Hsieh et al., ICML 2008, for the method with one output.

use rayon::prelude::*;

use super::design::Design;
use super::lanes::{LaneWeights, Scalar, axpy, dot};
use crate::random::Random;

/// More lanes than this do not fit the registers and a cache line.
pub(crate) const MAX_LANES: usize = 16;

/// One binary problem.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// Cost of each row, negative for rows of the negative class, zero for rows left out.
    pub(crate) costs: Vec<f64>,
    /// Where to start and, afterwards, the solution.
    pub(crate) alphas: Vec<f64>,
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ending {
    pub(crate) n_passes: usize,
    pub(crate) is_converged: bool,
    pub(crate) violation: f64,
}

/// What a rule sees of one row for one output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// The current dual variable.
    pub(crate) alpha: f64,
    /// [`Rule::mark`] of the row's cost.
    pub(crate) mark: f64,
    /// y_i wᵀx_i
    pub(crate) margin: f64,
    /// ‖x_i‖²
    pub(crate) squared_norm: f64,
}

/// What an output does after a pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// Another pass over the active rows.
    Continue,
    /// Another pass over all rows.
    Reactivate,
    /// The tolerance is met.
    Stop,
}

/// A loss: how one dual variable moves and when to stop.
pub(crate) trait Rule: Sync {
    /// Running values of one output.
    type State: Clone + Send;
    /// State before the first pass; `n_rows` rows take part.
    fn start(&self, n_rows: usize) -> Self::State;
    /// The positive number kept per row instead of its cost.
    fn mark(&self, cost: f64) -> f64;
    /// The new dual variable, or `None` to leave the row out until [`Verdict::Reactivate`].
    fn step(&self, state: &mut Self::State, point: Point) -> Option<f64>;
    /// Closes a pass; `is_complete` says that no row was left out.
    fn end_pass(&self, state: &mut Self::State, is_complete: bool) -> Verdict;
    /// The quantity compared with the tolerance, as of the last pass.
    fn violation(&self, state: &Self::State) -> f64;
}

/// Settings common to all rules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) max_passes: usize,
}

/// Weights of some outputs, `stride` lanes for every slot.
#[derive(Debug)]
pub(crate) struct Block<S> {
    pub(crate) weights: Vec<S>,
    pub(crate) stride: usize,
    /// Lane and number of each output.
    pub(crate) outputs: Vec<(usize, usize)>,
}

/// Trains `outputs` in place on the threads of the current rayon pool; returns their weights and how each ended.
pub(crate) fn train<R: Rule, S: Scalar>(
    design: &Design,
    rule: &R,
    schedule: Schedule,
    outputs: &mut [Output],
) -> (Vec<Block<S>>, Vec<Ending>) {
    if outputs.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let n_groups = outputs.len().div_ceil(MAX_LANES).max(rayon::current_num_threads().min(outputs.len()));
    let group_len = outputs.len().div_ceil(n_groups);
    let groups: Vec<_> = outputs
        .par_chunks_mut(group_len)
        .enumerate()
        .map(|(g, group)| train_group::<R, S>(design, rule, schedule, group, g * group_len))
        .collect();
    let (mut blocks, mut endings) = (Vec::new(), Vec::new());
    for (group_blocks, group_endings) in groups {
        blocks.extend(group_blocks);
        endings.extend(group_endings);
    }
    (blocks, endings)
}

fn train_group<R: Rule, S: Scalar>(
    design: &Design,
    rule: &R,
    schedule: Schedule,
    outputs: &mut [Output],
    first: usize,
) -> (Vec<Block<S>>, Vec<Ending>) {
    let mut shared = Group {
        design,
        rule,
        max_passes: schedule.max_passes,
        rng: Random::new(schedule.seed),
        order: Vec::new(),
        n_passes: 0,
        first,
        blocks: Vec::new(),
        endings: vec![Ending { n_passes: 0, is_converged: false, violation: f64::INFINITY }; outputs.len()],
    };
    match outputs.len() {
        1 => Sweep::<R, S, 1>::start(&shared, outputs).run(&mut shared, outputs),
        2 => Sweep::<R, S, 2>::start(&shared, outputs).run(&mut shared, outputs),
        3..=4 => Sweep::<R, S, 4>::start(&shared, outputs).run(&mut shared, outputs),
        5..=8 => Sweep::<R, S, 8>::start(&shared, outputs).run(&mut shared, outputs),
        _ => Sweep::<R, S, MAX_LANES>::start(&shared, outputs).run(&mut shared, outputs),
    }
    (shared.blocks, shared.endings)
}

/// What survives a change of the number of lanes.
struct Group<'a, R, S> {
    design: &'a Design,
    rule: &'a R,
    max_passes: usize,
    rng: Random,
    /// Positions in the order of this pass.
    order: Vec<u32>,
    n_passes: usize,
    /// Number of the group's first output.
    first: usize,
    blocks: Vec<Block<S>>,
    endings: Vec<Ending>,
}

/// The state of up to `L` outputs, interleaved.
struct Sweep<R: Rule, S, const L: usize> {
    /// The output in each used lane, counted within the group.
    members: Vec<usize>,
    weights: LaneWeights<S, L>,
    /// By position, as the next two.
    alphas: Vec<[f64; L]>,
    /// Marks of the costs, negative for the negative class, zero for rows left out.
    marks: Vec<[f64; L]>,
    /// For each row one bit per lane: takes part in the next pass.
    active: Vec<u32>,
    n_shrunk: [usize; L],
    states: Vec<R::State>,
    /// Lanes that have not stopped.
    running: u32,
}

impl<R: Rule, S: Scalar, const L: usize> Sweep<R, S, L> {
    fn start(group: &Group<'_, R, S>, outputs: &[Output]) -> Self {
        let n_rows = group.design.rows().len();
        let mut sweep = Self {
            members: (0..outputs.len()).collect(),
            weights: LaneWeights::zeros(group.design.n_slots()),
            alphas: vec![[0.0; L]; n_rows],
            marks: vec![[0.0; L]; n_rows],
            active: vec![0; n_rows],
            n_shrunk: [0; L],
            states: Vec::with_capacity(L),
            running: (1 << outputs.len()) - 1,
        };
        for (l, output) in outputs.iter().enumerate() {
            for (p, &row) in group.design.rows().iter().enumerate() {
                let cost = output.costs[row as usize];
                if cost != 0.0 {
                    sweep.marks[p][l] = group.rule.mark(cost.abs()).copysign(cost);
                    sweep.alphas[p][l] = output.alphas[row as usize];
                }
            }
        }
        sweep.states = (0..L).map(|l| group.rule.start(sweep.marks.iter().filter(|marks| marks[l] != 0.0).count())).collect();
        (0..outputs.len()).for_each(|l| sweep.reactivate(l));
        sweep.restore_weights(group.design);
        sweep
    }

    /// w = Σ_i α_i y_i x_i
    fn restore_weights(&mut self, design: &Design) {
        for (p, (alphas, marks)) in self.alphas.iter().zip(&self.marks).enumerate() {
            if alphas.iter().any(|&alpha| alpha != 0.0) {
                let steps: [f64; L] = std::array::from_fn(|l| alphas[l].copysign(marks[l]));
                axpy(&steps, design.given_factor, design.row(p), self.weights.slots_mut());
            }
        }
    }

    fn reactivate(&mut self, lane: usize) {
        for (active, marks) in self.active.iter_mut().zip(&self.marks) {
            *active |= u32::from(marks[lane] != 0.0) << lane;
        }
        self.n_shrunk[lane] = 0;
    }

    fn run(mut self, group: &mut Group<'_, R, S>, outputs: &mut [Output]) {
        while group.n_passes < group.max_passes {
            group.design.shuffle(&mut group.order, &mut group.rng);
            self.pass(group);
            group.n_passes += 1;
            self.close_pass(group);
            let n_running = self.running.count_ones() as usize;
            if n_running == 0 {
                break;
            }
            if n_running <= L / 2 {
                return self.narrow(group, outputs);
            }
        }
        self.finish(group, outputs);
    }

    /// Visits every active row once.
    fn pass(&mut self, group: &Group<'_, R, S>) {
        let design = group.design;
        for &p in &group.order {
            let p = p as usize;
            let active = self.active[p] & self.running;
            if active == 0 {
                continue;
            }
            let row = design.row(p);
            let products = dot(row, self.weights.slots());
            let steps = self.move_alphas(group, p, active, &products);
            if steps != [0.0; L] {
                axpy(&steps, design.given_factor, row, self.weights.slots_mut());
            }
        }
    }

    /// Moves the dual variables of the row at position `p`; returns by how much w has to follow.
    #[inline(always)]
    fn move_alphas(&mut self, group: &Group<'_, R, S>, p: usize, active: u32, products: &[S; L]) -> [f64; L] {
        let (squared_norm, lone_norm) = (group.design.squared_norms[p], group.design.lone_norms[p]);
        let (alphas, marks) = (&mut self.alphas[p], &self.marks[p]);
        let mut steps = [0.0; L];
        for l in 0..L {
            if active >> l & 1 == 0 {
                continue;
            }
            let alpha = alphas[l];
            let margin = products[l].to_f64() * 1f64.copysign(marks[l]) + alpha * lone_norm;
            match group.rule.step(&mut self.states[l], Point { alpha, mark: marks[l].abs(), margin, squared_norm }) {
                Some(moved) => {
                    alphas[l] = moved;
                    steps[l] = (moved - alpha) * 1f64.copysign(marks[l]);
                }
                None => {
                    self.active[p] &= !(1 << l);
                    self.n_shrunk[l] += 1;
                }
            }
        }
        steps
    }

    fn close_pass(&mut self, group: &mut Group<'_, R, S>) {
        for l in 0..self.members.len() {
            if self.running >> l & 1 == 0 {
                continue;
            }
            let verdict = group.rule.end_pass(&mut self.states[l], self.n_shrunk[l] == 0);
            let violation = group.rule.violation(&self.states[l]);
            group.endings[self.members[l]] =
                Ending { n_passes: group.n_passes, is_converged: verdict == Verdict::Stop, violation };
            match verdict {
                Verdict::Continue => {}
                Verdict::Reactivate => self.reactivate(l),
                Verdict::Stop => self.running &= !(1 << l),
            }
        }
    }

    /// Goes on with the running lanes alone.
    fn narrow(self, group: &mut Group<'_, R, S>, outputs: &mut [Output]) {
        let lanes: Vec<usize> = (0..self.members.len()).filter(|l| self.running >> l & 1 == 1).collect();
        match lanes.len() {
            1 => self.keep::<1>(&lanes, group, outputs).run(group, outputs),
            2 => self.keep::<2>(&lanes, group, outputs).run(group, outputs),
            3..=4 => self.keep::<4>(&lanes, group, outputs).run(group, outputs),
            _ => self.keep::<8>(&lanes, group, outputs).run(group, outputs),
        }
    }

    fn keep<const M: usize>(self, lanes: &[usize], group: &mut Group<'_, R, S>, outputs: &mut [Output]) -> Sweep<R, S, M> {
        let pick = |from: &[f64; L]| -> [f64; M] { std::array::from_fn(|m| lanes.get(m).map_or(0.0, |&l| from[l])) };
        let mut weights = LaneWeights::<S, M>::zeros(group.design.n_slots());
        for (to, from) in weights.slots_mut().iter_mut().zip(self.weights.slots()) {
            lanes.iter().enumerate().for_each(|(m, &l)| to[m] = from[l]);
        }
        let kept = Sweep {
            members: lanes.iter().map(|&l| self.members[l]).collect(),
            weights,
            alphas: self.alphas.iter().map(pick).collect(),
            marks: self.marks.iter().map(pick).collect(),
            active: self.active.iter().map(|bits| lanes.iter().rev().fold(0, |acc, &l| acc << 1 | (bits >> l & 1))).collect(),
            n_shrunk: std::array::from_fn(|m| lanes.get(m).map_or(0, |&l| self.n_shrunk[l])),
            states: (0..M).map(|m| self.states[lanes.get(m).copied().unwrap_or(0)].clone()).collect(),
            running: (1 << lanes.len()) - 1,
        };
        let stopped = !self.running;
        self.hand_over(stopped, group, outputs);
        kept
    }

    fn finish(self, group: &mut Group<'_, R, S>, outputs: &mut [Output]) {
        self.hand_over(u32::MAX, group, outputs);
    }

    /// Stores the results of the lanes in `mask`.
    fn hand_over(self, mask: u32, group: &mut Group<'_, R, S>, outputs: &mut [Output]) {
        let lanes: Vec<usize> = (0..self.members.len()).filter(|l| mask >> l & 1 == 1).collect();
        if lanes.is_empty() {
            return;
        }
        for &l in &lanes {
            let alphas = &mut outputs[self.members[l]].alphas;
            group.design.rows().iter().zip(&self.alphas).for_each(|(&row, from)| alphas[row as usize] = from[l]);
        }
        group.blocks.push(Block {
            weights: self.weights.slots().as_flattened().to_vec(),
            stride: L,
            outputs: lanes.iter().map(|&l| (l, group.first + self.members[l])).collect(),
        });
    }
}

/// `xᵀw` of the row at position `p` for every lane of `block`, in `f64`.
pub(crate) fn block_products<S: Scalar>(design: &Design, p: usize, block: &Block<S>, products: &mut [f64; MAX_LANES]) {
    fn fill<S: Scalar, const L: usize>(design: &Design, p: usize, block: &Block<S>, products: &mut [f64; MAX_LANES]) {
        let sums = dot::<S, L>(design.row(p), block.weights.as_chunks::<L>().0);
        sums.iter().zip(products).for_each(|(sum, product)| *product = sum.to_f64());
    }
    match block.stride {
        1 => fill::<S, 1>(design, p, block, products),
        2 => fill::<S, 2>(design, p, block, products),
        4 => fill::<S, 4>(design, p, block, products),
        8 => fill::<S, 8>(design, p, block, products),
        _ => fill::<S, MAX_LANES>(design, p, block, products),
    }
}
