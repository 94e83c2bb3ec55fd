//! From texts to sparse TF-IDF rows.
//!
//! A block ([`TfidfParams`]) is what one `TfidfVectorizer` of scikit-learn is, with the same options and the same numbers; [`FeatureParams`] puts blocks side by
//! side. [`Features`] is the fitted form: document frequencies are frozen, so that a text's row never depends on its neighbours in a batch.
//! Features are known by 64-bit keys (`hash.rs`) and numbered by key (`index.rs`). Not here: where weights are kept and how they are added up.

mod counter;
pub(crate) mod hash;
pub(crate) mod index;
mod lexicon;
mod names;
mod ngrams;
mod params;
mod tfidf;
mod word_cache;

pub(crate) use counter::Counter;
pub use names::NgramNames;
pub use ngrams::{Extractor, NgramScratch, Passage};
pub use params::{Analyzer, DfBound, EncoderId, FeatureParams, LexiconClass, Norm, TfidfParams};
pub use tfidf::Features;
pub(crate) use tfidf::{CHUNK, Counts, add_hashed_dfs, count, tf, weigh_block};
pub(crate) use word_cache::WordCache;
