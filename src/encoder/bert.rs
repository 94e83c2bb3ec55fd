//! Sentence vectors of the BERT family: the mean of the last layer's token states, of length 1.
//!
//! The texts of a batch have the same number of tokens, so that nothing is padded and the mask is all ones. A matrix product of real width (more
//! than 256 columns) computes its rows alike whatever their number, so that a text gets the same bits alone and in company; narrower ones agree to 1e-5.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};

use crate::encoder::files::Files;
use crate::encoder::present::{Tokens, normalize};
use crate::error::{Error, Result};

/// A loaded network.
pub(super) struct Bert {
    network: BertModel,
    dims: usize,
    n_rows: usize,
}

impl Bert {
    pub(super) fn load(files: &Files) -> Result<Self> {
        files.check_pooling()?;
        let config: Config = serde_json::from_slice(files.config()).map_err(|e| files.refuse_config(&e))?;
        let network = VarBuilder::from_slice_safetensors(files.weights(), DType::F32, &Device::Cpu)
            .and_then(|weights| BertModel::load(weights, &config))
            .map_err(|e| files.refuse_weights(e))?;
        Ok(Self { network, dims: config.hidden_size, n_rows: config.vocab_size })
    }

    pub(super) fn dims(&self) -> usize {
        self.dims
    }

    /// Tokens that have an embedding.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The vectors of texts of one length; with `mention`, each followed by the mean over the mention's tokens.
    pub(super) fn vectors(&self, batch: &[&Tokens], mention: bool) -> Result<Vec<Vec<f32>>> {
        let length = batch[0].ids.len();
        if length == 0 {
            // A tokenizer without special tokens leaves nothing of an empty text.
            return Ok(vec![vec![0.0; if mention { 2 * self.dims } else { self.dims }]; batch.len()]);
        }
        let states = self.states(batch, length).map_err(|e| Error::input("the encoder cannot be run").caused_by(e))?;
        let of_text = |(tokens, states): (&&Tokens, &[f32])| {
            let state = |i: usize| &states[i * self.dims..(i + 1) * self.dims];
            let mut vector = mean((0..length).map(state), self.dims);
            if mention {
                vector.extend(mean(tokens.mention.iter().map(|&i| state(i)), self.dims));
            }
            vector
        };
        Ok(batch.iter().zip(states.chunks_exact(length * self.dims)).map(of_text).collect())
    }

    /// The last layer's states of all tokens, text by text.
    fn states(&self, batch: &[&Tokens], length: usize) -> candle_core::Result<Vec<f32>> {
        let ids: Vec<u32> = batch.iter().flat_map(|tokens| tokens.ids.iter().copied()).collect();
        let ids = Tensor::from_vec(ids, (batch.len(), length), &Device::Cpu)?;
        self.network.forward(&ids, &ids.zeros_like()?, None)?.flatten_all()?.to_vec1()
    }
}

impl std::fmt::Debug for Bert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bert").field("dims", &self.dims).finish_non_exhaustive()
    }
}

/// The mean of some states, brought to length 1; zeros for no states.
fn mean<'a>(states: impl Iterator<Item = &'a [f32]>, dims: usize) -> Vec<f32> {
    let mut sum = vec![0.0; dims];
    states.for_each(|state| sum.iter_mut().zip(state).for_each(|(sum, value)| *sum += value));
    // The number of states cancels out.
    normalize(&mut sum);
    sum
}
