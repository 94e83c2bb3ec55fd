//! Flags that name a sentence encoder.

use std::path::PathBuf;

use clap::Args;
use stancekit::encoder::{Encoder, VectorCache};
use stancekit::features::{Analyzer, EncoderId, TfidfParams};
use stancekit::train::TrainParams;

/// Scale of an encoder's vector where neither a flag nor a search chooses one.
const SCALE: f32 = 1.0;

/// Which encoder is used, and where its vectors are kept.
#[derive(Debug, Clone, Args)]
pub struct EncoderArgs {
    /// Directory of a sentence encoder (config.json, tokenizer.json, model.safetensors: BERT or model2vec), for models trained with one
    #[arg(long, value_name = "DIR")]
    pub encoder: Option<PathBuf>,
    /// Directory where the encoder's vectors are kept between runs, or none; by default one in the user's cache directory
    #[arg(long, value_name = "DIR|none", value_parser = cache)]
    encoder_cache: Option<VectorCache>,
}

fn cache(text: &str) -> Result<VectorCache, String> {
    Ok(if text == "none" { VectorCache::Off } else { VectorCache::Directory(text.into()) })
}

impl EncoderArgs {
    /// The encoder that a model needs; none for a model without.
    pub fn for_model(&self, wanted: Option<&EncoderId>) -> anyhow::Result<Option<Encoder>> {
        Ok(Encoder::for_model(wanted, self.encoder.as_deref(), &self.cache())?)
    }

    /// The same flags with a cache that keeps nothing, for timing.
    pub fn without_cache(&self) -> Self {
        Self { encoder_cache: Some(VectorCache::Off), ..self.clone() }
    }

    /// The encoder to train with, which becomes a block of the features at this scale; none if no flag names one.
    pub fn for_training(
        &self,
        params: &mut TrainParams,
        scale: Option<f32>,
        has_target: bool,
    ) -> anyhow::Result<Option<Encoder>> {
        let blocks = &mut params.features.blocks;
        let known = blocks.iter().position(|b| b.analyzer == Analyzer::Encoder).map(|at| blocks.remove(at));
        let Some(directory) = &self.encoder else {
            anyhow::ensure!(known.is_none(), "the settings are those of a model with an encoder; pass it with --encoder DIR");
            anyhow::ensure!(scale.is_none(), "--encoder-scale needs an encoder; pass it with --encoder DIR");
            return Ok(None);
        };
        let encoder = Encoder::load(directory, has_target, &self.cache())?;
        let scale = scale.or(known.map(|block| block.weight)).unwrap_or(SCALE);
        blocks.push(TfidfParams::encoder(encoder.id().clone(), scale));
        Ok(Some(encoder))
    }

    fn cache(&self) -> VectorCache {
        self.encoder_cache.clone().unwrap_or_default()
    }
}
