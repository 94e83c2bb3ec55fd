//! Sentence encoders: from a text to a dense vector that stands beside its n-grams.
//!
//! An [`Encoder`] is a directory as model hubs have it: `config.json`, `tokenizer.json`, `model.safetensors`. Two kinds are run, both on the CPU: BERT
//! (`bert.rs`) and static embeddings in the form of model2vec (`lookup.rs`). A vector depends on its text alone, never on the other texts of a call nor on the
//! number of threads, and is kept on disk between runs (`cache.rs`). A trained model holds the [`EncoderId`] of its encoder, and
//! [`Encoder::for_model`] refuses every other. Not here: what the vectors are worth, which is the solver's business as for any other column.
//!
//! Needs the feature `encoder`. Without it [`Encoder`] has no values and every load says so, so that callers are the same in both builds.

#[cfg(not(feature = "encoder"))]
mod absent;
#[cfg(feature = "encoder")]
mod bert;
#[cfg(feature = "encoder")]
mod cache;
#[cfg(feature = "encoder")]
mod files;
#[cfg(feature = "encoder")]
mod lookup;
#[cfg(feature = "encoder")]
mod present;

use std::path::{Path, PathBuf};

#[cfg(not(feature = "encoder"))]
pub use absent::Encoder;
#[cfg(feature = "encoder")]
pub use present::Encoder;

use crate::error::{Error, Result};
use crate::features::EncoderId;

/// Where vectors are kept between runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VectorCache {
    /// `stancekit/vectors` in the user's cache directory (`XDG_CACHE_HOME`, else `~/.cache`); nowhere, if the system names none.
    #[default]
    User,
    /// This directory.
    Directory(PathBuf),
    /// Nowhere.
    Off,
}

/// One vector per text, in order; empty ones where there is no encoder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vectors {
    dims: usize,
    values: Vec<f32>,
}

impl Vectors {
    /// Vectors of `dims` values each, one after the other.
    pub fn new(dims: usize, values: Vec<f32>) -> Self {
        debug_assert!(dims > 0 && values.len().is_multiple_of(dims));
        Self { dims, values }
    }

    /// The vector of text `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.dims..(i + 1) * self.dims]
    }
}

impl Encoder {
    /// The encoder in `directory` for a model that needs `wanted`; none where neither is named.
    ///
    /// # Errors
    ///
    /// If only one of the two is there, the directory holds another encoder, or it cannot be read.
    pub fn for_model(wanted: Option<&EncoderId>, directory: Option<&Path>, cache: &VectorCache) -> Result<Option<Self>> {
        let (wanted, directory) = match (wanted, directory) {
            (None, None) => return Ok(None),
            (Some(wanted), Some(directory)) => (wanted, directory),
            (Some(wanted), None) => {
                return Err(Error::model(format!("the model was trained with the encoder {:?}", wanted.name))
                    .help("pass the encoder's directory with --encoder DIR"));
            }
            (None, Some(_)) => {
                return Err(Error::model("the model was trained without an encoder")
                    .help("leave out --encoder, or train the model again with it"));
            }
        };
        let encoder = Self::load(directory, wanted.mention, cache)?;
        let found = encoder.id();
        let differs = wanted.files.iter().find(|(name, hash)| found.files.get(*name) != Some(*hash));
        match differs.or_else(|| found.files.iter().find(|(name, _)| !wanted.files.contains_key(*name))) {
            None => Ok(Some(encoder)),
            Some((name, _)) => Err(Error::model(format!("not the encoder that the model was trained with: {name} differs"))
                .in_file(directory)
                .expected(format!("{:?}, {}", wanted.name, told(wanted, name)))
                .found(format!("{:?}, {}", found.name, told(found, name)))
                .help("pass the directory of the model's own encoder with --encoder DIR, or train the model again")),
        }
    }
}

fn told(id: &EncoderId, file: &str) -> String {
    id.files.get(file).map_or_else(|| "without it".to_owned(), |hash| format!("SHA-256 {hash}"))
}
