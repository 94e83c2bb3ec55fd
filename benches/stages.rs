//! Time of every stage, in bytes and sentences: segment, tokenise, features, predict, train, load.
//!
//! Texts: the tweets of P-Stance where the public data is (`STANCEKIT_DATA`, else `../shared/data`), else the sentences of `datasets/diplomacy`. Each answer is checked
//! once before it is timed. Rates are in texts (the text stages and `load` in bytes; the number of bytes of the texts is printed). One thread, unless a name says otherwise. Run: `cargo bench`.

#[path = "common/mod.rs"]
mod common;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stancekit::features::{FeatureParams, Features, Passage, TfidfParams};
use stancekit::predict::Answer;
use stancekit::text::{WordRule, for_each_word, sentences};
use stancekit::train::{TrainParams, train};
use stancekit::{Model, Predictor};

/// Texts per measurement.
const N_TEXTS: usize = 5000;

fn stages(c: &mut Criterion) {
    let (path, rows) = common::rows();
    let (task, data) = common::labelled(&rows);
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

    let pool = common::one_thread();
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
        let (mut readings, mut answer) = (common::readings(), Answer::default());
        group.bench_function("predict", |b| {
            b.iter(|| common::classes(&predictor, black_box(&texts), &mut scratch, &mut readings, &mut answer));
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
