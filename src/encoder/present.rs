//! The encoder as callers see it: loading, remembering, and putting texts of one length together.

use std::path::Path;

use hashbrown::HashMap;
use rayon::prelude::*;
use tokenizers::{Tokenizer, TruncationParams};

use crate::encoder::bert::Bert;
use crate::encoder::cache::{Cache, Key};
use crate::encoder::files::Files;
use crate::encoder::lookup::Lookup;
use crate::encoder::{VectorCache, Vectors};
use crate::error::{Error, Result};
use crate::features::{EncoderId, Passage};

/// Tokens of the texts that are run together: enough that reading the weights from memory does not count, few enough for the second-level cache.
const BATCH_TOKENS: usize = 512;

/// A sentence encoder.
#[derive(Debug)]
pub struct Encoder {
    id: EncoderId,
    tokenizer: Tokenizer,
    network: Network,
    cache: Option<Cache>,
}

#[derive(Debug)]
enum Network {
    Bert(Box<Bert>),
    Lookup(Lookup),
}

/// A text as its tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) ids: Vec<u32>,
    /// Positions of the tokens of the target mention.
    pub(super) mention: Vec<usize>,
}

impl Encoder {
    /// Reads an encoder's directory. With `mention`, a second vector follows the text's: that of the target mention within the text, zero where there is none.
    ///
    /// # Errors
    ///
    /// If a file is missing, or is no encoder of a kind that can be run.
    pub fn load(directory: &Path, mention: bool, cache: &VectorCache) -> Result<Self> {
        let files = Files::read(directory)?;
        let no_tokenizer =
            |e: tokenizers::Error| Error::input("not a tokenizer").in_file(directory.join("tokenizer.json")).found(e.to_string());
        let mut tokenizer = Tokenizer::from_bytes(files.tokenizer()).map_err(no_tokenizer)?;
        tokenizer.with_padding(None);
        let max_length = files.max_length()?;
        tokenizer.with_truncation(Some(TruncationParams { max_length, ..TruncationParams::default() })).map_err(no_tokenizer)?;
        let (network, dims) = match files.kind()? {
            "bert" => {
                let bert = Bert::load(&files)?;
                let dims = bert.dims();
                (Network::Bert(Box::new(bert)), dims)
            }
            _ => {
                let lookup = Lookup::load(&files, &tokenizer)?;
                let dims = lookup.dims();
                (Network::Lookup(lookup), dims)
            }
        };
        let id = EncoderId { name: files.name(), files: files.hashes(), dims: if mention { 2 * dims } else { dims }, mention };
        let cache = Cache::open(cache, &id);
        let encoder = Self { id, tokenizer, network, cache };
        encoder.check(&files)?;
        Ok(encoder)
    }

    /// Makes sure that no text can be refused later: every token has a row, unknown characters have a token, and the network runs.
    fn check(&self, files: &Files) -> Result<()> {
        let largest = self.tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize);
        let n_rows = match &self.network {
            Network::Bert(bert) => bert.n_rows(),
            Network::Lookup(lookup) => lookup.n_tokens(),
        };
        if largest >= n_rows {
            return Err(files.refuse("tokenizer.json", "more tokens than embeddings", &format!("ids below {n_rows}"), largest));
        }
        let probe = self.tokens(&"a \u{e000}\u{10fffd}".into())?;
        self.run(&[&probe]).map(|_| ())
    }

    /// Which encoder it is.
    pub fn id(&self) -> &EncoderId {
        &self.id
    }

    /// The vectors of all passages, on all threads. Equal passages are run once; those of earlier runs come from the cache.
    ///
    /// # Errors
    ///
    /// If the tokenizer or the network refuses a text, which speaks for a damaged directory.
    pub fn encode(&self, passages: &[Passage<'_>]) -> Result<Vectors> {
        let mut numbers = HashMap::new();
        let mut distinct: Vec<Passage<'_>> = Vec::new();
        let number_of: Vec<usize> = passages
            .iter()
            .map(|passage| {
                let target = passage.target.filter(|_| self.id.mention);
                *numbers.entry((passage.text, target)).or_insert_with(|| {
                    distinct.push(Passage { text: passage.text, target, vector: &[] });
                    distinct.len() - 1
                })
            })
            .collect();
        let vectors = self.encode_distinct(&distinct)?;
        let mut values = Vec::with_capacity(passages.len() * self.id.dims);
        number_of.into_iter().for_each(|number| values.extend_from_slice(&vectors[number]));
        Ok(Vectors::new(self.id.dims, values))
    }

    fn encode_distinct(&self, passages: &[Passage<'_>]) -> Result<Vec<Vec<f32>>> {
        let keys: Vec<Option<Key>> = passages.par_iter().map(|p| self.cache.as_ref().map(|cache| cache.key(p))).collect();
        let known = |key: &Option<Key>| self.cache.as_ref()?.get(key.as_ref()?, self.id.dims);
        let mut vectors: Vec<Vec<f32>> = keys.par_iter().map(|key| known(key).unwrap_or_default()).collect();
        let missing: Vec<usize> = (0..passages.len()).filter(|&i| vectors[i].is_empty()).collect();
        let tokens = missing.par_iter().map(|&i| self.tokens(&passages[i])).collect::<Result<Vec<_>>>()?;
        let fresh = batches(&tokens)
            .into_par_iter()
            .map(|batch| {
                let of_batch: Vec<&Tokens> = batch.iter().map(|&m| &tokens[m]).collect();
                let run = self.run(&of_batch)?;
                for (&m, vector) in batch.iter().zip(&run) {
                    if let (Some(cache), Some(key)) = (&self.cache, &keys[missing[m]]) {
                        cache.put(key, vector);
                    }
                }
                Ok(batch.into_iter().zip(run).collect::<Vec<_>>())
            })
            .collect::<Result<Vec<_>>>()?;
        for (m, vector) in fresh.into_iter().flatten() {
            vectors[missing[m]] = vector;
        }
        Ok(vectors)
    }

    fn tokens(&self, passage: &Passage<'_>) -> Result<Tokens> {
        let has_special_tokens = matches!(self.network, Network::Bert(_));
        let encoding = self.tokenizer.encode(passage.text, has_special_tokens).map_err(|e| {
            Error::input("the encoder's tokenizer refuses a text").found(e.to_string()).help("copy tokenizer.json again")
        })?;
        let overlaps =
            |&(first, end): &(usize, usize)| passage.target.is_some_and(|(from, to)| first < to && end > from && end > first);
        let mention = encoding.get_offsets().iter().enumerate().filter(|(_, offsets)| overlaps(offsets)).map(|(i, _)| i);
        Ok(Tokens { mention: mention.collect(), ids: encoding.get_ids().to_vec() })
    }

    /// The vectors of texts of one length in tokens.
    fn run(&self, batch: &[&Tokens]) -> Result<Vec<Vec<f32>>> {
        match &self.network {
            Network::Bert(bert) => bert.vectors(batch, self.id.mention),
            Network::Lookup(lookup) => Ok(batch.iter().map(|tokens| lookup.vector(tokens, self.id.mention)).collect()),
        }
    }
}

/// Texts of equal length together, so that nothing is padded and no result depends on its company.
fn batches(tokens: &[Tokens]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by_key(|&i| tokens[i].ids.len());
    order
        .chunk_by(|&a, &b| tokens[a].ids.len() == tokens[b].ids.len())
        .flat_map(|same| same.chunks((BATCH_TOKENS / tokens[same[0]].ids.len().max(1)).max(1)))
        .map(<[usize]>::to_vec)
        .collect()
}

/// Divides a vector by its length; a vector of zeros stays.
pub(super) fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
    }
}
