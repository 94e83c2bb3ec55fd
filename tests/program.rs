//! The program as a user meets it: status, standard output and standard error together.
#![cfg(feature = "cli")]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

fn stance(args: &[&str]) -> Output {
    Command::cargo_bin("stance").unwrap().args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A directory with a small labelled table.
struct Bench {
    directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        let mut table = String::from("id,text,label,article\n");
        for i in 0..60 {
            let (verb, label) = if i % 2 == 0 { ("welcomes", "favor") } else { ("rejects", "against") };
            table += &format!("{i},\"The ministry {verb} offer {i}, again\",{label},a{}\n", i / 4);
        }
        bench.write("train.csv", table.as_bytes());
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.arg(name)
    }

    fn train(&self) -> String {
        let model = self.arg("m.stance");
        let output =
            stance(&["train", &self.arg("train.csv"), "--label", "label", "--group", "article", "--model", &model, "--quiet"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        model
    }

    /// Trains on a table; expects status 2 and a message that holds all of `parts`.
    fn refuses_to_train(&self, table: &[u8], extra: &[&str], parts: &[&str]) {
        let data = self.write("bad.csv", table);
        let model = self.arg("bad.stance");
        let mut args = vec!["train", data.as_str(), "--label", "label", "--model", model.as_str(), "--quiet"];
        args.extend(extra);
        let output = stance(&args);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        for part in parts {
            assert!(stderr(&output).contains(part), "{part:?} is not in {}", stderr(&output));
        }
        assert!(!Path::new(&model).exists());
    }
}

#[test]
fn a_model_is_trained_and_labels_every_row_in_order() {
    let bench = Bench::new();
    let model = bench.train();
    let data = bench.write("new.csv", b"text,note\nthe ministry rejects it,\"a, b\"\nshe welcomes it,\n");
    let output = stance(&["predict", &data, "--model", &model]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "text,note,predicted_label,predicted_label_probability");
    assert!(lines[1].starts_with("the ministry rejects it,\"a, b\",against,"), "{text}");
    assert!(lines[2].starts_with("she welcomes it,,favor,"), "{text}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_table_that_is_labelled_already_is_not_labelled_twice() {
    let bench = Bench::new();
    let (model, data) = (bench.train(), bench.write("new.csv", b"text,predicted_label\nThey met.,favor\n"));
    let output = stance(&["predict", &data, "--model", &model]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{}", stderr(&output));
    assert!(stderr(&output).contains("new.csv, column \"predicted_label\": the input has a column"), "{}", stderr(&output));
}

#[test]
fn an_encoding_that_shows_late_is_still_said() {
    let bench = Bench::new();
    let mut table = format!("text\n{}", "plain words here.\n".repeat(30_000)).into_bytes();
    table.extend(b"un caf\xe9 tr\xe8s na\xefve.\n");
    let (model, data) = (bench.train(), bench.write("late.csv", &table));
    let output = stance(&["predict", &data, "--model", &model, "--output", &bench.arg("out.csv")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("late.csv: not UTF-8, read as windows-1252"), "{}", stderr(&output));
}

#[test]
fn threads_change_no_byte_of_model_and_predictions() {
    let bench = Bench::new();
    let data = bench.arg("train.csv");
    let mut first: Option<(Vec<u8>, Vec<u8>)> = None;
    for threads in ["1", "2", "4", "2"] {
        let model = bench.arg("t.stance");
        let trained = stance(&[
            "train",
            &data,
            "--label",
            "label",
            "--group",
            "article",
            "--model",
            &model,
            "--quiet",
            "--threads",
            threads,
        ]);
        assert_eq!(trained.status.code(), Some(0), "{}", stderr(&trained));
        let predicted = stance(&["predict", &data, "--model", &model, "--threads", threads]).stdout;
        let both = (std::fs::read(&model).unwrap(), predicted);
        assert_eq!(first.get_or_insert_with(|| both.clone()), &both, "{threads} threads");
    }
}

#[test]
fn a_streamed_training_gives_a_model_that_labels_like_any_other() {
    let bench = Bench::new();
    let data = bench.arg("train.csv");
    let train = |model: &str, threads: &str, more: &[&str]| {
        let flags = ["train", &data, "--label", "label", "--hash-bits", "14", "--model", model, "--threads", threads];
        stance(&[&flags, more].concat())
    };
    let (streamed, again, whole) = (bench.arg("s.stance"), bench.arg("s2.stance"), bench.arg("w.stance"));
    let output = train(&streamed, "1", &["--stream"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("streaming; probabilities are not calibrated"), "{}", stderr(&output));
    assert_eq!(train(&again, "2", &["--stream"]).status.code(), Some(0));
    assert_eq!(std::fs::read(&streamed).unwrap(), std::fs::read(&again).unwrap());
    assert_eq!(train(&whole, "1", &["--folds", "0"]).status.code(), Some(0));
    let labels = |model: &str| -> Vec<String> {
        let output = stdout(&stance(&["predict", &data, "--model", model]));
        output.lines().skip(1).map(|line| line.rsplit(',').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(labels(&streamed), labels(&whole));
    assert_eq!(labels(&streamed)[..2], ["favor", "against"]);
    let output = stance(&["train", &data, "--label", "label", "--stream", "--model", &whole]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--hash-bits"), "{}", stderr(&output));
}

#[test]
fn classify_prints_what_the_readme_shows() {
    let output = stance(&["classify", "examples/kashmir-briefing.txt"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let readme = std::fs::read_to_string("README.md").unwrap();
    let command = "$ cargo run --release -- classify examples/kashmir-briefing.txt\n";
    let shown = readme.split_once(command).unwrap().1.split_once("```").unwrap().0;
    assert!(shown.starts_with("holder  "), "{shown}");
    assert_eq!(stdout(&output), shown);
}

#[test]
fn records_have_the_agreed_columns() {
    let output = stance(&["classify", "examples", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let header = "article,title,date,outlet,sentence,start,end,text,holder,holder_start,holder_end,via,mode,topic,topic_probability,stance,\
                  stance_probability,p_favor,p_against,p_neutral,abstained";
    assert_eq!(stdout(&output).lines().next(), Some(header));
    let jsonl = stance(&["classify", "examples/nile-dam.md", "--format", "jsonl", "--abstain", "0.1"]);
    let first: serde_json::Value = serde_json::from_str(stdout(&jsonl).lines().next().unwrap()).unwrap();
    assert_eq!(first["outlet"], "The Confluence Review");
}

#[test]
fn flags_of_the_matrix_are_refused_with_records() {
    for extra in [&["--by", "outlet"][..], &["--evidence"], &["--all"]] {
        let output = stance(&[&["classify", "examples", "--format", "csv"], extra].concat());
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{extra:?}");
        assert!(stderr(&output).contains("say --format table"), "{}", stderr(&output));
    }
}

#[test]
fn only_dates_that_begin_with_the_year_are_told_apart_by_it() {
    let bench = Bench::new();
    let text = "India ruled out mediation by a third party.";
    let table = format!("text,date\n{text},05/06/2023\n{text},2024-05-06\n{text},2024-07-08T10:00\n{text},\"May 6, 2022\"\n");
    let data = bench.write("dated.csv", table.as_bytes());
    let parts = |by| -> Vec<String> {
        let output = stance(&["classify", &data, "--by", by]);
        stdout(&output).lines().filter(|line| line.starts_with(&format!("{by}: "))).map(str::to_owned).collect()
    };
    assert_eq!(parts("year"), ["year: (none)", "year: 2024"]);
    assert_eq!(parts("month"), ["month: (none)", "month: 2024-05", "month: 2024-07"]);
}

#[test]
fn a_matrix_by_a_column_that_no_article_has_is_refused_with_those_there_are() {
    let bench = Bench::new();
    let data = bench.write("t.csv", b"text,region\nIndia ruled out mediation by a third party.,asia\n");
    let output = stance(&["classify", &data, "--by", "nosuch"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{}", stderr(&output));
    let message = "--by nosuch: no article has this column; expected one of outlet, day, month, year, article, region";
    assert!(stderr(&output).contains(message), "{}", stderr(&output));
    // One article of two is enough: the other has no value.
    let output = stance(&["classify", &data, "examples/nile-dam.md", "--by", "region"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("region: (none)\n") && stdout(&output).contains("region: asia\n"), "{}", stdout(&output));
}

#[test]
fn columns_of_articles_are_named_by_the_flags_that_messages_tell_of() {
    let bench = Bench::new();
    let data = bench.write("t.csv", b"story,Date,date,text\ns1,old,2024,They met.\ns1,old,2024,They agreed.\n");
    let unclear = stance(&["classify", &data, "--format", "jsonl", "--sentences"]);
    assert!(stderr(&unclear).contains("name it with --id"), "{}", stderr(&unclear));
    let unclear = stance(&["classify", &data, "--format", "jsonl", "--sentences", "--id", "story"]);
    assert!(stderr(&unclear).contains("say which with --date"), "{}", stderr(&unclear));
    let named = stance(&["classify", &data, "--format", "jsonl", "--sentences", "--id", "story", "--date", "date"]);
    assert_eq!(named.status.code(), Some(0), "{}", stderr(&named));
    let last: serde_json::Value = serde_json::from_str(stdout(&named).lines().last().unwrap()).unwrap();
    assert_eq!((&last["article"], &last["date"], &last["sentence"]), (&"s1".into(), &"2024".into(), &1.into()));
}

#[test]
fn a_table_of_aliases_that_would_mislead_is_refused_by_line() {
    let bench = Bench::new();
    for (table, message) in [
        ("alias,canonical\nIndia,\n", "own.csv:2, column \"canonical\": no name"),
        ("alias,canonical\nIndia,Bharat\nIndia,Hind\n", "own.csv:3, column \"alias\": an alias of two names"),
        (
            "from,to\nIndia,Bharat\n",
            "no column \"alias\"; found from, to; the table of --aliases has the columns alias, canonical",
        ),
    ] {
        let own = bench.write("own.csv", table.as_bytes());
        let output = stance(&["classify", "examples/kashmir-briefing.txt", "--aliases", &own]);
        assert_eq!(output.status.code(), Some(2), "{table}");
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
    }
}

#[test]
fn standard_input_is_read() {
    let mut command = Command::cargo_bin("stance").unwrap();
    let output = command
        .args(["classify", "-", "--format", "csv"])
        .write_stdin("India ruled out mediation by a third party.\n")
        .output()
        .unwrap();
    assert!(stdout(&output).contains(",India,"), "{}", stdout(&output));
}

#[test]
fn standard_input_named_twice_is_refused() {
    let mut command = Command::cargo_bin("stance").unwrap();
    let output = command.args(["classify", "-", "examples/nile-dam.md", "-"]).write_stdin("They met.\n").output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
    assert!(stderr(&output).contains("standard input is named twice; name - once"), "{}", stderr(&output));
}

#[test]
fn evaluation_prints_intervals_and_honours_a_threshold() {
    let bench = Bench::new();
    let (model, data) = (bench.train(), bench.arg("train.csv"));
    let good = stance(&["evaluate", &data, "--model", &model, "--min-macro-f1", "0.5"]);
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    assert!(stdout(&good).contains("macro-F1                    1.0000  [1.0000, 1.0000]"), "{}", stdout(&good));
    let bad = stance(&["evaluate", &data, "--model", &model, "--min-macro-f1", "1.1"]);
    assert_eq!(bad.status.code(), Some(1));
    let cross = ["evaluate", &data, "--label", "label", "--group", "article", "--cross-validate", "3"];
    let crossed = stance(&cross);
    assert_eq!(crossed.status.code(), Some(0), "{}", stderr(&crossed));
    let searched = stance(&[&cross[..], &["--search"]].concat());
    assert_eq!(searched.status.code(), Some(2));
    assert!(stderr(&searched).contains("--search cannot be used here"), "{}", stderr(&searched));
}

#[test]
fn flags_of_training_are_refused_where_a_model_is_scored() {
    let bench = Bench::new();
    let (model, data) = (bench.train(), bench.arg("train.csv"));
    for flags in [&["--model", &model, "--cost", "3"][..], &["--label", "label"]] {
        let output = stance(&[&["evaluate", &data], flags].concat());
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{flags:?}");
        assert!(stderr(&output).contains("a model is scored as it is"), "{}", stderr(&output));
    }
}

#[test]
fn flags_of_training_that_need_another_are_refused_without_it() {
    let bench = Bench::new();
    let (data, model) = (bench.arg("train.csv"), bench.arg("new.stance"));
    for (flags, message) in [
        (&["--metric", "macro-f1"][..], "--metric says what --search and --offsets maximise; add one of them"),
        (&["--context"], "--context needs the group of a text; name its column with --group COL"),
    ] {
        let train = ["train", &data, "--label", "label", "--model", &model, "--quiet"];
        let output = stance(&[&train, flags].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
        let whole = [&train[..], &["--group", "article", "--offsets"], flags].concat();
        assert_eq!(stance(&whole).status.code(), Some(0), "{flags:?}");
    }
}

#[test]
fn a_target_is_refused_by_a_model_that_was_trained_without() {
    let bench = Bench::new();
    let (model, data) = (bench.train(), bench.arg("train.csv"));
    for flags in [["--target", "ministry"], ["--target-column", "article"], ["--target-span", "id,id"]] {
        for command in ["predict", "evaluate"] {
            let output = stance(&[&[command, &data, "--model", &model], &flags[..]].concat());
            assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{command} {flags:?}");
            assert!(stderr(&output).contains("the model was not trained on targets; leave out --target"), "{}", stderr(&output));
        }
    }
}

#[test]
fn every_line_of_an_evaluation_in_json_is_json() {
    let bench = Bench::new();
    let (model, data) = (bench.train(), bench.arg("train.csv"));
    let output = stance(&["evaluate", &data, "--model", &model, "--train", &data, "--against", &model, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    let lines: Vec<serde_json::Value> = stdout(&output).lines().map(parse).collect();
    assert_eq!((&lines[0]["near_duplicates"], &lines[0]["texts"]), (&60.into(), &60.into()));
    assert_eq!((&lines[1]["head"], &lines[1]["n"]), (&"label".into(), &60.into()));
    assert_eq!((&lines[2]["head"], &lines[2]["macro_f1_difference"]), (&"label".into(), &0.0.into()));
    assert_eq!(lines.len(), 3);
    let table = b"text,article,topic,stance\nWe reject mediation by others.,a,third-party-mediation,against\n";
    let chained = stance(&["evaluate", &bench.write("chained.csv", table), "--json"]);
    let last = stdout(&chained).lines().last().map(parse).unwrap_or_else(|| panic!("{}", stderr(&chained)));
    assert_eq!(last["n"], 1);
    assert!(last["all_heads_right"].is_number(), "{last}");
}

#[test]
fn models_of_other_heads_or_labels_are_not_compared() {
    let bench = Bench::new();
    let (model, data) = (bench.train(), bench.arg("train.csv"));
    let other = bench.arg("other.stance");
    let table = std::fs::read_to_string(&data).unwrap();
    for (table, head) in [(table.replace("label", "verdict"), "verdict"), (table.replace("favor", "for"), "label")] {
        let table = bench.write("other.csv", table.as_bytes());
        let trained = stance(&["train", &table, "--label", head, "--model", &other, "--quiet"]);
        assert_eq!(trained.status.code(), Some(0), "{}", stderr(&trained));
        for (model, other) in [(&model, &other), (&other, &model)] {
            let output = stance(&["evaluate", &data, "--model", model, "--against", other]);
            assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{}", stderr(&output));
            assert!(
                stderr(&output).contains("expected") && stderr(&output).contains(&format!("{head} (")),
                "{}",
                stderr(&output)
            );
        }
    }
}

#[test]
fn one_fold_is_refused_for_what_it_is() {
    let bench = Bench::new();
    let output = stance(&["evaluate", &bench.arg("train.csv"), "--label", "label", "--cross-validate", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("too few folds; expected at least 2; found 1"), "{}", stderr(&output));
}

#[test]
fn refused_rows_and_output_are_not_written_to_one_file() {
    let bench = Bench::new();
    let (data, one) = (bench.write("t.csv", b"text\nThey met.\n"), bench.arg("one.csv"));
    for command in ["classify", "predict"] {
        let output = stance(&[command, &data, "--output", &one, "--rejects", &one]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(stderr(&output).contains("--rejects and --output name the same file"), "{}", stderr(&output));
        assert!(!Path::new(&one).exists());
    }
}

#[test]
fn throughput_is_measured_stage_by_stage() {
    let bench = Bench::new();
    let model = bench.train();
    let output = stance(&["bench", &bench.arg("train.csv"), "--text", "text", "--model", &model, "--runs", "1", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let stages: Vec<&str> = report["stages"].as_array().unwrap().iter().map(|s| s["stage"].as_str().unwrap()).collect();
    assert_eq!(stages[..5], ["read the table", "segment", "tokenise", "features", "predict"]);
    assert_eq!(report["n_texts"], 60);
    assert!(report["load_ms"].as_f64().unwrap() > 0.0);
    let output = stance(&["bench", "--runs", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no table to measure with"), "{}", stderr(&output));
}

#[test]
fn rows_that_are_not_measured_are_told_of() {
    let bench = Bench::new();
    let data = bench.write("rows.csv", b"id,text\n1,it rejects\n2\n3,it welcomes\n");
    let output = stance(&["bench", &data, "--model", &bench.train(), "--runs", "1", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["n_texts"], 2);
    assert!(
        stderr(&output).contains("rows.csv:3: ragged row") && stderr(&output).contains("1 row refused"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_explanation_adds_up() {
    let bench = Bench::new();
    let output = stance(&["explain", "--model", &bench.train(), "the ministry rejects it", "--top", "3"]);
    let text = stdout(&output);
    let number = |line: &str| line.split_whitespace().next().unwrap().parse::<f64>().unwrap();
    let score: f64 = text.split("score ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    let sum: f64 = text.lines().skip(1).map(number).sum();
    assert!((sum - score).abs() < 1e-5, "{text}");
}

#[test]
fn settings_of_a_model_repeat_its_training() {
    let bench = Bench::new();
    let model = bench.train();
    let settings = bench.write("s.toml", &stance(&["inspect", &model, "--settings"]).stdout);
    let again = bench.arg("again.stance");
    let output = stance(&[
        "train",
        &bench.arg("train.csv"),
        "--label",
        "label",
        "--group",
        "article",
        "--settings",
        &settings,
        "--model",
        &again,
        "--quiet",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(std::fs::read(&model).unwrap(), std::fs::read(&again).unwrap());
}

#[test]
fn an_empty_file_is_refused() {
    Bench::new().refuses_to_train(b"", &[], &["bad.csv", "empty"]);
}

#[test]
fn a_table_without_a_text_column_is_refused() {
    Bench::new().refuses_to_train(b"words,label\nx,a\n", &[], &["text column", "words, label", "--text"]);
}

#[test]
fn a_double_header_is_refused() {
    Bench::new().refuses_to_train(b"text,label,text\nx,a,y\n", &[], &["bad.csv:1", "text"]);
}

#[test]
fn columns_without_a_name_are_numbered_where_there_are_several() {
    let bench = Bench::new();
    let header = |table: &str| {
        let output = stance(&["predict", &bench.write("nameless.csv", table.as_bytes())]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output).lines().next().unwrap().to_owned()
    };
    assert!(header("text,, \nIndia rejects mediation,1,2\n").starts_with("text,column 2,column 3,predicted_topic"));
    assert!(header(",text\n0,India rejects mediation\n").starts_with(",text,predicted_topic"));
    bench.refuses_to_train(b"text,label,,column 3,\nx,a,,,\n", &[], &["bad.csv:1", "column 3", "the same name"]);
}

#[test]
fn a_path_to_settings_that_are_not_utf8_says_the_line() {
    let bench = Bench::new();
    let settings = bench.write("settings.toml", b"folds = 3\n# caf\xe9\n");
    let (data, model) = (bench.arg("train.csv"), bench.arg("m.stance"));
    let output = stance(&["train", &data, "--label", "label", "--model", &model, "--settings", &settings]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("settings.toml:2: invalid UTF-8; save the file as UTF-8"), "{}", stderr(&output));
}

#[test]
fn one_class_only_is_refused() {
    Bench::new().refuses_to_train(b"text,label\nx y,a\nz w,a\n", &[], &["one class only", "label"]);
}

#[test]
fn fewer_rows_than_classes_are_refused() {
    Bench::new().refuses_to_train(b"text,label\nx y,a\nz w,b\nu v,c\n", &[], &["too few rows"]);
}

#[test]
fn one_group_for_everything_is_said_and_trained_without_calibration() {
    let bench = Bench::new();
    let data = bench.write("one.csv", b"text,label,g\nyes we can,a,x\nno we cannot,b,x\nyes they can,a,x\nno they cannot,b,x\n");
    let output = stance(&["train", &data, "--label", "label", "--group", "g", "--model", &bench.arg("one.stance")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("only 1 group"), "{}", stderr(&output));
    let crossed = stance(&["evaluate", &data, "--label", "label", "--group", "g", "--cross-validate", "2"]);
    assert_eq!(crossed.status.code(), Some(2));
    assert!(stderr(&crossed).contains("too few groups"), "{}", stderr(&crossed));
}

#[test]
fn bad_rows_are_listed_and_good_rows_labelled() {
    let bench = Bench::new();
    let model = bench.train();
    let mut table = b"id,text\n1,it rejects\n2,three,fields\n3,it welcomes\n4,\xff\xfe\n5,nul \0 byte\n6,it rejects\n7,\xc5\x81\xc3\xb3d\xc5\xba\n".to_vec();
    table.extend_from_slice("8,Łódź\n".as_bytes());
    let data = bench.write("rows.csv", &table);
    let rejects = bench.arg("rejects.csv");
    let output = stance(&["predict", &data, "--model", &model, "--rejects", &rejects]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    let ids: Vec<&str> = text.lines().skip(1).map(|l| l.split(',').next().unwrap()).collect();
    assert_eq!(ids, ["1", "3", "6", "7", "8"], "{text}");
    let listed = std::fs::read_to_string(rejects).unwrap();
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.contains(",3,") && listed.contains(",5,") && listed.contains(",6,"), "{listed}");
}

#[test]
fn json_that_is_no_text_is_neither_labelled_nor_trained_on() {
    let bench = Bench::new();
    let data = bench.write(
        "t.jsonl",
        b"{\"id\":1,\"text\":\"it rejects\"}\n{\"id\":2,\"text\":[\"x\"]}\n{\"id\":[3],\"text\":\"it welcomes\"}\n",
    );
    let output = stance(&["predict", &data, "--model", &bench.train()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 3, "{}", stdout(&output));
    assert!(stdout(&output).contains("[3],it welcomes"), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("t.jsonl:2, column \"text\": no text; expected a string; found an array"),
        "{}",
        stderr(&output)
    );
    let labelled: String =
        (0..9).map(|i| format!("{{\"text\":{},\"label\":\"l{}\"}}\n", ["\"it rejects\"", "4"][i / 8], i % 2)).collect();
    let data = bench.write("l.jsonl", labelled.as_bytes());
    let output = stance(&["train", &data, "--label", "label", "--model", &bench.arg("l.stance")]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("l.jsonl:9, column \"text\": no text"), "{}", stderr(&output));
}

#[test]
fn a_row_of_fifty_megabytes_is_refused_and_its_neighbours_stay() {
    let bench = Bench::new();
    let model = bench.train();
    let mut table = b"text\nit rejects\n\"".to_vec();
    table.resize(table.len() + (51 << 20), b'x');
    table.extend_from_slice(b"\"\nit welcomes\n");
    let data = bench.write("long.csv", &table);
    let output = stance(&["predict", &data, "--model", &model]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 3);
    assert!(stderr(&output).contains(":3"), "{}", stderr(&output));
}

#[test]
fn an_unknown_label_at_evaluation_is_refused_with_the_known_ones() {
    let bench = Bench::new();
    let data = bench.write("eval.csv", b"text,label,article\nit rejects,against,a\nit welcomes,maybe,b\n");
    let output = stance(&["evaluate", &data, "--model", &bench.train()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("eval.csv:3") && stderr(&output).contains("against, favor") && stderr(&output).contains("maybe"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn damaged_models_are_refused_by_name() {
    let bench = Bench::new();
    let model = bench.train();
    let bytes = std::fs::read(&model).unwrap();
    let data = bench.arg("train.csv");
    for (name, damaged) in [("cut", bytes[..bytes.len() / 2].to_vec()), ("csv", b"text,label\n".to_vec()), ("empty", Vec::new())]
    {
        let path = bench.write(name, &damaged);
        let output = stance(&["predict", &data, "--model", &path]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
    }
}

#[test]
fn a_path_that_cannot_be_read_takes_no_other_along() {
    let bench = Bench::new();
    let (missing, briefing) = (bench.arg("missing.txt"), concat!(env!("CARGO_MANIFEST_DIR"), "/examples/kashmir-briefing.txt"));
    let alone = stance(&["classify", briefing, "--format", "csv"]);
    let output = stance(&["classify", &missing, briefing, "--format", "csv"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), stdout(&alone)));
    assert!(stderr(&output).contains("missing.txt: no such file or directory; check the path"), "{}", stderr(&output));
    for (args, status) in [(&[missing.as_str(), &missing][..], 2), (&["-", "-"], 2), (&[&missing, briefing, "--strict"], 2)] {
        let output = stance(&[&["classify"], args].concat());
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(status), ""), "{}", stderr(&output));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_said_for_what_it_is() {
    let bench = Bench::new();
    let (data, missing, directory) = (bench.arg("train.csv"), bench.arg("missing"), bench.arg(""));
    let latin = bench.write("task.latin1", b"name = \"x\"\n# caf\xe9\n[[head]]\nname = \"label\"\n");
    for (args, message) in [
        (&["predict", &data, "--model", &missing][..], "missing: no such file or directory; check the path"),
        (&["train", &data, "--model", &missing, "--task", &missing], "missing: no such file or directory; check the path"),
        (&["classify", &data, "--gazetteer", &missing], "missing: no such file or directory; check the path"),
        (&["predict", &data, "--model", &directory], "a directory, not a model file; name the file in it"),
        (&["classify", &data, "--holders", &directory], "a directory, not a model file; name the file in it"),
        (&["train", &data, "--model", &missing, "--task", &directory], "a directory, not a file; name a file in it"),
        (&["train", &data, "--model", &missing, "--task", &latin], "task.latin1:2: invalid UTF-8; save the file as UTF-8"),
        (&["predict", &data, "--max-row-bytes", "0"], "expected a whole number, 1 or more"),
    ] {
        let output = stance(args);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{args:?}");
        assert!(stderr(&output).contains(message), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn an_output_that_cannot_be_written_is_one_clear_error() {
    let bench = Bench::new();
    let (model, data) = (bench.train(), bench.arg("train.csv"));
    let missing = stance(&["predict", &data, "--model", &model, "--output", "/no/such/directory/out.csv"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("/no/such/directory"), "{}", stderr(&missing));
    if Path::new("/dev/full").exists() {
        let full = stance(&["predict", &data, "--model", &model, "--output", "/dev/full"]);
        assert_eq!(full.status.code(), Some(2));
        assert!(stderr(&full).contains("/dev/full"), "{}", stderr(&full));
    }
}

#[test]
#[cfg(unix)]
fn a_closed_pipe_is_no_error() {
    use std::process::Stdio;
    let bench = Bench::new();
    let model = bench.train();
    let mut table = String::from("text\n");
    (0..200_000).for_each(|i| table += &format!("the ministry rejects offer {i}\n"));
    let data = bench.write("big.csv", table.as_bytes());
    let program = assert_cmd::cargo::cargo_bin("stance");
    let mut child = std::process::Command::new(program)
        .args(["predict", &data, "--model", &model])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn check_finds_what_is_wrong() {
    let bench = Bench::new();
    let data = bench.write("c.csv", b"text,label,article\nthe river treaty must be honoured now,a,x\nthe river treaty must be honoured today,b,y\nsame,a,x\nsame,b,y\n");
    let output = stance(&["check", &data, "--label", "label", "--group", "article"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("same text, other label (label 1): 1"), "{}", stdout(&output));
    assert!(stdout(&output).contains("near-duplicates of different groups (0 across splits): 2"), "{}", stdout(&output));
    let annotated = bench.write("a.csv", b"first,second\nyes,yes\nno,no\nyes,no\nno,no\n");
    let output = stance(&["check", &annotated, "--annotators", "first,second"]);
    assert!(stdout(&output).contains("Cohen's kappa, first and second: 0.5000"), "{}", stdout(&output));
}

#[test]
fn only_rows_that_meet_the_conditions_are_checked() {
    let bench = Bench::new();
    let data = bench.write("t.csv", b"text,label,by,else\nOne two.,x,x,x\nThree four.,y,y,x\nFive six.,x,x,x\n");
    let output = stance(&["check", &data, "--label", "label", "--where", "label=x"]);
    assert!(stdout(&output).starts_with("2 rows;"), "{}{}", stdout(&output), stderr(&output));
    let agreement = stance(&["check", &data, "--label", "label", "--annotators", "by,else", "--where", "label=x"]);
    assert!(stdout(&agreement).contains("2 units, 2 annotators"), "{}{}", stdout(&agreement), stderr(&agreement));
}

#[test]
fn completions_and_manual_are_printed() {
    assert!(stdout(&stance(&["completions", "bash"])).contains("stance"));
    assert!(stdout(&stance(&["man"])).contains(".TH"));
}
