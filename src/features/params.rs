//! The settings of a feature block: one block is what one `TfidfVectorizer` of scikit-learn is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::text::tokenize::WordRule;

/// Weight of a class found in a text, against n-gram blocks of length 1: the best of 0.1, 0.2, 0.3 and 0.4 in cross-validation on `datasets/diplomacy`.
const LEXICON_WEIGHT: f32 = 0.2;

/// The lexicon of [`TfidfParams::sentiment`].
const SENTIMENT: &str = include_str!("../../datasets/lexicons/sentiment.csv");

/// Most values of an encoder's vector.
const MAX_DIMS: usize = 8192;

/// Longest term of a lexicon, in words.
pub(crate) const MAX_TERM_WORDS: usize = 8;

/// What a block counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Analyzer {
    /// Sequences of words.
    Word,
    /// Sequences of code points inside one white-space-separated word, padded with a space at either end (scikit-learn's `char_wb`).
    CharWb,
    /// Words marked with where they stand relative to the target mention: left, right or near. Empty for a text without a target.
    Target,
    /// The first two and the last three words, marked as such: where a text says what it is about and what it comes to.
    Ends,
    /// Classes of a lexicon: each occurrence of one of a class's terms counts for the class. Empty without a lexicon.
    Lexicon,
    /// The values of a sentence encoder's vector, which comes with the passage: nothing is counted.
    Encoder,
}

/// Which encoder a block's vectors come from, so that no other is taken for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderId {
    /// Name of its directory, for messages.
    pub name: String,
    /// SHA-256 of each of its files by name, as `sha256sum` and model hubs print it.
    pub files: BTreeMap<String, String>,
    /// Values of a vector.
    pub dims: usize,
    /// The second half of a vector is that of the target mention.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mention: bool,
}

/// Terms that stand for a class. A term is one to eight words in lower case; `*` at the end of a word stands for any ending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LexiconClass {
    /// Name of the class.
    pub class: String,
    /// Its terms.
    pub terms: Vec<String>,
}

/// The length that a block's vector is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Sum of absolute values.
    L1,
    /// Square root of the sum of squares.
    L2,
    /// No scaling.
    None,
}

/// A bound on the number of texts that hold an n-gram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DfBound {
    /// So many texts.
    Count(u32),
    /// This share of all texts, 0 to 1.
    Share(f64),
}

impl DfBound {
    /// The bound in texts, of `n_texts`.
    pub(crate) fn of(self, n_texts: usize) -> f64 {
        match self {
            Self::Count(count) => f64::from(count),
            Self::Share(share) => share * n_texts as f64,
        }
    }
}

/// Settings of one TF-IDF block; names, meanings and defaults are those of scikit-learn's `TfidfVectorizer`, except where a field says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TfidfParams {
    /// What is counted. Default: words.
    pub analyzer: Analyzer,
    /// Shortest and longest n-gram, 1 to 8. Default: (1, 1).
    pub ngrams: (u8, u8),
    /// What a word is; ignored by `CharWb`. Default: scikit-learn's own pattern of two or more word characters.
    pub words: WordRule,
    /// Lower-case the text first. Default: true.
    pub lowercase: bool,
    /// Words dropped before n-grams are formed (lower case where `lowercase` is on). Default: none.
    pub stop_words: Vec<String>,
    /// N-grams in fewer texts are dropped. Default: 1.
    pub min_df: DfBound,
    /// N-grams in more texts are dropped. Default: share 1.
    pub max_df: DfBound,
    /// Keep only so many n-grams, those with the most occurrences; ties are broken by key. Default: all.
    pub max_features: Option<usize>,
    /// Count every n-gram of a text once. Default: false.
    pub binary: bool,
    /// Use 1 + ln(tf) for tf. Default: false.
    pub sublinear_tf: bool,
    /// Multiply by the inverse document frequency. Default: true.
    pub use_idf: bool,
    /// Add one to every document frequency and to the number of texts. Default: true.
    pub smooth_idf: bool,
    /// Length of a row. Default: L2.
    pub norm: Norm,
    /// Factor on the block after `norm`; scikit-learn has it in `FeatureUnion`. Default: 1.
    pub weight: f32,
    /// Mark the words in the scope of a negator ("not", "never", "denies") as features of their own, and the classes of a lexicon. Not in scikit-learn;
    /// `Word` and `Lexicon` only. Default: false.
    pub negation: bool,
    /// Split hashtags into their words before counting. Not in scikit-learn. Default: false.
    pub split_hashtags: bool,
    /// The lexicon of a `Lexicon` block. Not in scikit-learn. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lexicon: Vec<LexiconClass>,
    /// The encoder of an `Encoder` block. Not in scikit-learn. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderId>,
}

impl Default for TfidfParams {
    fn default() -> Self {
        Self {
            analyzer: Analyzer::Word,
            ngrams: (1, 1),
            words: WordRule::Sklearn,
            lowercase: true,
            stop_words: Vec::new(),
            min_df: DfBound::Count(1),
            max_df: DfBound::Share(1.0),
            max_features: None,
            binary: false,
            sublinear_tf: false,
            use_idf: true,
            smooth_idf: true,
            norm: Norm::L2,
            weight: 1.0,
            negation: false,
            split_hashtags: false,
            lexicon: Vec::new(),
            encoder: None,
        }
    }
}

impl TfidfParams {
    /// Word n-grams as this project uses them: Unicode words, sublinear tf, L2 norm.
    pub fn words(shortest: u8, longest: u8) -> Self {
        Self { ngrams: (shortest, longest), words: WordRule::Unicode, sublinear_tf: true, ..Self::default() }
    }

    /// Character n-grams within words, sublinear tf, L2 norm.
    pub fn chars(shortest: u8, longest: u8) -> Self {
        Self { analyzer: Analyzer::CharWb, ..Self::words(shortest, longest) }
    }

    /// Classes of a lexicon, from a CSV with columns `class` and `terms`, terms joined by `|`.
    ///
    /// # Errors
    ///
    /// If the text is no such table or a term has more than eight words.
    pub fn lexicon(csv_text: &str) -> Result<Self> {
        let mut lexicon = Vec::new();
        for (i, record) in csv::Reader::from_reader(csv_text.as_bytes()).records().enumerate() {
            let line = i as u64 + 2;
            let record = record.map_err(|e| Error::input("not a lexicon").on_line(line).expected("class,terms").caused_by(e))?;
            let (Some(class), Some(terms)) = (record.get(0), record.get(1)) else {
                return Err(Error::input("not a lexicon").on_line(line).expected("two columns: class, and terms joined by |"));
            };
            let terms: Vec<String> = terms.split('|').map(|t| t.trim().to_lowercase()).filter(|t| !t.is_empty()).collect();
            if let Some(long) = terms.iter().find(|t| t.split(' ').count() > MAX_TERM_WORDS) {
                return Err(Error::input("the term is too long")
                    .on_line(line)
                    .expected("at most eight words")
                    .found(format!("{long:?}")));
            }
            lexicon.push(LexiconClass { class: class.to_owned(), terms });
        }
        // Each class found adds the same, however many others are found: the more cues, the surer.
        let counted = Self {
            binary: true,
            sublinear_tf: false,
            use_idf: false,
            norm: Norm::None,
            weight: LEXICON_WEIGHT,
            ..Self::words(1, 1)
        };
        Ok(Self { analyzer: Analyzer::Lexicon, negation: true, lexicon, ..counted })
    }

    /// The classes of the lexicon of sentiment that comes with the crate, `datasets/lexicons/sentiment.csv`; by side and distance where a text has a target.
    pub fn sentiment() -> Self {
        Self::lexicon(SENTIMENT).expect("a test reads the lexicon")
    }

    /// Words by their place relative to the target mention.
    pub fn target() -> Self {
        Self { analyzer: Analyzer::Target, ..Self::words(1, 1) }
    }

    /// First and last words, for half of what other blocks weigh: at their full weight they measured worse than none.
    pub fn ends() -> Self {
        Self { analyzer: Analyzer::Ends, min_df: DfBound::Count(2), weight: 0.5, ..Self::words(1, 1) }
    }

    /// The vector of an encoder, times `scale`. A vector has length 1 for the whole text, so that a scale of 1 puts it on a par with a block of n-grams.
    pub fn encoder(encoder: EncoderId, scale: f32) -> Self {
        Self {
            analyzer: Analyzer::Encoder,
            use_idf: false,
            norm: Norm::None,
            weight: scale,
            encoder: Some(encoder),
            ..Self::default()
        }
    }
}

/// Settings of all features of a model: its blocks side by side, as in scikit-learn's `FeatureUnion`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureParams {
    /// The blocks; a feature belongs to exactly one.
    pub blocks: Vec<TfidfParams>,
    /// Hash n-grams to 2^bits columns instead of learning a vocabulary, 10 to 28.
    pub hash_bits: Option<u8>,
}

impl Default for FeatureParams {
    /// Word 1–3-grams and character 2–5-grams.
    fn default() -> Self {
        Self { blocks: vec![TfidfParams::words(1, 3), TfidfParams::chars(2, 5)], hash_bits: None }
    }
}

impl FeatureParams {
    /// Checks every range.
    ///
    /// # Errors
    ///
    /// Names the first parameter that is outside its range.
    pub fn validate(&self) -> Result<()> {
        if self.blocks.is_empty() {
            return Err(Error::parameter("no features").help("switch word or character n-grams on (--word-ngrams 1,3)"));
        }
        if self.blocks.len() > 16 {
            return Err(Error::parameter("too many feature blocks").expected("at most 16").found(self.blocks.len().to_string()));
        }
        if let Some(bits) = self.hash_bits.filter(|bits| !(10..=28).contains(bits)) {
            return Err(Error::parameter("hash bits out of range").expected("10 to 28").found(bits.to_string()));
        }
        self.validate_encoder()?;
        self.blocks.iter().try_for_each(TfidfParams::validate)
    }

    /// The encoder whose vectors the features need.
    pub fn encoder(&self) -> Option<&EncoderId> {
        self.blocks.iter().find_map(|block| block.encoder.as_ref())
    }

    fn validate_encoder(&self) -> Result<()> {
        let blocks: Vec<&TfidfParams> = self.blocks.iter().filter(|b| b.analyzer == Analyzer::Encoder).collect();
        let is_sound = blocks.len() <= 1
            && blocks.len() == self.blocks.iter().filter(|b| b.encoder.is_some()).count()
            && self.encoder().is_none_or(|e| (1..=MAX_DIMS).contains(&e.dims));
        if !is_sound {
            return Err(Error::parameter("the encoder block is inconsistent")
                .expected(format!("at most one block, with an encoder of 1 to {MAX_DIMS} values")));
        }
        if !blocks.is_empty() && self.hash_bits.is_some() {
            return Err(
                Error::parameter("hashed features cannot hold an encoder's vector").help("leave out --hash-bits or --encoder")
            );
        }
        Ok(())
    }
}

impl TfidfParams {
    fn validate(&self) -> Result<()> {
        let (shortest, longest) = self.ngrams;
        if shortest == 0 || longest < shortest || longest > 8 {
            return Err(Error::parameter("n-gram lengths out of range")
                .expected("1 <= shortest <= longest <= 8")
                .found(format!("{shortest},{longest}")));
        }
        for (name, bound) in [("min_df", self.min_df), ("max_df", self.max_df)] {
            if let DfBound::Share(share) = bound
                && !(0.0..=1.0).contains(&share)
            {
                return Err(Error::parameter(format!("{name} out of range"))
                    .expected("a count, or a share from 0 to 1")
                    .found(share.to_string()));
            }
        }
        if self.max_features == Some(0) {
            return Err(Error::parameter("max_features out of range").expected("1 or more").found("0"));
        }
        if !(self.weight > 0.0 && self.weight.is_finite()) {
            return Err(Error::parameter("block weight out of range")
                .expected("a positive number")
                .found(self.weight.to_string()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_legal_and_survive_json() {
        let params = FeatureParams::default();
        params.validate().unwrap();
        let json = serde_json::to_string(&params).unwrap();
        assert_eq!(serde_json::from_str::<FeatureParams>(&json).unwrap(), params);
    }

    #[test]
    fn the_lexicon_of_sentiment_is_legal() {
        let block = TfidfParams::sentiment();
        assert!(block.lexicon.len() > 10 && block.lexicon.iter().all(|class| !class.terms.is_empty()));
    }

    #[test]
    fn reversed_lengths_are_refused() {
        let params = FeatureParams { blocks: vec![TfidfParams::words(3, 1)], hash_bits: None };
        assert!(params.validate().unwrap_err().to_string().contains("3,1"));
    }
}
