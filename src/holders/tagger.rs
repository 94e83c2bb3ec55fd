//! A first-order sequence tagger: the label of each token, given those of its neighbours, by an averaged perceptron.
//!
//!   ŷ = argmax_y Σ_t w(facts of token t) · e(y_t) + T(y_{t-1}, y_t)
//!
//! found by Viterbi; after each wrong sentence the weights of the true path are raised by one and those of the guessed path lowered, and the weights returned are the
//! mean over all steps (Collins 2002). Labels are `O`, `B-X`, `I-X`; `I-X` follows only `B-X` or `I-X`. Deterministic: sentences are shuffled by a seed.
//! With the same features it marks holders in `datasets/diplomacy` and sources and cues in PolNeAR (`stance bench holders`).

use crate::holders::gazetteer::{Gazetteer, VerbKind};
use crate::holders::tokens::Token;
use crate::holders::weights::{Facts, Interner, Weights, small};
use crate::random::Random;

/// Facts seen less often, or with smaller weights, are dropped when training is over: half of the model file, and no label changes that matters.
const LEAST_COUNT: u32 = 2;
const LEAST_WEIGHT: f32 = 0.15;
/// Passes over the training sentences.
const EPOCHS: usize = 8;

/// A trained tagger.
#[derive(Debug, Clone)]
pub(crate) struct Tagger {
    pub(crate) labels: Vec<String>,
    pub(crate) weights: Weights,
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
        let context = Context::new(tokens);
        for at in 0..tokens.len() {
            let facts = &mut sentence.facts;
            describe(tokens, at, &context, gazetteer, &mut Facts::new(&mut |fact| facts.push(interner.id(fact))));
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

    fn score(&self, previous: usize, label: usize) -> f32 {
        let at = previous * self.n + label;
        if self.is_legal[at] { self.scores[at] } else { f32::NEG_INFINITY }
    }

    /// The best path; `emissions` holds n scores per token.
    fn best_path(&self, emissions: &[f32]) -> Vec<usize> {
        let n = self.n;
        let n_tokens = emissions.len() / n;
        let mut back = vec![0_u8; emissions.len()];
        let mut scores: Vec<f32> = Vec::with_capacity(n);
        let mut next = vec![0.0_f32; n];
        for at in 0..n_tokens {
            for label in 0..n {
                let (mut best, mut from) = (f32::NEG_INFINITY, 0);
                if at == 0 {
                    best = self.score(n, label);
                } else {
                    for (previous, &score) in scores.iter().enumerate() {
                        let score = score + self.score(previous, label);
                        if score > best {
                            (best, from) = (score, previous);
                        }
                    }
                }
                next[label] = best + emissions[at * n + label];
                back[at * n + label] = from as u8;
            }
            scores.clear();
            scores.extend_from_slice(&next);
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
    /// Learns from sentences whose facts are numbered by `interner`.
    pub(crate) fn train(labels: Vec<String>, sentences: &[&TaggedSentence], interner: Interner, seed: u64) -> Self {
        let n = labels.len();
        let mut learner = Learner::new(interner.len(), &labels);
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
        let transitions = learner.transitions.clone();
        let mut names = interner.names();
        for previous in 0..=n {
            names.push(transition_name(previous, &labels));
            rows.extend_from_slice(&transitions.scores[previous * n..(previous + 1) * n]);
        }
        let weights = Weights::new(names, &rows, n, 0.0);
        Self { labels, weights, transitions }
    }

    /// A tagger from stored weights, among which are its transitions.
    pub(crate) fn from_weights(labels: Vec<String>, weights: Weights) -> Self {
        let mut transitions = Transitions::new(&labels);
        for previous in 0..=labels.len() {
            if let Some(row) = weights.get(&transition_name(previous, &labels)) {
                transitions.scores[previous * labels.len()..(previous + 1) * labels.len()].copy_from_slice(row);
            }
        }
        Self { labels, weights, transitions }
    }

    /// The label of each token.
    pub(crate) fn tag(&self, tokens: &[Token<'_>], gazetteer: &Gazetteer) -> Vec<usize> {
        let n = self.labels.len();
        let mut emissions = vec![0.0; tokens.len() * n];
        let context = Context::new(tokens);
        for (at, sums) in emissions.chunks_exact_mut(n).enumerate() {
            describe(tokens, at, &context, gazetteer, &mut Facts::new(&mut |fact| self.weights.add_to(fact, sums)));
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

/// What is known of the whole sentence, per token.
struct Context {
    /// Tokens to the next and from the last verb of saying, and of any kind.
    next_say: Vec<usize>,
    last_say: Vec<usize>,
    next_verb: Vec<usize>,
    /// Tokens since a quotation mark closed.
    since_quote: Vec<usize>,
    n_quoted: usize,
}

impl Context {
    fn new(tokens: &[Token<'_>]) -> Self {
        let is_say = |t: &Token<'_>| t.verb == Some(VerbKind::Say);
        let is_verb = |t: &Token<'_>| t.verb.is_some();
        let mut since_quote = vec![9; tokens.len()];
        let mut closed: Option<usize> = None;
        for at in 0..tokens.len() {
            if at > 0 && tokens[at - 1].is_quoted && !tokens[at].is_quoted {
                closed = Some(at);
            }
            since_quote[at] = closed.map_or(9, |c| at - c).min(9);
        }
        Self {
            next_say: distances(tokens.iter().rev().map(is_say), true),
            last_say: distances(tokens.iter().map(is_say), false),
            next_verb: distances(tokens.iter().rev().map(is_verb), true),
            since_quote,
            n_quoted: tokens.iter().filter(|t| t.is_quoted).count(),
        }
    }
}

/// Tokens since the last true value; reversed for those to the next.
fn distances(is_there: impl Iterator<Item = bool>, is_reversed: bool) -> Vec<usize> {
    let mut distance = 9;
    let mut distances: Vec<usize> = is_there
        .map(|there| {
            distance = if there { 0 } else { (distance + 1).min(9) };
            distance
        })
        .collect();
    if is_reversed {
        distances.reverse();
    }
    distances
}

fn shape(token: &Token<'_>) -> &'static str {
    let mut letters = token.text.chars().filter(|c| c.is_alphabetic());
    match (token.is_mark, token.is_capital, letters.next()) {
        (true, ..) => "mark",
        (_, true, _) if token.text.len() > 1 && letters.all(char::is_uppercase) => "ALL",
        (_, true, _) => "Cap",
        (_, false, None) => "digit",
        _ => "low",
    }
}

fn verb_word(token: Option<&Token<'_>>) -> &'static str {
    match token.and_then(|t| t.verb) {
        Some(VerbKind::Say) => "say",
        Some(VerbKind::Stance) => "act",
        Some(VerbKind::Auxiliary) => "aux",
        None => "-",
    }
}

fn office_word(token: Option<&Token<'_>>) -> &'static str {
    use crate::holders::gazetteer::Office;
    match token.and_then(|t| t.office) {
        Some(Office::OfState) => "person",
        Some(Office::StateBody) => "state",
        Some(Office::OwnBody) => "own",
        None => "-",
    }
}

/// The facts of token `at`.
fn describe(tokens: &[Token<'_>], at: usize, context: &Context, gazetteer: &Gazetteer, facts: &mut Facts<'_>) {
    let token = &tokens[at];
    let word = |d: isize| at.checked_add_signed(d).and_then(|i| tokens.get(i));
    let lower = |d: isize| word(d).map_or("#", |t| t.lower.as_ref());
    facts.add("w", lower(0));
    facts.add("w-1", lower(-1));
    facts.add("w+1", lower(1));
    facts.add("w-2", lower(-2));
    facts.add("w+2", lower(2));
    facts.pair("w-1w", lower(-1), lower(0));
    facts.pair("ww+1", lower(0), lower(1));
    let suffix = |t: &str, n: usize| t.char_indices().rev().nth(n - 1).map_or(0, |(i, _)| i);
    facts.add("suffix3", &token.lower[suffix(&token.lower, 3)..]);
    facts.add("suffix2+1", &lower(1)[suffix(lower(1), 2)..]);
    let shapes = |d: isize| word(d).map_or("#", shape);
    facts.add("shape", shapes(0));
    facts.pair("shape-1", shapes(-1), shapes(0));
    facts.pair("shape+1", shapes(0), shapes(1));
    let party = |d: isize| word(d).map_or("#", |t| t.party_word(gazetteer));
    facts.add("party", party(0));
    facts.pair("party-1", party(-1), party(0));
    facts.pair("party+1", party(0), party(1));
    facts.pair("office", office_word(word(-1)), office_word(word(0)));
    facts.pair("office+1", office_word(word(0)), office_word(word(1)));
    facts.pair("verb", verb_word(word(-1)), verb_word(word(0)));
    facts.pair("verb+1", verb_word(word(0)), verb_word(word(1)));
    facts.pair("verb+2", verb_word(word(1)), verb_word(word(2)));
    facts.pair("kinds", party(0), office_word(word(0)));
    let quoted = if token.is_quoted { "in" } else { "out" };
    facts.pair("quoted", quoted, small(context.n_quoted.div_ceil(4)));
    facts.pair("quotedshape", quoted, shapes(0));
    facts.pair("sincequote", small(context.since_quote[at]), verb_word(word(0)));
    let nextsay = small(context.next_say[at]);
    facts.pair("nextsay", nextsay, quoted);
    facts.pair("lastsay", small(context.last_say[at]), quoted);
    facts.pair("nextverb", small(context.next_verb[at]), shapes(0));
    facts.pair("place", small(at), shapes(0));
    facts.pair("fromend", small(tokens.len() - 1 - at), shapes(0));
    if token.is_possessive {
        facts.add("possessive", verb_word(word(1)));
    }
    if word(1).is_none_or(|t| t.is_mark) {
        facts.pair("edge", shapes(-1), nextsay);
    }
}
