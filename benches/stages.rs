//! Time of every stage, in bytes and sentences: segment, tokenise, features, predict, train, load.
//!
//! Texts: the tweets of P-Stance where the public data is (`STANCEKIT_DATA`, else `../shared/data`), else the sentences of `datasets/diplomacy`. Each answer is checked
//! once before it is timed. One thread, unless a name says otherwise. Run: `cargo bench`.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stancekit::features::{FeatureParams, Features, Passage, TfidfParams};
use stancekit::labelled::{Columns, Labelled, LabelledBuilder};
use stancekit::text::{WordRule, for_each_word, sentences};
use stancekit::train::{TrainParams, train};
use stancekit::{Model, Predictor, Task};

/// Texts per measurement.
const N_TEXTS: usize = 5000;

/// Labelled texts: the public set where it is, else our own.
fn rows() -> (PathBuf, Vec<(String, String)>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let public =
        std::env::var_os("STANCEKIT_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from).join("pstance/data.csv");
    let path = if public.is_file() { public } else { root.join("datasets/diplomacy/train.csv") };
    let mut reader = csv::Reader::from_path(&path).expect("the data was found");
    let headers = reader.headers().expect("a header").clone();
    let column = |name: &str| headers.iter().position(|h| h == name).expect("both sets have this column");
    let (text, stance) = (column("text"), column("stance"));
    let rows = reader.records().map(|r| r.expect("a good row")).map(|r| (r[text].to_owned(), r[stance].to_owned())).collect();
    (path, rows)
}

fn labelled(rows: &[(String, String)]) -> (Task, Labelled) {
    let task = Task::single(Some("text"), "stance", None, None);
    let names = ["text".to_owned(), "stance".to_owned()];
    let mut builder = LabelledBuilder::new(&task, Columns::find(&task, &names, 0, true).expect("both columns are there"));
    for (text, stance) in rows {
        builder.push(|c| if c == 0 { text } else { stance }).expect("every row has a label");
    }
    (task, builder.finish())
}

fn one_thread() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread")
}

fn stages(c: &mut Criterion) {
    let (path, rows) = rows();
    let (task, data) = labelled(&rows);
    let texts: Vec<&str> = rows.iter().map(|r| r.0.as_str()).take(N_TEXTS).collect();
    let n_bytes: usize = texts.iter().map(|t| t.len()).sum();
    eprintln!("texts: {} of {}, {n_bytes} bytes", texts.len(), path.display());
    let article = texts.join("\n\n");

    let mut group = c.benchmark_group("text");
    group.throughput(Throughput::Bytes(n_bytes as u64));
    assert!(sentences(&article).len() >= texts.len());
    group.bench_function("segment", |b| b.iter(|| sentences(black_box(&article)).len()));
    group.bench_function("tokenise", |b| {
        b.iter(|| {
            let mut n = 0;
            texts.iter().for_each(|text| for_each_word(black_box(text), WordRule::Unicode, |word, _| n += word.len()));
            n
        });
    });
    group.finish();

    let pool = one_thread();
    let words = FeatureParams { blocks: vec![TfidfParams::words(1, 2)], hash_bits: None };
    for (name, features) in [("word 1-2", words), ("word 1-3 + char 2-5", FeatureParams::default())] {
        let passages: Vec<Passage<'_>> = texts.iter().map(|t| Passage::from(*t)).collect();
        let fitted = Features::fit(&features, &passages).expect("the texts have words");
        assert_eq!(fitted.transform(&passages).n_rows(), texts.len());
        let params = TrainParams { features, folds: 0, ..TrainParams::default() };
        let model = Arc::new(train(&task, &data, &params).expect("two classes"));
        let predictor = Predictor::new(Arc::clone(&model));
        let mut scratch = predictor.scratch();
        let right = rows
            .iter()
            .filter(|(text, stance)| {
                predictor.read(Passage::from(text.as_str()), &mut scratch);
                predictor.head(0).labels[predictor.answer(0, None, &scratch).class] == *stance
            })
            .count();
        assert!(right * 10 > rows.len() * 8, "a model knows most of its own training data");

        let mut group = c.benchmark_group(name);
        group.sample_size(10).throughput(Throughput::Elements(texts.len() as u64));
        group.bench_function("fit features", |b| {
            b.iter(|| pool.install(|| Features::fit(&params.features, black_box(&passages)).expect("as above").n_features()));
        });
        group.bench_function("predict", |b| {
            b.iter(|| {
                texts
                    .iter()
                    .map(|text| {
                        predictor.read(Passage::from(black_box(*text)), &mut scratch);
                        predictor.answer(0, None, &scratch).class
                    })
                    .sum::<usize>()
            });
        });
        group.throughput(Throughput::Elements(rows.len() as u64));
        group.bench_function("train", |b| {
            b.iter(|| pool.install(|| train(&task, &data, &params).expect("as above").as_bytes().len()))
        });
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("m.stance");
        model.save(&file).expect("room for a model");
        group.throughput(Throughput::Bytes(model.as_bytes().len() as u64));
        group.bench_function("load", |b| b.iter(|| Model::load(black_box(&file)).expect("as saved").meta().n_features));
        group.finish();
    }
}

criterion_group!(benches, stages);
criterion_main!(benches);
