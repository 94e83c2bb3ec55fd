//! The model file: what is stored, and the checks before it is used.
//!
//! # Format, version 1
//!
//! A safetensors container, little-endian. Its `__metadata__` holds one key, `stancekit`, whose value is the JSON of [`ModelMeta`]; `format` is its first field.
//! A reader MUST refuse a higher format than it knows, and a file whose last eight bytes (the tensor `~checksum`) are not the checksum of all bytes
//! before them. Tensors, for F features in ascending order of their keys, H heads, stride S:
//!
//! | tensor | type | shape | content |
//! |---|---|---|---|
//! | `records` | U32 | F × S | per feature: low 32 bits of its key, idf (f32), then the shared weights of all heads, f32 or pairs of i16 |
//! | `starts`, `tags` | U32, U8 | – | the index from keys to features ([`crate::features`]); both empty for hashed features |
//! | `bias.h` | F64 | (1 + G) × K | intercepts of head h: shared, then per given label |
//! | `given_starts.h`, `given_ids.h`, `given_weights.h` | U32, U16, F32 or I16 | F + 1, P, P × K | weights of head h for (feature, given label) pairs, for a head with a given |
//! | `calibration.h` | F32 | – | sorted out-of-fold nonconformity scores per label, for prediction sets |
//! | `names`, `name_ends` | U8, U32 | – | the n-grams, for people; MAY be empty |
//! | `blocks` | U8 | F | feature block of each feature |
//!
//! The values of an encoder's vector are features like n-grams, `encoder(0)` and on; the encoder's files are known by their SHA-256 in the settings of their block.
//!
//! Everything is validated on opening: lengths against the metadata, indices against their bounds, finite weights where they are few. Nothing in a file is ever run.

mod file;
mod map;
mod meta;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

pub use file::{HeadParts, ModelParts};
pub use meta::{Calibration, ContextMap, HeadMeta, ModelMeta, ScoreMeta, TrainingMeta, WeightKind};

use crate::error::{Error, Result};
use crate::features::index::IndexView;
use file::Layout;
use map::Bytes;

/// Newest format version that this crate reads, and the one it writes. Format 1 has other keys of words.
pub const FORMAT_VERSION: u32 = 2;

/// Position of a feature's idf in its record.
pub(crate) const RECORD_IDF: usize = 1;
/// Position of the first weight in a record.
pub(crate) const RECORD_WEIGHTS: usize = 2;

/// A trained model, checked and ready to be read in place.
#[derive(Debug)]
pub struct Model {
    bytes: Bytes,
    layout: Layout,
    meta: ModelMeta,
}

/// Arrays of one head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadView<'a> {
    pub(crate) bias: &'a [f64],
    pub(crate) given: Option<GivenView<'a>>,
}

/// Weights of (feature, given label) pairs: those of feature f are at `starts[f]..starts[f + 1]`, in ascending order of given labels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GivenView<'a> {
    pub(crate) starts: &'a [u32],
    pub(crate) ids: &'a [u16],
    pub(crate) weights: GivenWeights<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum GivenWeights<'a> {
    F32(&'a [f32]),
    I16(&'a [i16]),
}

/// The n-grams of a model, made by [`Model::names`].
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    text: &'a str,
    ends: &'a [u32],
}

impl<'a> Names<'a> {
    /// The n-gram of feature `i`, where names are stored; O(1).
    pub fn get(&self, i: usize) -> Option<&'a str> {
        self.text.get(bounds(self.ends, i)?)
    }
}

impl Model {
    /// Maps and checks a model file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, of a newer format, or no model.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::open(Bytes::map(path)?).map_err(|e| e.in_file(path))
    }

    /// Checks a model that is in memory already; the bytes are copied to aligned memory.
    ///
    /// # Errors
    ///
    /// If the bytes are damaged, of a newer format, or no model.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::open(Bytes::copy(bytes))
    }

    /// The model for diplomatic news that is compiled into the crate.
    pub fn builtin() -> Arc<Self> {
        static MODEL: OnceLock<Arc<Model>> = OnceLock::new();
        Arc::clone(MODEL.get_or_init(|| Self::compiled_in(&BUILTIN.0)))
    }

    /// The ranker of holders that is compiled into the crate.
    pub fn builtin_holders() -> Arc<Self> {
        static MODEL: OnceLock<Arc<Model>> = OnceLock::new();
        Arc::clone(MODEL.get_or_init(|| Self::compiled_in(&BUILTIN_HOLDERS.0)))
    }

    fn compiled_in(bytes: &'static [u8]) -> Arc<Self> {
        Arc::new(Self::open(Bytes::Static(bytes)).expect("the compiled-in models are checked by a test"))
    }

    /// Puts a model together from its parts, in the form that a file has.
    ///
    /// # Errors
    ///
    /// If the parts do not fit together.
    pub fn assemble(parts: &ModelParts<'_>) -> Result<Self> {
        Self::open(Bytes::take(file::serialize(parts)?))
    }

    fn open(bytes: Bytes) -> Result<Self> {
        let (meta, layout) = file::parse(bytes.as_slice())?;
        let model = Self { bytes, layout, meta };
        model.validate_index()?;
        for head in 0..model.meta.heads.len() {
            model.validate_head(head)?;
        }
        crate::predict::check_size(&model)?;
        Ok(model)
    }

    /// Writes the file: to a temporary name beside `path`, then renamed.
    ///
    /// # Errors
    ///
    /// If the directory cannot be written to.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        use std::io::Write;
        let path = path.as_ref();
        let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut temporary = tempfile::NamedTempFile::new_in(directory).map_err(|e| Error::io(directory, e))?;
        temporary.write_all(self.as_bytes()).map_err(|e| Error::io(path, e))?;
        temporary.as_file().sync_all().map_err(|e| Error::io(path, e))?;
        file::make_readable(temporary.path())?;
        temporary.persist(path).map_err(|e| Error::io(path, e.error))?;
        Ok(())
    }

    /// The file's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// What the model says of itself.
    pub fn meta(&self) -> &ModelMeta {
        &self.meta
    }

    /// The n-gram of feature `i`, where names are stored. For many features [`Self::names`] takes less time.
    pub fn name(&self, i: usize) -> Option<&str> {
        let (names, ends) = self.stored_names();
        std::str::from_utf8(names.get(bounds(ends, i)?)?).ok()
    }

    /// The n-grams of all features, checked once; O(bytes).
    ///
    /// # Errors
    ///
    /// If they are not UTF-8.
    pub fn names(&self) -> Result<Names<'_>> {
        let (names, ends) = self.stored_names();
        let text = std::str::from_utf8(names)
            .map_err(|e| Error::model("the n-grams are not UTF-8").caused_by(e).help("copy the file again, or train it again"))?;
        Ok(Names { text, ends })
    }

    fn stored_names(&self) -> (&[u8], &[u32]) {
        (self.layout.names.bytes(self.as_bytes()), self.layout.name_ends.cast(self.as_bytes()))
    }

    /// Feature block of feature `i`; 0 for hashed features.
    pub fn block(&self, i: usize) -> usize {
        self.layout.blocks.bytes(self.as_bytes()).get(i).map_or(0, |&b| usize::from(b))
    }

    pub(crate) fn records(&self) -> &[u32] {
        self.layout.records.cast(self.as_bytes())
    }

    /// The index from keys to features, checked when the model was opened; none for hashed features.
    #[inline]
    pub(crate) fn index(&self) -> Option<IndexView<'_>> {
        let bytes = self.as_bytes();
        let is_hashed = self.meta.features.hash_bits.is_some();
        (!is_hashed).then(|| IndexView::of_valid(self.layout.starts.cast(bytes), self.layout.tags.bytes(bytes)))
    }

    fn validate_index(&self) -> Result<()> {
        if self.meta.features.hash_bits.is_some() {
            return Ok(());
        }
        let bytes = self.as_bytes();
        IndexView::validate(self.layout.starts.cast(bytes), self.layout.tags.bytes(bytes), self.meta.n_features).map(|_| ())
    }

    pub(crate) fn head(&self, head: usize) -> HeadView<'_> {
        let bytes = self.as_bytes();
        let layout = &self.layout.heads[head];
        let given = layout.given.as_ref().map(|given| GivenView {
            starts: given.starts.cast(bytes),
            ids: given.ids.cast(bytes),
            weights: match self.meta.weights {
                WeightKind::F32 => GivenWeights::F32(given.weights.cast(bytes)),
                WeightKind::I16 => GivenWeights::I16(given.weights.cast(bytes)),
            },
        });
        HeadView { bias: layout.bias.cast(bytes), given }
    }

    /// Sorted out-of-fold nonconformity scores of label `class` of a head.
    pub(crate) fn nonconformity(&self, head: usize, class: usize) -> &[f32] {
        let all: &[f32] = self.layout.heads[head].nonconformity.cast(self.as_bytes());
        let ends = &self.layout.heads[head].nonconformity_ends;
        let start = if class == 0 { 0 } else { ends[class - 1] };
        ends.get(class).and_then(|&end| all.get(start..end)).unwrap_or(&[])
    }

    /// Shared weight of feature `i` for `output` of the head whose weights begin at lane `lane`.
    pub(crate) fn shared_weight(&self, i: usize, lane: usize, scale: f32) -> f32 {
        let record = &self.records()[i * self.meta.stride + RECORD_WEIGHTS..(i + 1) * self.meta.stride];
        match self.meta.weights {
            WeightKind::F32 => f32::from_bits(record[lane]),
            WeightKind::I16 => f32::from(bytemuck::cast_slice::<u32, i16>(record)[lane]) * scale,
        }
    }

    /// First lane of each head's weights within a record, and the number of lanes in all.
    pub(crate) fn lanes(&self) -> (Vec<usize>, usize) {
        lanes(&self.meta.heads.iter().map(|h| h.n_outputs).collect::<Vec<_>>())
    }

    fn validate_head(&self, head: usize) -> Result<()> {
        let meta = &self.meta.heads[head];
        let view = self.head(head);
        let n_given = meta.given_labels.len();
        let damaged = |what: &str| {
            Error::model(format!("{what} of head {:?} is inconsistent", meta.name)).help("copy the file again, or train it again")
        };
        if view.bias.len() != (1 + n_given) * meta.n_outputs || !view.bias.iter().all(|b| b.is_finite()) {
            return Err(damaged("the bias"));
        }
        let Some(given) = view.given else { return if n_given == 0 { Ok(()) } else { Err(damaged("the given part")) } };
        let n_weights = match given.weights {
            GivenWeights::F32(weights) => weights.len(),
            GivenWeights::I16(weights) => weights.len(),
        };
        let is_sound = given.starts.len() == self.meta.n_features + 1
            && given.starts[0] == 0
            && given.starts.windows(2).all(|w| w[0] <= w[1])
            && given.starts[self.meta.n_features] as usize == given.ids.len()
            && n_weights == given.ids.len() * meta.n_outputs
            && given.ids.iter().all(|&g| usize::from(g) < n_given)
            && given.starts.windows(2).all(|w| given.ids[w[0] as usize..w[1] as usize].is_sorted_by(|a, b| a < b));
        if is_sound { Ok(()) } else { Err(damaged("the given part")) }
    }
}

/// Where name `i` stands among the letters of all names.
fn bounds(ends: &[u32], i: usize) -> Option<Range<usize>> {
    let start = if i == 0 { 0 } else { *ends.get(i - 1)? as usize };
    Some(start..*ends.get(i)? as usize)
}

/// First lane of each head, and the number of lanes in all.
fn lanes(n_outputs: &[usize]) -> (Vec<usize>, usize) {
    let mut next = 0;
    let firsts = n_outputs.iter().map(|n| (next, next += n).0).collect();
    (firsts, next)
}

/// Compiled-in bytes, aligned as a mapped file is.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

static BUILTIN: &Aligned<[u8]> = &Aligned(*include_bytes!("../../models/diplomacy.stance"));
static BUILTIN_HOLDERS: &Aligned<[u8]> = &Aligned(*include_bytes!("../../models/diplomacy.holders"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_are_those_that_are_asked_for_one_by_one() {
        let model = Model::builtin();
        let names = model.names().unwrap();
        let n = model.meta().n_features;
        assert!((0..n).all(|i| names.get(i).is_some_and(|name| Some(name) == model.name(i))));
        assert_eq!((names.get(n), model.name(n)), (None, None));
    }

    #[test]
    fn names_from_outside_may_have_any_bounds() {
        let names = Names { text: "aé", ends: &[1, 2, 0, 9] };
        assert_eq!([0, 1, 2, 3, 4].map(|i| names.get(i)), [Some("a"), None, None, None, None]);
    }
}
