//! `stance predict`: a table in, the same table with labels out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use stancekit::batch::{BatchOptions, Labeller, output_columns};
use stancekit::data::{Format, Output, TableWriter};
use stancekit::labelled::Columns;
use stancekit::{Model, Predictor};

use super::columns::{TableArgs, TargetArgs, tell_encoding};
use super::encoder::EncoderArgs;
use super::{Common, ExitStatus, RejectArgs, RowFormat, progress, settle};

/// Label the rows of a table: one row in, one row out, same order.
#[derive(Debug, Args)]
pub struct Predict {
    #[command(flatten)]
    table: TableArgs,
    /// Model file; the built-in model for diplomatic news by default
    #[arg(long, value_name = "M")]
    model: Option<PathBuf>,
    /// Format of the output; by its name, else CSV
    #[arg(long, value_enum)]
    format: Option<RowFormat>,
    /// Where the output goes; standard output by default
    #[arg(long, short, value_name = "F")]
    output: Option<PathBuf>,
    /// Write the probability of every label
    #[arg(long)]
    probabilities: bool,
    /// Give prediction sets that hold the true label of each class with probability 1 - ALPHA, and say why where there is no single label
    #[arg(long, value_name = "ALPHA")]
    abstain: Option<f64>,
    /// Use the true values of given heads where the table has their columns
    #[arg(long)]
    use_given: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    rejects: RejectArgs,
}

/// Loads the named model, or the built-in one.
pub fn load_model(path: Option<&PathBuf>) -> anyhow::Result<Arc<Model>> {
    Ok(match path {
        Some(path) => Arc::new(open_model(path)?),
        None => Model::builtin(),
    })
}

/// Opens a model file. A directory is told from one here: the system opens it and then only says that it has no such device.
pub fn open_model(path: &Path) -> anyhow::Result<Model> {
    anyhow::ensure!(!path.is_dir(), "{}: a directory, not a model file; name the file in it", path.display());
    Ok(Model::load(path)?)
}

impl Predict {
    pub fn run(&self, common: &Common) -> anyhow::Result<ExitStatus> {
        if let Some(alpha) = self.abstain {
            anyhow::ensure!(alpha > 0.0 && alpha < 1.0, "--abstain {alpha}; expected a number between 0 and 1");
        }
        anyhow::ensure!(self.table.rows.conditions.is_empty(), "--where cannot be used here: predict gives one row for each row");
        let predictor = Predictor::new(load_model(self.model.as_ref())?);
        let encoder = self.encoder.for_model(predictor.encoder())?;
        let mut task = predictor.model().meta().task.clone();
        self.target.overrule_trained(&mut task)?;
        let mut reader = self.table.open()?;
        let text = self.table.text_column(&mut reader, &task)?;
        let columns = Columns::find(&task, reader.columns(), text, false).map_err(|e| reader.place_columns(e))?;
        let options = BatchOptions {
            use_given_columns: self.use_given,
            all_probabilities: self.probabilities,
            abstain: self.abstain,
            target: None,
        };
        let by_name = self.output.as_deref().and_then(Format::from_path).filter(|f| f.is_table());
        let format = self.format.map(Format::from).or(by_name).unwrap_or(Format::Csv);
        let written = output_columns(reader.columns(), &predictor, &options).map_err(|e| e.in_file(reader.source().path()))?;
        let mut rejects = self.rejects.open_beside(self.output.as_deref())?;
        let output = Output::create(self.output.as_deref())?;
        let mut writer = TableWriter::new(output, format, written)?;
        let bar = progress::spinner(common, "rows labelled");
        let labeller = Labeller { predictor: &predictor, encoder: encoder.as_ref(), columns: &columns, options: &options };
        labeller.label_table(&mut reader, &mut writer, &mut rejects, &|n| bar.set_position(n))?;
        writer.finish()?;
        bar.finish_and_clear();
        tell_encoding(&reader);
        settle(&mut rejects)
    }
}
