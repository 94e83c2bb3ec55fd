//! The files of an encoder's directory, read once and hashed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const WEIGHTS: &str = "model.safetensors";
/// Files that change vectors but that not every encoder has: the longest text, and how tokens are pooled.
const OPTIONAL: [&str; 2] = ["sentence_bert_config.json", "1_Pooling/config.json"];
/// Longest text in tokens where no file says; static embeddings have no limit of their own.
const MAX_LENGTH: u64 = 512;

/// The contents of an encoder's files.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    contents: BTreeMap<&'static str, Vec<u8>>,
}

impl Files {
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let mut contents = BTreeMap::new();
        for name in [CONFIG, TOKENIZER, WEIGHTS] {
            let path = directory.join(name);
            let bytes = std::fs::read(&path).map_err(|e| {
                Error::io(&path, e)
                    .expected("a directory with config.json, tokenizer.json and model.safetensors")
                    .help("name it with --encoder DIR")
            })?;
            contents.insert(name, bytes);
        }
        for name in OPTIONAL {
            if let Ok(bytes) = std::fs::read(directory.join(name)) {
                contents.insert(name, bytes);
            }
        }
        Ok(Self { directory: directory.to_path_buf(), contents })
    }

    /// Name of the directory.
    pub(super) fn name(&self) -> String {
        let path = self.directory.canonicalize().unwrap_or_else(|_| self.directory.clone());
        path.file_name().map_or_else(|| "encoder".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// SHA-256 of each file. A fast hash would do against accidents; this one also holds against a file made to be mistaken for another, and can be compared with
    /// what `sha256sum` and model hubs print.
    pub(super) fn hashes(&self) -> BTreeMap<String, String> {
        self.contents.iter().map(|(name, bytes)| ((*name).to_owned(), hex(&Sha256::digest(bytes)))).collect()
    }

    pub(super) fn config(&self) -> &[u8] {
        &self.contents[CONFIG]
    }

    pub(super) fn tokenizer(&self) -> &[u8] {
        &self.contents[TOKENIZER]
    }

    pub(super) fn weights(&self) -> &[u8] {
        &self.contents[WEIGHTS]
    }

    /// `bert` or `model2vec`.
    pub(super) fn kind(&self) -> Result<&'static str> {
        let config = self.json(CONFIG)?.unwrap_or_default();
        let kind = config["model_type"].as_str().unwrap_or("none");
        match kind {
            "bert" => Ok("bert"),
            "model2vec" => Ok("model2vec"),
            other => Err(self.refuse(CONFIG, "not an encoder that can be run", "model_type bert or model2vec", other)),
        }
    }

    /// Longest text, in tokens.
    pub(super) fn max_length(&self) -> Result<usize> {
        let of_sentences = self.json(OPTIONAL[0])?.and_then(|json| json["max_seq_length"].as_u64());
        let of_positions = self.json(CONFIG)?.and_then(|json| json["max_position_embeddings"].as_u64());
        let least = of_sentences.into_iter().chain(of_positions).min().unwrap_or(MAX_LENGTH);
        Ok(least.clamp(2, MAX_LENGTH) as usize)
    }

    /// Refuses a directory that pools its tokens in another way than by their mean.
    pub(super) fn check_pooling(&self) -> Result<()> {
        let Some(json) = self.json(OPTIONAL[1])? else { return Ok(()) };
        let chosen = json
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, on)| name.starts_with("pooling_mode") && on.as_bool() == Some(true));
        match chosen.map(|(name, _)| name.as_str()).find(|name| *name != "pooling_mode_mean_tokens") {
            None => Ok(()),
            Some(other) => Err(self.refuse(OPTIONAL[1], "this pooling is not supported", "pooling_mode_mean_tokens", other)),
        }
    }

    /// A file as JSON; none where the file is optional and absent.
    fn json(&self, name: &str) -> Result<Option<Value>> {
        let parse = |bytes: &Vec<u8>| {
            serde_json::from_slice(bytes).map_err(|e| Error::input("not JSON").in_file(self.directory.join(name)).caused_by(e))
        };
        self.contents.get(name).map(parse).transpose()
    }

    /// An error about a file.
    pub(super) fn refuse(&self, name: &str, message: &str, expected: &str, found: impl ToString) -> Error {
        Error::input(message)
            .in_file(self.directory.join(name))
            .expected(expected)
            .found(found.to_string())
            .help("use another encoder, such as all-MiniLM-L6-v2")
    }

    /// An error about the weights.
    pub(super) fn refuse_weights(&self, cause: candle_core::Error) -> Error {
        // With RUST_BACKTRACE, a backtrace follows the first line.
        let cause = cause.to_string();
        let first = cause.lines().next().unwrap_or_default();
        self.refuse(WEIGHTS, "the weights cannot be used", "those that config.json describes", first)
    }

    /// An error about the configuration.
    pub(super) fn refuse_config(&self, cause: &serde_json::Error) -> Error {
        self.refuse(CONFIG, "the configuration cannot be used", "that of an encoder", cause)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
