//! Writing and reading the container; see the parent module for the format.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::calibrate::N_NEIGHBOURS;
use crate::error::{Error, Result};
use crate::features::Features;
use crate::features::index::{KeyIndex, TAG_PADDING};
use crate::linear::LinearModel;
use crate::model::meta::{HeadMeta, ModelMeta, WeightKind};
use crate::model::{FORMAT_VERSION, RECORD_WEIGHTS, lanes};

/// The one metadata key: with several, the writer's order would not be stable.
const META_KEY: &str = "stancekit";
/// Sorts behind every other one-byte tensor, so that its bytes are the last of the file.
const CHECKSUM: &str = "~checksum";
const CHECKSUM_CHUNK: usize = 1 << 20;

/// What a model is put together from.
#[derive(Debug)]
pub struct ModelParts<'a> {
    /// The metadata; `format`, `crate_version`, `stride` and `weight_scales` are filled in.
    pub meta: ModelMeta,
    /// Fitted features.
    pub features: &'a Features,
    /// One per head of the task.
    pub heads: Vec<HeadParts<'a>>,
}

/// The arrays of one head.
#[derive(Debug)]
pub struct HeadParts<'a> {
    /// The trained weights.
    pub linear: &'a LinearModel,
    /// Sorted out-of-fold nonconformity scores, per label.
    pub nonconformity: Vec<Vec<f32>>,
}

/// Name, type and bytes of each tensor to be written.
type Tensors<'a> = Vec<(String, Dtype, Cow<'a, [u8]>)>;

/// Where the tensors lie in the file.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) records: Tensor,
    pub(super) starts: Tensor,
    pub(super) tags: Tensor,
    pub(super) names: Tensor,
    pub(super) name_ends: Tensor,
    pub(super) blocks: Tensor,
    pub(super) heads: Vec<HeadLayout>,
}

#[derive(Debug)]
pub(super) struct HeadLayout {
    pub(super) bias: Tensor,
    pub(super) given: Option<GivenLayout>,
    pub(super) nonconformity: Tensor,
    pub(super) nonconformity_ends: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct GivenLayout {
    pub(super) starts: Tensor,
    pub(super) ids: Tensor,
    pub(super) weights: Tensor,
}

/// Byte range of a tensor, whose alignment was checked.
#[derive(Debug, Clone)]
pub(super) struct Tensor(Range<usize>);

impl Tensor {
    pub(super) fn bytes<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        &file[self.0.clone()]
    }

    pub(super) fn cast<'a, T: bytemuck::AnyBitPattern>(&self, file: &'a [u8]) -> &'a [T] {
        bytemuck::cast_slice(self.bytes(file))
    }
}

/// The bytes of the file.
pub(super) fn serialize(parts: &ModelParts<'_>) -> Result<Vec<u8>> {
    let mut meta = parts.meta.clone();
    meta.format = FORMAT_VERSION;
    meta.crate_version = env!("CARGO_PKG_VERSION").to_owned();
    meta.n_features = parts.features.n_features();
    let mut tensors: Tensors<'_> = Vec::new();
    for (h, (head, head_meta)) in parts.heads.iter().zip(&mut meta.heads).enumerate() {
        head_meta.n_outputs = head.linear.n_outputs;
        head_meta.weight_scales = weight_scales(head.linear, meta.weights);
        add_head(h, head, head_meta, meta.weights, &mut tensors);
    }
    let (stride, records) = records(&meta, parts);
    meta.stride = stride;
    tensors.push(("records".into(), Dtype::U32, bytemuck::cast_slice(&records).into()));
    add_vocabulary(parts.features, &mut tensors)?;
    tensors.push((CHECKSUM.into(), Dtype::U8, vec![0; 8].into()));

    let json = serde_json::to_string(&meta).map_err(|e| Error::model("cannot write the metadata").caused_by(e))?;
    let views = tensors
        .iter()
        .map(|(name, dtype, bytes)| Ok((name.as_str(), TensorView::new(*dtype, vec![bytes.len() / width(*dtype)], bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .and_then(|views| safetensors::serialize(views, Some(HashMap::from([(META_KEY.to_owned(), json)]))));
    let mut file = views.map_err(|e| Error::model("cannot lay out the file").caused_by(e))?;
    let body = file.len() - 8;
    let sum = checksum(&file[..body]);
    file[body..].copy_from_slice(&sum.to_le_bytes());
    Ok(file)
}

fn width(dtype: Dtype) -> usize {
    dtype.bitsize() / 8
}

/// What one unit of a stored 16-bit weight is worth, so that the largest weight of an output is 32,767 units.
fn weight_scales(linear: &LinearModel, kind: WeightKind) -> Vec<f32> {
    if kind == WeightKind::F32 {
        return vec![1.0; linear.n_outputs];
    }
    let mut largest = vec![0.0_f32; linear.n_outputs];
    for weights in [&linear.shared, &linear.per_given] {
        for row in weights.chunks_exact(linear.n_outputs) {
            largest.iter_mut().zip(row).for_each(|(max, w)| *max = max.max(w.abs()));
        }
    }
    largest.into_iter().map(|max| if max > 0.0 { max / f32::from(i16::MAX) } else { 1.0 }).collect()
}

fn quantise(weight: f32, scale: f32) -> i16 {
    (weight / scale).round() as i16
}

fn records(meta: &ModelMeta, parts: &ModelParts<'_>) -> (usize, Vec<u32>) {
    let outputs: Vec<usize> = parts.heads.iter().map(|h| h.linear.n_outputs).collect();
    let (firsts, n_lanes) = lanes(&outputs);
    let weight_words = match meta.weights {
        WeightKind::F32 => n_lanes,
        WeightKind::I16 => n_lanes.div_ceil(2),
    };
    let stride = RECORD_WEIGHTS + weight_words;
    let features = parts.features;
    let mut records = vec![0_u32; features.n_features() * stride];
    for (i, record) in records.chunks_exact_mut(stride).enumerate() {
        record[0] = features.keys().get(i).map_or(0, |&key| key as u32);
        record[1] = features.idf()[i].to_bits();
        for ((head, head_meta), &first) in parts.heads.iter().zip(&meta.heads).zip(&firsts) {
            let weights = &head.linear.shared[i * head.linear.n_outputs..(i + 1) * head.linear.n_outputs];
            for (k, &weight) in weights.iter().enumerate() {
                match meta.weights {
                    WeightKind::F32 => record[RECORD_WEIGHTS + first + k] = weight.to_bits(),
                    WeightKind::I16 => {
                        let lanes: &mut [i16] = bytemuck::cast_slice_mut(&mut record[RECORD_WEIGHTS..]);
                        lanes[first + k] = quantise(weight, head_meta.weight_scales[k]);
                    }
                }
            }
        }
    }
    (stride, records)
}

fn add_head(h: usize, head: &HeadParts<'_>, meta: &HeadMeta, kind: WeightKind, tensors: &mut Tensors<'_>) {
    let linear = head.linear;
    let bias: Vec<f64> = linear.bias.iter().chain(&linear.bias_per_given).copied().collect();
    tensors.push((format!("bias.{h}"), Dtype::F64, bytemuck::cast_slice(&bias).to_vec().into()));
    let scores: Vec<f32> = head.nonconformity.concat();
    let ends: Vec<u32> = head
        .nonconformity
        .iter()
        .scan(0, |end, s| {
            *end += s.len() as u32;
            Some(*end)
        })
        .collect();
    tensors.push((format!("calibration.{h}"), Dtype::F32, bytemuck::cast_slice(&scores).to_vec().into()));
    tensors.push((format!("calibration_ends.{h}"), Dtype::U32, bytemuck::cast_slice(&ends).to_vec().into()));
    if linear.n_given == 0 {
        return;
    }
    let (k, f) = (linear.n_outputs, linear.n_features);
    let (mut starts, mut ids, mut weights) = (vec![0_u32], Vec::<u16>::new(), Vec::<f32>::new());
    for i in 0..f {
        for g in 0..linear.n_given {
            let row = &linear.per_given[(g * f + i) * k..(g * f + i + 1) * k];
            if row.iter().any(|&w| w != 0.0) {
                ids.push(g as u16);
                weights.extend_from_slice(row);
            }
        }
        starts.push(ids.len() as u32);
    }
    tensors.push((format!("given_starts.{h}"), Dtype::U32, bytemuck::cast_slice(&starts).to_vec().into()));
    tensors.push((format!("given_ids.{h}"), Dtype::U16, bytemuck::cast_slice(&ids).to_vec().into()));
    let name = format!("given_weights.{h}");
    match kind {
        WeightKind::F32 => tensors.push((name, Dtype::F32, bytemuck::cast_slice(&weights).to_vec().into())),
        WeightKind::I16 => {
            let units: Vec<i16> = weights.iter().enumerate().map(|(i, &w)| quantise(w, meta.weight_scales[i % k])).collect();
            tensors.push((name, Dtype::I16, bytemuck::cast_slice(&units).to_vec().into()));
        }
    }
}

fn add_vocabulary<'a>(features: &'a Features, tensors: &mut Tensors<'a>) -> Result<()> {
    let KeyIndex { starts, tags } = features.index();
    let is_hashed = features.keys().is_empty();
    let (starts, tags) = if is_hashed { (&[][..], &[0; TAG_PADDING][..]) } else { (&starts[..], &tags[..]) };
    tensors.push(("starts".into(), Dtype::U32, bytemuck::cast_slice(starts).into()));
    tensors.push(("tags".into(), Dtype::U8, tags.into()));
    let (names, ends) = features.names().parts();
    if u32::try_from(names.len()).is_err() {
        return Err(Error::model("the n-grams are longer than 4 GB together").help("use --hash-bits"));
    }
    let ends: Vec<u32> = ends.iter().map(|&end| end as u32).collect();
    tensors.push(("names".into(), Dtype::U8, names.as_bytes().into()));
    tensors.push(("name_ends".into(), Dtype::U32, bytemuck::cast_slice(&ends).to_vec().into()));
    tensors.push(("blocks".into(), Dtype::U8, features.blocks().into()));
    Ok(())
}

/// Reads the container, compares the checksum, and finds the tensors.
pub(super) fn parse(bytes: &[u8]) -> Result<(ModelMeta, Layout)> {
    let damaged = |e: safetensors::SafeTensorError| {
        Error::model("not a model file, or a damaged one")
            .expected("a complete stancekit model")
            .caused_by(e)
            .help("copy the file again, or train it again")
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let json = header.metadata().as_ref().and_then(|m| m.get(META_KEY)).ok_or_else(|| {
        Error::model("a safetensors file, but no stancekit model")
            .expected(format!("metadata key {META_KEY:?}"))
            .help("train one with `stance train`")
    })?;
    check_version(json)?;
    check_sum(bytes)?;
    let meta: ModelMeta = serde_json::from_str(json)
        .map_err(|e| Error::model("the metadata cannot be read").caused_by(e).help("train the model again"))?;
    let layout = find_tensors(&meta, &tensors, bytes)?;
    Ok((meta, layout))
}

fn check_version(json: &str) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
    }
    let Version { format } = serde_json::from_str(json).map_err(|e| Error::model("the metadata cannot be read").caused_by(e))?;
    if format > FORMAT_VERSION {
        return Err(Error::model("the model was written by a newer version")
            .expected(format!("format {FORMAT_VERSION} or older"))
            .found(format!("format {format}"))
            .help("update stancekit, or train the model again"));
    }
    Ok(())
}

fn check_sum(bytes: &[u8]) -> Result<()> {
    let (body, sum) = bytes.split_last_chunk::<8>().ok_or_else(|| Error::model("the file is too short"))?;
    if checksum(body) != u64::from_le_bytes(*sum) {
        return Err(Error::model("the file is damaged: its checksum does not fit").help("copy the file again, or train it again"));
    }
    Ok(())
}

/// Hash of the hashes of one-megabyte pieces, which are computed on all threads.
fn checksum(bytes: &[u8]) -> u64 {
    let pieces: Vec<u64> = bytes.par_chunks(CHECKSUM_CHUNK).map(rapidhash::v3::rapidhash_v3).collect();
    rapidhash::v3::rapidhash_v3(bytemuck::cast_slice(&pieces))
}

fn find_tensors(meta: &ModelMeta, tensors: &SafeTensors<'_>, bytes: &[u8]) -> Result<Layout> {
    let find = |name: &str, dtype: Dtype| -> Result<Tensor> {
        let inconsistent =
            || Error::model(format!("tensor {name:?} is missing or of the wrong type")).help("train the model again");
        let view = tensors.tensor(name).map_err(|_| inconsistent())?;
        let start = view.data().as_ptr() as usize - bytes.as_ptr() as usize;
        let is_aligned = start.is_multiple_of(width(dtype)) && (bytes.as_ptr() as usize).is_multiple_of(8);
        if view.dtype() != dtype || !is_aligned {
            return Err(inconsistent());
        }
        Ok(Tensor(start..start + view.data().len()))
    };
    let weights = match meta.weights {
        WeightKind::F32 => Dtype::F32,
        WeightKind::I16 => Dtype::I16,
    };
    let mut heads = Vec::new();
    for (h, head) in meta.heads.iter().enumerate() {
        let given = if head.given_labels.is_empty() {
            None
        } else {
            Some(GivenLayout {
                starts: find(&format!("given_starts.{h}"), Dtype::U32)?,
                ids: find(&format!("given_ids.{h}"), Dtype::U16)?,
                weights: find(&format!("given_weights.{h}"), weights)?,
            })
        };
        let ends: &[u32] = find(&format!("calibration_ends.{h}"), Dtype::U32)?.cast(bytes);
        heads.push(HeadLayout {
            bias: find(&format!("bias.{h}"), Dtype::F64)?,
            given,
            nonconformity: find(&format!("calibration.{h}"), Dtype::F32)?,
            nonconformity_ends: ends.iter().map(|&end| end as usize).collect(),
        });
    }
    let layout = Layout {
        records: find("records", Dtype::U32)?,
        starts: find("starts", Dtype::U32)?,
        tags: find("tags", Dtype::U8)?,
        names: find("names", Dtype::U8)?,
        name_ends: find("name_ends", Dtype::U32)?,
        blocks: find("blocks", Dtype::U8)?,
        heads,
    };
    check_sizes(meta, &layout)?;
    Ok(layout)
}

fn check_sizes(meta: &ModelMeta, layout: &Layout) -> Result<()> {
    let (_, n_lanes) = lanes(&meta.heads.iter().map(|h| h.n_outputs).collect::<Vec<_>>());
    let weight_words = if meta.weights == WeightKind::F32 { n_lanes } else { n_lanes.div_ceil(2) };
    let fits_heads = meta.heads.iter().all(|head| {
        let n = head.labels.len();
        n >= 2
            && head.n_outputs >= 1
            && (head.n_outputs == n || (n == 2 && head.n_outputs == 1))
            && head.weight_scales.len() == head.n_outputs
            && head.calibration.bias.len() == n
            && head.calibration.context.iter().all(|c| c.bias.len() == n && c.neighbours.len() == N_NEIGHBOURS)
            && head.offsets.len() == n
            && [head.thresholds.len(), head.calibration.presence.len()].iter().all(|&l| l == 0 || l == n)
    });
    let fits = fits_heads
        && meta.heads.len() == meta.task.heads.len()
        && meta.stride == RECORD_WEIGHTS + weight_words
        && meta.n_features.checked_mul(meta.stride * 4) == Some(layout.records.0.len())
        && meta.features.hash_bits.is_none_or(|bits| bits < 32 && meta.n_features == 1 << bits)
        && meta.features.validate().is_ok()
        && meta.task.validate().is_ok();
    if fits { Ok(()) } else { Err(Error::model("metadata and arrays do not fit together").help("train the model again")) }
}

/// Temporary files are private; a model is as readable as any other file of the user.
pub(super) fn make_readable(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).map_err(|e| Error::io(path, e))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
