//! Who holds a stance: from a sentence in its article to a party, by name.
//!
//! Three steps. `phrases.rs` finds what may name a party, by a gazetteer ([`Gazetteer`]) and the shape of words. [`Article`] follows the article and knows whom
//! a surname, "the minister" or "he" stands for. `rank.rs` chooses among the phrases with a linear model that was trained on labelled articles. The spans are bytes of
//! the text that the sentences came from.

mod gazetteer;
mod phrases;
mod rank;

use std::sync::Arc;

pub use gazetteer::{Gazetteer, Hit, NameForm, Office, PartyKind};
use phrases::{Phrase, PhraseKind};
use rank::{Candidate, View};

use crate::predict::{Predictor, Scratch};

/// A party named so close before an office is the one that it speaks for.
const NEAR_BYTES: usize = 120;

/// How a position is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In quotation marks.
    Direct,
    /// Reported speech.
    Indirect,
    /// Reported speech with a part in quotation marks.
    Mixed,
    /// The article's own words.
    Author,
}

impl Mode {
    /// The mode as it stands in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Indirect => "indirect",
            Self::Mixed => "mixed",
            Self::Author => "author",
        }
    }
}

/// The party whose position it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Holder {
    /// Canonical name.
    pub name: String,
    /// Bytes of the mention in the article, of the nearest earlier one where the sentence has only a pronoun.
    pub span: (usize, usize),
    /// Another party that reports the position.
    pub via: Option<String>,
}

/// Finds holders; immutable and shared by all threads.
#[derive(Debug, Clone)]
pub struct HolderFinder {
    gazetteer: Arc<Gazetteer>,
    ranker: Predictor,
}

/// What has been learnt from the article so far.
#[derive(Debug, Default)]
pub struct Article {
    /// Whom a surname, or the name of an office, stands for.
    surnames: Vec<(String, String)>,
    /// The last party with an office, for "the minister".
    last_office: Option<(String, (usize, usize))>,
    /// The last phrase that named a party.
    last_mention: Option<(String, (usize, usize))>,
    /// The first party of the last sentence that had one: "Islamabad reads it differently. It insists …".
    last_subject: Option<(String, (usize, usize))>,
    /// The last holder.
    last_holder: Option<(String, (usize, usize))>,
}

/// One sentence, ready to be asked for holders.
#[derive(Debug)]
pub struct Sentence<'a> {
    text: &'a str,
    /// First byte in the article.
    offset: usize,
    words: Vec<phrases::WordAt<'a>>,
    phrases: Vec<Phrase>,
    resolved: Vec<Option<String>>,
    spans: Vec<(usize, usize)>,
    quotes: Vec<(usize, usize)>,
    is_headline: bool,
}

impl HolderFinder {
    /// A finder with a ranker trained by [`training_rows`].
    pub fn new(gazetteer: Arc<Gazetteer>, ranker: Predictor) -> Self {
        Self { gazetteer, ranker }
    }

    /// Buffers for one thread.
    pub fn scratch(&self) -> Scratch {
        self.ranker.scratch()
    }

    /// Reads a sentence that begins at byte `offset` of its article; the article's state moves on.
    pub fn read<'a>(&self, text: &'a str, offset: usize, is_headline: bool, article: &mut Article) -> Sentence<'a> {
        read(&self.gazetteer, text, offset, is_headline, article)
    }

    /// Whether a text holds the name of a party.
    pub fn names_a_party(&self, text: &str) -> bool {
        self.gazetteer.find(text).iter().any(|hit| self.gazetteer.kind(hit.party) != PartyKind::Place)
    }

    /// The holder of a statement on `topic` with `stance` in the sentence, and how it is reported.
    pub fn find(
        &self,
        sentence: &Sentence<'_>,
        topic: &str,
        stance: &str,
        article: &mut Article,
        scratch: &mut Scratch,
    ) -> (Option<Holder>, Mode) {
        let view = sentence.view(article, topic, stance);
        let (candidate, _) = rank::choose(&view, &self.ranker, scratch);
        let chosen = match &candidate {
            Candidate::Phrase(i) => sentence.resolved[*i].clone().map(|name| (name, sentence.spans[*i])),
            Candidate::Earlier => article.last_holder.clone(),
            Candidate::Nobody => None,
        };
        let mode = sentence.mode(&candidate);
        let Some((name, span)) = chosen else { return (None, mode) };
        let via = sentence.via(&candidate, &name);
        article.last_holder = Some((name.clone(), span));
        (Some(Holder { name, span, via }), mode)
    }
}

fn read<'a>(gazetteer: &Gazetteer, text: &'a str, offset: usize, is_headline: bool, article: &mut Article) -> Sentence<'a> {
    let words = phrases::words(text, gazetteer);
    let phrases = phrases::phrases(text, &words, gazetteer);
    let (mut resolved, mut spans) = (Vec::new(), Vec::new());
    for phrase in &phrases {
        let here = (offset + phrase.start, offset + phrase.end);
        let (name, span) = article.resolve(phrase, here);
        resolved.push(name);
        spans.push(span);
    }
    let subject = phrases
        .iter()
        .position(|p| !matches!(p.kind, PhraseKind::Pronoun | PhraseKind::Both))
        .filter(|&i| phrases[i].words.0 <= 2);
    if let Some(i) = subject
        && let Some(name) = &resolved[i]
    {
        article.last_subject = Some((name.clone(), spans[i]));
    }
    let quotes = quotes(text);
    Sentence { text, offset, words, phrases, resolved, spans, quotes, is_headline }
}

impl Article {
    /// Whom an office of several words stood for: "Foreign Office spokesperson", and then "Foreign Office".
    fn office(&self, text: &str) -> Option<String> {
        let is_same = |name: &str| name == text || (text.contains(' ') && name.starts_with(text));
        self.surnames.iter().find(|(name, _)| is_same(name)).map(|(_, party)| party.clone())
    }

    /// The party that an office at byte `at` speaks for: one named just before it, else the last one with an office.
    fn speaking_for(&self, at: usize) -> Option<(String, (usize, usize))> {
        let is_near = |mention: &&(String, (usize, usize))| at.saturating_sub(mention.1.1) < NEAR_BYTES;
        self.last_mention.as_ref().filter(is_near).or(self.last_office.as_ref()).or(self.last_mention.as_ref()).cloned()
    }

    /// Whom a phrase stands for, and where that party is named.
    fn resolve(&mut self, phrase: &Phrase, here: (usize, usize)) -> (Option<String>, (usize, usize)) {
        let known = phrase
            .surname
            .as_ref()
            .and_then(|s| self.surnames.iter().rev().find(|(name, _)| name == s))
            .map(|(_, party)| party.clone());
        let speaks = matches!(phrase.office, Some(Office::OfState | Office::StateBody));
        let (name, span) = match phrase.kind {
            PhraseKind::Party => (phrase.canonical.clone(), here),
            PhraseKind::Name if known.is_some() => (known, here),
            // "Defence Minister Omer Tal" speaks for the state that was named last.
            PhraseKind::Office if self.office(&phrase.text).is_some() => (self.office(&phrase.text), here),
            PhraseKind::Name | PhraseKind::Office if speaks => match self.speaking_for(here.0) {
                Some((party, _)) => (Some(party), here),
                None => (phrase.canonical.clone(), here),
            },
            PhraseKind::Name | PhraseKind::Office => (phrase.canonical.clone(), here),
            PhraseKind::Pronoun | PhraseKind::Both => match self.last_subject.clone().or(self.last_holder.clone()) {
                Some((party, span)) => (Some(party), span),
                None => (None, here),
            },
        };
        if let Some(party) = &name {
            if phrase.kind != PhraseKind::Pronoun && phrase.kind != PhraseKind::Both {
                self.last_mention = Some((party.clone(), here));
                if speaks
                    && phrase.kind == PhraseKind::Office
                    && phrase.text.contains(' ')
                    && !self.surnames.iter().any(|(name, _)| *name == phrase.text)
                {
                    self.surnames.push((phrase.text.clone(), party.clone()));
                }
                if speaks {
                    self.last_office = Some((party.clone(), here));
                }
            }
            if let Some(surname) = &phrase.surname
                && (phrase.kind == PhraseKind::Party || speaks)
            {
                self.surnames.push((surname.clone(), party.clone()));
            }
        }
        (name, span)
    }
}

impl<'a> Sentence<'a> {
    fn view<'v>(&'v self, article: &'v Article, topic: &'v str, stance: &'v str) -> View<'v> {
        View {
            sentence: self.text,
            words: &self.words,
            phrases: &self.phrases,
            resolved: &self.resolved,
            earlier: article.last_holder.as_ref().map(|(name, _)| name.as_str()),
            topic,
            stance,
            is_headline: self.is_headline,
            quotes: &self.quotes,
        }
    }

    /// Direct, indirect or mixed by how much of the sentence is quoted; the article's own words where nobody reports.
    fn mode(&self, candidate: &Candidate) -> Mode {
        let quoted: usize = self.quotes.iter().map(|(start, end)| end - start).sum();
        let reports = self.words.iter().any(|w| rank::is_reporting(w.text));
        match (quoted * 100 / self.text.len().max(1), reports, candidate) {
            (60.., ..) => Mode::Direct,
            (_, _, Candidate::Nobody) => Mode::Author,
            (40.., true, _) => Mode::Direct,
            (5.., ..) => Mode::Mixed,
            (_, true, _) => Mode::Indirect,
            _ => Mode::Author,
        }
    }

    /// The party before the holder that reports what the holder said: "Trump said Modi asked him".
    fn via(&self, candidate: &Candidate, name: &str) -> Option<String> {
        let Candidate::Phrase(i) = candidate else { return None };
        let reporter = (0..*i).find(|&j| {
            let next = self.words.get(self.phrases[j].words.1 + 1);
            next.is_some_and(|w| rank::is_reporting(w.text)) && self.resolved[j].as_deref().is_some_and(|n| n != name)
        })?;
        self.resolved[reporter].clone()
    }
}

/// Byte ranges inside double quotation marks, curly or straight; an unclosed quote runs to the end.
fn quotes(text: &str) -> Vec<(usize, usize)> {
    let mut quotes = Vec::new();
    let mut open = None;
    for (i, c) in text.char_indices() {
        match (c, open) {
            ('“' | '«', None) | ('"', None) => open = Some(i),
            ('”' | '»' | '"', Some(start)) => {
                quotes.push((start, i + c.len_utf8()));
                open = None;
            }
            _ => {}
        }
    }
    if let Some(start) = open {
        quotes.push((start, text.len()));
    }
    quotes
}

/// One labelled statement, for training and scoring the ranker.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledHolder {
    /// Canonical name; empty for the article's own voice.
    pub name: String,
    /// Bytes of the mention in the sentence, where it has one.
    pub span: Option<(usize, usize)>,
    /// Another party that reports.
    pub via: String,
    /// How it is reported, by name.
    pub mode: String,
    /// The topic.
    pub topic: String,
    /// The stance.
    pub stance: String,
}

/// Descriptions of all candidates of an article's statements, each with whether it is the holder: the ranker's training texts. The true holders of earlier statements
/// are known while later ones are described.
pub fn training_rows(gazetteer: &Gazetteer, sentences: &[(String, bool, Vec<LabelledHolder>)]) -> Vec<(String, bool)> {
    let mut rows = Vec::new();
    let (mut article, mut offset) = (Article::default(), 0);
    for (text, is_headline, statements) in sentences {
        let sentence = read(gazetteer, text, offset, *is_headline, &mut article);
        for gold in statements {
            let view = sentence.view(&article, &gold.topic, &gold.stance);
            let candidates = rank::candidates(&view);
            let right: Vec<bool> = candidates.iter().map(|c| is_right(&sentence, c, gold, &view)).collect();
            // Only the first right phrase counts, and the earlier holder only where no phrase is right.
            let first = right.iter().position(|&r| r);
            for (i, candidate) in candidates.iter().enumerate() {
                rows.push((rank::describe(&view, candidate), Some(i) == first));
            }
            if !gold.name.is_empty() {
                let span = gold.span.map_or((offset, offset), |(s, e)| (offset + s, offset + e));
                article.last_holder = Some((gold.name.clone(), span));
            }
        }
        offset += text.len() + 1;
    }
    rows
}

fn is_right(sentence: &Sentence<'_>, candidate: &Candidate, gold: &LabelledHolder, view: &View<'_>) -> bool {
    match candidate {
        Candidate::Nobody => gold.name.is_empty(),
        Candidate::Earlier => gold.span.is_none() && view.earlier == Some(gold.name.as_str()),
        Candidate::Phrase(i) => match gold.span {
            Some((start, end)) => sentence.phrases[*i].start < end && start < sentence.phrases[*i].end,
            None => sentence.resolved[*i].as_deref() == Some(gold.name.as_str()) && !gold.name.is_empty(),
        },
    }
}

/// First byte of a sentence in its article.
impl Sentence<'_> {
    /// First byte in the article.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

/// Whether two names mean the same party: case, articles and hyphens apart.
pub fn same_party(a: &str, b: &str) -> bool {
    let plain = |s: &str| s.to_lowercase().trim_start_matches("the ").replace(['-', '’', '\''], " ");
    plain(a) == plain(b)
}
