//! Vocabulary, idf and rows equal scikit-learn's, from references made by `tests/parity/make_tfidf.py`.

use std::collections::BTreeMap;

use serde_json::Value;
use stancekit::features::{Analyzer, DfBound, FeatureParams, Features, Norm, Passage, TfidfParams};

const TOLERANCE: f64 = 1e-6;

fn params(options: &Value) -> TfidfParams {
    let mut params = TfidfParams::default();
    for (key, value) in options.as_object().unwrap() {
        match key.as_str() {
            "analyzer" => params.analyzer = Analyzer::CharWb,
            "ngram_range" => params.ngrams = (value[0].as_u64().unwrap() as u8, value[1].as_u64().unwrap() as u8),
            "sublinear_tf" => params.sublinear_tf = value.as_bool().unwrap(),
            "smooth_idf" => params.smooth_idf = value.as_bool().unwrap(),
            "use_idf" => params.use_idf = value.as_bool().unwrap(),
            "binary" => params.binary = value.as_bool().unwrap(),
            "lowercase" => params.lowercase = value.as_bool().unwrap(),
            "min_df" => params.min_df = DfBound::Count(value.as_u64().unwrap() as u32),
            "max_df" => {
                params.max_df =
                    value.as_u64().map_or_else(|| DfBound::Share(value.as_f64().unwrap()), |n| DfBound::Count(n as u32))
            }
            "max_features" => params.max_features = value.as_u64().map(|n| n as usize),
            "stop_words" => {
                params.stop_words = value.as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned()).collect()
            }
            "norm" => params.norm = if value.as_str() == Some("l1") { Norm::L1 } else { Norm::None },
            other => panic!("unknown option {other}"),
        }
    }
    params
}

#[test]
fn vocabulary_idf_and_rows_equal_scikit_learn() {
    let reference: Value = serde_json::from_str(include_str!("parity/tfidf.json")).unwrap();
    let texts: Vec<Passage<'_>> = reference["texts"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().into()).collect();
    let cases = reference["cases"].as_array().unwrap();
    assert!(cases.len() >= 6);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let params = FeatureParams { blocks: vec![params(&case["options"])], hash_bits: None };
        let (features, rows) = Features::fit_transform(&params, &texts).unwrap();
        let expected: BTreeMap<&str, f64> = case["names"]
            .as_array()
            .unwrap()
            .iter()
            .zip(case["idf"].as_array().unwrap())
            .map(|(name, idf)| (name.as_str().unwrap(), idf.as_f64().unwrap()))
            .collect();
        let found: BTreeMap<&str, f64> =
            features.names().iter().zip(features.idf()).map(|(name, &idf)| (name, f64::from(idf))).collect();
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}: vocabulary");
        for (ngram, idf) in &expected {
            assert!((found[ngram] - idf).abs() < TOLERANCE, "{name}: idf of {ngram:?}");
        }
        for (i, row) in case["rows"].as_array().unwrap().iter().enumerate() {
            let expected = row.as_object().unwrap();
            let found: BTreeMap<&str, f64> =
                rows.row(i).iter().map(|(f, v)| (&features.names()[f as usize], f64::from(v))).collect();
            assert_eq!(found.len(), expected.len(), "{name}: row {i}");
            for (ngram, value) in expected {
                assert!((found[ngram.as_str()] - value.as_f64().unwrap()).abs() < TOLERANCE, "{name}: row {i}, {ngram:?}");
            }
        }
    }
}
