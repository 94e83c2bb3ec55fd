//! Text before features: normal form, sentences and words.
//!
//! [`normalize`] brings text to Unicode NFC and keeps the way back to the original offsets, [`segment`] cuts an article into sentences, and
//! [`tokenize`] cuts a sentence into words. Nothing here knows about topics, stances or models, and nothing allocates per word.

pub mod normalize;
pub mod segment;
pub mod tokenize;

pub use normalize::{CodePoints, Normalized};
pub use segment::{CodePointSentence, Sentence, SentenceKind, sentences, sentences_in, sentences_into};
pub use tokenize::{WordRule, for_each_word, lower_bytes_into, lower_into, split_hashtag};
