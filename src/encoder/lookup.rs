//! Static embeddings in the form of model2vec: a row for each token, and a text is the mean of its tokens' rows.
//!
//! Tensors: `embeddings`, a row per token; `weights`, a factor on each token, and `mapping`, from tokens to rows, where the file has them. Unknown tokens do not
//! count. The mean is brought to length 1 where `normalize` says so in config.json.

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use tokenizers::Tokenizer;

use crate::encoder::files::Files;
use crate::encoder::present::{Tokens, normalize};
use crate::error::Result;

/// A loaded table.
#[derive(Debug)]
pub(super) struct Lookup {
    rows: Vec<f32>,
    dims: usize,
    weights: Vec<f32>,
    mapping: Vec<u32>,
    n_tokens: usize,
    unknown: Option<u32>,
    normalizes: bool,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    normalize: bool,
}

impl Lookup {
    pub(super) fn load(files: &Files, tokenizer: &Tokenizer) -> Result<Self> {
        let config: Config = serde_json::from_slice(files.config()).map_err(|e| files.refuse_config(&e))?;
        let tensors =
            candle_core::safetensors::load_buffer(files.weights(), &Device::Cpu).map_err(|e| files.refuse_weights(e))?;
        let read = |name: &str| tensors.get(name).map(to_f32).transpose().map_err(|e| files.refuse_weights(e));
        let dims = tensors.get("embeddings").and_then(|t| t.dims2().ok()).map_or(0, |(_, dims)| dims);
        let (rows, weights) = (read("embeddings")?.unwrap_or_default(), read("weights")?.unwrap_or_default());
        let mapping: Vec<u32> = read("mapping")?.unwrap_or_default().into_iter().map(|row| row as u32).collect();
        let n_rows = rows.len() / dims.max(1);
        let n_tokens = [weights.len(), mapping.len()].into_iter().filter(|&n| n > 0).min().unwrap_or(n_rows);
        let fits = match mapping.is_empty() {
            true => n_tokens <= n_rows,
            false => mapping.iter().all(|&row| (row as usize) < n_rows),
        };
        if dims == 0 || !fits {
            let found = format!("{n_rows} rows of {dims} values, {} weights, {} mapped tokens", weights.len(), mapping.len());
            return Err(files.refuse(
                "model.safetensors",
                "the tensors do not fit together",
                "`embeddings`, a row per token",
                found,
            ));
        }
        let json: serde_json::Value = serde_json::from_slice(files.tokenizer()).map_err(|e| files.refuse_config(&e))?;
        let unknown = json["model"]["unk_token"].as_str().and_then(|token| tokenizer.token_to_id(token));
        Ok(Self { rows, dims, weights, mapping, n_tokens, unknown, normalizes: config.normalize })
    }

    pub(super) fn dims(&self) -> usize {
        self.dims
    }

    /// Tokens that have a row.
    pub(super) fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// A text's vector; with `mention`, followed by the mean over the mention's tokens.
    pub(super) fn vector(&self, tokens: &Tokens, mention: bool) -> Vec<f32> {
        let mut vector = self.mean(tokens.ids.iter().copied());
        if mention {
            vector.extend(self.mean(tokens.mention.iter().map(|&i| tokens.ids[i])));
        }
        vector
    }

    fn mean(&self, ids: impl Iterator<Item = u32>) -> Vec<f32> {
        let mut sum = vec![0.0; self.dims];
        let mut n = 0_usize;
        for id in ids.filter(|&id| Some(id) != self.unknown) {
            let row = self.mapping.get(id as usize).map_or(id as usize, |&row| row as usize);
            let weight = self.weights.get(id as usize).copied().unwrap_or(1.0);
            let row = &self.rows[row * self.dims..(row + 1) * self.dims];
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
            n += 1;
        }
        sum.iter_mut().for_each(|sum| *sum /= n.max(1) as f32);
        if self.normalizes {
            normalize(&mut sum);
        }
        sum
    }
}

fn to_f32(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
