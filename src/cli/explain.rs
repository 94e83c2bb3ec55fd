//! `stance explain`: the n-grams behind a label, adding up to its score.

use std::path::PathBuf;

use clap::Args;
use stancekit::Predictor;
use stancekit::features::Passage;
use stancekit::predict::Answer;

use super::ExitStatus;
use super::encoder::EncoderArgs;
use super::predict::load_model;

/// Show which words spoke for and against.
#[derive(Debug, Args)]
pub struct Explain {
    /// The text to explain
    text: String,
    /// Model file; the built-in model for diplomatic news by default
    #[arg(long, value_name = "M")]
    model: Option<PathBuf>,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// Head to explain; all by default
    #[arg(long, value_name = "HEAD")]
    head: Option<String>,
    /// Label to explain; the predicted one by default
    #[arg(long, value_name = "LABEL", requires = "head")]
    label: Option<String>,
    /// Value of what the head is given, such as a topic; the predicted one by default
    #[arg(long, value_name = "VALUE")]
    given: Option<String>,
    /// Show so many n-grams
    #[arg(long, short, default_value_t = 15, value_name = "N")]
    top: usize,
}

impl Explain {
    pub fn run(&self) -> anyhow::Result<ExitStatus> {
        let predictor = Predictor::new(load_model(self.model.as_ref())?);
        let meta = predictor.model().meta();
        if let Some(head) = &self.head {
            let names: Vec<&str> = meta.heads.iter().map(|h| h.name.as_str()).collect();
            anyhow::ensure!(names.contains(&head.as_str()), "no head {head:?}; expected one of {}", names.join(", "));
        }
        let mut scratch = predictor.scratch();
        let passage = Passage::from(self.text.as_str());
        let encoder = self.encoder.for_model(predictor.encoder())?;
        let vectors = encoder.map(|encoder| encoder.encode(&[passage])).transpose()?.unwrap_or_default();
        predictor.read(Passage { vector: vectors.row(0), ..passage }, &mut scratch);
        let mut answers: Vec<Answer> = Vec::new();
        let mut text = String::new();
        for (head, head_meta) in meta.heads.iter().enumerate() {
            let given = self.given_of(&predictor, head, &answers)?;
            let answer = predictor.answer(head, given, &scratch);
            if self.head.as_ref().is_none_or(|h| *h == head_meta.name) {
                let class = self.class(head_meta, &answer)?;
                let given_name = given.map(|g| format!(" given {}", head_meta.given_labels[g])).unwrap_or_default();
                text += &format!(
                    "{} = {}{given_name}: score {:+.6}, probability {:.4}\n",
                    head_meta.name, head_meta.labels[class], answer.scores[class], answer.probabilities[class]
                );
                text += &self.table(&predictor.explain(head, given, class, &scratch));
            }
            answers.push(answer);
        }
        super::write_text(None, &text)?;
        Ok(ExitStatus::Done)
    }

    fn given_of(&self, predictor: &Predictor, head: usize, answers: &[Answer]) -> anyhow::Result<Option<usize>> {
        let task = &predictor.model().meta().task;
        let Some(name) = &task.heads[head].given else { return Ok(None) };
        if let Some(value) = &self.given {
            return Ok(Some(predictor.given(head, value)?));
        }
        let Some(other) = task.head(name) else {
            anyhow::bail!("head {:?} is given {name:?}; name its value with --given", task.heads[head].name);
        };
        Ok(predictor.given(head, &predictor.head(other).labels[answers[other].class]).ok())
    }

    fn class(&self, head: &stancekit::model::HeadMeta, answer: &Answer) -> anyhow::Result<usize> {
        let Some(label) = &self.label else { return Ok(answer.class) };
        let position = head.labels.iter().position(|l| l == label);
        position.ok_or_else(|| anyhow::anyhow!("no label {label:?}; expected one of {}", head.labels.join(", ")))
    }

    fn table(&self, parts: &[stancekit::predict::Contribution]) -> String {
        let (shown, rest) = parts.split_at(self.top.min(parts.len().saturating_sub(1)));
        let mut text = String::new();
        for part in shown {
            text += &format!("  {:+.6}  {}\n", part.contribution, part.ngram);
        }
        let (hidden, intercept) = rest.split_at(rest.len() - 1);
        if !hidden.is_empty() {
            let sum: f64 = hidden.iter().map(|p| p.contribution).sum();
            text += &format!("  {sum:+.6}  ({} more n-grams)\n", hidden.len());
        }
        text + &format!("  {:+.6}  {}\n", intercept[0].contribution, intercept[0].ngram)
    }
}
