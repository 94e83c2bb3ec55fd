//! From a text to the keys of its n-grams, block by block.
//!
//! [`Extractor`] knows the blocks of a model; a [`NgramScratch`] per thread holds the buffers. Nothing is looked up or counted here. The same code
//! serves training, prediction and explanation, so that they cannot disagree; only explanation and vocabulary building ask for the n-gram's
//! string, from the span that comes with each key.

use crate::features::hash::{self, WordKeys};
use crate::features::lexicon::Lexicon;
use crate::features::params::{Analyzer, FeatureParams, TfidfParams};
use crate::model::FORMAT_VERSION;
use crate::text::Normalized;
use crate::text::tokenize::{WordRule, for_each_span, for_each_word, lower_into, split_hashtag};
use wide::u8x16;

/// Distances from the target mention, in words, within which a word is "near", with the marks of either side. Nested windows let a nearby word count more
/// than a far one.
const NEAR: [(usize, u64, u64); 3] = [(2, 6, 7), (4, MARK_NEAR_LEFT, MARK_NEAR_RIGHT), (8, 8, 9)];
/// Pairs of words this close to it are counted too.
const NEAR_PAIRS: usize = 6;
/// The same for classes of a lexicon.
const NEAR_CLASSES: [(usize, u64, u64); 3] = [(3, 10, 11), (6, 12, 13), (12, 14, 15)];
/// Words of negation; scope runs to the next punctuation mark, at most [`NEGATION_SCOPE`] words on.
const NEGATORS: [&str; 24] = [
    "not", "no", "never", "nor", "neither", "without", "cannot", "can't", "don't", "doesn't", "didn't", "won't", "wouldn't",
    "isn't", "aren't", "wasn't", "weren't", "hasn't", "haven't", "denies", "denied", "deny", "nothing", "none",
];
const NEGATION_SCOPE: usize = 6;
/// Longest n-gram that the settings allow.
const MAX_LENGTH: usize = 8;
/// What is written behind a text so that words can be read with whole loads.
const PADDING: &str = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const _: () = assert!(PADDING.len() == hash::WORD_PADDING);
/// Words that begin a text, and that end it, for [`Analyzer::Ends`].
const N_FIRST: usize = 2;
const N_LAST: usize = 3;
const MARK_NEGATED: u64 = 1;
const MARK_LEFT: u64 = 2;
const MARK_RIGHT: u64 = 3;
const MARK_NEAR_LEFT: u64 = 4;
const MARK_NEAR_RIGHT: u64 = 5;
const MARK_FIRST: u64 = 16;
const MARK_LAST: u64 = 17;

/// A text to classify, with the mention that the question is about where there is one.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'a> {
    /// The text.
    pub text: &'a str,
    /// Byte range of the target mention in `text`, on character boundaries.
    pub target: Option<(usize, usize)>,
    /// The encoder's vector of the text, where the features need one; else empty.
    pub vector: &'a [f32],
}

impl<'a> From<&'a str> for Passage<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, target: None, vector: &[] }
    }
}

/// The buffers of one thread.
#[derive(Debug, Default)]
pub struct NgramScratch {
    lowered: String,
    padded: String,
    hashtags: String,
    /// Code points of a word that is not ASCII, with their byte offsets in `padded`.
    points: Vec<(u32, u32)>,
    /// First and end byte of each word in `lowered`, where keys alone are asked for.
    spans: Vec<(usize, usize)>,
    /// Words of the text: key, first and end byte in `lowered`; filled where spans are asked for or marks need all words.
    words: Vec<Word>,
}

#[derive(Debug, Clone, Copy)]
struct Word {
    key: u64,
    start: u32,
    end: u32,
}

/// Where an n-gram stands: words `first..end` of the text, or bytes of the padded text, by the block's analyzer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    first: u32,
    end: u32,
    mark: u64,
}

/// Turns texts into n-gram keys by the settings of a model.
#[derive(Debug, Clone)]
pub struct Extractor {
    blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
struct Block {
    analyzer: Analyzer,
    shortest: usize,
    longest: usize,
    params: TfidfParams,
    salt: u64,
    word_keys: WordKeys,
    /// Keys of the stop words, sorted.
    stop_keys: Vec<u64>,
    /// Keys of the negators, sorted; empty where negation is off.
    negator_keys: Vec<u64>,
    lexicon: Option<Lexicon>,
    /// Key of each value of an encoder's vector.
    dense_keys: Vec<u64>,
}

impl Extractor {
    /// An extractor for checked settings, with keys as new models have them.
    pub fn new(params: &FeatureParams) -> Self {
        Self::of_format(params, FORMAT_VERSION)
    }

    /// An extractor with the keys of models of this format.
    pub(crate) fn of_format(params: &FeatureParams, format: u32) -> Self {
        let blocks = params.blocks.iter().enumerate().map(|(b, block)| Block::new(b, block, format)).collect();
        Self { blocks }
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Keys of the values of an encoder's vector; empty for a block of n-grams.
    pub(crate) fn dense_keys(&self, block: usize) -> &[u64] {
        &self.blocks[block].dense_keys
    }

    /// Whether a block is one of character n-grams, which [`Self::padded_words`] reads.
    pub(crate) fn is_of_chars(&self, block: usize) -> bool {
        self.blocks[block].analyzer == Analyzer::CharWb
    }

    /// Appends the key of every n-gram of the block to `keys`, in text order, repetitions included.
    #[inline]
    pub(crate) fn push_keys(&self, block: usize, passage: Passage<'_>, scratch: &mut NgramScratch, keys: &mut Vec<u64>) {
        let block_params = &self.blocks[block];
        match block_params.plain_words(passage) {
            Some(longest) => {
                block_params.prepare(passage, scratch);
                match longest {
                    1 => block_params.push_words::<1>(scratch, keys),
                    2 => block_params.push_words::<2>(scratch, keys),
                    _ => block_params.push_words::<3>(scratch, keys),
                }
            }
            None => self.run::<false>(block, passage, scratch, |key, _| keys.push(key)),
        }
    }

    /// Calls `f` with every word of a block of character n-grams. Its n-grams depend on the word alone.
    #[inline(always)]
    pub(crate) fn padded_words(
        &self,
        block: usize,
        passage: Passage<'_>,
        scratch: &mut NgramScratch,
        f: impl FnMut(PaddedWord<'_>),
    ) {
        let block = &self.blocks[block];
        debug_assert_eq!(block.analyzer, Analyzer::CharWb);
        block.prepare(passage, scratch);
        block.padded_words(scratch, f);
    }

    /// Like [`Self::keys`], with the place of each n-gram, which [`Self::push_name`] turns into its string.
    pub(crate) fn spans(&self, block: usize, passage: Passage<'_>, scratch: &mut NgramScratch, emit: impl FnMut(u64, Span)) {
        self.run::<true>(block, passage, scratch, emit);
    }

    /// Appends the string of an n-gram, directly after [`Self::spans`] gave its span.
    pub(crate) fn push_name(&self, block: usize, span: Span, scratch: &NgramScratch, out: &mut String) {
        let block = &self.blocks[block];
        if block.analyzer == Analyzer::CharWb {
            return out.push_str(&scratch.padded[span.first as usize..span.end as usize]);
        }
        if let Some(lexicon) = &block.lexicon {
            let place = if span.mark == 0 { "lexicon" } else { place_name(span.mark) };
            let negation = if span.end == 1 { "not " } else { "" };
            out.extend([place, "(", negation, lexicon.class(span.first as usize), ")"]);
            return;
        }
        let text = block.source(scratch);
        match span.mark {
            0 => {}
            MARK_NEGATED => out.push_str("not("),
            mark => out.extend([place_name(mark), "("]),
        }
        for (i, word) in scratch.words[span.first as usize..span.end as usize].iter().enumerate() {
            out.push_str(if i == 0 { "" } else { " " });
            out.push_str(&text[word.start as usize..word.end as usize]);
        }
        if span.mark != 0 {
            out.push(')');
        }
    }

    #[inline]
    fn run<const SPANS: bool>(
        &self,
        block: usize,
        passage: Passage<'_>,
        scratch: &mut NgramScratch,
        emit: impl FnMut(u64, Span),
    ) {
        let block = &self.blocks[block];
        if (block.analyzer == Analyzer::Target && passage.target.is_none()) || block.analyzer == Analyzer::Encoder {
            return;
        }
        let target = block.prepare(passage, scratch);
        self.run_prepared::<SPANS>(block, target, scratch, emit);
    }

    #[inline]
    fn run_prepared<const SPANS: bool>(
        &self,
        block: &Block,
        target: Option<(usize, usize)>,
        scratch: &mut NgramScratch,
        mut emit: impl FnMut(u64, Span),
    ) {
        match block.analyzer {
            Analyzer::CharWb => block.char_ngrams(scratch, emit),
            Analyzer::Word if SPANS || block.negation_is_on() || target.is_some() => {
                block.word_ngrams_listed(target, scratch, emit)
            }
            Analyzer::Word => block.word_ngrams(scratch, |key| emit(key, Span { first: 0, end: 0, mark: 0 })),
            Analyzer::Target => block.target_words(target, scratch, emit),
            Analyzer::Ends => block.end_words(target, scratch, emit),
            Analyzer::Lexicon => block.lexicon_classes(target, scratch, emit),
            Analyzer::Encoder => {}
        }
    }
}

impl Block {
    fn new(index: usize, params: &TfidfParams, format: u32) -> Self {
        let salt = hash::block_salt(index);
        let word_keys = WordKeys::new(salt, format);
        let keys = |words: &mut dyn Iterator<Item = &str>| {
            let mut keys: Vec<u64> = words.map(|w| word_keys.key(w.as_bytes())).collect();
            keys.sort_unstable();
            keys
        };
        Self {
            analyzer: params.analyzer,
            shortest: usize::from(params.ngrams.0),
            longest: usize::from(params.ngrams.1),
            params: params.clone(),
            salt,
            word_keys,
            stop_keys: keys(&mut params.stop_words.iter().map(String::as_str)),
            negator_keys: if params.negation { keys(&mut NEGATORS.into_iter()) } else { Vec::new() },
            lexicon: (params.analyzer == Analyzer::Lexicon).then(|| Lexicon::new(&params.lexicon, params.words, word_keys)),
            dense_keys: params.encoder.iter().flat_map(|encoder| 0..encoder.dims).map(|d| hash::value(d, salt)).collect(),
        }
    }

    fn negation_is_on(&self) -> bool {
        !self.negator_keys.is_empty()
    }

    /// The text that word spans point into.
    fn source<'a>(&self, scratch: &'a NgramScratch) -> &'a str {
        &scratch.lowered
    }

    /// Fills `lowered` (and `padded` for characters). The target's byte range moves along: it is returned in bytes of `lowered`.
    fn prepare(&self, passage: Passage<'_>, scratch: &mut NgramScratch) -> Option<(usize, usize)> {
        let NgramScratch { lowered, padded, hashtags, .. } = scratch;
        let target = match passage.target {
            Some((start, end)) if self.analyzer != Analyzer::CharWb => {
                // Lower-casing may change byte lengths, so the three parts are done apart.
                lowered.clear();
                let mut bounds = [0; 2];
                let mut part = String::new();
                for (i, slice) in
                    [&passage.text[..start], &passage.text[start..end], &passage.text[end..]].into_iter().enumerate()
                {
                    self.lower(slice, &mut part);
                    lowered.push_str(&part);
                    if i < 2 {
                        bounds[i] = lowered.len();
                    }
                }
                return Some((bounds[0], bounds[1]));
            }
            Some((start, end)) => {
                // Characters of the mention are no evidence: they are left out.
                hashtags.clear();
                hashtags.push_str(&passage.text[..start]);
                hashtags.push(' ');
                hashtags.push_str(&passage.text[end..]);
                self.lower(hashtags, lowered);
                None
            }
            None if self.params.split_hashtags && passage.text.contains('#') => {
                split_hashtags_into(passage.text, hashtags);
                self.lower(hashtags, lowered);
                None
            }
            None => {
                self.lower(passage.text, lowered);
                None
            }
        };
        if self.analyzer == Analyzer::CharWb {
            pad_words(lowered, padded);
        }
        target
    }

    /// Lower-cases a text in Unicode NFC: the same letters are the same features, however they were typed.
    fn lower(&self, text: &str, lowered: &mut String) {
        lowered.clear();
        let normalized = Normalized::new(text);
        let text = normalized.text();
        if self.params.lowercase {
            lower_into(text, lowered);
        } else {
            lowered.push_str(text);
        }
    }

    #[inline]
    fn is_stop_word(&self, key: u64) -> bool {
        !self.stop_keys.is_empty() && self.stop_keys.binary_search(&key).is_ok()
    }

    /// Longest n-gram, where they are of plain words from single ones up: nothing left out, marked or replaced. For them there is a fast way.
    fn plain_words(&self, passage: Passage<'_>) -> Option<usize> {
        let is_plain = self.analyzer == Analyzer::Word
            && self.params.words != WordRule::Social
            && self.stop_keys.is_empty()
            && !self.negation_is_on()
            && passage.target.is_none();
        (is_plain && self.shortest == 1 && self.longest <= 3).then_some(self.longest)
    }

    /// [`Self::word_ngrams`] of plain words, up to a constant length of three at most.
    #[inline(never)]
    fn push_words<const LONGEST: usize>(&self, scratch: &mut NgramScratch, keys: &mut Vec<u64>) {
        let NgramScratch { lowered, spans, .. } = scratch;
        // First where the words are and then their keys: two small loops, each of which stays in registers.
        spans.clear();
        for_each_span(lowered, self.params.words, |start, end| spans.push((start, end)));
        let length = lowered.len();
        // Hashing reads whole loads, behind the last word too.
        lowered.push_str(PADDING);
        let (bytes, word_keys) = (lowered.as_bytes(), self.word_keys);
        let (first, others) = spans.split_at(spans.len().min(LONGEST - 1));
        // The first words end fewer n-grams, every other word one of each length, so that their places are known.
        let (mut one, mut two) = (0, 0);
        for (i, &(start, end)) in first.iter().enumerate() {
            let key = word_keys.key_at(bytes, start, end);
            two = hash::append_word(one, key);
            one = key;
            keys.extend([one, two].into_iter().take(i + 1));
        }
        let at = keys.len();
        keys.resize(at + others.len() * LONGEST, 0);
        for (ngrams, &(start, end)) in keys[at..].as_chunks_mut::<LONGEST>().0.iter_mut().zip(others) {
            let key = word_keys.key_at(bytes, start, end);
            let three = hash::append_word(two, key);
            two = hash::append_word(one, key);
            one = key;
            ngrams.iter_mut().zip([one, two, three]).for_each(|(to, key)| *to = key);
        }
        lowered.truncate(length);
    }

    /// Keys as the words are read.
    fn word_ngrams(&self, scratch: &mut NgramScratch, mut emit: impl FnMut(u64)) {
        // ends[n - 1]: key of the n-gram that ends in the last word.
        let mut ends = [0_u64; MAX_LENGTH];
        let mut n_words = 0;
        for_each_word(&scratch.lowered, self.params.words, |word, _| {
            let key = self.word_keys.key(word.as_bytes());
            if self.is_stop_word(key) {
                return;
            }
            n_words += 1;
            let reach = self.longest.min(n_words);
            for n in (2..=reach).rev() {
                ends[n - 1] = hash::append_word(ends[n - 2], key);
            }
            ends[0] = key;
            for n in self.shortest..=reach {
                emit(ends[n - 1]);
            }
        });
    }

    /// The words of `lowered`, target words replaced by one placeholder, stop words left out; also the placeholder's position.
    fn list_words(&self, target: Option<(usize, usize)>, lowered: &str, words: &mut Vec<Word>) -> Option<usize> {
        words.clear();
        let mut mention = None;
        for_each_word(lowered, self.params.words, |word, start| {
            let end = start + word.len();
            if let Some((from, to)) = target
                && start < to
                && end > from
            {
                if mention.is_none() {
                    mention = Some(words.len());
                    words.push(Word { key: self.word_keys.key(b"\0target"), start: from as u32, end: to as u32 });
                }
                return;
            }
            let key = self.word_keys.key(word.as_bytes());
            if !self.is_stop_word(key) {
                words.push(Word { key, start: start as u32, end: end as u32 });
            }
        });
        mention
    }

    fn word_ngrams_listed(&self, target: Option<(usize, usize)>, scratch: &mut NgramScratch, mut emit: impl FnMut(u64, Span)) {
        let NgramScratch { lowered, words, .. } = scratch;
        self.list_words(target, lowered, words);
        for last in 0..words.len() {
            for n in self.shortest..=self.longest.min(last + 1) {
                let first = last + 1 - n;
                let key = words[first + 1..=last].iter().fold(words[first].key, |key, w| hash::append_word(key, w.key));
                emit(key, Span { first: first as u32, end: last as u32 + 1, mark: 0 });
            }
        }
        if self.negation_is_on() {
            self.negated_words(lowered, words, emit);
        }
    }

    fn negated_words(&self, lowered: &str, words: &[Word], mut emit: impl FnMut(u64, Span)) {
        let mut scope = Scope::default();
        for (i, word) in words.iter().enumerate() {
            if scope.next(lowered, words, i, &self.negator_keys) {
                emit(hash::marked(word.key, MARK_NEGATED), Span { first: i as u32, end: i as u32 + 1, mark: MARK_NEGATED });
            }
        }
    }

    fn target_words(&self, target: Option<(usize, usize)>, scratch: &mut NgramScratch, mut emit: impl FnMut(u64, Span)) {
        let NgramScratch { lowered, words, .. } = scratch;
        let Some(mention) = self.list_words(target, lowered, words) else { return };
        for (i, word) in words.iter().enumerate() {
            if i == mention {
                continue;
            }
            let (side, is_left) = if i < mention { (MARK_LEFT, true) } else { (MARK_RIGHT, false) };
            let one = Span { first: i as u32, end: i as u32 + 1, mark: side };
            emit(hash::marked(word.key, side), one);
            let distance = i.abs_diff(mention);
            for (_, left, right) in NEAR.into_iter().filter(|(reach, ..)| distance <= *reach) {
                let near = if is_left { left } else { right };
                emit(hash::marked(word.key, near), Span { mark: near, ..one });
            }
            if let Some(next) = words.get(i + 1).filter(|_| distance <= NEAR_PAIRS) {
                let near = if is_left { MARK_NEAR_LEFT } else { MARK_NEAR_RIGHT };
                let pair = hash::append_word(word.key, next.key);
                emit(hash::marked(pair, near), Span { first: i as u32, end: i as u32 + 2, mark: near });
            }
        }
    }

    /// The first and the last words; those of a short text are both.
    fn end_words(&self, target: Option<(usize, usize)>, scratch: &mut NgramScratch, mut emit: impl FnMut(u64, Span)) {
        let NgramScratch { lowered, words, .. } = scratch;
        self.list_words(target, lowered, words);
        let n = words.len();
        let places = [(0..n.min(N_FIRST), MARK_FIRST), (n.saturating_sub(N_LAST)..n, MARK_LAST)];
        for (i, mark) in places.into_iter().flat_map(|(range, mark)| range.map(move |i| (i, mark))) {
            emit(hash::marked(words[i].key, mark), Span { first: i as u32, end: i as u32 + 1, mark });
        }
    }

    /// Classes found in the text; where a mention is marked, also by side and distance.
    fn lexicon_classes(&self, target: Option<(usize, usize)>, scratch: &mut NgramScratch, mut emit: impl FnMut(u64, Span)) {
        let NgramScratch { lowered, words, .. } = scratch;
        let Some(lexicon) = &self.lexicon else { return };
        let mention = self.list_words(target, lowered, words);
        let at = |i: usize| words.get(i).map(|w| &lowered[w.start as usize..w.end as usize]);
        let mut scope = Scope::default();
        for (first, word) in words.iter().enumerate() {
            let is_negated = self.negation_is_on() && scope.next(lowered, words, first, &self.negator_keys);
            if mention == Some(first) {
                continue;
            }
            let here = (at(first).unwrap_or(""), word.key);
            lexicon.at(
                here,
                |i| at(first + 1 + i),
                |class, key| {
                    let span = Span { first: class as u32, end: 0, mark: 0 };
                    emit(key, span);
                    mention.iter().for_each(|&mention| emit_places(key, span, first, mention, &mut emit));
                    if is_negated {
                        let (key, span) = (hash::marked(key, MARK_NEGATED), Span { end: 1, ..span });
                        emit(key, span);
                        mention.iter().for_each(|&mention| emit_places(key, span, first, mention, &mut emit));
                    }
                },
            );
        }
    }

    fn char_ngrams(&self, scratch: &mut NgramScratch, mut emit: impl FnMut(u64, Span)) {
        self.padded_words(scratch, |mut word| word.ngrams(&mut emit));
    }

    /// Calls `f` with each word of `padded`, where it lies between two spaces that it shares with its neighbours.
    #[inline(always)]
    fn padded_words(&self, scratch: &mut NgramScratch, mut f: impl FnMut(PaddedWord<'_>)) {
        let NgramScratch { padded, points, .. } = scratch;
        let length = padded.len();
        padded.push_str(PADDING);
        let bytes = padded.as_bytes();
        let mut start = 0;
        while start + 1 < length {
            let end = next_space(bytes, start + 1);
            f(PaddedWord { block: self, text: padded, start, end: end + 1, points });
            start = end;
        }
        padded.truncate(length);
    }

    /// All n-grams of one padded word of `length` code points, each key grown from the one before by one multiplication.
    #[inline(always)]
    fn slide(
        &self,
        length: usize,
        point: impl Fn(usize) -> u32,
        offset: impl Fn(usize) -> u32,
        emit: &mut impl FnMut(u64, Span),
    ) {
        if length < self.shortest {
            let key = (0..length).fold(hash::chars_start(self.salt), |key, i| hash::append_char(key, point(i)));
            emit(key, Span { first: offset(0), end: offset(length), mark: 0 });
            return;
        }
        for first in 0..=length - self.shortest {
            let mut key = hash::chars_start(self.salt);
            for n in 1..=self.longest.min(length - first) {
                key = hash::append_char(key, point(first + n - 1));
                if n >= self.shortest {
                    emit(key, Span { first: offset(first), end: offset(first + n), mark: 0 });
                }
            }
        }
    }
}

/// What a mark says of a word's place, before the word.
fn place_name(mark: u64) -> &'static str {
    match mark {
        MARK_LEFT => "left",
        MARK_RIGHT => "right",
        MARK_NEAR_LEFT => "near_left",
        MARK_NEAR_RIGHT => "near_right",
        6 => "left_2",
        7 => "right_2",
        8 => "left_8",
        9 => "right_8",
        10 => "left_3",
        11 => "right_3",
        12 => "left_6",
        13 => "right_6",
        14 => "left_12",
        MARK_FIRST => "first",
        MARK_LAST => "last",
        _ => "right_12",
    }
}

/// Marks a class with the side of the mention that it stands on, and with each window that it stands in.
fn emit_places(key: u64, span: Span, at: usize, mention: usize, emit: &mut impl FnMut(u64, Span)) {
    let is_left = at < mention;
    let windows = NEAR_CLASSES.into_iter().filter(|(reach, ..)| at.abs_diff(mention) <= *reach);
    for (_, left, right) in windows.chain([(0, MARK_LEFT, MARK_RIGHT)]) {
        let mark = if is_left { left } else { right };
        emit(hash::marked(key, mark), Span { mark, ..span });
    }
}

/// The reach of the last negator.
#[derive(Default)]
struct Scope {
    /// Words to come that it still reaches.
    left: usize,
}

impl Scope {
    /// Goes on to word `i`; whether that word is negated. A negator itself is not.
    fn next(&mut self, lowered: &str, words: &[Word], i: usize, negator_keys: &[u64]) -> bool {
        let gap_start = if i == 0 { 0 } else { words[i - 1].end as usize };
        let gap = lowered.get(gap_start..words[i].start as usize).unwrap_or("");
        if gap.contains(['.', ',', ';', ':', '!', '?', '(', ')', '"', '—']) {
            self.left = 0;
        }
        if negator_keys.binary_search(&words[i].key).is_ok() {
            self.left = NEGATION_SCOPE;
            return false;
        }
        let is_negated = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_negated
    }
}

/// A word with the space at either end, as character n-grams see it.
pub(crate) struct PaddedWord<'a> {
    block: &'a Block,
    /// All words, and [`PADDING`].
    text: &'a str,
    start: usize,
    end: usize,
    points: &'a mut Vec<(u32, u32)>,
}

impl PaddedWord<'_> {
    /// The word without its spaces, with its length, in two numbers; none of a word of more than 15 bytes.
    #[inline(always)]
    pub(crate) fn packed(&self) -> Option<[u64; 2]> {
        let (start, length) = (self.start + 1, self.end - self.start - 2);
        let window = self.text.as_bytes().get(start..start + 16).filter(|_| length < 16)?;
        let [low, high] = [0, 8].map(|i| u64::from_le_bytes(window[i..i + 8].try_into().expect("eight bytes")));
        let mask = |n_bytes: usize| u64::MAX.checked_shr(64 - 8 * n_bytes as u32).unwrap_or(0);
        Some([low & mask(length.min(8)), high & mask(length.saturating_sub(8)) | (length as u64) << 56])
    }

    /// Calls `emit` with the key of each n-gram.
    #[inline]
    pub(crate) fn keys(&mut self, mut emit: impl FnMut(u64)) {
        self.ngrams(&mut |key, _| emit(key));
    }

    #[inline(always)]
    fn ngrams(&mut self, emit: &mut impl FnMut(u64, Span)) {
        let Self { block, start, end, .. } = *self;
        let word = &self.text[start..end];
        if word.is_ascii() {
            let bytes = word.as_bytes();
            block.slide(bytes.len(), |i| u32::from(bytes[i]), |i| (start + i) as u32, emit);
        } else {
            let points = &mut *self.points;
            points.clear();
            points.extend(word.char_indices().map(|(i, c)| (u32::from(c), (start + i) as u32)));
            block.slide(points.len(), |i| points[i].0, |i| points.get(i).map_or(end as u32, |p| p.1), emit);
        }
    }
}

/// The first space from `from` on; there is one, and [`PADDING`] behind it.
#[inline(always)]
fn next_space(bytes: &[u8], mut from: usize) -> usize {
    loop {
        let sixteen = bytes[from..].first_chunk().expect("padding is behind the last space");
        let spaces = u8x16::new(*sixteen).simd_eq(u8x16::splat(b' ')).to_bitmask();
        if spaces != 0 {
            return from + spaces.trailing_zeros() as usize;
        }
        from += sixteen.len();
    }
}

/// Whether words of ASCII have one space between them, and nothing else that is blank stands anywhere.
fn is_evenly_spaced(text: &[u8]) -> bool {
    let is_blank = |byte: Option<&u8>| byte.is_none_or(|&byte| byte <= b' ');
    // All pairs without a branch, sixteen at a time.
    let pairs = text.iter().zip(text.iter().skip(1));
    let has_gap = pairs.fold(false, |has_gap, (&a, &b)| has_gap | (a < b' ') | ((a == b' ') & (b == b' ')));
    !has_gap && !is_blank(text.first()) && !is_blank(text.last())
}

/// The words of `text` with one space between them and at both ends.
fn pad_words(text: &str, padded: &mut String) {
    padded.clear();
    padded.push(' ');
    if text.is_ascii() {
        if is_evenly_spaced(text.as_bytes()) {
            padded.push_str(text);
            padded.push(' ');
            return;
        }
        let is_space = |byte: &u8| matches!(byte, b'\t'..=b'\r' | 0x1c..=0x1f | b' ');
        let mut rest = text;
        while let Some(start) = rest.bytes().position(|byte| !is_space(&byte)) {
            let length = rest[start..].bytes().position(|byte| is_space(&byte)).unwrap_or(rest.len() - start);
            padded.push_str(&rest[start..start + length]);
            padded.push(' ');
            rest = &rest[start + length..];
        }
        return;
    }
    for word in text.split(is_python_space).filter(|w| !w.is_empty()) {
        padded.push_str(word);
        padded.push(' ');
    }
}

/// What Python's `str.split()` splits at: Unicode white space and the four ASCII separators.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Writes `text` with the words of every hashtag behind it: "#StandWithUs" becomes "#StandWithUs Stand With Us".
fn split_hashtags_into(text: &str, out: &mut String) {
    out.clear();
    let mut rest = text;
    while let Some(at) = rest.find('#') {
        let tag_end = rest[at + 1..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(rest.len(), |i| at + 1 + i);
        out.push_str(&rest[..tag_end]);
        push_tag_parts(&rest[at + 1..tag_end], out);
        rest = &rest[tag_end..];
    }
    out.push_str(rest);
}

/// Appends the parts of a tag, each after a space; a tag of one part adds nothing.
fn push_tag_parts(tag: &str, out: &mut String) {
    if split_hashtag(tag).nth(1).is_none() {
        return;
    }
    for part in split_hashtag(tag) {
        out.push(' ');
        out.push_str(part);
    }
    out.push(' ');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(params: TfidfParams, passage: Passage<'_>) -> Vec<String> {
        let extractor = Extractor::new(&FeatureParams { blocks: vec![params], hash_bits: None });
        let mut scratch = NgramScratch::default();
        let mut spans = Vec::new();
        extractor.spans(0, passage, &mut scratch, |key, span| spans.push((key, span)));
        let name = |span: Span| {
            let mut name = String::new();
            extractor.push_name(0, span, &scratch, &mut name);
            name
        };
        let names = spans.iter().map(|(_, span)| name(*span)).collect();
        let mut keys = Vec::new();
        extractor.push_keys(0, passage, &mut scratch, &mut keys);
        assert_eq!(keys, spans.iter().map(|s| s.0).collect::<Vec<_>>());
        names
    }

    #[test]
    fn words_come_with_all_lengths_ending_in_them() {
        assert_eq!(
            names(TfidfParams::words(1, 3), "India says no".into()),
            ["india", "says", "india says", "no", "says no", "india says no"]
        );
    }

    #[test]
    fn characters_stay_within_words() {
        assert_eq!(names(TfidfParams::chars(2, 3), "ab c".into()), [" a", " ab", "ab", "ab ", "b ", " c", " c ", "c "]);
    }

    #[test]
    fn a_word_shorter_than_the_shortest_counts_once() {
        assert_eq!(names(TfidfParams::chars(4, 5), "a bcd".into()), [" a ", " bcd", " bcd ", "bcd "]);
    }

    #[test]
    fn ascii_words_are_padded_like_any_others() {
        let mut padded = [String::new(), String::new()];
        let long = "0123456789abcdef".repeat(3);
        let texts = [
            "",
            " ",
            "a",
            "a b",
            "a b cd e",
            "a  b",
            "a b ",
            " a b",
            "a\tb",
            "a b\nc",
            "a b\n",
            &long,
            &format!("{long} {long}"),
        ];
        for text in texts.into_iter().chain([" a\tbc\u{b}\u{1c}d\u{1f}\r\n e\u{1b}f ", "a\u{1b} b"]) {
            pad_words(text, &mut padded[0]);
            pad_words(&format!("{text}\u{2003}"), &mut padded[1]);
            assert_eq!(padded[0], padded[1]);
            let length = padded[0].len();
            padded[0].push_str(PADDING);
            let spaces: Vec<usize> = (0..length).filter(|&i| padded[0].as_bytes()[i] == b' ').collect();
            let found = (0..spaces[spaces.len() - 1]).map(|from| next_space(padded[0].as_bytes(), from));
            assert!(found.enumerate().all(|(from, found)| Some(&found) == spaces.iter().find(|&&at| at >= from)));
        }
    }

    #[test]
    fn accents_are_one_character() {
        assert_eq!(names(TfidfParams::chars(3, 3), "né".into()), [" né", "né "]);
    }

    #[test]
    fn composed_and_decomposed_letters_are_the_same() {
        assert_eq!(names(TfidfParams::words(1, 1), "Cafe\u{301}".into()), names(TfidfParams::words(1, 1), "Caf\u{e9}".into()));
    }

    #[test]
    fn words_after_a_negator_are_marked_until_punctuation() {
        let params = TfidfParams { negation: true, ..TfidfParams::words(1, 1) };
        let names = names(params, "We do not want talks, they said".into());
        assert_eq!(&names[7..], ["not(want)", "not(talks)"]);
    }

    #[test]
    fn words_at_either_end_are_marked() {
        let names = |text: &str| names(TfidfParams::ends(), text.into());
        assert_eq!(
            names("Talks? India says no, again."),
            ["first(talks)", "first(india)", "last(says)", "last(no)", "last(again)"]
        );
        assert_eq!(names("No."), ["first(no)", "last(no)"]);
        assert!(names("…").is_empty());
    }

    #[test]
    fn the_target_is_masked_and_its_neighbours_are_marked() {
        let text = "Asim Munir praised İzmir";
        let passage = Passage { target: Some((0, 10)), ..text.into() };
        assert_eq!(names(TfidfParams::words(1, 1), passage)[1..], ["praised", "i̇zmir"]);
        assert_eq!(
            names(TfidfParams::target(), passage),
            [
                "right(praised)",
                "right_2(praised)",
                "near_right(praised)",
                "right_8(praised)",
                "near_right(praised i̇zmir)",
                "right(i̇zmir)",
                "right_2(i̇zmir)",
                "near_right(i̇zmir)",
                "right_8(i̇zmir)"
            ]
        );
    }

    #[test]
    fn classes_of_a_lexicon_know_their_side_of_the_mention() {
        let lexicon = TfidfParams::lexicon("class,terms\npraise,praise*\n").unwrap();
        let passage = Passage { target: Some((13, 16)), .."They praised her".into() };
        let places = ["lexicon(praise)", "left_3(praise)", "left_6(praise)", "left_12(praise)", "left(praise)"];
        assert_eq!(names(lexicon.clone(), passage), places);
        assert_eq!(names(lexicon, "They never praised her".into()), ["lexicon(praise)", "lexicon(not praise)"]);
    }

    #[test]
    fn hashtags_are_split_behind_themselves() {
        let mut out = String::new();
        split_hashtags_into("so #StandWithUS2020 and #peace_now #go", &mut out);
        assert_eq!(out, "so #StandWithUS2020 Stand With US 2020  and #peace_now peace now  #go");
    }
}
