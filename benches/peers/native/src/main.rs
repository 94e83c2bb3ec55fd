//! What the peers' script cannot do from Python, one JSON line of seconds each.
//!
//!     peers-native fasttext MODEL TEXTS         labels of all lines by the pure-Rust `fasttext` crate
//!     peers-native linfa TEXTS LABELS ROWS      linfa's TF-IDF and logistic regression on the first ROWS lines (its records are dense)
//!     peers-native solver MATRIX C EPS          our solver on one thread, on a matrix in LIBSVM's text format

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use linfa::prelude::*;
use linfa_logistic::LogisticRegression;
use linfa_preprocessing::tf_idf_vectorization::TfIdfVectorizer;
use ndarray::{Array1, Array2};
use stancekit::linear::{LinearParams, Problem, fit};
use stancekit::sparse::SparseRows;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let seconds = match arguments[..] {
        ["fasttext", model, texts] => run_fasttext(model, &lines(texts)?)?,
        ["linfa", texts, labels, rows] => run_linfa(&lines(texts)?, &lines(labels)?, rows.parse()?)?,
        ["solver", matrix, c, eps] => run_solver(matrix, c.parse()?, eps.parse()?)?,
        _ => bail!("expected fasttext MODEL TEXTS, linfa TEXTS LABELS ROWS, or solver MATRIX C EPS"),
    };
    println!("{}", serde_json::to_string(&seconds)?);
    Ok(())
}

fn lines(path: &str) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn run_fasttext(model: &str, texts: &[String]) -> anyhow::Result<BTreeMap<&'static str, f64>> {
    let model = fasttext::FastText::load_model(model).map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let start = Instant::now();
    let n_labelled = texts.iter().filter(|text| !black_box(model.predict(text, 1, 0.0)).is_empty()).count();
    let seconds = start.elapsed().as_secs_f64();
    ensure!(n_labelled * 100 > texts.len() * 99, "{n_labelled} of {} texts have a label", texts.len());
    Ok(BTreeMap::from([("predict", seconds)]))
}

fn run_linfa(texts: &[String], labels: &[String], n_rows: usize) -> anyhow::Result<BTreeMap<&'static str, f64>> {
    let texts = Array1::from_vec(texts[..n_rows].to_vec());
    let first = &labels[0];
    let is_first = Array1::from_iter(labels[..n_rows].iter().map(|label| label == first));
    let start = Instant::now();
    let vectoriser = TfIdfVectorizer::default().n_gram_range(1, 2).document_frequency(0.002, 1.0).fit(&texts)?;
    let fitted = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let sparse = vectoriser.transform(&texts)?;
    let transformed = start.elapsed().as_secs_f64();
    let mut dense = Array2::<f64>::zeros((sparse.rows(), sparse.cols()));
    for (value, (row, column)) in &sparse {
        dense[[row, column]] = *value;
    }
    let start = Instant::now();
    let model = LogisticRegression::default().max_iterations(100).fit(&Dataset::new(dense.clone(), is_first.clone()))?;
    let trained = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let predicted = model.predict(&dense);
    let predict = start.elapsed().as_secs_f64();
    let right = predicted.iter().zip(&is_first).filter(|(a, b)| a == b).count();
    ensure!(right * 2 > n_rows, "{right} of {n_rows} right");
    let n_features = sparse.cols() as f64;
    Ok(BTreeMap::from([("fit", fitted), ("transform", transformed), ("train", trained), ("predict", predict), ("features", n_features)]))
}

fn run_solver(path: &str, c: f64, eps: f64) -> anyhow::Result<BTreeMap<&'static str, f64>> {
    let (rows, classes, n_classes) = read_matrix(path)?;
    let params = LinearParams { c, eps, ..LinearParams::default() };
    let pool = rayon_one()?;
    let start = Instant::now();
    let model = pool.install(|| fit(&Problem::single(&rows, &classes, n_classes), &params))?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(model.convergence.iter().all(|c| c.is_converged), "the tolerance was not met");
    let right = model.predict_classes(&rows, None).iter().zip(&classes).filter(|(a, b)| **a as u32 == **b).count();
    Ok(BTreeMap::from([("train", seconds), ("right", right as f64 / classes.len() as f64)]))
}

fn rayon_one() -> anyhow::Result<rayon::ThreadPool> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(1).build()?)
}

fn read_matrix(path: &str) -> anyhow::Result<(SparseRows, Vec<u32>, usize)> {
    let (mut starts, mut indices, mut values, mut classes) = (vec![0], Vec::new(), Vec::new(), Vec::new());
    for line in lines(path)? {
        let mut fields = line.split(' ').filter(|field| !field.is_empty());
        classes.push(fields.next().context("a line without label")?.parse::<u32>()?);
        for field in fields {
            let (column, value) = field.split_once(':').context("expected COLUMN:VALUE")?;
            indices.push(column.parse::<u32>()? - 1);
            values.push(value.parse::<f32>()?);
        }
        starts.push(indices.len());
    }
    let n_columns = indices.iter().max().map_or(0, |&last| last as usize + 1);
    let n_classes = classes.iter().max().map_or(0, |&last| last as usize + 1);
    Ok((SparseRows::from_parts(starts, indices, values, n_columns)?, classes, n_classes))
}
