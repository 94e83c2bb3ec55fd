//! `stance inspect`: what is in a model file.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use stancekit::train::TrainParams;
use stancekit::{Model, Predictor};

use super::ExitStatus;
use super::predict::load_model;

/// Show what is in a model file.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Model file; the built-in model for diplomatic news by default
    model: Option<PathBuf>,
    /// Print all metadata as JSON
    #[arg(long, conflicts_with = "settings")]
    json: bool,
    /// Print the settings as TOML, to train again with `stance train --settings`
    #[arg(long)]
    settings: bool,
    /// Show so many of the strongest n-grams of each label
    #[arg(long, short, default_value_t = 8, value_name = "N")]
    top: usize,
}

impl Inspect {
    pub fn run(&self) -> anyhow::Result<ExitStatus> {
        let model = load_model(self.model.as_ref())?;
        let mut out = Vec::new();
        if self.json {
            serde_json::to_writer_pretty(&mut out, model.meta())?;
            writeln!(out)?;
        } else if self.settings {
            write!(out, "{}", toml::to_string(&settings(&model))?)?;
        } else {
            print_summary(&model, &mut out)?;
            self.print_strongest(&Predictor::new(model), &mut out)?;
        }
        super::write_text(None, &String::from_utf8(out)?)?;
        Ok(ExitStatus::Done)
    }

    fn print_strongest(&self, predictor: &Predictor, out: &mut dyn Write) -> anyhow::Result<()> {
        for (head, meta) in predictor.model().meta().heads.iter().enumerate() {
            writeln!(out, "\nstrongest n-grams, {}", meta.name)?;
            for (class, label) in meta.labels.iter().enumerate() {
                let names: Vec<String> =
                    predictor.strongest(head, None, class, self.top).into_iter().map(|(name, _)| format!("{name:?}")).collect();
                writeln!(out, "  {label}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

/// The settings that a model was trained with.
fn settings(model: &Model) -> TrainParams {
    let meta = model.meta();
    TrainParams {
        features: meta.features.clone(),
        heads: meta.heads.iter().map(|h| h.params.clone()).collect(),
        context: meta.heads.iter().any(|h| !h.calibration.context.is_empty()),
        folds: meta.training.folds,
        weights: meta.weights,
        keep_features: (meta.training.n_pruned > 0).then_some(meta.n_features),
        seed: meta.training.seed,
        ..TrainParams::default()
    }
}

/// Prints task, features, heads, scores and card.
pub fn print_summary(model: &Model, out: &mut dyn Write) -> anyhow::Result<()> {
    let meta = model.meta();
    writeln!(out, "model for task {:?}, format {}, written by stancekit {}", meta.task.name, meta.format, meta.crate_version)?;
    let training = &meta.training;
    writeln!(
        out,
        "trained on {} rows ({} texts, {} groups), fingerprint {}, seed {}",
        training.n_rows, meta.n_texts, training.n_groups, training.fingerprint, training.seed
    )?;
    let blocks: Vec<String> =
        meta.features.blocks.iter().map(|b| format!("{:?} {}-{}", b.analyzer, b.ngrams.0, b.ngrams.1).to_lowercase()).collect();
    let pruned = if training.n_pruned > 0 { format!(", {} pruned", training.n_pruned) } else { String::new() };
    writeln!(out, "{} features: {}{pruned}; weights {:?}", meta.n_features, blocks.join(", "), meta.weights)?;
    for (head, task) in meta.heads.iter().zip(&meta.task.heads) {
        let given = task.given.as_ref().map(|g| format!(" given {g}")).unwrap_or_default();
        writeln!(
            out,
            "head {}{given}: {} labels, C = {}, calibration {}",
            head.name,
            head.labels.len(),
            head.params.linear.c,
            head.calibration.method
        )?;
        for (label, count) in head.labels.iter().zip(&head.counts) {
            writeln!(out, "  {count:>6}  {label}")?;
        }
    }
    for score in &meta.scores {
        writeln!(out, "{}: {} {:.4} [{:.4}, {:.4}]", score.head, score.name, score.value, score.interval.0, score.interval.1)?;
    }
    if !meta.card.is_empty() {
        writeln!(out, "\n{}", meta.card.trim_end())?;
    }
    Ok(())
}
