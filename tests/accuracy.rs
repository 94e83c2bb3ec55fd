//! Choice of settings, targets, abstention and comparisons, as a user of the program meets them.
#![cfg(feature = "cli")]

use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

struct Desk {
    directory: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        if let Some(parent) = std::path::Path::new(&path).parent() {
            std::fs::create_dir_all(parent).unwrap();
        }
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A hundred and twenty sentences on two parties, one of whom is marked; a third of them test.
    fn parties(&self, name: &str) -> String {
        let mut table = String::from("text,stance,start,end,sentence_id,split\n");
        for i in 0..120 {
            let (verb, first, second) = match i % 3 {
                0 => ("praised", "neutral", "favor"),
                1 => ("denounced", "neutral", "against"),
                _ => ("met", "neutral", "neutral"),
            };
            let text = format!("Anna {verb} Bert on day {i}");
            let (start, end, stance) = if i % 2 == 0 { (0, 4, first) } else { (6 + verb.len(), 10 + verb.len(), second) };
            table += &format!("{text},{stance},{start},{end},s{i},{}\n", if i % 5 == 0 { "devtest_mt" } else { "train" });
        }
        self.write(name, &table)
    }
}

fn stance(args: &[&str]) -> (Output, String) {
    let output = Command::cargo_bin("stance").unwrap().args(args).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

const TARGET: [&str; 6] = ["--label", "stance", "--group", "sentence_id", "--target-span", "start,end"];

#[test]
fn a_marked_mention_decides_whom_the_stance_is_towards() {
    let desk = Desk::new();
    let (data, model) = (desk.parties("p.csv"), desk.path("m.stance"));
    stance(&[&["train", &data, "--model", &model, "--sentiment", "--quiet"], TARGET.as_slice()].concat());
    let (_, text) = stance(&["evaluate", &data, "--model", &model]);
    assert!(text.contains("accuracy                    1.0000") && text.contains("best single n-gram"), "{text}");
    // The same through a column of the target and through one target for all.
    let named = desk.write("n.csv", "text,who\nCarl denounced Dora,Dora\nCarl denounced Dora,Carl\n");
    let (_, text) = stance(&["predict", &named, "--model", &model, "--target-column", "who"]);
    let labels = |text: &str| -> Vec<String> { text.lines().skip(1).map(|l| l.rsplit(',').nth(1).unwrap().to_owned()).collect() };
    assert_eq!(labels(&text), ["against", "neutral"], "{text}");
    let (_, text) = stance(&["predict", &named, "--model", &model, "--target", "Dora"]);
    assert_eq!(labels(&text), ["against", "against"], "{text}");
}

#[test]
fn gibberish_and_a_script_never_seen_always_abstain() {
    let desk = Desk::new();
    let model = desk.path("m.stance");
    stance(&["train", "datasets/diplomacy/train.csv", "--model", &model, "--quiet", "--char-ngrams", "none"]);
    let strange = ["qzxv wkjpt bbrrq", "ժողովուրդը խաղաղություն է ուզում", "ᎣᏏᏲ ᏙᎯᏧ", "xqj-vvk zzt!!", "…", "𓀀𓁀"];
    let table = desk.write("s.csv", &format!("text\n{}\n", strange.join("\n")));
    for path in [Some(model.as_str()), None] {
        for alpha in ["0.01", "0.1", "0.5", "0.9"] {
            let chosen = path.map_or(Vec::new(), |path| vec!["--model", path]);
            let (_, text) = stance(&[&["predict", &table, "--abstain", alpha], chosen.as_slice()].concat());
            assert_eq!(text.lines().count(), 1 + strange.len());
            for line in text.lines().skip(1) {
                assert_eq!(line.matches("no_known_features").count(), 2, "{line}");
            }
        }
    }
}

#[test]
fn coverage_of_every_label_is_printed_with_its_interval() {
    let (_, text) = stance(&["evaluate", "datasets/diplomacy/test.csv", "--abstain", "0.1", "--no-breakdown"]);
    assert_eq!(text.matches("prediction sets at 0.1").count(), 2, "{text}");
    assert!(text.contains("holds 0.90") && text.contains("     yes"), "{text}");
}

#[test]
fn near_duplicates_are_told_before_any_score() {
    let desk = Desk::new();
    let (data, model) = (desk.parties("p.csv"), desk.path("m.stance"));
    stance(&[&["train", &data, "--model", &model, "--quiet"], TARGET.as_slice()].concat());
    let (_, text) = stance(&[
        "evaluate",
        &data,
        "--where",
        "split=devtest_mt",
        "--model",
        &model,
        "--train",
        &data,
        "--train-where",
        "split=train",
    ]);
    assert!(text.starts_with("24 of 24 texts have a near-duplicate in the training data\n"), "{text}");
}

#[test]
fn plots_and_a_learning_curve_are_drawn() {
    let desk = Desk::new();
    let (data, model, plots, curve) = (desk.parties("p.csv"), desk.path("m.stance"), desk.path("plots"), desk.path("curve.csv"));
    stance(&[&["train", &data, "--model", &model, "--quiet"], TARGET.as_slice()].concat());
    stance(&["evaluate", &data, "--model", &model, "--plots", &plots]);
    for name in ["confusion-stance.svg", "reliability-stance.svg"] {
        let svg = std::fs::read_to_string(format!("{plots}/{name}")).unwrap();
        assert!(svg.starts_with("<svg ") && !svg.contains("NaN"), "{svg}");
    }
    stance(&[&["evaluate", &data, "--learning-curve", &curve, "--cross-validate", "3"], TARGET.as_slice()].concat());
    let table = std::fs::read_to_string(&curve).unwrap();
    assert!(table.starts_with("head,training_texts,macro_f1,low,high\nstance,") && table.lines().count() == 7, "{table}");
    assert!(std::fs::read_to_string(desk.path("curve.svg")).unwrap().contains("macro-F1"));
}

#[test]
fn the_rule_trains_and_scores_every_set_that_is_there() {
    let desk = Desk::new();
    desk.parties("sets/newsmtsc/data.csv");
    let output = desk.path("table.md");
    let (_, text) = stance(&["bench", "accuracy", "--data", &desk.path("sets"), "--output", &output, "--quiet"]);
    assert_eq!(std::fs::read_to_string(&output).unwrap(), text);
    assert!(text.lines().count() == 3 && text.contains("| newsmtsc |") && text.contains("82.5 GRU-TSC"), "{text}");
    assert!(std::fs::read_to_string(desk.path("table.csv")).unwrap().contains("\nnewsmtsc,"));
}

#[test]
fn a_search_is_kept_in_the_model_and_repeated_by_its_settings() {
    let desk = Desk::new();
    let (data, model, again) = (desk.parties("p.csv"), desk.path("m.stance"), desk.path("again.stance"));
    stance(&[&["train", &data, "--model", &model, "--search", "--quiet"], TARGET.as_slice()].concat());
    let (_, json) = stance(&["inspect", &model, "--json"]);
    assert!(json.contains("lexicon of sentiment") && json.contains("NB-SVM"), "{json}");
    let settings = desk.write("s.toml", &stance(&["inspect", &model, "--settings"]).1);
    stance(&[&["train", &data, "--model", &again, "--settings", &settings, "--quiet"], TARGET.as_slice()].concat());
    let score = |model: &str| stance(&["evaluate", &data, "--model", model]).1;
    assert_eq!(score(&model), score(&again));
}
