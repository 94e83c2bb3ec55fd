//! Sources and cues of attributions in any news text ("*Trump* *said* …"), by the tagger that also marks holders, and how well they are found.
//!
//! For measuring only: the tagger is trained at run time on a set with its own annotation (PolNeAR), and nothing learnt there is kept. Beside it stand two baselines
//! without learning, one by quotation marks, one by verbs of saying.

use rayon::prelude::*;

use crate::holders::gazetteer::{Gazetteer, VerbKind};
use crate::holders::mentions::{Mention, mentions};
use crate::holders::tagger::{TaggedSentence, Tagger};
use crate::holders::tokens::{Token, quotes, tokens};
use crate::holders::weights::Interner;
use crate::text::sentences;

const LABELS: [&str; 5] = ["B-C", "B-S", "I-C", "I-S", "O"];
/// Names of the spans: sources and cues.
const NAMES: [&str; 2] = ["S", "C"];
/// Tokens between a verb of saying and its speaker, at most.
const REACH: usize = 3;
const SEED: u64 = 1;

/// A text and the byte ranges of its sources and cues.
#[derive(Debug, Clone, Default)]
pub struct AttributedText {
    /// The text.
    pub text: String,
    /// Byte ranges of the sources.
    pub sources: Vec<(usize, usize)>,
    /// Byte ranges of the cues.
    pub cues: Vec<(usize, usize)>,
}

/// How spans are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The trained tagger.
    Tagger,
    /// The phrase and the verb beside a quotation.
    QuotationMarks,
    /// A verb of saying and the phrase beside it; "according to".
    Patterns,
}

/// Span counts: found, in the data, found that overlap one of the data, of the data that overlap one found, and equal.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpanCounts {
    n_found: usize,
    n_gold: usize,
    found_hits: usize,
    gold_hits: usize,
    equal: usize,
}

/// Counts by how much of the sentence is quoted (all, none, some, most) for sources and cues.
pub type AttributionCounts = [[SpanCounts; 2]; 4];

/// First and last token of a span.
type Span = (usize, usize);

impl SpanCounts {
    fn add(&mut self, found: &[Span], gold: &[Span]) {
        let overlaps = |a: &Span, all: &[Span]| all.iter().any(|b| a.0 <= b.1 && b.0 <= a.1);
        self.n_found += found.len();
        self.n_gold += gold.len();
        self.found_hits += found.iter().filter(|s| overlaps(s, gold)).count();
        self.gold_hits += gold.iter().filter(|s| overlaps(s, found)).count();
        self.equal += found.iter().filter(|s| gold.contains(s)).count();
    }

    fn merge(&mut self, other: &Self) {
        self.n_found += other.n_found;
        self.n_gold += other.n_gold;
        self.found_hits += other.found_hits;
        self.gold_hits += other.gold_hits;
        self.equal += other.equal;
    }

    /// F1 where a span counts if it overlaps one of the other side.
    pub fn overlap_f1(&self) -> f64 {
        harmonic(ratio(self.found_hits, self.n_found), ratio(self.gold_hits, self.n_gold))
    }

    /// F1 of equal spans.
    pub fn exact_f1(&self) -> f64 {
        harmonic(ratio(self.equal, self.n_found), ratio(self.equal, self.n_gold))
    }

    /// Spans in the data.
    pub fn n_gold(&self) -> usize {
        self.n_gold
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn harmonic(a: f64, b: f64) -> f64 {
    if a + b > 0.0 { 2.0 * a * b / (a + b) } else { 0.0 }
}

/// A trained tagger of sources and cues.
#[derive(Debug, Clone)]
pub struct AttributionTagger(Tagger);

impl AttributionTagger {
    /// Trains on texts; takes about a minute for PolNeAR's training part.
    pub fn train(texts: &[AttributedText], gazetteer: &Gazetteer) -> Self {
        let mut interner = Interner::default();
        let mut examples = Vec::new();
        for text in texts {
            for_each_sentence(text, gazetteer, |_, tokens, gold| {
                examples.push(TaggedSentence::new(tokens, gazetteer, path(tokens.len(), &gold), &mut interner));
            });
        }
        let labels = LABELS.map(str::to_owned).to_vec();
        let learnt = Tagger::learn(&labels, &examples.iter().collect::<Vec<_>>(), interner, SEED, 0.0);
        Self(Tagger::new(labels, learnt.facts()))
    }
}

/// How well a method finds the spans of texts; the tagger is needed for [`Method::Tagger`] alone.
pub fn score(texts: &[AttributedText], method: Method, tagger: &AttributionTagger, gazetteer: &Gazetteer) -> AttributionCounts {
    let counts: Vec<AttributionCounts> = texts.par_iter().map(|text| score_text(text, method, &tagger.0, gazetteer)).collect();
    let mut total = AttributionCounts::default();
    for counts in &counts {
        for (sum, part) in total.iter_mut().flatten().zip(counts.iter().flatten()) {
            sum.merge(part);
        }
    }
    total
}

fn score_text(text: &AttributedText, method: Method, tagger: &Tagger, gazetteer: &Gazetteer) -> AttributionCounts {
    let mut counts = AttributionCounts::default();
    for_each_sentence(text, gazetteer, |sentence, tokens, gold| {
        let found = match method {
            Method::Tagger => {
                let path = tagger.tag(tokens, gazetteer);
                NAMES.map(|name| tagger.spans(&path, name))
            }
            Method::QuotationMarks => beside(sentence, tokens, gazetteer, |_, verb| is_near_quote(tokens, verb)),
            Method::Patterns => beside(sentence, tokens, gazetteer, |t, _| t.verb == Some(VerbKind::Say)),
        };
        for kind in [0, quoting(tokens)] {
            for (i, (found, gold)) in found.iter().zip(&gold).enumerate() {
                counts[kind][i].add(found, gold);
            }
        }
    });
    counts
}

/// Calls `f` with each sentence, its tokens, and the spans of sources and cues.
fn for_each_sentence(text: &AttributedText, gazetteer: &Gazetteer, mut f: impl FnMut(&str, &[Token<'_>], [Vec<Span>; 2])) {
    for sentence in sentences(&text.text) {
        let (start, text_of) = (sentence.start, sentence.of(&text.text));
        let tokens = tokens(text_of, &quotes(text_of), gazetteer);
        let gold = [&text.sources, &text.cues].map(|spans| {
            let mut here: Vec<Span> =
                spans.iter().filter_map(|&(s, e)| token_span(&tokens, s.checked_sub(start)?, e - start)).collect();
            here.sort_unstable();
            here.dedup();
            // Of two spans that overlap the longer one counts, so that a path of labels can hold both sides.
            let longest = here.clone();
            here.retain(|a| !longest.iter().any(|b| b != a && b.0 <= a.1 && a.0 <= b.1 && (b.1 - b.0, a.0) > (a.1 - a.0, b.0)));
            here
        });
        f(text_of, &tokens, gold);
    }
}

/// The tokens inside a byte range; none if there are none.
fn token_span(tokens: &[Token<'_>], start: usize, end: usize) -> Option<Span> {
    let first = tokens.iter().position(|t| t.end > start && t.start < end)?;
    let last = tokens.iter().rposition(|t| t.end > start && t.start < end)?;
    Some((first, last))
}

fn path(n: usize, gold: &[Vec<Span>; 2]) -> Vec<usize> {
    let label = |name: &str| LABELS.iter().position(|l| *l == name).unwrap_or(4);
    let mut path = vec![label("O"); n];
    for (spans, (begin, inside)) in gold.iter().zip([("B-S", "I-S"), ("B-C", "I-C")]) {
        for &(first, last) in spans {
            path[first..=last].fill(label(inside));
            path[first] = label(begin);
        }
    }
    path
}

/// 1: nothing quoted, 2: a part, 3: most of the sentence.
fn quoting(tokens: &[Token<'_>]) -> usize {
    let n_quoted = tokens.iter().filter(|t| t.is_quoted).count();
    match n_quoted * 10 / tokens.len().max(1) {
        _ if n_quoted == 0 => 1,
        0..6 => 2,
        _ => 3,
    }
}

/// Phrases beside verbs that `is_cue` accepts, and "according to".
fn beside(
    sentence: &str,
    tokens: &[Token<'_>],
    gazetteer: &Gazetteer,
    is_cue: impl Fn(&Token<'_>, usize) -> bool,
) -> [Vec<Span>; 2] {
    let all = mentions(sentence, tokens, &[], gazetteer);
    let (mut sources, mut cues) = (Vec::new(), Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let is_according = token.lower == "according" && tokens.get(at + 1).is_some_and(|t| t.lower == "to");
        let is_verb = token.verb.is_some_and(|v| v != VerbKind::Auxiliary) && !token.is_quoted && is_cue(token, at);
        if !is_according && !is_verb {
            continue;
        }
        let before = |m: &&Mention| m.words.1 < at && at - m.words.1 <= REACH;
        let after = |m: &&Mention| m.words.0 > at && m.words.0 - at <= REACH;
        let speaker =
            if is_according { all.iter().find(after) } else { all.iter().rev().find(before).or(all.iter().find(after)) };
        if let Some(speaker) = speaker {
            sources.push(speaker.words);
            cues.push((at, at + usize::from(is_according)));
        }
    }
    sources.dedup();
    [sources, cues]
}

/// Whether a quotation ends or begins within a few tokens of `at`.
fn is_near_quote(tokens: &[Token<'_>], at: usize) -> bool {
    tokens[at.saturating_sub(6)..tokens.len().min(at + 7)].iter().any(|t| t.is_quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str, source: &str, cue: &str) -> AttributedText {
        let span = |part: &str| text.find(part).map(|i| (i, i + part.len()));
        AttributedText {
            text: text.to_owned(),
            sources: span(source).into_iter().collect(),
            cues: span(cue).into_iter().collect(),
        }
    }

    #[test]
    fn patterns_find_the_speaker_beside_the_verb() {
        let texts = [text("Berlin said that it would wait.", "Berlin", "said")];
        let gazetteer = Gazetteer::builtin();
        // What occurs once is not learnt.
        let tagger = AttributionTagger::train(&vec![texts[0].clone(); 8], &gazetteer);
        for method in [Method::Tagger, Method::Patterns] {
            let counts = score(&texts, method, &tagger, &gazetteer);
            assert_eq!(counts[0][0].exact_f1(), 1.0, "{method:?}");
        }
        assert_eq!(score(&texts, Method::QuotationMarks, &tagger, &gazetteer)[0][0].exact_f1(), 0.0);
    }
}
