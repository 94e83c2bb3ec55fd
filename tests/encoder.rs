//! Sentence encoders: against reference vectors, and as blocks of a model.
//!
//! Run with `cargo test --features encoder --test encoder`. The reference test reads all-MiniLM-L6-v2 where `tests/encoder/fetch.sh` has put it (`STANCEKIT_ENCODER`, else
//! `../encoder`); without it, it says so and checks nothing. The other tests make tiny encoders of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use safetensors::tensor::{Dtype, TensorView};
use stancekit::encoder::{Encoder, VectorCache};
use stancekit::features::Passage;
use tempfile::TempDir;

const WORDS: [&str; 8] = ["[UNK]", "talks", "welcomes", "rejects", "the", "offer", "ministry", "again"];

#[derive(serde::Deserialize)]
struct Reference {
    text: String,
    vector: Vec<f32>,
}

#[test]
fn vectors_equal_the_reference() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = std::env::var_os("STANCEKIT_ENCODER").map_or_else(|| root.join("../encoder"), PathBuf::from);
    if !directory.is_dir() {
        eprintln!("nothing to read: no encoder in {}; get it with tests/encoder/fetch.sh", directory.display());
        return;
    }
    let references: Vec<Reference> = serde_json::from_str(include_str!("encoder/reference.json")).unwrap();
    let encoder = Encoder::load(&directory, false, &VectorCache::Off).unwrap();
    let passages: Vec<Passage<'_>> = references.iter().map(|r| r.text.as_str().into()).collect();
    let vectors = encoder.encode(&passages).unwrap();
    for (i, reference) in references.iter().enumerate() {
        let distance = 1.0 - cosine(vectors.row(i), &reference.vector);
        assert!(distance < 1e-3, "{:?}: cosine distance {distance}", reference.text);
        let alone = encoder.encode(&passages[i..=i]).unwrap();
        assert!(alone.row(0).iter().zip(vectors.row(i)).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

#[test]
fn a_static_vector_is_the_mean_of_its_known_words() {
    let directory =
        lookup_encoder(&[[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]);
    let encoder = load(&directory, true);
    let text = "Talks nobody welcomes";
    let passage = Passage { target: Some((13, 21)), ..text.into() };
    let vectors = encoder.encode(&[passage, "nobody".into(), "".into()]).unwrap();
    // Mean of (3, 0) and (0, 4) is (1.5, 2), of length 2.5; the mention's is (0, 4).
    assert_eq!(vectors.row(0), [0.6, 0.8, 0.0, 1.0]);
    assert_eq!((vectors.row(1), vectors.row(2)), ([0.0; 4].as_slice(), [0.0; 4].as_slice()));
}

#[test]
fn a_vector_does_not_depend_on_its_company_or_on_threads() {
    let directory = bert_encoder();
    let encoder = load(&directory, true);
    let texts: Vec<String> =
        (0..200).map(|i| (0..i % 23).map(|k| WORDS[(i * 7 + k * k) % WORDS.len()]).collect::<Vec<_>>().join(" ")).collect();
    let passages: Vec<Passage<'_>> =
        texts.iter().map(|text| Passage { target: text.find("offer").map(|at| (at, at + 5)), ..text.as_str().into() }).collect();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| encoder.encode(&passages).unwrap())
    };
    let together = on(1);
    assert_eq!(together, on(4));
    for (i, passage) in passages.iter().enumerate() {
        let alone = encoder.encode(&[*passage]).unwrap();
        // Products of so small matrices take other paths for few rows than for many; those of real networks do not.
        assert!(alone.row(0).iter().zip(together.row(i)).all(|(a, b)| (a - b).abs() < 1e-5), "{:?}", passage.text);
    }
}

#[test]
fn cached_vectors_are_the_same_and_damaged_ones_are_replaced() {
    let (directory, cache) = (bert_encoder(), tempfile::tempdir().unwrap());
    let choice = VectorCache::Directory(cache.path().to_path_buf());
    let encoder = Encoder::load(directory.path(), false, &choice).unwrap();
    let fresh = encoder.encode(&["the offer".into()]).unwrap();
    let files = files_below(cache.path());
    assert_eq!(files.len(), 1);
    assert_eq!(encoder.encode(&["the offer".into()]).unwrap(), fresh);
    let good = std::fs::read(&files[0]).unwrap();
    std::fs::write(&files[0], &good[..good.len() - 1]).unwrap();
    assert_eq!(encoder.encode(&["the offer".into()]).unwrap(), fresh);
    assert_eq!(std::fs::read(&files[0]).unwrap(), good);
}

#[test]
fn directories_that_are_no_encoder_are_refused() {
    let directory = bert_encoder();
    let error = |directory: &TempDir| Encoder::load(directory.path(), false, &VectorCache::Off).unwrap_err().to_string();
    let config = std::fs::read_to_string(directory.path().join("config.json")).unwrap();
    std::fs::write(directory.path().join("config.json"), config.replace("\"bert\"", "\"gpt2\"")).unwrap();
    assert!(error(&directory).contains("expected model_type bert or model2vec; found gpt2"));
    std::fs::write(directory.path().join("config.json"), config.replace("\"hidden_size\":8", "\"hidden_size\":6")).unwrap();
    assert!(error(&directory).contains("model.safetensors"));
    std::fs::remove_file(directory.path().join("tokenizer.json")).unwrap();
    assert!(error(&directory).contains("tokenizer.json"));
}

#[test]
fn a_model_keeps_its_encoder_and_refuses_others() {
    let (right, wrong) = (bert_encoder(), lookup_encoder(&[[1.0, 0.0]; WORDS.len()]));
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name).to_str().unwrap().to_owned();
    let mut table = String::from("text,label,article\n");
    for i in 0..60 {
        let (verb, label) = if i % 2 == 0 { ("welcomes", "favor") } else { ("rejects", "against") };
        table += &format!("the ministry {verb} offer {i} again,{label},a{}\n", i / 4);
    }
    std::fs::write(path("train.csv"), table).unwrap();
    let run = |args: &[&str]| {
        let output =
            Command::cargo_bin("stance").unwrap().args(args).args(["--quiet", "--encoder-cache", "none"]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (data, model, encoder) = (path("train.csv"), path("m.stance"), right.path().to_str().unwrap());
    let train = ["train", &data, "--label", "label", "--group", "article", "--model", &model, "--encoder", encoder];
    assert_eq!(run(&train).0, Some(0));
    let bytes = std::fs::read(&model).unwrap();
    assert_eq!(run(&[&train[..], &["--threads", "1"]].concat()).0, Some(0));
    assert_eq!(std::fs::read(&model).unwrap(), bytes);

    let predict = ["predict", &data, "--model", &model, "--encoder", encoder];
    let (status, together, stderr) = run(&predict);
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(run(&[&predict[..], &["--threads", "1"]].concat()).1, together);
    assert!(together.lines().nth(1).unwrap().contains(",favor,"));
    assert_eq!(run(&["evaluate", &data, "--model", &model, "--encoder", encoder]).0, Some(0));
    let explained = run(&["explain", "the ministry rejects the offer", "--model", &model, "--encoder", encoder]);
    assert!(explained.1.contains("(encoder "), "{}", explained.2);

    let (status, _, missing) = run(&predict[..4]);
    assert_eq!(status, Some(2));
    assert!(missing.contains("--encoder DIR"), "{missing}");
    let (status, _, other) = run(&["predict", &data, "--model", &model, "--encoder", wrong.path().to_str().unwrap()]);
    assert_eq!(status, Some(2));
    assert!(other.contains("not the encoder that the model was trained with") && other.contains("SHA-256"), "{other}");
    let (status, _, needless) = run(&["predict", &data, "--encoder", encoder]);
    assert_eq!(status, Some(2));
    assert!(needless.contains("leave out --encoder"), "{needless}");
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn load(directory: &TempDir, mention: bool) -> Encoder {
    Encoder::load(directory.path(), mention, &VectorCache::Off).unwrap()
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// An encoder of words: a row for each of [`WORDS`].
fn lookup_encoder(rows: &[[f32; 2]]) -> TempDir {
    let tensors = [("embeddings".to_owned(), (vec![rows.len(), 2], rows.concat()))];
    write_encoder(r#"{"model_type":"model2vec","normalize":true}"#, tensors.into())
}

/// A BERT of one layer with made-up weights.
fn bert_encoder() -> TempDir {
    let config = r#"{"model_type":"bert","vocab_size":8,"hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,"intermediate_size":16,
        "hidden_act":"gelu","hidden_dropout_prob":0.1,"max_position_embeddings":64,"type_vocab_size":2,"initializer_range":0.02,
        "layer_norm_eps":1e-12,"pad_token_id":0}"#;
    let layer = "encoder.layer.0";
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".into(), vec![8, 8]),
        ("embeddings.position_embeddings.weight".into(), vec![64, 8]),
        ("embeddings.token_type_embeddings.weight".into(), vec![2, 8]),
    ];
    let dense = [
        (format!("{layer}.attention.self.query"), 8, 8),
        (format!("{layer}.attention.self.key"), 8, 8),
        (format!("{layer}.attention.self.value"), 8, 8),
        (format!("{layer}.attention.output.dense"), 8, 8),
        (format!("{layer}.intermediate.dense"), 16, 8),
        (format!("{layer}.output.dense"), 8, 16),
    ];
    for (name, n_out, n_in) in dense {
        shapes.extend([(format!("{name}.weight"), vec![n_out, n_in]), (format!("{name}.bias"), vec![n_out])]);
    }
    for name in ["embeddings", &format!("{layer}.attention.output"), &format!("{layer}.output")] {
        shapes.extend([(format!("{name}.LayerNorm.weight"), vec![8]), (format!("{name}.LayerNorm.bias"), vec![8])]);
    }
    let mut random = stancekit::random::Random::new(5);
    let mut value = move || random.below(2001) as f32 / 1000.0 - 1.0;
    let tensors = shapes.into_iter().map(|(name, shape)| {
        let values = (0..shape.iter().product()).map(|_| value()).collect();
        (name, (shape, values))
    });
    write_encoder(config, tensors.collect())
}

fn write_encoder(config: &str, tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let vocabulary: BTreeMap<&str, usize> = WORDS.iter().enumerate().map(|(i, word)| (*word, i)).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "post_processor": null, "decoder": null,
        "normalizer": { "type": "Lowercase" }, "pre_tokenizer": { "type": "Whitespace" },
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]" }
    });
    let bytes: BTreeMap<&String, Vec<u8>> =
        tensors.iter().map(|(name, (_, values))| (name, values.iter().flat_map(|v| v.to_le_bytes()).collect())).collect();
    let views =
        tensors.iter().map(|(name, (shape, _))| (name, TensorView::new(Dtype::F32, shape.clone(), &bytes[name]).unwrap()));
    std::fs::write(directory.path().join("config.json"), config).unwrap();
    std::fs::write(directory.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    std::fs::write(directory.path().join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    directory
}
