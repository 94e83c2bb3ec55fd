//! One stage, a given number of times, on one thread: for counting instructions, which do not depend on how busy the machine is.
//!
//!     cargo bench --bench counts -- STAGE TIMES      prints processor time per round
//!
//! `benches/counts.sh` runs it under callgrind with two numbers of rounds; the difference is the stage without its preparation. Stages: tokenise, words
//! (predict with word 1–2-grams), all (predict with word 1–3-grams and character 2–5-grams), train, fit (the solver of it), choose (8 values of C in 5 folds by
//! the solver, to be compared with fit), load (a model made ready for prediction).

#[path = "common/mod.rs"]
mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use stancekit::features::{FeatureParams, Features, Passage, TfidfParams};
use stancekit::linear::{LinearParams, Problem, cross_scores, fit};
use stancekit::predict::Answer;
use stancekit::text::{WordRule, for_each_word};
use stancekit::train::{TrainParams, train};
use stancekit::{Model, Predictor};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let stage = arguments.first().map_or("words", String::as_str);
    let n_rounds: usize = arguments.get(1).map_or(20, |n| n.parse().expect("a number of rounds"));
    let (_, rows) = common::rows();
    let work = prepare(stage, rows);
    common::one_thread().install(|| {
        let start = processor_time();
        let sum: usize = (0..n_rounds).map(|_| black_box(&work)()).sum();
        let seconds = (processor_time() - start) / n_rounds.max(1) as f64;
        println!("{stage}: {n_rounds} rounds, {:.3} ms a round, sum {sum}", seconds * 1e3);
    });
}

/// Seconds that this thread has had the processor, where the system tells; else the time of day.
fn processor_time() -> f64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = times.and_then(|times| times.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| START.elapsed().as_secs_f64(), |n| n * 1e-9)
}

static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

/// One round of a stage; what it returns keeps the work from being optimised away.
fn prepare(stage: &str, rows: Vec<(String, String)>) -> Box<dyn Fn() -> usize + Sync> {
    let words = FeatureParams { blocks: vec![TfidfParams::words(1, 2)], hash_bits: None };
    match stage {
        "tokenise" => Box::new(move || rows.iter().map(|(text, _)| count_words(text)).sum()),
        "words" => predict(words, rows),
        "all" => predict(FeatureParams::default(), rows),
        "train" => {
            let (task, data) = common::labelled(&rows);
            let params = TrainParams { folds: 0, ..TrainParams::default() };
            Box::new(move || train(&task, &data, &params).expect("two classes").as_bytes().len())
        }
        "load" => {
            let bytes = model(FeatureParams::default(), &rows).as_bytes().to_vec();
            Box::new(move || {
                let model = Model::from_bytes(&bytes).expect("as trained");
                Predictor::new(Arc::new(model)).model().meta().n_features
            })
        }
        "fit" => solve(rows, |problem| fit(problem, &LinearParams::default()).expect("two classes").n_features),
        "choose" => solve(rows, |problem| {
            let folds: Vec<u32> = (0..problem.rows.n_rows() as u32).map(|i| i % 5).collect();
            let held_out = cross_scores(problem, &LinearParams::default(), &CS, &folds).expect("two classes");
            held_out.iter().map(|h| h.scores.len()).sum()
        }),
        other => panic!("no stage {other:?}: tokenise, words, all, train, fit, choose or load"),
    }
}

/// Values of C to choose among.
const CS: [f64; 8] = [0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0];

fn solve(rows: Vec<(String, String)>, work: impl Fn(&Problem<'_>) -> usize + Sync + 'static) -> Box<dyn Fn() -> usize + Sync> {
    let passages: Vec<Passage<'_>> = rows.iter().map(|(text, _)| Passage::from(text.as_str())).collect();
    let (_, matrix) = Features::fit_transform(&FeatureParams::default(), &passages).expect("the texts have words");
    let classes: Vec<u32> = rows.iter().map(|(_, stance)| u32::from(*stance == rows[0].1)).collect();
    Box::new(move || work(&Problem::single(&matrix, &classes, 2)))
}

fn model(features: FeatureParams, rows: &[(String, String)]) -> Model {
    let (task, data) = common::labelled(rows);
    train(&task, &data, &TrainParams { features, folds: 0, ..TrainParams::default() }).expect("two classes")
}

fn predict(features: FeatureParams, rows: Vec<(String, String)>) -> Box<dyn Fn() -> usize + Sync> {
    let predictor = Predictor::new(Arc::new(model(features, &rows)));
    let state = std::sync::Mutex::new((predictor.scratch(), common::readings(), Answer::default()));
    Box::new(move || {
        let (scratch, readings, answer) = &mut *state.lock().expect("one thread");
        let texts: Vec<&str> = rows.iter().map(|(text, _)| text.as_str()).collect();
        common::classes(&predictor, &texts, scratch, readings, answer)
    })
}

fn count_words(text: &str) -> usize {
    let mut n = 0;
    for_each_word(text, WordRule::Unicode, |_, _| n += 1);
    n
}
