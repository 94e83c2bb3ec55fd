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
use crate::features::word_cache::WordCache;
use crate::sparse::{PIECE_ROWS, SparseRows};

/// Texts per unit of parallel work, whose rows are a piece; the result does not depend on it.
pub(crate) const CHUNK: usize = PIECE_ROWS;
/// The vocabulary is counted in parts by so many top bits of the key, each by one thread, which keeps its part in the cache.
const PART_BITS: u32 = 6;
const N_PARTS: usize = 1 << PART_BITS;

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
    /// Keys of the n-grams, and of the values of a block of an encoder; those of a part of the vocabulary beside each other, part by part.
    keys: Vec<u64>,
    /// The place in `keys` of each distinct n-gram of each block of each text.
    pub(crate) places: Vec<u32>,
    /// Its count, or the bits of the value.
    counts: Vec<u32>,
    /// End of each (text, block) in both.
    pub(crate) ends: Vec<usize>,
}

impl Counts {
    /// Counts of (text, block)s that end at `ends`, from keys with their counts.
    pub(crate) fn of_entries(entries: impl Iterator<Item = (u64, u32)>, ends: Vec<usize>) -> Self {
        let (keys, counts): (Vec<u64>, Vec<u32>) = entries.unzip();
        Self { places: (0..keys.len() as u32).collect(), keys, counts, ends }.sorted_by_part()
    }

    /// All keys with their counts.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u64, u32)> {
        self.places.iter().map(|&place| self.keys[place as usize]).zip(self.counts.iter().copied())
    }

    /// Forgets everything.
    fn clear(&mut self) {
        let Self { keys, places, counts, ends } = self;
        keys.clear();
        places.clear();
        counts.clear();
        ends.clear();
    }

    /// The same with the keys of a part beside each other, in memory of exactly the size.
    fn sorted_by_part(&self) -> Self {
        let mut starts = [0; N_PARTS + 1];
        self.keys.iter().for_each(|&key| starts[part_of(key) + 1] += 1);
        (1..=N_PARTS).for_each(|part| starts[part] += starts[part - 1]);
        let mut keys = vec![0; self.keys.len()];
        let mut new_place = |&key: &u64| {
            let next = &mut starts[part_of(key)];
            keys[*next as usize] = key;
            *next += 1;
            *next - 1
        };
        let new_places: Vec<u32> = self.keys.iter().map(&mut new_place).collect();
        let places = self.places.iter().map(|&place| new_places[place as usize]).collect();
        Self { keys, places, counts: self.counts.clone(), ends: self.ends.clone() }
    }

    /// Places of the keys of a part.
    fn part(&self, part: usize) -> Range<usize> {
        let start = self.keys.partition_point(|&key| part_of(key) < part);
        start..start + self.keys[start..].partition_point(|&key| part_of(key) == part)
    }

    /// What is known of each key from these texts, the first of which is number `first_text`.
    fn occurrences(&self, first_text: usize, n_blocks: usize) -> Vec<Occurrence> {
        let mut seen = vec![Occurrence::default(); self.keys.len()];
        let mut start = 0;
        for (i, &end) in self.ends.iter().enumerate() {
            let (text, block) = ((first_text + i / n_blocks) as u32, (i % n_blocks) as u8);
            for (&place, &count) in self.places[start..end].iter().zip(&self.counts[start..end]) {
                seen[place as usize].add(Occurrence { df: 1, total: count, first_text: text, block });
            }
            start = end;
        }
        seen
    }
}

/// Part of the vocabulary that a key belongs to.
fn part_of(key: u64) -> usize {
    (key >> (64 - PART_BITS)) as usize
}

/// Where and how often a key was seen; with `df` 0, nowhere.
#[derive(Debug, Clone, Copy, Default)]
struct Occurrence {
    df: u32,
    total: u32,
    first_text: u32,
    block: u8,
}

impl Occurrence {
    /// Takes in what was seen in later texts.
    fn add(&mut self, later: Self) {
        let first = if self.df == 0 { later } else { *self };
        *self = Self { df: self.df + later.df, total: self.total.saturating_add(later.total), ..first };
    }
}

impl Features {
    /// Learns vocabulary and document frequencies from `texts`, and gives their rows.
    ///
    /// Runs on all threads of the current rayon pool; the result does not depend on their number. The result takes 8 bytes per n-gram of each text; beside
    /// it about as much is needed for a moment.
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

    /// The table from keys to features; of no key when hashed.
    pub(crate) fn index(&self) -> &KeyIndex {
        &self.index
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
        let occurrences = |(chunk, counts): (usize, &Counts)| counts.occurrences(chunk * CHUNK, n_blocks);
        let seen: Vec<Vec<Occurrence>> = counts.par_iter().enumerate().map(occurrences).collect();
        let mut parts: Vec<Vec<(u64, Occurrence)>> = (0..N_PARTS)
            .into_par_iter()
            .map_init(KeyMap::default, |table, part| self.count_part(part, counts, &seen, table))
            .collect();
        drop(seen);
        self.keep_most_frequent(&mut parts);
        self.keys = gather(&parts, |key, _| key);
        if self.keys.is_empty() {
            return Err(Error::input("no n-gram is left to learn from")
                .expected("texts that share words")
                .found(format!("{} texts", self.n_texts))
                .help("lower min_df, raise max_df, or check the text column"));
        }
        let idf_of = |_, o: &Occurrence| idf(&self.params.blocks[usize::from(o.block)], self.n_texts, o.df);
        let (index, idf) = rayon::join(|| KeyIndex::build(&self.keys), || gather(&parts, idf_of));
        (self.index, self.idf) = (index?, idf);
        self.blocks = gather(&parts, |_, o| o.block);
        self.first_texts = gather(&parts, |_, o| o.first_text);
        Ok(())
    }

    /// Document frequencies of the keys of one part, within the bounds of their block, in ascending order of keys.
    fn count_part(
        &self,
        part: usize,
        counts: &[Counts],
        seen: &[Vec<Occurrence>],
        table: &mut KeyMap<Occurrence>,
    ) -> Vec<(u64, Occurrence)> {
        for (chunk, seen) in counts.iter().zip(seen) {
            for place in chunk.part(part) {
                table.entry(chunk.keys[place]).or_default().add(seen[place]);
            }
        }
        let bounds_of = |block: &TfidfParams| match block.analyzer {
            Analyzer::Encoder => (0.0, f64::INFINITY),
            _ => (block.min_df.of(self.n_texts), block.max_df.of(self.n_texts)),
        };
        let bounds: Vec<(f64, f64)> = self.params.blocks.iter().map(bounds_of).collect();
        let mut kept: Vec<(u64, Occurrence)> = table
            .drain()
            .filter(|(_, o)| {
                let (least, most) = bounds[usize::from(o.block)];
                (least..=most).contains(&f64::from(o.df))
            })
            .collect();
        kept.sort_unstable_by_key(|(key, _)| *key);
        kept
    }

    /// Applies `max_features` of each block.
    fn keep_most_frequent(&self, parts: &mut [Vec<(u64, Occurrence)>]) {
        for (b, limit) in self.params.blocks.iter().enumerate().filter_map(|(b, p)| p.max_features.map(|m| (b, m))) {
            let of_block = parts.iter().flatten().filter(|(_, o)| usize::from(o.block) == b);
            let mut ranks: Vec<(u32, u64)> = of_block.map(|(key, o)| (u32::MAX - o.total, *key)).collect();
            if ranks.len() > limit {
                ranks.sort_unstable();
                let last = ranks[limit - 1];
                let is_kept = |(key, o): &(u64, Occurrence)| usize::from(o.block) != b || (u32::MAX - o.total, *key) <= last;
                parts.iter_mut().for_each(|part| part.retain(is_kept));
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

    /// Weighs the counts; the rows take their place in memory.
    pub(crate) fn rows(&self, mut counts: Vec<Counts>) -> SparseRows {
        self.find_columns(&mut counts);
        let chunks: Vec<SparseRows> = counts.into_par_iter().map(|chunk| self.chunk_rows(chunk)).collect();
        let mut rows = SparseRows::new(self.n_features());
        chunks.into_iter().for_each(|chunk| rows.extend(chunk));
        rows
    }

    /// Puts a [`Column`] in place of every key: those of a part together, for they lie beside each other in the index.
    fn find_columns(&self, counts: &mut [Counts]) {
        let mut parts: Vec<Vec<&mut [u64]>> = (0..N_PARTS).map(|_| Vec::with_capacity(counts.len())).collect();
        for chunk in counts {
            let mut rest = &mut chunk.keys[..];
            for (part, of_part) in parts.iter_mut().enumerate() {
                let (keys, others) = rest.split_at_mut(rest.partition_point(|&key| part_of(key) == part));
                of_part.push(keys);
                rest = others;
            }
        }
        parts.into_par_iter().flatten_iter().for_each(|keys| keys.iter_mut().for_each(|key| *key = self.column(*key).pack()));
    }

    /// The column of an n-gram.
    fn column(&self, key: u64) -> Column {
        let number = match self.params.hash_bits {
            Some(bits) => Some((key >> (64 - bits)) as usize),
            None => self.index.view().get(key, |i| self.keys[i] as u32),
        };
        number.map_or(Column::UNKNOWN, |number| Column { number: number as u32, idf: self.idf[number] })
    }

    fn chunk_rows(&self, chunk: Counts) -> SparseRows {
        let n_blocks = self.extractor.n_blocks();
        let Counts { keys: columns, mut places, mut counts, ends } = chunk;
        let (mut starts, mut n_values) = (vec![0], 0);
        let mut row: Vec<(u32, f32)> = Vec::new();
        let mut block_hits: Vec<(u32, f32)> = Vec::new();
        // Columns of the row with the places of their values: whole numbers sort faster.
        let mut order: Vec<u64> = Vec::new();
        let mut start = 0;
        for (i, &end) in ends.iter().enumerate() {
            let params = &self.params.blocks[i % n_blocks];
            block_hits.clear();
            for (&place, &count) in places[start..end].iter().zip(&counts[start..end]) {
                let Column { number, idf } = Column::unpack(columns[place as usize]);
                if number != Column::UNKNOWN.number {
                    block_hits.push((number, tf(params, count) * idf));
                }
            }
            let scale = weigh_block(params, &block_hits);
            row.extend(block_hits.iter().map(|&(id, value)| (id, value * scale)));
            start = end;
            if i % n_blocks + 1 == n_blocks {
                let row_start = n_values;
                order.clear();
                order.extend(row.iter().enumerate().map(|(at, &(id, _))| u64::from(id) << 32 | at as u64));
                order.sort_unstable();
                for &entry in &order {
                    let (id, value) = row[entry as u32 as usize];
                    // Values of one column (two n-grams hashed together) are added, in the order in which they came.
                    if n_values > row_start && places[n_values - 1] == id {
                        counts[n_values - 1] = (f32::from_bits(counts[n_values - 1]) + value).to_bits();
                        continue;
                    }
                    (places[n_values], counts[n_values]) = (id, value.to_bits());
                    n_values += 1;
                }
                starts.push(n_values);
                row.clear();
            }
        }
        places.truncate(n_values);
        counts.truncate(n_values);
        SparseRows::of_piece(starts, places, bytemuck::cast_vec(counts), self.n_features())
    }
}

/// What became of a key: number and idf of a feature.
#[derive(Debug, Clone, Copy)]
struct Column {
    number: u32,
    idf: f32,
}

impl Column {
    const UNKNOWN: Self = Self { number: u32::MAX, idf: 0.0 };

    fn pack(self) -> u64 {
        u64::from(self.number) << 32 | u64::from(self.idf.to_bits())
    }

    fn unpack(packed: u64) -> Self {
        Self { number: (packed >> 32) as u32, idf: f32::from_bits(packed as u32) }
    }
}

/// Something of every key, part by part.
fn gather<T>(parts: &[Vec<(u64, Occurrence)>], of: impl Fn(u64, &Occurrence) -> T) -> Vec<T> {
    let mut all = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    all.extend(parts.iter().flatten().map(|(key, o)| of(*key, o)));
    all
}

/// Counts, column by column, the texts that hold an n-gram hashed there.
pub(crate) fn add_hashed_dfs(counts: &Counts, bits: u8, dfs: &mut [u32]) {
    for (key, _) in counts.entries() {
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

/// Counts the n-grams of every text, chunk by chunk.
pub(crate) fn count(extractor: &Extractor, texts: &[Passage<'_>]) -> Vec<Counts> {
    let count_chunk = |counting: &mut Counting, texts: &[Passage<'_>]| counting.chunk(extractor, texts);
    texts.par_chunks(CHUNK).map_init(Counting::default, count_chunk).collect()
}

/// The buffers of one thread that counts.
#[derive(Default)]
struct Counting {
    scratch: NgramScratch,
    counter: Counter<u32>,
    /// The place of each key of the chunk.
    places: KeyMap<u32>,
    /// For each block of character n-grams, the places of those of each word.
    words: Vec<Option<WordCache>>,
    /// Places of the n-grams of a new word.
    of_word: Vec<u32>,
    /// Keys of the n-grams of a text.
    of_text: Vec<u64>,
    /// The counts of the chunk.
    counts: Counts,
}

impl Counting {
    fn chunk(&mut self, extractor: &Extractor, texts: &[Passage<'_>]) -> Counts {
        self.places.clear();
        self.words.resize_with(extractor.n_blocks(), || None);
        self.words.iter_mut().flatten().for_each(WordCache::clear);
        self.counts.clear();
        for &passage in texts {
            for block in 0..extractor.n_blocks() {
                self.count_block(extractor, block, passage);
                self.counts.ends.push(self.counts.places.len());
            }
        }
        self.counts.sorted_by_part()
    }

    fn count_block(&mut self, extractor: &Extractor, block: usize, passage: Passage<'_>) {
        let Self { scratch, counter, places, words, of_word, of_text, counts } = self;
        let keys = &mut counts.keys;
        let mut place = |key: u64| {
            *places.entry(key).or_insert_with(|| {
                keys.push(key);
                keys.len() as u32 - 1
            })
        };
        counter.clear();
        if extractor.is_of_chars(block) {
            let words = words[block].get_or_insert_with(WordCache::of_chunk);
            words.make_room();
            extractor.padded_words(block, passage, scratch, |mut word| {
                let packed = word.packed();
                let known = packed.and_then(|packed| words.find(packed));
                let range = known.unwrap_or_else(|| {
                    word.keys(|key| of_word.push(place(key)));
                    words.insert(packed, of_word.drain(..))
                });
                words.numbers(&range).iter().for_each(|&place| counter.add(place));
            });
        } else {
            of_text.clear();
            extractor.push_keys(block, passage, scratch, of_text);
            of_text.iter().for_each(|&key| counter.add(place(key)));
        }
        for (&key, value) in extractor.dense_keys(block).iter().zip(passage.vector) {
            counts.places.push(place(key));
            counts.counts.push(value.to_bits());
        }
        counts.places.extend(counter.counts().iter().map(|c| c.key));
        counts.counts.extend(counter.counts().iter().map(|c| c.count));
    }
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
    fn features_of_many_chunks_are_counted_as_those_of_one_text_after_the_other() {
        let texts: Vec<String> =
            (0..700_u64).map(|i| format!("word{} and a{} {}", i * i % 97, i % 5, TEXTS[i as usize % 4])).collect();
        let passages: Vec<Passage<'_>> = texts.iter().map(|t| t.as_str().into()).collect();
        let params = FeatureParams::default();
        let pool = |n_threads| rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let (features, rows) = pool(3).install(|| Features::fit_transform(&params, &passages)).unwrap();
        let (alone, rows_alone) = pool(1).install(|| Features::fit_transform(&params, &passages)).unwrap();
        assert_eq!((features.keys(), features.names(), &rows), (alone.keys(), alone.names(), &rows_alone));
        let (mut dfs, mut firsts) = (std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
        let (mut scratch, extractor) = (NgramScratch::default(), Extractor::new(&params));
        for (i, &passage) in passages.iter().enumerate() {
            let mut of_text = std::collections::BTreeSet::new();
            for block in 0..2 {
                let mut keys = Vec::new();
                extractor.push_keys(block, passage, &mut scratch, &mut keys);
                of_text.extend(keys);
            }
            for key in of_text {
                *dfs.entry(key).or_insert(0) += 1;
                firsts.entry(key).or_insert(i as u32);
            }
        }
        assert_eq!(features.keys(), dfs.keys().copied().collect::<Vec<_>>());
        assert_eq!(features.first_texts, firsts.values().copied().collect::<Vec<_>>());
        assert_eq!(features.idf(), dfs.values().map(|&df| idf(&params.blocks[0], 700, df)).collect::<Vec<_>>());
        for (i, &passage) in passages.iter().enumerate().step_by(50) {
            assert_eq!(features.transform(&[passage]).row(0), rows.row(i));
        }
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
