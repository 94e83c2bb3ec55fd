//! Model files: whole or refused, and the same on any number of threads.

use std::sync::Arc;

use proptest::prelude::*;
use stancekit::features::{FeatureParams, Passage, TfidfParams};
use stancekit::labelled::{Columns, Labelled, LabelledBuilder};
use stancekit::model::WeightKind;
use stancekit::train::{TrainParams, train};
use stancekit::{ErrorKind, Model, Predictor, Task};

const TASK: &str = "group = 'article'\n[[head]]\nname = 'topic'\n[[head]]\nname = 'stance'\ngiven = 'topic'\n";

fn data(task: &Task) -> Labelled {
    let names: Vec<String> = ["article", "text", "topic", "stance"].map(String::from).to_vec();
    let mut builder = LabelledBuilder::new(task, Columns::find(task, &names, 1, true).unwrap());
    let subjects = [("talks", "dialogue"), ("water", "river"), ("aid", "relief")];
    let verbs = [("welcomes", "favor"), ("rejects", "against"), ("counts", "neutral")];
    for i in 0..90 {
        let (subject, topic) = subjects[i % 3];
        let (verb, stance) = verbs[i / 3 % 3];
        let row =
            [format!("a{}", i / 6), format!("The ministry {verb} the {subject} of day {i}"), topic.to_owned(), stance.to_owned()];
        builder.push(|c| row[c].as_str()).unwrap();
    }
    builder.finish()
}

fn small_model(weights: WeightKind) -> Model {
    let task: Task = TASK.parse().unwrap();
    let features = FeatureParams { blocks: vec![TfidfParams::words(1, 1)], hash_bits: None };
    train(&task, &data(&task), &TrainParams { features, weights, folds: 3, ..TrainParams::default() }).unwrap()
}

#[test]
fn every_strict_prefix_is_refused() {
    let bytes = small_model(WeightKind::F32).as_bytes().to_vec();
    assert!(Model::from_bytes(&bytes).is_ok());
    for length in 0..bytes.len() {
        assert!(Model::from_bytes(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn every_flipped_byte_is_refused() {
    let mut bytes = small_model(WeightKind::I16).as_bytes().to_vec();
    for i in 0..bytes.len() {
        for mask in [0x01, 0x80, 0xFF] {
            bytes[i] ^= mask;
            let error = Model::from_bytes(&bytes).expect_err("a damaged file was accepted");
            assert_eq!(error.kind(), ErrorKind::Model, "byte {i}");
            bytes[i] ^= mask;
        }
    }
}

#[test]
fn a_newer_version_is_named() {
    let text = String::from_utf8_lossy(small_model(WeightKind::F32).as_bytes()).into_owned();
    assert!(text.contains("\\\"format\\\":2"));
    let bytes = small_model(WeightKind::F32).as_bytes().to_vec();
    let at = bytes.windows(12).position(|w| w == b"\\\"format\\\":2").unwrap() + 11;
    let mut newer = bytes.clone();
    newer[at] = b'9';
    assert!(Model::from_bytes(&newer).unwrap_err().to_string().contains("newer"));
}

#[test]
fn another_kind_of_file_is_named() {
    assert!(Model::from_bytes(b"not a model at all, but long enough to be read as one").is_err());
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![1], &[0]).unwrap();
    let other = safetensors::serialize([("x", view)], None).unwrap();
    assert!(Model::from_bytes(&other).unwrap_err().to_string().contains("no stancekit model"));
}

#[test]
fn threads_do_not_change_the_bytes() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| small_model(WeightKind::F32).as_bytes().to_vec())
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(4));
}

#[test]
fn every_version_is_still_read() {
    let fixtures: [&[u8]; 2] = [include_bytes!("fixtures/format-1.stance"), include_bytes!("fixtures/format-2.stance")];
    for (format, bytes) in (1..).zip(fixtures) {
        let model = Model::from_bytes(bytes).unwrap();
        assert_eq!(model.meta().format, format);
        let predictor = Predictor::new(Arc::new(model));
        let mut scratch = predictor.scratch();
        predictor.read(Passage::from("the ministry welcomes the talks"), &mut scratch);
        assert!(predictor.n_known(&scratch) >= 4);
        let topic = predictor.answer(0, None, &scratch);
        assert_eq!(predictor.head(0).labels[topic.class], "dialogue");
    }
}

/// Writes the fixture of the current format, once, when the format changes: `cargo test --test model_file -- --ignored`.
#[test]
#[ignore = "writes tests/fixtures"]
fn write_the_fixture() {
    let path = format!("{}/tests/fixtures/format-{}.stance", env!("CARGO_MANIFEST_DIR"), stancekit::model::FORMAT_VERSION);
    small_model(WeightKind::I16).save(path).unwrap();
}

#[test]
fn a_saved_model_loads_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.stance");
    let model = small_model(WeightKind::F32);
    model.save(&path).unwrap();
    assert_eq!(Model::load(&path).unwrap().as_bytes(), model.as_bytes());
}

#[test]
fn a_learnt_task_is_solved() {
    let predictor = Predictor::new(Arc::new(small_model(WeightKind::I16)));
    let mut scratch = predictor.scratch();
    predictor.read(Passage::from("the ministry rejects the water"), &mut scratch);
    let topic = predictor.answer(0, None, &scratch);
    assert_eq!(predictor.head(0).labels[topic.class], "river");
    let given = predictor.given(1, "river").unwrap();
    let stance = predictor.answer(1, Some(given), &scratch);
    assert_eq!(predictor.head(1).labels[stance.class], "against");
}

#[test]
fn contributions_add_up_to_the_score() {
    let predictor = Predictor::new(stancekit::Model::builtin());
    let mut scratch = predictor.scratch();
    for text in ["India ruled out mediation by any third party.", "", "Aid reached the camps; nobody thanked anybody.", "zzz qqq"]
    {
        predictor.read(Passage::from(text), &mut scratch);
        for (head, given) in [(0, None), (1, Some(3))] {
            let answer = predictor.answer(head, given, &scratch);
            for class in 0..predictor.head(head).labels.len() {
                let sum: f64 = predictor.explain(head, given, class, &scratch).iter().map(|c| c.contribution).sum();
                assert!((sum - answer.scores[class]).abs() < 1e-6, "{text:?}: {sum} {}", answer.scores[class]);
            }
        }
    }
}

#[test]
fn gibberish_and_unknown_scripts_abstain() {
    let predictor = Predictor::new(stancekit::Model::builtin());
    let mut scratch = predictor.scratch();
    for text in ["xqzt vvrk plimf", "ᚠᚢᚦᚨᚱᚲ ᚷᚹᚺ", "", "𒀀𒀁𒀂"] {
        predictor.read(Passage::from(text), &mut scratch);
        let answer = predictor.answer(1, Some(0), &scratch);
        let set = predictor.prediction_set(1, &answer, 0.1);
        assert_eq!(predictor.abstention(&scratch, &set).map(|a| a.as_str()), Some("no_known_features"), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_alone_and_in_a_batch_gives_the_same_bits(texts in proptest::collection::vec("[a-zA-Z ,.'é]{0,60}|the ministry (rejects|welcomes) talks", 1..12)) {
        let predictor = Predictor::new(stancekit::Model::builtin());
        let mut shared = predictor.scratch();
        for text in &texts {
            predictor.read(Passage::from(text.as_str()), &mut shared);
            let in_batch = predictor.answer(1, Some(2), &shared);
            let mut fresh = predictor.scratch();
            predictor.read(Passage::from(text.as_str()), &mut fresh);
            prop_assert_eq!(&in_batch, &predictor.answer(1, Some(2), &fresh));
            prop_assert!((in_batch.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
