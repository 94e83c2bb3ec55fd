//! Who holds a stance: from a sentence in its article to a party, by name.
//!
//! Words are looked up in tables ([`Gazetteer`]), a tagger marks the phrases that look like holders (`tagger.rs`), other phrases are found by the shape of words
//! (`mentions.rs`, `bounds.rs`), and [`Article`], which has seen the whole text before (`ahead.rs`), lists for whom each may stand: "the minister", "she". `rank.rs`
//! chooses phrase and party for each statement. Tagger and
//! ranker are linear models, trained together on labelled articles (`learn.rs`) and kept in one model file. Spans are bytes of the text that the sentences
//! came from.

mod ahead;
mod article;
pub mod attribution;
mod bounds;
mod clauses;
mod emissions;
mod gazetteer;
mod learn;
mod mentions;
mod names;
mod rank;
mod rules;
mod store;
mod tagger;
mod tokens;
mod traits;
mod weights;

use std::sync::Arc;

pub use article::Article;
pub use gazetteer::{Gazetteer, Hit, NameForm, Office, PartyKind, VerbKind};
pub use names::{party_key, same_name, same_party};
pub use store::train;

use article::{Named, Place, Reach, Reading, Spare};
use mentions::{Mention, MentionKind};
use names::NameId;
use rank::{Candidate, View};
use tagger::Tagger;
use tokens::Token;
use weights::{Weights, Word};

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
    text: &'a str,
    mentions: Vec<Mention>,
    /// For whom the mentions may stand, those of the first one first.
    readings: Vec<Reading>,
    /// Where the readings of each mention end; empty until the sentence is entered.
    ends: Vec<usize>,
    is_headline: bool,
    /// Key of the topic, and holder, of the statements found so far.
    taken: Vec<(u64, NameId)>,
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

    /// Reads a sentence that begins at byte `offset` of its article. Read all sentences of an article first: names are often given in full later only. Then
    /// go through them in order with [`Self::enter`].
    pub fn read<'a>(&self, text: &'a str, offset: usize, is_headline: bool, article: &mut Article) -> Sentence<'a> {
        read(&self.gazetteer, Some(&self.weights.tagger), text, offset, is_headline, article)
    }

    /// [`Self::read`] for a sentence without a statement, which adds to what is known of the article; cheaper.
    pub fn skim<'a>(&self, text: &'a str, offset: usize, is_headline: bool, article: &mut Article) -> Sentence<'a> {
        read(&self.gazetteer, None, text, offset, is_headline, article)
    }

    /// Goes on to a sentence that was read: for whom its phrases may stand is settled by what stands before it.
    pub fn enter(&self, sentence: &mut Sentence<'_>, article: &mut Article) {
        sentence.enter(&self.gazetteer, article);
    }

    /// Gives the memory of a sentence that is done with back to its article, for the next ones.
    pub fn leave(&self, sentence: Sentence<'_>, article: &mut Article) {
        let Sentence { tokens, mentions, readings, ends, .. } = sentence;
        article.keep_spare(Spare { tokens: tokens::emptied(tokens), mentions, readings, ends });
    }

    /// The holder of a statement on `topic` with `stance` in the sentence, and how it is reported. A second call for the same topic finds another holder.
    pub fn find(&self, sentence: &mut Sentence<'_>, topic: &str, stance: &str, article: &mut Article) -> (Option<Holder>, Mode) {
        self.enter(sentence, article);
        let (topic, stance) = (Word::new(topic), Word::new(stance));
        let taken = sentence.taken_on(topic);
        let candidate = sentence.best(article, (topic, stance), &taken, &self.weights.ranker);
        let mode = sentence.view(article, topic, stance, &taken).mode(candidate, &self.weights.ranker);
        self.take(sentence, candidate, (topic, stance), article).map_or((None, mode), |holder| (Some(holder), mode))
    }

    /// The other party of a holder that is one of two: "India and Pakistan agreed", "both sides".
    pub fn find_partner(
        &self,
        sentence: &mut Sentence<'_>,
        holder: &Holder,
        topic: &str,
        stance: &str,
        article: &mut Article,
    ) -> Option<Holder> {
        let (topic, stance) = (Word::new(topic), Word::new(stance));
        let (m, r) = sentence.partner(holder, article)?;
        if sentence.taken_on(topic).contains(&sentence.readings_of(m)[r].name) {
            return None;
        }
        self.take(sentence, Candidate::Phrase(m, r), (topic, stance), article)
    }

    /// Parts of a sentence that are read apart, each with a party and a verb of its own: "India demanded it; Pakistan refused". Bytes of the sentence.
    pub fn clauses(&self, sentence: &str) -> Vec<(usize, usize)> {
        clauses::clauses(sentence, &self.gazetteer)
    }

    /// Makes a candidate the holder of a statement.
    fn take(
        &self,
        sentence: &mut Sentence<'_>,
        candidate: Candidate,
        (topic, stance): (Word<'_>, Word<'_>),
        article: &mut Article,
    ) -> Option<Holder> {
        let (name, span) = sentence.keep(candidate, (topic, stance), article)?;
        let via = sentence.via(candidate, name).map(|via| article.names().text(via).to_owned());
        sentence.taken.push((topic.key(), name));
        Some(Holder { name: names::tidy(article.names().text(name)).to_owned(), span, via })
    }
}

/// Reads a sentence: its words, and the phrases that the tagger, if there is one, and the tables find.
fn read<'a>(
    gazetteer: &Gazetteer,
    tagger: Option<&Tagger>,
    text: &'a str,
    offset: usize,
    is_headline: bool,
    article: &mut Article,
) -> Sentence<'a> {
    let Spare { tokens, mut mentions, readings, ends } = article.spare();
    let quotes = tokens::quotes(text);
    let tokens = tokens::tokens_in(tokens, text, &quotes, gazetteer);
    let tagged = tagger.map(|tagger| tagger.spans(&tagger.tag(&tokens, gazetteer), learn::SPAN)).unwrap_or_default();
    mentions::mentions_into(text, &tokens, &tagged, gazetteer, &mut mentions);
    article.foresee(Place { text, tokens: &tokens, offset }, &mentions, gazetteer);
    Sentence { offset, tokens, text, mentions, readings, ends, is_headline, taken: Vec::new() }
}

impl Sentence<'_> {
    /// First byte in the article.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Lists for whom the phrases may stand, once.
    fn enter(&mut self, gazetteer: &Gazetteer, article: &mut Article) {
        if self.ends.len() == self.mentions.len() {
            return;
        }
        let place = Place { text: self.text, tokens: &self.tokens, offset: self.offset };
        self.readings.reserve(self.mentions.len() * 8);
        let mut first: Option<Reading> = None;
        let has_tagged = self.mentions.iter().any(|m| m.is_tagged);
        for mention in &self.mentions {
            let start = self.readings.len();
            // Where the tagger has marked something, other phrases are seldom holders.
            let is_likely = mention.is_tagged || !has_tagged || mention.kind == MentionKind::Office;
            let reach = if is_likely { Reach::Article } else { Reach::Words };
            article.readings_into(mention, place, reach, first.as_ref(), gazetteer, &mut self.readings);
            article.note(mention, place, gazetteer);
            if first.is_none() && mention.kind != MentionKind::Pronoun && !mention.is_owned {
                first = self.readings.get(start).copied();
            }
            self.ends.push(self.readings.len());
        }
        if let Some(first) = first.filter(|r| r.span.0 >= self.offset) {
            article.keep_subject(&first);
        }
    }

    /// The readings of mention number `m`.
    fn readings_of(&self, m: usize) -> &[Reading] {
        &self.readings[m.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[m]]
    }

    fn place(&self) -> Place<'_> {
        Place { text: self.text, tokens: &self.tokens, offset: self.offset }
    }

    /// Holders of the statements on a topic found so far.
    fn taken_on(&self, topic: Word<'_>) -> Vec<NameId> {
        self.taken.iter().filter(|(key, _)| *key == topic.key()).map(|(_, name)| *name).collect()
    }

    /// The holder of a statement by the ranker and the rules.
    fn best(&self, article: &Article, (topic, stance): (Word<'_>, Word<'_>), taken: &[NameId], ranker: &Weights) -> Candidate {
        let view = self.view(article, topic, stance, taken);
        let choice = view.choose(None, ranker);
        let choice = self.speaker(choice).map_or(choice, |m| view.choose(Some(m), ranker));
        self.overrule(choice, article.last_holder().is_some())
    }

    /// Tells the article the holder of a statement.
    fn keep(&self, candidate: Candidate, (topic, stance): (Word<'_>, Word<'_>), article: &mut Article) -> Option<Named> {
        let ((name, span), mention) = match candidate {
            Candidate::Phrase(m, r) => {
                let reading = &self.readings_of(m)[r];
                ((reading.name, reading.span), Some((&self.mentions[m], self.place())))
            }
            Candidate::Earlier => (article.last_holder()?, None),
            Candidate::Nobody => {
                article.keep_unheld();
                return None;
            }
        };
        article.keep_holder((name, span), (topic, stance), mention);
        article.keep_offices(name, &self.mentions, self.place());
        Some((name, span))
    }

    fn view<'v>(&'v self, article: &'v Article, topic: Word<'v>, stance: Word<'v>, taken: &'v [NameId]) -> View<'v> {
        View { sentence: self, article, topic, stance, taken }
    }

    /// The party before the holder that reports what the holder said: "Trump said Modi asked him".
    fn via(&self, candidate: Candidate, name: NameId) -> Option<NameId> {
        let Candidate::Phrase(m, _) = candidate else { return None };
        let first = self.mentions[m].words.0;
        // "Trump said (that) Modi", and nothing else between.
        let says = first.checked_sub(1 + usize::from(first > 0 && self.tokens[first - 1].lower == "that"))?;
        let is_reported = self.tokens[says].verb == Some(VerbKind::Say) && !self.tokens[says].is_quoted;
        let is_acting = self.tokens.get(self.mentions[m].words.1 + 1).is_some_and(|t| t.verb.is_some());
        let reporter = self.mentions[..m].iter().position(|mention| mention.words.1 + 1 == says)?;
        let is_party = self.mentions[reporter].kind == MentionKind::Party;
        let party = self.readings_of(reporter).first().filter(|r| r.name != name && is_party)?;
        (is_reported && is_acting).then_some(party.name)
    }

    /// Phrase and reading of the other of two parties.
    fn partner(&self, holder: &Holder, article: &Article) -> Option<(usize, usize)> {
        let is_holder = |r: &Reading| names::tidy(article.names().text(r.name)) == holder.name;
        let m = (0..self.mentions.len()).find(|&m| self.readings_of(m).iter().any(|r| r.span == holder.span && is_holder(r)))?;
        if self.mentions[m].kind == MentionKind::Both {
            return self.readings_of(m).iter().position(|r| r.is_party() && !is_holder(r)).map(|r| (m, r));
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
