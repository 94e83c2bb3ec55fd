//! The holder model as a model file: one feature per fact, one head for the tagger, one for the ranker and the modes.
//!
//! The file is an ordinary one (`src/model`): the same checks, checksum and metadata, and `stance inspect` shows the strongest facts. Its tagger weights are stored
//! under `tag:`, those of the ranker under `rank:`.

use crate::error::{Error, Result};
use crate::features::Features;
use crate::holders::gazetteer::Gazetteer;
use crate::holders::learn::Learnt;
use crate::holders::tagger::Tagger;
use crate::holders::weights::{NamedWeights, Weights};
use crate::holders::{HolderWeights, LabelledSentence, learn};
use crate::linear::LinearModel;
use crate::model::{Calibration, HeadMeta, HeadParts, Model, ModelMeta, ModelParts, TrainingMeta, WeightKind};
use crate::task::{HeadTask, Task};
use crate::train::HeadParams;

/// With the number of the way in which facts are written.
const TASK: &str = "holders 2";
const TAG: &str = "tag:";
const RANK: &str = "rank:";

/// Trains the model of holders on labelled articles.
///
/// Takes about a minute for a thousand articles; the same articles in the same order give the same bytes.
///
/// # Errors
///
/// If there is nothing to learn from.
pub fn train(gazetteer: &Gazetteer, articles: &[Vec<LabelledSentence>]) -> Result<Model> {
    if articles.iter().flatten().all(|(_, _, statements)| statements.is_empty()) {
        return Err(Error::input("no labelled holder to learn from").help("check the columns holder, holder_start and mode"));
    }
    let learnt = learn::train(gazetteer, articles);
    let texts: Vec<&str> = articles.iter().flatten().map(|(text, ..)| text.as_str()).collect();
    let training = TrainingMeta {
        n_rows: articles.iter().flatten().map(|(_, _, statements)| statements.len()).sum(),
        n_groups: articles.len(),
        fingerprint: format!("{:016x}", fingerprint(&texts)),
        seed: learn::SEED,
        ..TrainingMeta::default()
    };
    write(&learnt, texts.len(), training)
}

fn fingerprint(texts: &[&str]) -> u64 {
    texts.iter().fold(0, |sum, text| rapidhash::v3::rapidhash_v3(text.as_bytes()) ^ sum.rotate_left(7))
}

fn write(learnt: &Learnt, n_texts: usize, training: TrainingMeta) -> Result<Model> {
    let named = |prefix: &str, weights: &NamedWeights| -> Vec<Box<str>> {
        weights.names.iter().map(|name| format!("{prefix}{name}").into()).collect()
    };
    let mut names = named(TAG, &learnt.tagger);
    names.extend(named(RANK, &learnt.ranker));
    let features = Features::of_names(names)?;
    let n_labels = learnt.labels.len();
    let mut tag = LinearModel::zeros(features.n_features(), n_labels, n_labels, 0);
    let mut rank = LinearModel::zeros(features.n_features(), 2, 1, 0);
    for (i, name) in features.names().iter().enumerate() {
        let tagged = name.strip_prefix(TAG).and_then(|fact| learnt.tagger.get(fact));
        if let Some(row) = tagged {
            tag.shared[i * n_labels..(i + 1) * n_labels].copy_from_slice(row);
        }
        if let Some(row) = name.strip_prefix(RANK).and_then(|fact| learnt.ranker.get(fact)) {
            rank.shared[i] = row[0];
        }
    }
    let task = Task {
        name: TASK.to_owned(),
        heads: vec![HeadTask::new("tag"), HeadTask::new("rank")],
        ..Task::single(Some("text"), "tag", None, Some("article"))
    };
    let rank_labels = ["no", "yes"].map(str::to_owned).to_vec();
    let meta = ModelMeta {
        format: 0,
        crate_version: String::new(),
        task,
        features: features.params().clone(),
        n_texts,
        n_features: features.n_features(),
        weights: WeightKind::I16,
        stride: 0,
        heads: vec![head("tag", learnt.labels.clone()), head("rank", rank_labels)],
        training,
        scores: Vec::new(),
        card: String::new(),
    };
    let heads = [&tag, &rank].map(|linear| HeadParts { linear, nonconformity: Vec::new() }).into();
    Model::assemble(&ModelParts { meta, features: &features, heads })
}

fn head(name: &str, labels: Vec<String>) -> HeadMeta {
    let n = labels.len();
    HeadMeta {
        name: name.to_owned(),
        given_labels: Vec::new(),
        n_outputs: 0,
        weight_scales: Vec::new(),
        params: HeadParams::default(),
        calibration: Calibration::none(n),
        offsets: vec![0.0; n],
        thresholds: Vec::new(),
        single_ngram: None,
        counts: vec![0; n],
        labels,
    }
}

/// The weights in a model file.
pub(crate) fn read(model: &Model) -> Result<HolderWeights> {
    let meta = model.meta();
    let n_outputs: Vec<usize> = meta.heads.iter().map(|head| head.n_outputs).collect();
    let is_tagger = meta.heads.first().is_some_and(|head| head.labels == learn::LABELS);
    if meta.task.name != TASK || n_outputs != [learn::LABELS.len(), 1] || !is_tagger {
        return Err(Error::model("not a model of holders")
            .expected("a model made by `stance train-holders`")
            .found(format!("a model for the task {:?}", meta.task.name)));
    }
    let (lanes, _) = model.lanes();
    let (mut tag, mut rank) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let names = model.names()?;
    for i in 0..meta.n_features {
        let name = names.get(i).ok_or_else(|| Error::model("the model of holders has no names").help("train it again"))?;
        for (prefix, head, part) in [(TAG, 0, &mut tag), (RANK, 1, &mut rank)] {
            if let Some(fact) = name.strip_prefix(prefix) {
                let scales = &meta.heads[head].weight_scales;
                part.0.push(fact);
                part.1.extend(scales.iter().enumerate().map(|(k, &scale)| model.shared_weight(i, lanes[head] + k, scale)));
            }
        }
    }
    let labels = meta.heads[0].labels.clone();
    let tagger = Tagger::new(labels, tag.0.into_iter().zip(tag.1.chunks_exact(learn::LABELS.len())));
    Ok(HolderWeights { tagger, ranker: Weights::new(rank.0.into_iter().zip(rank.1.chunks_exact(1)), 1) })
}
