//! Who holds a stance: from a sentence in its article to a party, by name.
//!
//! Words are looked up in tables ([`Gazetteer`]), a tagger marks the phrases that look like holders (`tagger.rs`), other phrases are found by the shape of words
//! (`mentions.rs`), and [`Article`] lists for whom each may stand: "the minister", "she". `rank.rs` chooses phrase and party for each statement. Tagger and
//! ranker are linear models, trained together on labelled articles (`learn.rs`) and kept in one model file. Spans are bytes of the text that the sentences
//! came from.

mod article;
pub mod attribution;
mod clauses;
mod gazetteer;
mod learn;
mod mentions;
mod names;
mod rank;
mod rules;
mod store;
mod tagger;
mod tokens;
mod weights;

use std::sync::Arc;

pub use article::Article;
pub use gazetteer::{Gazetteer, Hit, NameForm, Office, PartyKind, VerbKind};
pub use names::{party_key, same_name, same_party};
pub use store::train;

use article::Reading;
use mentions::{Mention, MentionKind};
use rank::{Candidate, View};
use tagger::Tagger;
use tokens::Token;
use weights::Weights;

use crate::error::Result;
use crate::model::Model;

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

/// One labelled statement, for training and scoring.
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

/// A sentence, whether it is a headline, and its labelled statements.
pub type LabelledSentence = (String, bool, Vec<LabelledHolder>);

/// The trained parts.
#[derive(Debug, Clone)]
pub(crate) struct HolderWeights {
    pub(crate) tagger: Tagger,
    pub(crate) ranker: Weights,
}

/// Finds holders; immutable and shared by all threads.
#[derive(Debug, Clone)]
pub struct HolderFinder {
    gazetteer: Arc<Gazetteer>,
    weights: Arc<HolderWeights>,
}

/// One sentence, ready to be asked for holders.
#[derive(Debug)]
pub struct Sentence<'a> {
    offset: usize,
    tokens: Vec<Token<'a>>,
    mentions: Vec<Mention>,
    /// For whom each mention may stand.
    readings: Vec<Vec<Reading>>,
    is_headline: bool,
    /// Topic and holder of the statements found so far.
    taken: Vec<(String, String)>,
}

impl HolderFinder {
    /// A finder with a model made by [`train`].
    ///
    /// # Errors
    ///
    /// If the model is of another task.
    pub fn new(gazetteer: Arc<Gazetteer>, model: &Model) -> Result<Self> {
        Ok(Self { gazetteer, weights: Arc::new(store::read(model)?) })
    }

    /// A finder with the compiled-in model.
    ///
    /// # Panics
    ///
    /// Never: a test checks the compiled-in file.
    pub fn builtin(gazetteer: Arc<Gazetteer>) -> Self {
        Self::new(gazetteer, &Model::builtin_holders()).expect("the compiled-in model is one of holders")
    }

    /// Reads a sentence that begins at byte `offset` of its article; the article's state moves on.
    pub fn read<'a>(&self, text: &'a str, offset: usize, is_headline: bool, article: &mut Article) -> Sentence<'a> {
        read(&self.gazetteer, &self.weights.tagger, text, offset, is_headline, article)
    }

    /// The holder of a statement on `topic` with `stance` in the sentence, and how it is reported. A second call for the same topic finds another holder.
    pub fn find(&self, sentence: &mut Sentence<'_>, topic: &str, stance: &str, article: &mut Article) -> (Option<Holder>, Mode) {
        let taken: Vec<String> = sentence.taken.iter().filter(|(t, _)| t == topic).map(|(_, name)| name.clone()).collect();
        let view = sentence.view(&self.gazetteer, article, topic, stance, &taken);
        let choice = view.choose(None, &self.weights.ranker);
        let choice = sentence.speaker(choice).map_or(choice, |m| view.choose(Some(m), &self.weights.ranker));
        let candidate = sentence.overrule(choice, article.last_holder().is_some());
        let mode = view.mode(candidate, &self.weights.ranker);
        self.take(sentence, candidate, topic, article).map_or((None, mode), |holder| (Some(holder), mode))
    }

    /// The other party of a holder that is one of two: "India and Pakistan agreed", "both sides".
    pub fn find_partner(
        &self,
        sentence: &mut Sentence<'_>,
        holder: &Holder,
        topic: &str,
        article: &mut Article,
    ) -> Option<Holder> {
        let partner = sentence.partner(holder)?;
        if sentence.taken.iter().any(|(t, name)| t == topic && *name == sentence.readings[partner.0][partner.1].name) {
            return None;
        }
        self.take(sentence, Candidate::Phrase(partner.0, partner.1), topic, article)
    }

    /// Parts of a sentence that are read apart, each with a party and a verb of its own: "India demanded it; Pakistan refused". Bytes of the sentence.
    pub fn clauses(&self, sentence: &str) -> Vec<(usize, usize)> {
        clauses::clauses(sentence, &self.gazetteer)
    }

    /// Makes a candidate the holder of a statement.
    fn take(&self, sentence: &mut Sentence<'_>, candidate: Candidate, topic: &str, article: &mut Article) -> Option<Holder> {
        let (name, span, mention) = match candidate {
            Candidate::Phrase(m, r) => {
                let reading = &sentence.readings[m][r];
                (reading.name.clone(), reading.span, Some(&sentence.mentions[m]))
            }
            Candidate::Earlier => article.last_holder().map(|(name, span)| (name.clone(), *span, None))?,
            Candidate::Nobody => return None,
        };
        article.keep_holder(&name, span, mention);
        let via = sentence.via(candidate, &name);
        sentence.taken.push((topic.to_owned(), name.clone()));
        Some(Holder { name: names::tidy(&name), span, via })
    }
}

/// Reads a sentence: its words, the phrases that the tagger and the tables find, and for whom they may stand.
fn read<'a>(
    gazetteer: &Gazetteer,
    tagger: &Tagger,
    text: &'a str,
    offset: usize,
    is_headline: bool,
    article: &mut Article,
) -> Sentence<'a> {
    let quotes = tokens::quotes(text);
    let tokens = tokens::tokens(text, &quotes, gazetteer);
    let tagged = tagger.spans(&tagger.tag(&tokens, gazetteer), learn::SPAN);
    let mentions = mentions::mentions(text, &tokens, &tagged, gazetteer);
    let mut readings: Vec<Vec<Reading>> = Vec::with_capacity(mentions.len());
    let mut first: Option<Reading> = None;
    for mention in &mentions {
        let found = article.readings(mention, offset, first.as_ref(), gazetteer);
        article.note(mention, offset, gazetteer);
        if first.is_none() && mention.kind != MentionKind::Pronoun && !mention.is_owned {
            first = found.first().cloned();
        }
        readings.push(found);
    }
    if let Some(first) = first.filter(|r| r.span.0 >= offset) {
        article.keep_subject(&first);
    }
    Sentence { offset, tokens, mentions, readings, is_headline, taken: Vec::new() }
}

impl Sentence<'_> {
    /// First byte in the article.
    pub fn offset(&self) -> usize {
        self.offset
    }

    fn view<'v>(
        &'v self,
        gazetteer: &'v Gazetteer,
        article: &'v Article,
        topic: &'v str,
        stance: &'v str,
        taken: &'v [String],
    ) -> View<'v> {
        let Self { tokens, mentions, readings, is_headline, .. } = self;
        View { tokens, mentions, readings, article, gazetteer, topic, stance, is_headline: *is_headline, taken }
    }

    /// The party before the holder that reports what the holder said: "Trump said Modi asked him".
    fn via(&self, candidate: Candidate, name: &str) -> Option<String> {
        let Candidate::Phrase(m, _) = candidate else { return None };
        let first = self.mentions[m].words.0;
        // "Trump said (that) Modi", and nothing else between.
        let says = first.checked_sub(1 + usize::from(first > 0 && self.tokens[first - 1].lower == "that"))?;
        let is_reported = self.tokens[says].verb == Some(VerbKind::Say) && !self.tokens[says].is_quoted;
        let is_acting = self.tokens.get(self.mentions[m].words.1 + 1).is_some_and(|t| t.verb.is_some());
        let reporter = self.mentions[..m].iter().position(|mention| mention.words.1 + 1 == says)?;
        let party =
            self.readings[reporter].first().filter(|r| r.name != name && self.mentions[reporter].kind == MentionKind::Party)?;
        (is_reported && is_acting).then(|| party.name.clone())
    }

    /// Phrase and reading of the other of two parties.
    fn partner(&self, holder: &Holder) -> Option<(usize, usize)> {
        let m = self
            .readings
            .iter()
            .position(|readings| readings.iter().any(|r| r.span == holder.span && names::tidy(&r.name) == holder.name))?;
        if self.mentions[m].kind == MentionKind::Both {
            return self.readings[m].iter().position(|r| r.is_party() && names::tidy(&r.name) != holder.name).map(|r| (m, r));
        }
        let next = self.mentions.get(m + 1)?;
        let between = &self.tokens[self.mentions[m].words.1 + 1..next.words.0];
        let is_pair = between.len() == 1 && matches!(between[0].text, "and" | ",");
        // "India, which …" is one party; so is "India and its army".
        let is_party = |m: &Mention| m.party.is_some() && !m.is_owned && !m.is_possessive;
        let is_subject = self.mentions[m].words.0 <= 1;
        (is_pair && is_subject && is_party(&self.mentions[m]) && is_party(next)).then_some((m + 1, 0))
    }
}
