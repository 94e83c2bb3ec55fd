//! The linear models against scikit-learn's, from `tests/parity/linear.json` (made by `tests/parity/make_linear.py`), and what must hold between
//! trainings of our own.

use serde_json::Value;
use stancekit::linear::{
    ClassWeights, LinearModel, LinearParams, Loss, NaiveBayesParams, Problem, cross_scores, fit, fit_from, fit_naive_bayes,
    fit_path, fit_softmax, objective, softmax_objective,
};
use stancekit::sparse::SparseRows;

/// Objectives differ by less than this share.
const OBJECTIVE_TOLERANCE: f64 = 1e-4;
/// Scores differ by less than this: both sides stop at a gradient of 1e-8 or so, and weights are stored in single precision.
const SCORE_TOLERANCE: f64 = 2e-5;

struct Parity {
    json: Value,
    rows: SparseRows,
    two: Vec<u32>,
    three: Vec<u32>,
    sample_weights: Vec<f32>,
    given: Vec<u32>,
}

fn list<T>(value: &Value, of: impl Fn(f64) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(|v| of(v.as_f64().unwrap())).collect()
}

fn parity() -> Parity {
    let json: Value = serde_json::from_str(include_str!("parity/linear.json")).unwrap();
    let rows = SparseRows::from_parts(
        list(&json["starts"], |v| v as usize),
        list(&json["indices"], |v| v as u32),
        list(&json["values"], |v| v as f32),
        json["n_columns"].as_u64().unwrap() as usize,
    )
    .unwrap();
    Parity {
        rows,
        two: list(&json["two"], |v| v as u32),
        three: list(&json["three"], |v| v as u32),
        sample_weights: list(&json["sample_weights"], |v| v as f32),
        given: list(&json["given"], |v| v as u32),
        json,
    }
}

impl Parity {
    fn problem(&self, case: &Value) -> Problem<'_> {
        let problem = match case["classes"].as_str() {
            Some("two") => Problem::single(&self.rows, &self.two, 2),
            _ => Problem::single(&self.rows, &self.three, 3),
        };
        if case["sample_weights"] == true { problem.with_sample_weights(&self.sample_weights) } else { problem }
    }
}

fn params(case: &Value) -> LinearParams {
    LinearParams {
        loss: serde_json::from_value(case["loss"].clone()).unwrap_or_default(),
        c: case["c"].as_f64().unwrap(),
        class_weights: match &case["class_weights"] {
            Value::String(_) => ClassWeights::Balanced,
            Value::Array(_) => ClassWeights::Given(list(&case["class_weights"], |v| v)),
            _ => ClassWeights::None,
        },
        intercept: case["intercept"] != false,
        intercept_scaling: case["intercept_scaling"].as_f64().unwrap_or(1.0),
        eps: 1e-8,
        max_iter: 200_000,
        ..LinearParams::default()
    }
}

fn scores(model: &LinearModel, rows: &SparseRows, given: Option<&[u32]>) -> Vec<f64> {
    let mut all = vec![0.0; rows.n_rows() * model.n_outputs];
    for (i, (row, into)) in rows.iter().zip(all.chunks_exact_mut(model.n_outputs)).enumerate() {
        model.scores_into(row, given.map(|values| values[i]), into);
    }
    all
}

fn assert_close(ours: &[f64], theirs: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (at, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what}: {a} for {b} at {at}");
    }
}

fn flat(rows: &Value) -> Vec<f64> {
    rows.as_array().unwrap().iter().flat_map(|row| list(row, |v| v)).collect()
}

#[test]
fn weights_and_objectives_are_those_of_liblinear() {
    let parity = parity();
    for case in parity.json["linear"].as_array().unwrap() {
        let (problem, params) = (parity.problem(case), params(case));
        let model = fit(&problem, &params).unwrap();
        assert!(model.convergence.iter().all(|c| c.is_converged), "{params:?}: {:?}", model.convergence);
        let what = format!("{params:?}");
        assert_close(
            &objective(&model, &problem, &params).unwrap(),
            &list(&case["objectives"], |v| v),
            OBJECTIVE_TOLERANCE,
            &what,
        );
        let predictions = model.predict_classes(problem.rows, None);
        let n_same = predictions.iter().zip(list(&case["predictions"], |v| v as u32)).filter(|(a, b)| **a == *b).count();
        assert!(n_same as f64 >= 0.998 * predictions.len() as f64, "{what}: {n_same} of {}", predictions.len());
        assert_close(&model.bias, &list(&case["bias"], |v| v), SCORE_TOLERANCE, &what);
        let coef = flat(&case["coef"]);
        for (feature, weights) in model.shared.chunks_exact(model.n_outputs).enumerate() {
            for (k, &weight) in weights.iter().enumerate() {
                let theirs = coef[k * model.n_features + feature];
                assert!((f64::from(weight) - theirs).abs() < SCORE_TOLERANCE, "{what}: {weight} for {theirs}");
            }
        }
    }
}

#[test]
fn single_precision_finds_the_same_objective() {
    let parity = parity();
    for case in parity.json["linear"].as_array().unwrap() {
        // The primal objective of the hinge is met less exactly at this tolerance, by LIBLINEAR as well.
        let tolerance = if case["loss"] == "hinge" { 1e-3 } else { OBJECTIVE_TOLERANCE };
        let (problem, params) = (parity.problem(case), LinearParams { eps: 1e-3, ..params(case) });
        let model = fit(&problem, &params).unwrap();
        let objectives = objective(&model, &problem, &params).unwrap();
        assert_close(&objectives, &list(&case["objectives"], |v| v), tolerance, &format!("{params:?}"));
    }
}

#[test]
fn given_equals_the_doubled_rows_spelled_out() {
    let parity = parity();
    for case in parity.json["with_given"].as_array().unwrap() {
        let problem = parity.problem(case).with_given(&parity.given, 4);
        let params = LinearParams { given_scale: case["scale"].as_f64().unwrap() as f32, ..params(case) };
        let model = fit(&problem, &params).unwrap();
        let what = format!("{params:?}");
        assert_close(
            &objective(&model, &problem, &params).unwrap(),
            &list(&case["objectives"], |v| v),
            OBJECTIVE_TOLERANCE,
            &what,
        );
        let ours = scores(&model, problem.rows, Some(&parity.given));
        assert_close(&ours, &list(&case["scores"], |v| v), SCORE_TOLERANCE, &what);
    }
}

#[test]
fn softmax_probabilities_are_those_of_scikit_learn() {
    let parity = parity();
    for case in parity.json["softmax"].as_array().unwrap() {
        let (problem, params) = (parity.problem(case), params(case));
        let model = fit_softmax(&problem, &params).unwrap();
        assert!(model.convergence[0].is_converged);
        let mut ours = scores(&model, problem.rows, None);
        for row in ours.chunks_exact_mut(3) {
            let log_total = row.iter().map(|score| score.exp()).sum::<f64>().ln();
            row.iter_mut().for_each(|score| *score -= log_total);
        }
        assert_close(&ours, &flat(&case["log_probabilities"]), SCORE_TOLERANCE, &format!("{params:?}"));
    }
}

#[test]
fn naive_bayes_scores_are_those_of_scikit_learn() {
    let parity = parity();
    for case in parity.json["bayes"].as_array().unwrap() {
        let mut params: NaiveBayesParams = serde_json::from_value(case["options"].clone()).unwrap();
        params.kind = serde_json::from_value(case["kind"].clone()).unwrap();
        let problem = parity.problem(case);
        let model = fit_naive_bayes(&problem, &params).unwrap();
        // Weights in single precision.
        assert_close(&scores(&model, problem.rows, None), &flat(&case["scores"]), 1e-5, &format!("{params:?}"));
    }
}

fn losses() -> [LinearParams; 3] {
    [Loss::SquaredHinge, Loss::Hinge, Loss::Logistic].map(|loss| LinearParams {
        loss,
        eps: 1e-6,
        max_iter: 100_000,
        ..LinearParams::default()
    })
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let parity = parity();
    let problem = Problem::single(&parity.rows, &parity.three, 3).with_given(&parity.given, 4);
    let folds: Vec<u32> = (0..parity.rows.n_rows() as u32).map(|i| i % 5).collect();
    for eps in [0.01, 1e-6] {
        for params in losses().map(|params| LinearParams { eps, ..params }) {
            let with_threads = |n| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
                pool.install(|| (fit(&problem, &params).unwrap(), cross_scores(&problem, &params, &[0.5, 2.0], &folds).unwrap()))
            };
            let one = with_threads(1);
            assert!(one == with_threads(2) && one == with_threads(3) && one == with_threads(8), "{params:?}");
        }
    }
}

#[test]
fn shrinking_changes_time_but_not_the_optimum() {
    let parity = parity();
    let problem = Problem::single(&parity.rows, &parity.three, 3);
    for params in losses() {
        let all_rows = LinearParams { shrinking: false, ..params.clone() };
        let objective_of = |params| objective(&fit(&problem, params).unwrap(), &problem, params).unwrap();
        assert_close(&objective_of(&params), &objective_of(&all_rows), 1e-6, &format!("{params:?}"));
    }
}

#[test]
fn a_row_twice_is_a_row_of_weight_two() {
    let parity = parity();
    let n = parity.rows.n_rows();
    let chosen: Vec<usize> = (0..n).chain((0..n).filter(|i| i % 3 == 0)).collect();
    let rows = parity.rows.select(&chosen);
    let classes: Vec<u32> = chosen.iter().map(|&i| parity.three[i]).collect();
    let weights: Vec<f32> = (0..n).map(|i| if i % 3 == 0 { 2.0 } else { 1.0 }).collect();
    let (twice, weighted) =
        (Problem::single(&rows, &classes, 3), Problem::single(&parity.rows, &parity.three, 3).with_sample_weights(&weights));
    for params in losses() {
        let model = fit(&weighted, &params).unwrap();
        let objectives = objective(&model, &weighted, &params).unwrap();
        let of_twice = objective(&fit(&twice, &params).unwrap(), &twice, &params).unwrap();
        assert_close(&of_twice, &objectives, 1e-6, &format!("{params:?}"));
        let zero: Vec<f32> = weights.iter().map(|w| w - 1.0).collect();
        let some: Vec<usize> = (0..n).filter(|i| i % 3 == 0).collect();
        let (some_rows, some_classes) = (parity.rows.select(&some), some.iter().map(|&i| parity.three[i]).collect::<Vec<_>>());
        let left = Problem::single(&parity.rows, &parity.three, 3).with_sample_weights(&zero);
        let alone = Problem::single(&some_rows, &some_classes, 3);
        let of_left = objective(&fit(&left, &params).unwrap(), &left, &params).unwrap();
        let of_alone = objective(&fit(&alone, &params).unwrap(), &alone, &params).unwrap();
        assert_close(&of_left, &of_alone, 1e-6, &format!("{params:?}, rows of weight zero"));
    }
    let softmax = |problem: &Problem<'_>| {
        let params = LinearParams { eps: 1e-7, ..LinearParams::default() };
        softmax_objective(&fit_softmax(problem, &params).unwrap(), problem, &params).unwrap()
    };
    assert_close(&[softmax(&twice)], &[softmax(&weighted)], 1e-7, "softmax");
}

#[test]
fn one_given_value_is_the_plain_model_at_another_c() {
    // (1 + s²) ‖x‖² in place of ‖x‖²: rows longer by √(1 + s²), or C larger by 1 + s².
    let parity = parity();
    let plain = Problem::single(&parity.rows, &parity.two, 2);
    let zeros = vec![0; parity.rows.n_rows()];
    for params in losses() {
        let with_given = LinearParams { given_scale: 0.5, ..params.clone() };
        let model = fit(&plain.with_given(&zeros, 1), &with_given).unwrap();
        let same = fit(&plain, &LinearParams { c: params.c * 1.25, ..params }).unwrap();
        assert_close(
            &scores(&model, &parity.rows, Some(&zeros)),
            &scores(&same, &parity.rows, None),
            SCORE_TOLERANCE,
            "one given value",
        );
    }
}

#[test]
fn rows_with_several_classes_train_one_output_each() {
    let parity = parity();
    let sets: Vec<Vec<u32>> = (0..parity.rows.n_rows())
        .map(|i| [parity.three[i], 3 + parity.two[i]].into_iter().filter(|c| *c != 3).collect())
        .collect();
    let many = Problem::multi(&parity.rows, &sets, 5);
    for params in losses() {
        let model = fit(&many, &params).unwrap();
        assert_eq!(model.n_outputs, 5);
        let alone = fit(&Problem::single(&parity.rows, &parity.two, 2), &params).unwrap();
        let all = scores(&model, &parity.rows, None);
        let fourth: Vec<f64> = all.chunks_exact(5).map(|row| row[4]).collect();
        assert_close(&fourth, &scores(&alone, &parity.rows, None), 1e-9, &format!("{params:?}"));
    }
}

#[test]
fn a_path_ends_where_single_trainings_do() {
    let parity = parity();
    let problem = Problem::single(&parity.rows, &parity.three, 3);
    let cs = [2.0, 0.1, 0.5, 8.0];
    for params in losses() {
        let models = fit_path(&problem, &params, &cs).unwrap();
        for (c, model) in cs.into_iter().zip(&models) {
            let at_c = LinearParams { c, ..params.clone() };
            let single = objective(&fit(&problem, &at_c).unwrap(), &problem, &at_c).unwrap();
            assert_close(&objective(model, &problem, &at_c).unwrap(), &single, 1e-6, &format!("{at_c:?}"));
        }
    }
}

#[test]
fn held_out_scores_are_those_of_models_without_the_fold() {
    let parity = parity();
    let n = parity.rows.n_rows();
    let folds: Vec<u32> = (0..n as u32).map(|i| i * 7 % 4).collect();
    let problem = Problem::single(&parity.rows, &parity.three, 3);
    for params in losses() {
        let held_out = cross_scores(&problem, &params, &[1.0], &folds).unwrap().remove(0);
        for fold in 0..4 {
            let (train, test): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| folds[i] != fold);
            let (rows, classes) = (parity.rows.select(&train), train.iter().map(|&i| parity.three[i]).collect::<Vec<_>>());
            let model = fit(&Problem::single(&rows, &classes, 3), &params).unwrap();
            let expected = scores(&model, &parity.rows.select(&test), None);
            let ours: Vec<f64> = test.iter().flat_map(|&i| held_out.scores[i * 3..][..3].iter().map(|&s| f64::from(s))).collect();
            assert_close(&ours, &expected, SCORE_TOLERANCE, &format!("{params:?}, fold {fold}"));
        }
    }
}

#[test]
fn a_fold_can_start_from_the_whole() {
    let parity = parity();
    let problem = Problem::single(&parity.rows, &parity.three, 3);
    let kept: Vec<usize> = (0..parity.rows.n_rows()).filter(|i| i % 5 != 0).collect();
    let (rows, classes) = (parity.rows.select(&kept), kept.iter().map(|&i| parity.three[i]).collect::<Vec<_>>());
    let fold = Problem::single(&rows, &classes, 3);
    for params in losses() {
        let (_, duals) = fit_from(&problem, &params, None).unwrap();
        let (warm, _) = fit_from(&fold, &params, Some(&duals.select(&kept))).unwrap();
        let cold = objective(&fit(&fold, &params).unwrap(), &fold, &params).unwrap();
        assert_close(&objective(&warm, &fold, &params).unwrap(), &cold, 1e-6, &format!("{params:?}"));
        assert!(fit_from(&fold, &params, Some(&duals)).is_err());
    }
}

#[test]
fn illegal_problems_are_refused() {
    let parity = parity();
    let rows = &parity.rows;
    let params = LinearParams::default();
    let zeros = vec![0u32; rows.n_rows()];
    assert!(fit(&Problem::single(rows, &zeros, 2), &params).is_err(), "one class");
    assert!(fit(&Problem::single(rows, &parity.three, 2), &params).is_err(), "unknown class");
    assert!(fit(&Problem::single(rows, &[0, 1], 2), &params).is_err(), "too few classes");
    assert!(fit(&Problem::single(rows, &parity.two, 2).with_given(&parity.given, 2), &params).is_err(), "unknown given value");
    assert!(fit(&Problem::single(rows, &parity.two, 2).with_sample_weights(&[1.0]), &params).is_err(), "too few weights");
    let problem = Problem::single(rows, &parity.two, 2);
    assert!(fit(&problem, &LinearParams { class_weights: ClassWeights::Given(vec![1.0]), ..params.clone() }).is_err());
    assert!(fit(&problem, &LinearParams { c: f64::NAN, ..params.clone() }).is_err());
    assert!(cross_scores(&problem, &params, &[1.0], &zeros).is_err(), "one fold");
    assert!(fit(&Problem::single(&SparseRows::new(3), &[], 2), &params).is_err(), "no rows");
}

#[test]
fn rows_without_any_feature_are_survived() {
    let mut rows = SparseRows::new(4);
    rows.push(&[], &[]);
    rows.push(&[1], &[1.0]);
    rows.push(&[], &[]);
    rows.push(&[2], &[0.0]);
    for intercept in [true, false] {
        for params in losses().map(|params| LinearParams { intercept, ..params }) {
            let model = fit(&Problem::single(&rows, &[0, 1, 0, 1], 2), &params).unwrap();
            assert!(model.shared.iter().all(|w| w.is_finite()) && model.bias[0].is_finite(), "{params:?}");
            let model = fit_softmax(&Problem::single(&rows, &[0, 1, 0, 1], 2), &params).unwrap();
            assert!(model.shared.iter().all(|w| w.is_finite()), "{params:?}");
        }
    }
}
