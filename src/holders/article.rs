//! What is known of an article so far, and for whom a phrase may stand in it.
//!
//! A phrase seldom says by itself whose position it gives: "the minister", "she", "the capital". For each phrase all parties that it may stand for are
//! listed, with how each was found; the ranker chooses phrase and party at once.

use crate::holders::gazetteer::{Gazetteer, Office, PartyKind};
use crate::holders::mentions::{Mention, MentionKind};
use crate::holders::names::{same_name, tidy};

/// How a party was found for a phrase; a bit of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The gazetteer knows the name.
    Own,
    /// The whole phrase is the name.
    Whole,
    /// A body named in the phrase.
    Part,
    /// The person named in the phrase.
    Person,
    /// The phrase, with the demonym of a state before it: "the opposition" is the "Kenyan opposition".
    Qualified,
    /// A surname or office that stood for a holder before.
    Known,
    /// The last party named before.
    Near,
    /// The last state named before.
    NearState,
    /// The state named most often.
    Focus,
    /// The first state of the article.
    First,
    /// The first party of the sentence.
    SentenceFirst,
    /// The subject of the sentence before.
    Subject,
    /// The last holder.
    Holder,
    /// The last holder but one.
    HolderBefore,
}

/// All ways, in the order of their bits, with their names as facts.
pub(crate) const HOWS: [(How, &str); 14] = [
    (How::Own, "own"),
    (How::Whole, "whole"),
    (How::Part, "part"),
    (How::Person, "person"),
    (How::Qualified, "qualified"),
    (How::Known, "known"),
    (How::Near, "near"),
    (How::NearState, "nearstate"),
    (How::Focus, "focus"),
    (How::First, "first"),
    (How::SentenceFirst, "sentencefirst"),
    (How::Subject, "subject"),
    (How::Holder, "holder"),
    (How::HolderBefore, "holderbefore"),
];

/// A party that a phrase may stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) name: String,
    /// Set of [`How`].
    pub(crate) hows: u32,
    /// Bytes of the article where the party is named.
    pub(crate) span: (usize, usize),
}

impl Reading {
    /// Whether the article has shown it to be a state or a holder.
    pub(crate) fn is_party(&self) -> bool {
        let proofs = [How::NearState, How::Focus, How::First, How::Holder, How::HolderBefore];
        proofs.iter().any(|how| self.hows & (1 << *how as u32) != 0)
    }
}

#[derive(Debug, Clone)]
struct Party {
    name: String,
    /// Number in the gazetteer, for a state.
    state: Option<usize>,
    count: usize,
    /// Last place.
    span: (usize, usize),
}

/// What has been learnt from the article so far.
#[derive(Debug, Clone, Default)]
pub struct Article {
    /// Parties in the order of their first mention.
    parties: Vec<Party>,
    /// Whom a surname, or the words of an office, stood for.
    known: Vec<(String, String)>,
    /// First party of the last sentence that had one.
    subject: Option<(String, (usize, usize))>,
    /// Holders so far.
    holders: Vec<(String, (usize, usize))>,
}

impl Article {
    /// The last holder; before the first one, the last subject.
    pub(crate) fn last_holder(&self) -> Option<&(String, (usize, usize))> {
        self.holders.last().or(self.subject.as_ref())
    }

    /// The last holder that is not the last one.
    fn holder_before(&self) -> Option<&(String, (usize, usize))> {
        let last = &self.holders.last()?.0;
        self.holders.iter().rev().find(|(name, _)| name != last)
    }

    /// How often a party was named.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.parties.iter().find(|p| p.name == name).map_or(0, |p| p.count)
    }

    /// Keeps a chosen holder, and for whom its phrase stood.
    pub(crate) fn keep_holder(&mut self, name: &str, span: (usize, usize), mention: Option<&Mention>) {
        self.holders.push((name.to_owned(), span));
        let Some(mention) = mention else { return };
        if let Some(surname) = &mention.surname {
            self.keep_known(surname.clone(), name);
        }
        if mention.kind == MentionKind::Office || mention.kind == MentionKind::Described {
            self.keep_known(mention.text.to_lowercase(), name);
        }
    }

    fn keep_known(&mut self, key: String, name: &str) {
        match self.known.iter_mut().find(|(k, _)| *k == key) {
            Some(known) => known.1 = name.to_owned(),
            None => self.known.push((key, name.to_owned())),
        }
    }

    fn state(&self, best: impl Fn(&[&Party]) -> Option<usize>) -> Option<&Party> {
        let states: Vec<&Party> = self.parties.iter().filter(|p| p.state.is_some()).collect();
        best(&states).map(|i| states[i])
    }

    /// All parties that a phrase of a sentence at byte `offset` may stand for; `sentence_first` is the sentence's first party.
    pub(crate) fn readings(
        &self,
        mention: &Mention,
        offset: usize,
        sentence_first: Option<&Reading>,
        gazetteer: &Gazetteer,
    ) -> Vec<Reading> {
        let here = (offset + mention.start, offset + mention.end);
        let mut readings = Readings { list: Vec::with_capacity(8), here };
        let is_anaphor = matches!(mention.kind, MentionKind::Pronoun | MentionKind::Both);
        if let Some(party) = mention.party {
            readings.add(gazetteer.canonical(party), How::Own, None);
        }
        if !is_anaphor {
            self.add_names(mention, &mut readings);
        }
        let is_plain = mention.party.is_some() && mention.office.is_none() && mention.surname.is_none() && !mention.is_owned;
        if !is_plain {
            self.add_context(mention, is_anaphor, sentence_first, gazetteer, &mut readings);
        }
        readings.list
    }

    /// Parties that the words of the phrase give.
    fn add_names(&self, mention: &Mention, readings: &mut Readings) {
        if let Some(surname) = &mention.surname
            && let Some((_, name)) = self.known.iter().rev().find(|(key, _)| key == surname)
        {
            readings.add(name, How::Known, None);
        }
        let text = mention.text.to_lowercase();
        let is_same = |key: &str| key == text || (text.contains(' ') && (key.starts_with(&text) || text.starts_with(key)));
        if let Some((_, name)) = self.known.iter().rev().find(|(key, _)| is_same(key)) {
            readings.add(name, How::Known, None);
        }
        if let Some(body) = &mention.body {
            readings.add(body, How::Part, None);
        }
        if let Some(person) = &mention.person {
            readings.add(person, How::Person, None);
        }
        let whole = mention.text.split([',', ';']).next().unwrap_or_default();
        let whole = whole.split(" who ").next().unwrap_or_default().trim();
        if !whole.is_empty() {
            readings.add(whole, How::Whole, None);
        }
    }

    /// Parties that the article gives.
    fn add_context(
        &self,
        mention: &Mention,
        is_anaphor: bool,
        sentence_first: Option<&Reading>,
        gazetteer: &Gazetteer,
        readings: &mut Readings,
    ) {
        let of = |p: &Party| (p.name.clone(), p.span);
        let latest = |states: &[&Party]| (0..states.len()).max_by_key(|&i| states[i].span.1);
        let most = |states: &[&Party]| (0..states.len()).rev().max_by_key(|&i| states[i].count);
        let is_nameless = mention.party.is_none() && mention.person.is_none() && !is_anaphor && !mention.is_owned;
        if is_nameless {
            for state in [self.state(latest), self.state(most)].into_iter().flatten() {
                let demonym = state.state.and_then(|party| gazetteer.demonym(party));
                readings.add(&format!("{} {}", demonym.unwrap_or(&state.name), tidy(&mention.text)), How::Qualified, None);
            }
        }
        let mut add = |party: Option<(&str, (usize, usize))>, how: How| {
            if let Some((name, span)) = party {
                readings.add(name, how, is_anaphor.then_some(span));
            }
        };
        let near = self.parties.iter().max_by_key(|p| p.span.1).map(of);
        let near_state = self.state(latest).map(of);
        let focus = self.state(most).map(of);
        let first = self.state(|states| (!states.is_empty()).then_some(0)).map(of);
        let borrow = |p: &Option<(String, (usize, usize))>| p.as_ref().map(|(n, s)| (n.clone(), *s));
        let all = [
            (near, How::Near),
            (near_state, How::NearState),
            (focus, How::Focus),
            (first, How::First),
            (sentence_first.filter(|_| mention.words.0 > 0).map(|r| (r.name.clone(), r.span)), How::SentenceFirst),
            (borrow(&self.subject), How::Subject),
            (self.last_holder().cloned(), How::Holder),
            (self.holder_before().cloned(), How::HolderBefore),
        ];
        for (party, how) in &all {
            add(party.as_ref().map(|(n, s)| (n.as_str(), *s)), *how);
        }
    }

    /// Counts a phrase that names a party.
    pub(crate) fn note(&mut self, mention: &Mention, offset: usize, gazetteer: &Gazetteer) {
        let span = (offset + mention.start, offset + mention.end);
        let (name, state) = match (mention.party, mention.kind) {
            (Some(party), _) => {
                let is_state = gazetteer.kind(party) == PartyKind::State;
                (gazetteer.canonical(party).to_owned(), is_state.then_some(party))
            }
            (None, MentionKind::Name) if mention.office == Some(Office::OwnBody) => (mention.text.clone(), None),
            _ => return,
        };
        match self.parties.iter_mut().find(|p| p.name == name) {
            Some(known) => {
                known.count += 1;
                known.span = span;
            }
            None => self.parties.push(Party { name, state, count: 1, span }),
        }
    }

    /// The subject for the next sentence.
    pub(crate) fn keep_subject(&mut self, reading: &Reading) {
        self.subject = Some((reading.name.clone(), reading.span));
    }
}

struct Readings {
    list: Vec<Reading>,
    here: (usize, usize),
}

impl Readings {
    /// Adds a party, or one more way to it; `span` is where it is named if not here.
    fn add(&mut self, name: &str, how: How, span: Option<(usize, usize)>) {
        let bit = 1 << how as u32;
        match self.list.iter_mut().find(|r| r.name == name || same_name(&r.name, name)) {
            Some(reading) => reading.hows |= bit,
            None => self.list.push(Reading { name: name.to_owned(), hows: bit, span: span.unwrap_or(self.here) }),
        }
    }
}
