//! Training on data that does not fit into memory: hashed features, block by block.
//!
//! One pass over the table counts the n-grams of every row, hashed to 2^B columns, and spills the counts to a temporary file in blocks of about a
//! megabyte of text; document frequencies add up meanwhile. Then the blocks are visited again and again ([`BlockSolver`]), each read, weighed and trained on
//! by itself. In memory are the weights (2^B × outputs), one block and the next. On disk are about 8 bytes per n-gram of each row and 8 per row
//! and output. Same rows, settings and seed give the same bytes on any number of threads.
//!
//! Not here: folds. Probabilities are not calibrated and no scores are measured; `stance evaluate` measures them on other data.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use crate::error::{Error, Result};
use crate::features::{CHUNK, Counts, Extractor, Features, Passage, add_hashed_dfs, count};
use crate::labelled::Columns;
use crate::linear::{BlockSolver, ClassWeights, LinearModel, LinearParams, Problem, Targets};
use crate::model::{Calibration, HeadMeta, HeadParts, Model, ModelMeta, ModelParts, TrainingMeta};
use crate::random::Random;
use crate::sparse::SparseRows;
use crate::task::Task;
use crate::train::TrainParams;

/// Bytes of text in a block.
const BLOCK_BYTES: usize = 1 << 20;
/// Visits of every block at most.
const MAX_VISITS: usize = 15;
/// Tighter tolerances are not waited for: LIBLINEAR's default, beyond which hardly a label changes and every step costs a pass over the disk.
const LEAST_EPS: f64 = 0.1;

/// A training under way.
#[derive(Debug)]
pub struct StreamTrainer {
    task: Task,
    params: TrainParams,
    bits: u8,
    columns: Columns,
    extractor: Extractor,
    /// The rows of the block being filled.
    texts: Vec<(String, Option<(usize, usize)>)>,
    n_bytes: usize,
    /// Per head: number of each label by first appearance, and of each row of the block.
    labels: Vec<Labels>,
    spill: File,
    blocks: Vec<Block>,
    dfs: Vec<u32>,
    n_rows: usize,
    fingerprint: u64,
}

#[derive(Debug, Default, Clone)]
struct Labels {
    numbers: BTreeMap<String, u32>,
    counts: Vec<usize>,
    of_rows: Vec<u32>,
}

/// Where a block lies in the spill file: its labels, head by head, its ends and its entries.
#[derive(Debug, Clone, Copy)]
struct Block {
    offset: u64,
    first_row: usize,
    n_rows: usize,
    n_ends: usize,
    n_entries: usize,
}

impl StreamTrainer {
    /// Ready for rows whose fields stand in `columns`.
    ///
    /// # Errors
    ///
    /// If the settings are not for streaming: features must be hashed, heads have one label per row and no given, and be trained one-vs-rest.
    pub fn new(task: &Task, columns: Columns, params: &TrainParams) -> Result<Self> {
        task.validate()?;
        params.features.validate()?;
        let not_streamed = |what: &str| {
            Err(Error::parameter(format!("{what} cannot be streamed"))
                .help("leave out --stream, so that the data is held in memory"))
        };
        let Some(bits) = params.features.hash_bits else { return not_streamed("a vocabulary") };
        if !task.unit.is_empty() || task.heads.iter().any(|head| head.multiple || head.given.is_some()) {
            return not_streamed("a task with several labels per text or a given head");
        }
        if params.keep_features.is_some() || !(0..task.heads.len()).all(|head| params.for_head(head).is_plain()) {
            return not_streamed("this classifier or --keep-features");
        }
        Ok(Self {
            extractor: Extractor::new(&params.features),
            labels: vec![Labels::default(); task.heads.len()],
            task: task.clone(),
            params: params.clone(),
            bits,
            columns,
            texts: Vec::new(),
            n_bytes: 0,
            spill: temporary_file()?,
            blocks: Vec::new(),
            dfs: vec![0; 1 << bits],
            n_rows: 0,
            fingerprint: 0,
        })
    }

    /// Adds a row, given its fields by column.
    ///
    /// # Errors
    ///
    /// If a label is empty or the target span is wrong, and the row is not added; or if the temporary file cannot be written.
    pub fn push<'r>(&mut self, field: impl Fn(usize) -> &'r str) -> Result<()> {
        let names: Vec<&str> = self.columns.labels.iter().flatten().map(|&column| field(column).trim()).collect();
        if names.iter().any(|name| name.is_empty()) {
            return Err(Error::labels("the label is empty").expected("a label").help("fill it in or remove the row"));
        }
        let target = self.columns.target_of(&field)?;
        let text = field(self.columns.text);
        for (labels, name) in self.labels.iter_mut().zip(&names) {
            labels.push(name);
        }
        let parts = [&self.fingerprint.to_le_bytes(), text.as_bytes(), names.join("\u{1f}").as_bytes()].concat();
        self.fingerprint = rapidhash::v3::rapidhash_v3(&parts);
        self.n_bytes += text.len();
        self.n_rows += 1;
        self.texts.push((text.to_owned(), target));
        if self.n_bytes >= BLOCK_BYTES { self.spill_block() } else { Ok(()) }
    }

    /// Counts the block's n-grams and writes them to the temporary file.
    fn spill_block(&mut self) -> Result<()> {
        let passages: Vec<Passage<'_>> =
            self.texts.iter().map(|(text, target)| Passage { target: *target, ..text.as_str().into() }).collect();
        let counts = count(&self.extractor, &passages);
        counts.iter().for_each(|counts| add_hashed_dfs(counts, self.bits, &mut self.dfs));
        let ends = joined_ends(&counts);
        let offset = self.spill.stream_position().map_err(spill_failed)?;
        let n_rows = self.texts.len();
        let n_entries = ends.last().map_or(0, |&end| end as usize);
        let block = Block { offset, first_row: self.n_rows - n_rows, n_rows, n_ends: ends.len(), n_entries };
        let shift = 64 - u32::from(self.bits);
        let entries: Vec<[u32; 2]> =
            counts.iter().flat_map(Counts::entries).map(|(key, count)| [(key >> shift) as u32, count]).collect();
        for labels in &mut self.labels {
            self.spill.write_all(bytemuck::cast_slice(&labels.of_rows)).map_err(spill_failed)?;
            labels.of_rows.clear();
        }
        self.spill.write_all(bytemuck::cast_slice(&ends)).map_err(spill_failed)?;
        self.spill.write_all(bytemuck::cast_slice(&entries)).map_err(spill_failed)?;
        self.blocks.push(block);
        self.texts.clear();
        self.n_bytes = 0;
        Ok(())
    }

    /// Trains on all rows that were added.
    ///
    /// # Errors
    ///
    /// If a head has one class only, or the temporary file cannot be read.
    pub fn finish(mut self, n_refused: usize) -> Result<Model> {
        if !self.texts.is_empty() {
            self.spill_block()?;
        }
        let features = Features::hashed(&self.params.features, self.n_rows, &self.dfs)?;
        let trained = (0..self.task.heads.len()).map(|head| self.train_head(head, &features)).collect::<Result<Vec<_>>>()?;
        let meta = ModelMeta {
            format: 0,
            crate_version: String::new(),
            task: self.task.clone(),
            features: self.params.features.clone(),
            n_texts: self.n_rows,
            n_features: features.n_features(),
            weights: self.params.weights,
            stride: 0,
            heads: trained.iter().map(|(meta, _)| meta.clone()).collect(),
            training: TrainingMeta {
                n_rows: self.n_rows,
                n_refused,
                n_groups: self.n_rows,
                fingerprint: format!("{:016x}", self.fingerprint),
                seed: self.params.seed,
                ..TrainingMeta::default()
            },
            scores: Vec::new(),
            card: self.params.card.clone(),
        };
        let heads = trained
            .iter()
            .map(|(meta, linear)| HeadParts { linear, nonconformity: vec![Vec::new(); meta.labels.len()] })
            .collect();
        Model::assemble(&ModelParts { meta, features: &features, heads })
    }

    fn train_head(&mut self, head: usize, features: &Features) -> Result<(HeadMeta, LinearModel)> {
        let labels = self.labels[head].clone();
        let names: Vec<String> = labels.numbers.keys().cloned().collect();
        let counts: Vec<usize> = labels.numbers.values().map(|&number| labels.counts[number as usize]).collect();
        let n_classes = names.len();
        if n_classes < 2 {
            return Err(Error::labels("one class only").found(names.join(", ")).help("check that this is the label column"));
        }
        // From numbers by first appearance to places in sorted order.
        let mut classes = vec![0_u32; n_classes];
        labels.numbers.values().enumerate().for_each(|(class, &number)| classes[number as usize] = class as u32);
        let head_params = self.params.for_head(head).seeded(self.params.seed);
        let mut linear_params = whole_class_weights(&head_params.linear, &counts);
        linear_params.eps = linear_params.eps.max(LEAST_EPS);
        let n_outputs = if n_classes == 2 { 1 } else { n_classes };
        let mut solver = BlockSolver::new(features.n_features(), n_outputs, &linear_params);
        let mut alphas = Alphas { file: temporary_file()?, n_outputs };
        let mut rng = Random::new(self.params.seed);
        let (mut order, mut n_passes, mut violation) = (self.blocks.clone(), 0, f64::INFINITY);
        while n_passes < MAX_VISITS && violation > linear_params.eps {
            violation = 0.0;
            rng.shuffle(&mut order);
            let mut next = self.read_block(head, order[0], features)?;
            for (at, &block) in order.iter().enumerate() {
                let (rows, numbers) = next;
                let block_classes: Vec<u32> = numbers.iter().map(|&number| classes[number as usize]).collect();
                let problem =
                    Problem { targets: Targets::Single(&block_classes), ..Problem::single(&rows, &block_classes, n_classes) };
                let mut of_block = if n_passes == 0 { vec![0.0; block.n_rows * n_outputs] } else { alphas.read(block)? };
                // The next block is read while this one is trained on.
                let following = order.get(at + 1).copied();
                let (visit, read) = rayon::join(
                    || solver.visit(&problem, &mut of_block),
                    || following.map(|block| self.read_block(head, block, features)).transpose(),
                );
                violation = f64::max(violation, visit?);
                alphas.write(block, &of_block)?;
                next = read?.unwrap_or_else(|| (SparseRows::new(0), Vec::new()));
            }
            n_passes += 1;
        }
        let linear = solver.into_model(n_classes, n_passes, violation);
        let meta = HeadMeta {
            name: self.task.heads[head].name.clone(),
            labels: names,
            given_labels: Vec::new(),
            n_outputs: 0,
            weight_scales: Vec::new(),
            params: head_params,
            calibration: Calibration::none(n_classes),
            offsets: vec![0.0; n_classes],
            thresholds: Vec::new(),
            single_ngram: None,
            counts,
        };
        Ok((meta, linear))
    }

    /// Rows of a block and the label numbers of a head.
    fn read_block(&self, head: usize, block: Block, features: &Features) -> Result<(SparseRows, Vec<u32>)> {
        let mut file = &self.spill;
        let n_words = self.labels.len() * block.n_rows + block.n_ends + 2 * block.n_entries;
        let mut words = vec![0_u32; n_words];
        file.seek(SeekFrom::Start(block.offset)).map_err(spill_failed)?;
        file.read_exact(bytemuck::cast_slice_mut(&mut words)).map_err(spill_failed)?;
        let (labels, rest) = words.split_at(self.labels.len() * block.n_rows);
        let (ends, entries) = rest.split_at(block.n_ends);
        let shift = 64 - u32::from(self.bits);
        let mut first = 0;
        let mut chunk = |ends: &[u32]| {
            let start = std::mem::replace(&mut first, ends.last().map_or(0, |&end| end as usize));
            let entries =
                entries.as_chunks::<2>().0[start..first].iter().map(|&[column, count]| (u64::from(column) << shift, count));
            Counts::of_entries(entries, ends.iter().map(|&end| end as usize - start).collect())
        };
        let counts = ends.chunks(CHUNK * self.extractor.n_blocks()).map(&mut chunk).collect();
        let labels = labels[head * block.n_rows..(head + 1) * block.n_rows].to_vec();
        Ok((features.rows(counts), labels))
    }
}

impl Labels {
    fn push(&mut self, name: &str) {
        let number = match self.numbers.get(name) {
            Some(&number) => number,
            None => {
                let number = self.counts.len() as u32;
                self.numbers.insert(name.to_owned(), number);
                self.counts.push(0);
                number
            }
        };
        self.counts[number as usize] += 1;
        self.of_rows.push(number);
    }
}

/// The dual variables of all rows, on disk.
struct Alphas {
    file: File,
    n_outputs: usize,
}

impl Alphas {
    fn seek(&mut self, block: Block) -> Result<()> {
        let offset = (block.first_row * self.n_outputs * size_of::<f64>()) as u64;
        self.file.seek(SeekFrom::Start(offset)).map(|_| ()).map_err(spill_failed)
    }

    fn read(&mut self, block: Block) -> Result<Vec<f64>> {
        let mut alphas = vec![0.0; block.n_rows * self.n_outputs];
        self.seek(block)?;
        self.file.read_exact(bytemuck::cast_slice_mut(&mut alphas)).map_err(spill_failed)?;
        Ok(alphas)
    }

    fn write(&mut self, block: Block, alphas: &[f64]) -> Result<()> {
        self.seek(block)?;
        self.file.write_all(bytemuck::cast_slice(alphas)).map_err(spill_failed)
    }
}

/// Balanced weights of all rows, since a block sees its own only.
fn whole_class_weights(params: &LinearParams, counts: &[usize]) -> LinearParams {
    if params.class_weights != ClassWeights::Balanced {
        return params.clone();
    }
    let total: usize = counts.iter().sum();
    let balanced = counts.iter().map(|&n| total as f64 / (counts.len() * n) as f64).collect();
    LinearParams { class_weights: ClassWeights::Given(balanced), ..params.clone() }
}

/// The ends of all (text, block)s, as if the entries of all parts stood in one list.
fn joined_ends(parts: &[Counts]) -> Vec<u32> {
    let mut ends = Vec::new();
    for part in parts {
        let first = ends.last().map_or(0, |&end| end);
        ends.extend(part.ends.iter().map(|&end| first + end as u32));
    }
    ends
}

fn temporary_file() -> Result<File> {
    tempfile::tempfile().map_err(spill_failed)
}

fn spill_failed(error: std::io::Error) -> Error {
    Error::io(std::env::temp_dir(), error).help("make room there, or set TMPDIR to another directory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureParams;
    use crate::predict::Predictor;

    fn trained(n_threads: usize) -> Model {
        let task = Task::single(Some("text"), "label", None, None);
        let names = ["text".to_owned(), "label".to_owned()];
        let columns = Columns::find(&task, &names, 0, true).unwrap();
        let features = FeatureParams { hash_bits: Some(14), ..FeatureParams::default() };
        let params = TrainParams { features, folds: 0, ..TrainParams::default() };
        let mut trainer = StreamTrainer::new(&task, columns, &params).unwrap();
        // More than two blocks.
        let filler = "and the ministers met again in the capital ".repeat(60);
        for i in 0..1000 {
            let (word, label) = [("rejects", "against"), ("welcomes", "favor"), ("discusses", "neutral")][i % 3];
            let text = format!("side {} {word} the plan {filler}", i % 7);
            trainer.push(|column| if column == 0 { &text } else { label }).unwrap();
        }
        assert!(trainer.blocks.len() >= 2);
        rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap().install(|| trainer.finish(0).unwrap())
    }

    #[test]
    fn a_streamed_model_knows_its_data_and_is_the_same_on_any_number_of_threads() {
        let model = trained(1);
        assert_eq!(model.as_bytes(), trained(3).as_bytes());
        let predictor = Predictor::new(std::sync::Arc::new(model));
        let mut scratch = predictor.scratch();
        for (text, label) in [("side 3 welcomes the plan", "favor"), ("it rejects the plan", "against")] {
            predictor.read(text.into(), &mut scratch);
            assert_eq!(predictor.head(0).labels[predictor.answer(0, None, &scratch).class], label);
        }
    }

    #[test]
    fn a_vocabulary_is_not_streamed() {
        let task = Task::single(Some("text"), "label", None, None);
        let columns = Columns::find(&task, &["text".to_owned(), "label".to_owned()], 0, true).unwrap();
        let error = StreamTrainer::new(&task, columns, &TrainParams::default()).unwrap_err();
        assert!(error.to_string().contains("cannot be streamed"));
    }
}
