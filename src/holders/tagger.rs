//! A first-order sequence tagger: the label of each token, given those of its neighbours, by an averaged perceptron.
//!
//!   ŷ = argmax_y Σ_t w(facts of token t) · e(y_t) + T(y_{t-1}, y_t)
//!
//! found by Viterbi; after each wrong sentence the weights of the true path are raised by one and those of the guessed path lowered, and the weights returned are the
//! mean over all steps (Collins 2002). Labels are `O`, `B-X`, `I-X`; `I-X` follows only `B-X` or `I-X`. Deterministic: sentences are shuffled by a seed.
//! With the same features it marks holders in `datasets/diplomacy` and sources and cues in PolNeAR (`stance bench holders`).

use crate::holders::emissions::{Emissions, OF_PAIR, OF_WORD};
use crate::holders::gazetteer::Gazetteer;
use crate::holders::tokens::Token;
use crate::holders::traits::{Grids, describe_traits, traits_into};
use crate::holders::weights::{Facts, Interner, NamedWeights, Numbering, Sums, Word, word};
use crate::random::Random;

/// Facts seen less often, or with smaller weights, are dropped when training is over: half of the model file, and no label changes that matters.
const LEAST_COUNT: u32 = 2;
const LEAST_WEIGHT: f32 = 0.15;
/// Labels at most.
const MOST_LABELS: usize = 8;
/// Passes over the training sentences.
const EPOCHS: usize = 8;

/// A trained tagger.
#[derive(Debug, Clone)]
pub(crate) struct Tagger {
    pub(crate) labels: Vec<String>,
    emissions: Emissions,
    grids: Grids,
    transitions: Transitions,
}

/// Scores of neighbouring labels; row n is for the first token of a sentence.
#[derive(Debug, Clone)]
struct Transitions {
    n: usize,
    scores: Vec<f32>,
    is_legal: Vec<bool>,
}

/// A sentence to learn from: the facts of each token, by number, and its label.
#[derive(Debug, Default)]
pub(crate) struct TaggedSentence {
    facts: Vec<u32>,
    ends: Vec<usize>,
    labels: Vec<usize>,
}

impl TaggedSentence {
    /// Numbers the facts of a sentence.
    pub(crate) fn new(tokens: &[Token<'_>], gazetteer: &Gazetteer, labels: Vec<usize>, interner: &mut Interner) -> Self {
        let mut sentence = Self { labels, ..Self::default() };
        let mut traits = Vec::new();
        traits_into(tokens, gazetteer, &mut traits);
        for at in 0..tokens.len() {
            let mut facts = Numbering { interner, ids: &mut sentence.facts };
            describe_words(tokens, at, &mut facts);
            describe_endings(tokens, at, &mut facts);
            describe_traits(&traits, at, &mut facts);
            sentence.ends.push(sentence.facts.len());
        }
        sentence
    }

    fn facts(&self, at: usize) -> &[u32] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.facts[start..self.ends[at]]
    }
}

impl Transitions {
    fn new(labels: &[String]) -> Self {
        let n = labels.len();
        let is_legal = (0..=n)
            .flat_map(|previous| {
                labels.iter().map(move |label| match label.strip_prefix("I-") {
                    Some(name) => labels.get(previous).is_some_and(|l| l != "O" && l[2..] == *name),
                    None => true,
                })
            })
            .collect();
        Self { n, scores: vec![0.0; (n + 1) * n], is_legal }
    }

    #[inline]
    fn score(&self, previous: usize, label: usize) -> f32 {
        let at = previous * self.n + label;
        if self.is_legal[at] { self.scores[at] } else { f32::NEG_INFINITY }
    }

    /// The best path; `emissions` holds n scores per token.
    fn best_path(&self, emissions: &[f32]) -> Vec<usize> {
        let n = self.n;
        let n_tokens = emissions.len() / n;
        let mut back = vec![0_u8; emissions.len()];
        let (mut scores, mut next) = ([f32::NEG_INFINITY; MOST_LABELS], [f32::NEG_INFINITY; MOST_LABELS]);
        for at in 0..n_tokens {
            for label in 0..n {
                let (mut best, mut from) = (f32::NEG_INFINITY, 0);
                if at == 0 {
                    best = self.score(n, label);
                } else {
                    for (previous, &score) in scores[..n].iter().enumerate() {
                        let score = score + self.score(previous, label);
                        if score > best {
                            (best, from) = (score, previous);
                        }
                    }
                }
                next[label] = best + emissions[at * n + label];
                back[at * n + label] = from as u8;
            }
            scores = next;
        }
        let mut path = vec![0; n_tokens];
        let Some(last) = n_tokens.checked_sub(1) else { return path };
        // Ties go to the first label.
        path[last] = (0..n).rev().max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0);
        for at in (0..last).rev() {
            path[at] = usize::from(back[(at + 1) * n + path[at + 1]]);
        }
        path
    }
}

impl Tagger {
    /// Learns the weights of a tagger, its transitions among them, from sentences whose facts are numbered by `interner`. Each token that is left out of all
    /// spans then costs `outside`, for more spans.
    pub(crate) fn learn(
        labels: &[String],
        sentences: &[&TaggedSentence],
        interner: Interner,
        seed: u64,
        outside: f32,
    ) -> NamedWeights {
        let n = labels.len();
        let mut learner = Learner::new(interner.len(), labels);
        let mut order: Vec<usize> = (0..sentences.len()).collect();
        let mut random = Random::new(seed);
        for _ in 0..EPOCHS {
            random.shuffle(&mut order);
            order.iter().for_each(|&i| learner.learn(sentences[i]));
        }
        let mut rows = learner.average();
        for (id, row) in rows.chunks_exact_mut(n).enumerate() {
            if interner.count(id as u32) < LEAST_COUNT || row.iter().all(|w| w.abs() < LEAST_WEIGHT) {
                row.fill(0.0);
            }
        }
        let mut transitions = learner.transitions.clone();
        if let Some(label) = labels.iter().position(|l| l == "O") {
            transitions.scores.chunks_exact_mut(n).for_each(|row| row[label] -= outside);
        }
        let mut names = interner.names();
        for previous in 0..=n {
            names.push(transition_name(previous, labels));
            rows.extend_from_slice(&transitions.scores[previous * n..(previous + 1) * n]);
        }
        NamedWeights::new(names, &rows, n, 0.0)
    }

    /// A tagger from learnt weights, given as text.
    pub(crate) fn new<'f>(labels: Vec<String>, facts: impl Iterator<Item = (&'f str, &'f [f32])>) -> Self {
        let n = labels.len();
        let mut transitions = Transitions::new(&labels);
        let names: Vec<Box<str>> = (0..=n).map(|previous| transition_name(previous, &labels)).collect();
        let emissions = Emissions::new(
            facts.inspect(|(fact, row)| {
                if let Some(previous) = names.iter().position(|name| **name == **fact) {
                    transitions.scores[previous * n..(previous + 1) * n].copy_from_slice(row);
                }
            }),
            n,
        );
        let grids = Grids::new(&emissions.others, n);
        Self { labels, emissions, grids, transitions }
    }

    /// The label of each token.
    pub(crate) fn tag(&self, tokens: &[Token<'_>], gazetteer: &Gazetteer) -> Vec<usize> {
        let n = self.labels.len();
        let mut emissions = vec![0.0; tokens.len() * n];
        self.emissions.add(tokens, &mut emissions);
        let mut traits = Vec::new();
        traits_into(tokens, gazetteer, &mut traits);
        self.grids.add(&traits, &mut emissions);
        for (at, sums) in emissions.chunks_exact_mut(n).enumerate() {
            let mut facts = Sums::new(&self.emissions.others, sums);
            describe_endings(tokens, at, &mut facts);
            facts.finish();
        }
        self.transitions.best_path(&emissions)
    }

    /// First and last token of each span of the kind `name`.
    pub(crate) fn spans(&self, path: &[usize], name: &str) -> Vec<(usize, usize)> {
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for (at, &label) in path.iter().enumerate() {
            match self.labels[label].split_once('-') {
                Some(("B", kind)) if kind == name => spans.push((at, at)),
                Some(("I", kind)) if kind == name => {
                    if let Some(last) = spans.last_mut() {
                        last.1 = at;
                    }
                }
                _ => {}
            }
        }
        spans
    }
}

fn transition_name(previous: usize, labels: &[String]) -> Box<str> {
    format!("previous={}", labels.get(previous).map_or("start", String::as_str)).into()
}

/// Weights while they are learnt, with what is needed for their mean.
struct Learner {
    n: usize,
    weights: Vec<f32>,
    /// Weight changes times the step at which they were made.
    late: Vec<f32>,
    transitions: Transitions,
    late_transitions: Vec<f32>,
    step: f32,
    emissions: Vec<f32>,
}

impl Learner {
    fn new(n_facts: usize, labels: &[String]) -> Self {
        let n = labels.len();
        let transitions = Transitions::new(labels);
        Self {
            n,
            weights: vec![0.0; n_facts * n],
            late: vec![0.0; n_facts * n],
            late_transitions: vec![0.0; transitions.scores.len()],
            transitions,
            step: 1.0,
            emissions: Vec::new(),
        }
    }

    fn learn(&mut self, sentence: &TaggedSentence) {
        let n = self.n;
        self.emissions.clear();
        self.emissions.resize(sentence.labels.len() * n, 0.0);
        for (at, sums) in self.emissions.chunks_exact_mut(n).enumerate() {
            for &fact in sentence.facts(at) {
                let row = &self.weights[fact as usize * n..(fact as usize + 1) * n];
                sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += w);
            }
        }
        let guess = self.transitions.best_path(&self.emissions);
        if guess != sentence.labels {
            for path in [(&sentence.labels, 1.0), (&guess, -1.0)] {
                self.update(sentence, path.0, path.1);
            }
        }
        self.step += 1.0;
    }

    fn update(&mut self, sentence: &TaggedSentence, path: &[usize], sign: f32) {
        let n = self.n;
        let mut previous = n;
        for (at, &label) in path.iter().enumerate() {
            for &fact in sentence.facts(at) {
                let place = fact as usize * n + label;
                self.weights[place] += sign;
                self.late[place] += sign * self.step;
            }
            self.transitions.scores[previous * n + label] += sign;
            self.late_transitions[previous * n + label] += sign * self.step;
            previous = label;
        }
    }

    /// The mean weights; the transitions become their mean in place.
    fn average(&mut self) -> Vec<f32> {
        let step = self.step;
        for (score, late) in self.transitions.scores.iter_mut().zip(&self.late_transitions) {
            *score -= late / step;
        }
        self.weights.iter().zip(&self.late).map(|(w, late)| w - late / step).collect()
    }
}

/// The last `n` letters of a word.
fn ending(word: &str, n: usize) -> Word<'_> {
    Word::new(word.char_indices().rev().nth(n - 1).map_or(word, |(i, _)| &word[i..]))
}

/// The facts of token `at` that are words; [`Emissions`] adds them up.
fn describe_words(tokens: &[Token<'_>], at: usize, facts: &mut impl Facts) {
    let lower = |d: isize| at.checked_add_signed(d).and_then(|i| tokens.get(i)).map_or(word!("#"), Token::word);
    for (name, place) in OF_WORD {
        facts.add(&[name, lower(-place)]);
    }
    for (name, place) in OF_PAIR {
        facts.add(&[name, lower(-place - 1), lower(-place)]);
    }
}

/// The facts of token `at` that are endings of words.
#[inline]
fn describe_endings(tokens: &[Token<'_>], at: usize, facts: &mut impl Facts) {
    facts.add(&[word!("suffix3"), ending(&tokens[at].lower, 3)]);
    facts.add(&[word!("suffix2+1"), ending(tokens.get(at + 1).map_or("#", |t| &t.lower), 2)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holders::tokens::{quotes, tokens};
    use crate::holders::weights::Weights;

    #[test]
    fn words_in_rows_add_up_as_facts_do() {
        let gazetteer = Gazetteer::builtin();
        let text = "India said the offer, the last offer, was dead.";
        let tokens = tokens(text, &quotes(text), &gazetteer);
        let (mut interner, mut ids) = (Interner::default(), Vec::new());
        for at in 0..tokens.len() {
            describe_words(&tokens, at, &mut Numbering { interner: &mut interner, ids: &mut ids });
        }
        // Whole numbers add up to the same in any order.
        let rows: Vec<f32> = (1..=interner.len() * 3).map(|i| (i * i % 97) as f32).collect();
        let named = NamedWeights::new(interner.names(), &rows, 3, 0.0);
        let weights = Weights::new(named.facts(), 3);
        let (mut by_facts, mut by_rows) = (vec![0.0; tokens.len() * 3], vec![0.0; tokens.len() * 3]);
        for (at, sums) in by_facts.chunks_exact_mut(3).enumerate() {
            let mut facts = Sums::new(&weights, sums);
            describe_words(&tokens, at, &mut facts);
            facts.finish();
        }
        Emissions::new(named.facts(), 3).add(&tokens, &mut by_rows);
        assert_eq!(by_rows, by_facts);
    }
}
