//! Training of the holder model: the tagger, then the ranker and the modes on top of it, from labelled articles.
//!
//! The ranker maximises Σ_s ln Σ_{c right} p_c - λ/2 ‖w‖², p = softmax of w · facts over the candidates of statement s: several candidates may be right
//! (two ways to one party), and the model may choose among them. Stochastic gradient steps with AdaGrad's rates (Duchi et al. 2011), statements shuffled by a seed. The
//! tagger's marks on training sentences come from taggers that have not seen their article, as they will be in use.

use rayon::prelude::*;

use crate::holders::article::Article;
use crate::holders::gazetteer::Gazetteer;
use crate::holders::names::NameId;
use crate::holders::rank::{Candidate, MODES, View};
use crate::holders::tagger::{TaggedSentence, Tagger};
use crate::holders::tokens::{quotes, tokens};
use crate::holders::weights::{Interner, NamedWeights, Numbering, Weights, Word};
use crate::holders::{LabelledHolder, LabelledSentence, Sentence, read, same_party};
use crate::random::Random;

/// Passes of the ranker over the statements.
const EPOCHS: usize = 9;
const RATE: f32 = 0.1;
/// Shrinkage of a weight per step in which it takes part.
const DECAY: f32 = 3e-4;
/// Taggers that mark the training sentences, each trained without the articles that it marks.
const FOLDS: usize = 5;
/// What the tagger pays for a token outside all spans: the ranker can leave a phrase aside, but cannot make up for one that was not marked.
const OUTSIDE: f32 = 6.0;
/// Rankers that find the holders of earlier statements, each trained without the articles in which it does.
const DRAFTS: usize = 3;
/// Ranker facts seen less often are dropped.
const LEAST_COUNT: u32 = 2;
/// Ranker facts with smaller weights are dropped when training is over.
const LEAST_WEIGHT: f32 = 0.04;
pub(crate) const SEED: u64 = 1;
/// Name of the tagger's spans, and its labels.
pub(crate) const SPAN: &str = "H";
pub(crate) const LABELS: [&str; 3] = ["B-H", "I-H", "O"];

/// A choice to learn from: facts of each candidate, and which candidates are right.
struct Choice {
    facts: Vec<u32>,
    ends: Vec<usize>,
    right: Vec<bool>,
}

/// What is learnt.
#[derive(Debug)]
pub(crate) struct Learnt {
    /// Labels of the tagger.
    pub(crate) labels: Vec<String>,
    pub(crate) tagger: NamedWeights,
    /// Weights of the ranker and of the modes.
    pub(crate) ranker: NamedWeights,
}

/// Trains tagger, ranker and modes.
pub(crate) fn train(gazetteer: &Gazetteer, articles: &[Vec<LabelledSentence>]) -> Learnt {
    let labels: Vec<String> = LABELS.map(str::to_owned).to_vec();
    let taggers: Vec<Tagger> = (0..FOLDS)
        .into_par_iter()
        .map(|fold| {
            let others: Vec<&Vec<LabelledSentence>> =
                articles.iter().enumerate().filter(|(i, _)| i % FOLDS != fold).map(|(_, a)| a).collect();
            Tagger::new(labels.clone(), train_tagger(gazetteer, &others, &labels).facts())
        })
        .collect();
    let ranker = |drafts: &[Weights], is_wanted: &(dyn Fn(usize) -> bool + Sync)| {
        let (mut interner, mut choices) = (Interner::default(), Vec::new());
        for (i, article) in articles.iter().enumerate().filter(|(i, _)| is_wanted(*i)) {
            add_choices(gazetteer, &taggers[i % FOLDS], article, drafts.get(i % DRAFTS), &mut interner, &mut choices);
        }
        fit(&choices, interner)
    };
    let draft = |part: usize| Weights::new(ranker(&[], &|i| i % DRAFTS != part).facts(), 1);
    let drafts: Vec<Weights> = (0..DRAFTS).into_par_iter().map(draft).collect();
    let all: Vec<&Vec<LabelledSentence>> = articles.iter().collect();
    let (ranker, tagger) = rayon::join(|| ranker(&drafts, &|_| true), || train_tagger(gazetteer, &all, &labels));
    Learnt { labels, tagger, ranker }
}

fn train_tagger(gazetteer: &Gazetteer, articles: &[&Vec<LabelledSentence>], labels: &[String]) -> NamedWeights {
    let mut interner = Interner::default();
    let mut sentences = Vec::new();
    // Sentences without a statement are never tagged.
    for (text, _, statements) in articles.iter().flat_map(|a| a.iter()).filter(|(_, _, statements)| !statements.is_empty()) {
        let tokens = tokens(text, &quotes(text), gazetteer);
        let mut path = vec![2; tokens.len()];
        for (start, end) in statements.iter().filter_map(|s| s.span) {
            let mut is_first = true;
            for (_, label) in tokens.iter().zip(&mut path).filter(|(t, _)| t.start < end && start < t.end) {
                *label = usize::from(!is_first);
                is_first = false;
            }
        }
        sentences.push(TaggedSentence::new(&tokens, gazetteer, path, &mut interner));
    }
    Tagger::learn(labels, &sentences.iter().collect::<Vec<_>>(), interner, SEED, OUTSIDE)
}

/// The choices of an article's statements, both of the holder and of the mode. While later ones are described,
/// the holders of earlier statements are known as `draft` finds them, wrong ones among them, as they will be in use; without it, the true ones.
fn add_choices(
    gazetteer: &Gazetteer,
    tagger: &Tagger,
    sentences: &[LabelledSentence],
    draft: Option<&Weights>,
    interner: &mut Interner,
    choices: &mut Vec<Choice>,
) {
    let (mut article, mut offset) = (Article::default(), 0);
    let mut read_sentences = Vec::with_capacity(sentences.len());
    for (text, is_headline, statements) in sentences {
        let tagger = Some(tagger).filter(|_| !statements.is_empty());
        read_sentences.push(read(gazetteer, tagger, text, offset, *is_headline, &mut article));
        offset += text.len() + 1;
    }
    for ((_, _, statements), mut sentence) in sentences.iter().zip(read_sentences) {
        sentence.enter(gazetteer, &mut article);
        let offset = sentence.offset;
        let mut taken: Vec<(&str, NameId)> = Vec::new();
        for gold in statements {
            let names: Vec<NameId> = taken.iter().filter(|(topic, _)| *topic == gold.topic).map(|(_, name)| *name).collect();
            let (topic, stance) = (Word::new(&gold.topic), Word::new(&gold.stance));
            let view = sentence.view(&article, topic, stance, &names);
            let candidates: Vec<Candidate> = view.candidates().collect();
            let right = right_candidates(&sentence, &view, &candidates, gold);
            let chosen = candidates.iter().zip(&right).find(|(_, right)| **right).map(|(c, _)| *c);
            let choice = Choice::new(candidates.len(), right, |i, facts| view.describe(candidates[i], facts), interner);
            choices.extend(Some(choice).filter(|c| c.right.contains(&true)));
            let modes: Vec<bool> = MODES.iter().map(|m| m.as_str() == gold.mode).collect();
            let holder = chosen.unwrap_or(if gold.name.is_empty() { Candidate::Nobody } else { Candidate::Earlier });
            let mode = |i: usize, facts: &mut Numbering<'_>| view.describe_mode(MODES[i], holder, facts);
            choices.push(Choice::new(MODES.len(), modes, mode, interner));
            let mention = match chosen {
                Some(Candidate::Phrase(m, _)) => Some((&sentence.mentions[m], sentence.place())),
                _ => None,
            };
            if !gold.name.is_empty() {
                taken.push((&gold.topic, article.name_id(&gold.name)));
            }
            match draft {
                Some(ranker) => {
                    let candidate = sentence.best(&article, (topic, stance), &names, ranker);
                    sentence.keep(candidate, (topic, stance), &mut article);
                }
                None if gold.name.is_empty() => article.keep_unheld(),
                None => {
                    let span = gold.span.map_or((offset, offset), |(s, e)| (offset + s, offset + e));
                    let name = article.name_id(&gold.name);
                    article.keep_holder((name, span), (topic, stance), mention);
                }
            }
        }
    }
}

/// Which candidates are right: those at the labelled span with the labelled name; where none has the name, those at the span.
fn right_candidates(sentence: &Sentence<'_>, view: &View<'_>, candidates: &[Candidate], gold: &LabelledHolder) -> Vec<bool> {
    let is_there = |c: &Candidate| match (c, gold.span) {
        (Candidate::Nobody, _) => gold.name.is_empty(),
        (_, _) if gold.name.is_empty() => false,
        (Candidate::Earlier, span) => span.is_none(),
        (Candidate::Phrase(m, _), Some((start, end))) => sentence.mentions[*m].start < end && start < sentence.mentions[*m].end,
        (Candidate::Phrase(..), None) => true,
    };
    let is_named = |c: &Candidate| same_party(view.name(*c).map_or("", |name| view.article.names().text(name)), &gold.name);
    let right: Vec<bool> = candidates.iter().map(|c| is_there(c) && is_named(c)).collect();
    if right.contains(&true) || gold.span.is_none() {
        return right;
    }
    candidates.iter().map(is_there).collect()
}

impl Choice {
    fn new(n: usize, right: Vec<bool>, describe: impl Fn(usize, &mut Numbering<'_>), interner: &mut Interner) -> Self {
        let mut choice = Self { facts: Vec::new(), ends: Vec::with_capacity(n), right };
        for i in 0..n {
            describe(i, &mut Numbering { interner, ids: &mut choice.facts });
            choice.ends.push(choice.facts.len());
        }
        choice
    }

    fn of(&self, i: usize) -> &[u32] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.facts[start..self.ends[i]]
    }
}

fn fit(choices: &[Choice], interner: Interner) -> NamedWeights {
    let is_kept: Vec<bool> = (0..interner.len()).map(|i| interner.count(i as u32) >= LEAST_COUNT).collect();
    let mut weights = vec![0.0_f32; interner.len()];
    let mut squares = vec![1e-2_f32; interner.len()];
    let mut order: Vec<usize> = (0..choices.len()).collect();
    let mut random = Random::new(SEED);
    let (mut scores, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..EPOCHS {
        random.shuffle(&mut order);
        for &i in &order {
            let choice = &choices[i];
            scores.clear();
            scores.extend((0..choice.ends.len()).map(|c| choice.of(c).iter().map(|&f| weights[f as usize]).sum::<f32>()));
            softmax(&mut scores);
            let right: f32 = scores.iter().zip(&choice.right).filter(|(_, r)| **r).map(|(p, _)| p).sum();
            targets.clear();
            targets.extend(scores.iter().zip(&choice.right).map(|(p, &r)| if r { p / right.max(1e-9) } else { 0.0 }));
            for c in 0..choice.ends.len() {
                let slope = scores[c] - targets[c];
                for &f in choice.of(c).iter().filter(|&&f| is_kept[f as usize]) {
                    let f = f as usize;
                    let gradient = slope + DECAY * weights[f];
                    squares[f] += gradient * gradient;
                    weights[f] -= RATE * gradient / squares[f].sqrt();
                }
            }
        }
    }
    NamedWeights::new(interner.names(), &weights, 1, LEAST_WEIGHT)
}

fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|s| *s = (*s - most).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|s| *s /= sum);
}
