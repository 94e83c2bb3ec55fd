//! Learning a vocabulary with its document frequencies, and turning texts into TF-IDF rows.
//!
//!   tf-idf(t, d) = tf(t, d) · idf(t),  idf(t) = ln((1 + n) / (1 + df(t))) + 1   (smooth),  ln(n / df(t)) + 1   (not smooth)
//!
//! with n texts, df(t) of which hold t, and 1 + ln(tf) in place of tf where `sublinear_tf` is on; then each block of a row is divided by its norm. These are
//! scikit-learn's formulas (`TfidfTransformer`), which differ from the textbook's ln(n / df) by the added one: an n-gram in every text
//! keeps some weight. A row without known n-grams is empty, not an error.

use std::fmt::Write;
use std::ops::Range;

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::features::counter::Counter;
use crate::features::index::KeyIndex;
use crate::features::names::NgramNames;
use crate::features::ngrams::{Extractor, NgramScratch, Passage};
use crate::features::params::{Analyzer, FeatureParams, Norm, TfidfParams};
use crate::sparse::SparseRows;

/// Texts per unit of parallel work; the result does not depend on it.
const CHUNK: usize = 256;
/// The vocabulary is counted in so many parts by the top bits of the key, each by one thread.
const PARTS: u64 = 16;

/// A hash map by key.
type KeyMap<T> = HashMap<u64, T, rapidhash::fast::RandomState>;

/// Fitted features: settings, keys, document frequencies, and the names of the n-grams.
#[derive(Debug, Clone)]
pub struct Features {
    params: FeatureParams,
    extractor: Extractor,
    n_texts: usize,
    /// Ascending; empty when hashed.
    keys: Vec<u64>,
    /// Block of each feature; empty when hashed.
    blocks: Vec<u8>,
    index: KeyIndex,
    idf: Vec<f32>,
    /// The text that held each feature first; empty when hashed.
    first_texts: Vec<u32>,
    /// Empty when hashed, and until [`Features::set_names`].
    names: NgramNames,
}

/// N-gram counts of a run of texts.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Key of each distinct n-gram of each block of each text, or of each value of a block of an encoder.
    pub(crate) keys: Vec<u64>,
    /// Its count, or the bits of the value.
    pub(crate) counts: Vec<u32>,
    /// End of each (text, block) in both.
    pub(crate) ends: Vec<usize>,
}

impl Counts {
    /// Adds keys with their counts.
    pub(crate) fn extend(&mut self, entries: impl Iterator<Item = (u64, u32)>) {
        entries.for_each(|(key, count)| {
            self.keys.push(key);
            self.counts.push(count);
        });
    }

    /// Keys with their counts.
    pub(crate) fn entries(&self, range: Range<usize>) -> impl Iterator<Item = (u64, u32)> {
        self.keys[range.clone()].iter().copied().zip(self.counts[range].iter().copied())
    }
}

#[derive(Clone, Copy)]
struct Occurrence {
    df: u32,
    total: u64,
    first_text: u32,
    block: u8,
}

impl Features {
    /// Learns vocabulary and document frequencies from `texts`, and gives their rows.
    ///
    /// Runs on all threads of the current rayon pool; the result does not depend on their number. Needs about 12 bytes per n-gram of each text
    /// beside the result.
    ///
    /// # Errors
    ///
    /// If a parameter is out of range or no n-gram survives `min_df` and `max_df`.
    pub fn fit_transform(params: &FeatureParams, texts: &[Passage<'_>]) -> Result<(Self, SparseRows)> {
        let (mut features, rows) = Self::fit_transform_unnamed(params, texts)?;
        let names = features.find_names(texts);
        features.set_names(names);
        Ok((features, rows))
    }

    /// [`Self::fit_transform`] without the names, which a reading of the texts costs that can wait: [`Self::find_names`], [`Self::set_names`].
    pub(crate) fn fit_transform_unnamed(params: &FeatureParams, texts: &[Passage<'_>]) -> Result<(Self, SparseRows)> {
        params.validate()?;
        let extractor = Extractor::new(params);
        let counts = count(&extractor, texts);
        let mut features = Self {
            params: params.clone(),
            extractor,
            n_texts: texts.len(),
            keys: Vec::new(),
            blocks: Vec::new(),
            index: KeyIndex::build(&[])?,
            idf: Vec::new(),
            first_texts: Vec::new(),
            names: NgramNames::default(),
        };
        match params.hash_bits {
            Some(bits) => features.learn_hashed_idf(bits, &counts),
            None => features.learn_vocabulary(&counts)?,
        }
        let rows = features.rows(counts);
        Ok((features, rows))
    }

    /// Hashed features whose document frequencies were counted elsewhere.
    pub(crate) fn hashed(params: &FeatureParams, n_texts: usize, dfs: &[u32]) -> Result<Self> {
        let mut features = Self {
            params: params.clone(),
            extractor: Extractor::new(params),
            n_texts,
            keys: Vec::new(),
            blocks: Vec::new(),
            index: KeyIndex::build(&[])?,
            idf: Vec::new(),
            first_texts: Vec::new(),
            names: NgramNames::default(),
        };
        features.set_hashed_idf(dfs);
        Ok(features)
    }

    /// Features known by name rather than learnt from n-grams, in the order of their keys; each counts 1 where it is.
    pub(crate) fn of_names(mut names: Vec<Box<str>>) -> Result<Self> {
        let key = |name: &str| super::hash::word(name.as_bytes(), 0);
        names.sort_by_key(|name| key(name));
        let mut block = TfidfParams::words(1, 1);
        (block.use_idf, block.binary, block.norm) = (false, true, Norm::None);
        let params = FeatureParams { blocks: vec![block], hash_bits: None };
        let keys: Vec<u64> = names.iter().map(|name| key(name)).collect();
        Ok(Self {
            extractor: Extractor::new(&params),
            params,
            n_texts: 0,
            index: KeyIndex::build(&keys)?,
            blocks: vec![0; keys.len()],
            idf: vec![1.0; keys.len()],
            first_texts: Vec::new(),
            keys,
            names: names.iter().map(|name| &**name).collect(),
        })
    }

    /// Learns from `texts` without keeping their rows.
    ///
    /// # Errors
    ///
    /// As [`Self::fit_transform`].
    pub fn fit(params: &FeatureParams, texts: &[Passage<'_>]) -> Result<Self> {
        Self::fit_transform(params, texts).map(|(features, _)| features)
    }

    /// The rows of `texts`: n_texts × n_features, on all threads.
    pub fn transform(&self, texts: &[Passage<'_>]) -> SparseRows {
        self.rows(count(&self.extractor, texts))
    }

    /// The settings.
    pub fn params(&self) -> &FeatureParams {
        &self.params
    }

    /// Number of texts learnt from.
    pub fn n_texts(&self) -> usize {
        self.n_texts
    }

    /// Number of features: columns of the rows.
    pub fn n_features(&self) -> usize {
        self.idf.len()
    }

    /// Inverse document frequency of each feature.
    pub fn idf(&self) -> &[f32] {
        &self.idf
    }

    /// The n-gram of each feature; empty when hashed.
    pub fn names(&self) -> &NgramNames {
        &self.names
    }

    /// Block of each feature; empty when hashed.
    pub fn blocks(&self) -> &[u8] {
        &self.blocks
    }

    pub(crate) fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// Keeps the features at `kept` (ascending) only.
    pub(crate) fn select(&self, kept: &[usize]) -> Result<Self> {
        let keys: Vec<u64> = kept.iter().map(|&i| self.keys[i]).collect();
        Ok(Self {
            params: self.params.clone(),
            extractor: self.extractor.clone(),
            n_texts: self.n_texts,
            index: KeyIndex::build(&keys)?,
            keys,
            blocks: kept.iter().map(|&i| self.blocks[i]).collect(),
            idf: kept.iter().map(|&i| self.idf[i]).collect(),
            first_texts: kept.iter().filter_map(|&i| self.first_texts.get(i).copied()).collect(),
            names: kept.iter().filter(|&&i| i < self.names.len()).map(|&i| &self.names[i]).collect(),
        })
    }

    fn learn_hashed_idf(&mut self, bits: u8, counts: &[Counts]) {
        let mut dfs = vec![0_u32; 1 << bits];
        counts.iter().for_each(|counts| add_hashed_dfs(counts, bits, &mut dfs));
        self.set_hashed_idf(&dfs);
    }

    fn set_hashed_idf(&mut self, dfs: &[u32]) {
        self.idf = dfs.iter().map(|&df| idf(&self.params.blocks[0], self.n_texts, df.min(self.n_texts as u32))).collect();
    }

    fn learn_vocabulary(&mut self, counts: &[Counts]) -> Result<()> {
        let n_blocks = self.extractor.n_blocks();
        let mut kept: Vec<(u64, Occurrence)> =
            (0..PARTS).into_par_iter().map(|part| self.count_part(part, n_blocks, counts)).collect::<Vec<_>>().concat();
        self.keep_most_frequent(&mut kept);
        if kept.is_empty() {
            return Err(Error::input("no n-gram is left to learn from")
                .expected("texts that share words")
                .found(format!("{} texts", self.n_texts))
                .help("lower min_df, raise max_df, or check the text column"));
        }
        kept.sort_unstable_by_key(|(key, _)| *key);
        self.keys = kept.iter().map(|(key, _)| *key).collect();
        self.index = KeyIndex::build(&self.keys)?;
        self.blocks = kept.iter().map(|(_, o)| o.block).collect();
        self.idf = kept.iter().map(|(_, o)| idf(&self.params.blocks[usize::from(o.block)], self.n_texts, o.df)).collect();
        self.first_texts = kept.iter().map(|(_, o)| o.first_text).collect();
        Ok(())
    }

    /// Document frequencies of the keys of one part, within the bounds of their block, in ascending order of keys.
    fn count_part(&self, part: u64, n_blocks: usize, counts: &[Counts]) -> Vec<(u64, Occurrence)> {
        let mut table: KeyMap<Occurrence> = KeyMap::default();
        let mut text = 0;
        for chunk in counts {
            let mut start = 0;
            for (i, &end) in chunk.ends.iter().enumerate() {
                let block = (i % n_blocks) as u8;
                for (key, count) in chunk.entries(start..end).filter(|(key, _)| key >> 60 == part) {
                    let seen = table.entry(key).or_insert(Occurrence { df: 0, total: 0, first_text: text, block });
                    seen.df += 1;
                    seen.total += u64::from(count);
                }
                start = end;
                text += u32::from(usize::from(block) + 1 == n_blocks);
            }
        }
        let bounds_of = |block: &TfidfParams| match block.analyzer {
            Analyzer::Encoder => (0.0, f64::INFINITY),
            _ => (block.min_df.of(self.n_texts), block.max_df.of(self.n_texts)),
        };
        let bounds: Vec<(f64, f64)> = self.params.blocks.iter().map(bounds_of).collect();
        let mut kept: Vec<(u64, Occurrence)> = table
            .into_iter()
            .filter(|(_, o)| {
                let (least, most) = bounds[usize::from(o.block)];
                (least..=most).contains(&f64::from(o.df))
            })
            .collect();
        kept.sort_unstable_by_key(|(key, _)| *key);
        kept
    }

    /// Applies `max_features` of each block.
    fn keep_most_frequent(&self, kept: &mut Vec<(u64, Occurrence)>) {
        for (b, limit) in self.params.blocks.iter().enumerate().filter_map(|(b, p)| p.max_features.map(|m| (b, m))) {
            let mut ranks: Vec<(u64, u64)> =
                kept.iter().filter(|(_, o)| usize::from(o.block) == b).map(|(key, o)| (u64::MAX - o.total, *key)).collect();
            if ranks.len() > limit {
                ranks.sort_unstable();
                let last = ranks[limit - 1];
                kept.retain(|(key, o)| usize::from(o.block) != b || (u64::MAX - o.total, *key) <= last);
            }
        }
    }

    /// The n-gram of each feature: reads the texts that first held one, those that were learnt from, once more.
    pub(crate) fn find_names(&self, texts: &[Passage<'_>]) -> NgramNames {
        let first_text = |i: u32| self.first_texts[i as usize];
        let mut by_text: Vec<u32> = (0..self.first_texts.len() as u32).collect();
        by_text.sort_unstable_by_key(|&i| (first_text(i), i));
        let groups: Vec<&[u32]> = by_text.chunk_by(|&a, &b| first_text(a) == first_text(b)).collect();
        let pieces: Vec<(Vec<(u32, u32)>, String)> = groups
            .par_chunks(CHUNK)
            .map_init(Default::default, |(scratch, wanted): &mut (NgramScratch, KeyMap<u32>), groups| {
                let mut piece = (Vec::with_capacity(groups.iter().map(|group| group.len()).sum()), String::new());
                for group in groups {
                    wanted.extend(group.iter().map(|&i| (self.keys[i as usize], i)));
                    self.push_names_of(texts[first_text(group[0]) as usize], wanted, scratch, &mut piece);
                }
                piece
            })
            .collect();
        NgramNames::from_pieces(self.first_texts.len(), &pieces)
    }

    /// Sets what [`Self::find_names`] gave.
    pub(crate) fn set_names(&mut self, names: NgramNames) {
        self.names = names;
    }

    /// Adds numbers, lengths and letters of the `wanted` n-grams, all of which are in the text; their own small table spares a look-up of every n-gram in the
    /// large one.
    fn push_names_of(
        &self,
        passage: Passage<'_>,
        wanted: &mut KeyMap<u32>,
        scratch: &mut NgramScratch,
        (names, letters): &mut (Vec<(u32, u32)>, String),
    ) {
        let mut push = |i: u32, write: &dyn Fn(&mut String)| {
            let start = letters.len();
            write(letters);
            names.push((i, (letters.len() - start) as u32));
        };
        let mut spans = Vec::new();
        for block in 0..self.extractor.n_blocks() {
            for (d, key) in self.extractor.dense_keys(block).iter().enumerate() {
                let write = |letters: &mut String| write!(letters, "encoder({d})").expect("a string takes all");
                wanted.remove(key).into_iter().for_each(|i| push(i, &write));
            }
            spans.clear();
            self.extractor.spans(block, passage, scratch, |key, span| {
                if let Some(i) = wanted.remove(&key) {
                    spans.push((i, span));
                }
            });
            for &(i, span) in &spans {
                push(i, &|letters| self.extractor.push_name(block, span, scratch, letters));
            }
        }
        wanted.clear();
    }

    /// Weighs the counts; consumes them chunk by chunk.
    pub(crate) fn rows(&self, counts: Vec<Counts>) -> SparseRows {
        let chunks: Vec<SparseRows> = counts.into_par_iter().map(|chunk| self.chunk_rows(&chunk)).collect();
        let mut rows = SparseRows::with_capacity(self.n_features(), chunks.iter().map(SparseRows::n_values).sum());
        for chunk in chunks {
            rows.append(&chunk);
        }
        rows
    }

    fn chunk_rows(&self, chunk: &Counts) -> SparseRows {
        let n_blocks = self.extractor.n_blocks();
        let view = self.index.view();
        let mut rows = SparseRows::new(self.n_features());
        let mut row: Vec<(u32, f32)> = Vec::new();
        let mut block_hits: Vec<(u32, f32)> = Vec::new();
        let mut start = 0;
        for (i, &end) in chunk.ends.iter().enumerate() {
            let params = &self.params.blocks[i % n_blocks];
            block_hits.clear();
            for (key, count) in chunk.entries(start..end) {
                let id = match self.params.hash_bits {
                    Some(bits) => Some((key >> (64 - bits)) as usize),
                    None => view.get(key, |i| self.keys[i] as u32),
                };
                if let Some(id) = id {
                    block_hits.push((id as u32, tf(params, count) * self.idf[id]));
                }
            }
            let scale = weigh_block(params, &block_hits);
            row.extend(block_hits.iter().map(|&(id, value)| (id, value * scale)));
            start = end;
            if i % n_blocks + 1 == n_blocks {
                push_sorted(&mut row, &mut rows);
                row.clear();
            }
        }
        rows
    }
}

/// Counts, column by column, the texts that hold an n-gram hashed there.
pub(crate) fn add_hashed_dfs(counts: &Counts, bits: u8, dfs: &mut [u32]) {
    for key in &counts.keys {
        dfs[(key >> (64 - bits)) as usize] += 1;
    }
}

/// The weight of a count, before idf and norm; of an encoder's value, whose bits stand in place of a count, the value itself.
#[inline(always)]
pub(crate) fn tf(params: &TfidfParams, count: u32) -> f32 {
    match (params.binary, params.sublinear_tf) {
        _ if params.analyzer == Analyzer::Encoder => f32::from_bits(count),
        (true, _) => 1.0,
        (false, true) => 1.0 + (count as f32).ln(),
        (false, false) => count as f32,
    }
}

/// The factor that brings a block's hits to its norm and weight; 0 for a block without values.
#[inline]
pub(crate) fn weigh_block(params: &TfidfParams, hits: &[(u32, f32)]) -> f32 {
    let length = match params.norm {
        Norm::L2 => sum(hits, |v| v * v).sqrt(),
        Norm::L1 => sum(hits, f64::abs),
        Norm::None => 1.0,
    };
    if length > 0.0 { (f64::from(params.weight) / length) as f32 } else { 0.0 }
}

/// The sum of `f` over the values, in four parts side by side: each addition waits for the one before it in its part only.
#[inline(always)]
fn sum(hits: &[(u32, f32)], f: impl Fn(f64) -> f64) -> f64 {
    let (quads, rest) = hits.as_chunks::<4>();
    let mut parts = [0.0; 4];
    for quad in quads {
        parts.iter_mut().zip(quad).for_each(|(part, hit)| *part += f(f64::from(hit.1)));
    }
    parts.iter_mut().zip(rest).for_each(|(part, hit)| *part += f(f64::from(hit.1)));
    (parts[0] + parts[1]) + (parts[2] + parts[3])
}

fn idf(params: &TfidfParams, n_texts: usize, df: u32) -> f32 {
    if !params.use_idf {
        return 1.0;
    }
    let (n, df) = (n_texts as f64, f64::from(df));
    let ratio = if params.smooth_idf { (1.0 + n) / (1.0 + df) } else { n / df.max(1.0) };
    (ratio.ln() + 1.0) as f32
}

/// Appends a row given in any order; values of one column (two n-grams hashed together) are added.
fn push_sorted(row: &mut [(u32, f32)], rows: &mut SparseRows) {
    row.sort_by_key(|(id, _)| *id);
    let mut indices: Vec<u32> = Vec::with_capacity(row.len());
    let mut values: Vec<f32> = Vec::with_capacity(row.len());
    for &(id, value) in row.iter() {
        if indices.last() == Some(&id) {
            *values.last_mut().expect("as long as indices") += value;
        } else {
            indices.push(id);
            values.push(value);
        }
    }
    rows.push(&indices, &values);
}

/// Counts the n-grams of every text, chunk by chunk.
pub(crate) fn count(extractor: &Extractor, texts: &[Passage<'_>]) -> Vec<Counts> {
    texts
        .par_chunks(CHUNK)
        .map_init(
            || (NgramScratch::default(), Counter::<u64>::default()),
            |(scratch, counter), texts| {
                let mut counts = Counts::default();
                for &passage in texts {
                    for block in 0..extractor.n_blocks() {
                        let values = passage.vector.iter().map(|v| v.to_bits());
                        counts.extend(extractor.dense_keys(block).iter().copied().zip(values));
                        counter.clear();
                        extractor.keys(block, passage, scratch, |key| counter.add(key, ()));
                        counts.extend(counter.counts().iter().map(|c| (c.key, c.count)));
                        counts.ends.push(counts.keys.len());
                    }
                }
                counts
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 4] = [
        "Delhi rules out any mediator",
        "a mediator is welcome",
        "Ministers of both sides met, both smiled",
        "no mediator, says Delhi",
    ];

    fn passages() -> Vec<Passage<'static>> {
        TEXTS.iter().map(|&t| t.into()).collect()
    }

    fn params(block: TfidfParams) -> FeatureParams {
        FeatureParams { blocks: vec![block], hash_bits: None }
    }

    #[test]
    fn every_feature_has_its_name() {
        let (features, rows) = Features::fit_transform(&FeatureParams::default(), &passages()).unwrap();
        assert!(features.names().iter().all(|n| !n.is_empty()));
        assert!(features.names().iter().any(|n| n == "both sides met"));
        assert_eq!(rows.n_columns(), features.n_features());
    }

    #[test]
    fn a_row_does_not_depend_on_its_batch() {
        let (features, rows) = Features::fit_transform(&FeatureParams::default(), &passages()).unwrap();
        for (i, passage) in passages().into_iter().enumerate() {
            assert_eq!(features.transform(&[passage]).row(0), rows.row(i));
        }
    }

    #[test]
    fn blocks_have_unit_length_each() {
        let (_, rows) = Features::fit_transform(&FeatureParams::default(), &passages()).unwrap();
        for row in rows.iter() {
            assert!((row.squared_norm() - 2.0).abs() < 1e-5);
        }
    }

    #[test]
    fn idf_follows_the_formula() {
        let (features, _) = Features::fit_transform(&params(TfidfParams::default()), &passages()).unwrap();
        let mediator = features.names().iter().position(|n| n == "mediator").unwrap();
        // df = 3 of 4: ln(5 / 4) + 1
        assert!((features.idf()[mediator] - (1.25_f32.ln() + 1.0)).abs() < 1e-6);
    }

    #[test]
    fn bounds_drop_rare_and_common_n_grams() {
        let block = TfidfParams { min_df: DfBound::Count(2), max_df: DfBound::Share(0.5), ..TfidfParams::default() };
        let features = Features::fit(&params(block), &passages()).unwrap();
        assert_eq!(features.names().iter().collect::<Vec<_>>(), ["delhi"]);
    }

    #[test]
    fn max_features_keeps_the_most_frequent() {
        let features =
            Features::fit(&params(TfidfParams { max_features: Some(1), ..TfidfParams::default() }), &passages()).unwrap();
        assert_eq!(&features.names()[0], "mediator");
    }

    #[test]
    fn hashed_rows_have_the_same_length_and_no_names() {
        let hashed = FeatureParams { hash_bits: Some(18), ..FeatureParams::default() };
        let (features, rows) = Features::fit_transform(&hashed, &passages()).unwrap();
        assert_eq!(features.n_features(), 1 << 18);
        assert!(features.names().is_empty());
        assert!((rows.row(0).squared_norm() - 2.0).abs() < 0.1);
    }

    #[test]
    fn nothing_left_is_an_error_that_says_what_to_do() {
        let block = TfidfParams { min_df: DfBound::Count(9), ..TfidfParams::default() };
        let error = Features::fit(&params(block), &passages()).unwrap_err();
        assert!(error.to_string().contains("min_df"));
    }

    use crate::features::params::DfBound;
}
