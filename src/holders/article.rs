//! What is known of an article so far, and for whom a phrase may stand in it.
//!
//! A phrase seldom says by itself whose position it gives: "the minister", "she", "the capital". For each phrase all parties that it may stand for are
//! listed, with how each was found; the ranker chooses phrase and party at once.

use crate::holders::ahead::{Ahead, core_name};
use crate::holders::bounds::other_bounds;
use crate::holders::gazetteer::{Gazetteer, Office, PartyKind};
use crate::holders::mentions::{Bytes, Mention, MentionKind};
use crate::holders::names::{NameId, Names, push_lower, tidy};
use crate::holders::tokens::Token;
use crate::holders::weights::Word;

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
    /// The state named most often in the whole article.
    Main,
    /// The phrase, with the demonym of that state before it.
    QualifiedMain,
    /// A longer name in the article that holds all words of the phrase.
    Longer,
    /// The party of a person, from where the article gives the office.
    Introduced,
    /// The body of a person, from there.
    IntroducedBody,
    /// The name of a person, from there.
    FullName,
    /// The phrase and what goes on behind it: "landowners at Panguna".
    Extended,
    /// The phrase up to its first preposition.
    Head,
    /// The phrase from its first capitalised word.
    Tail,
    /// What belongs to an owner: "Bangkok's Siam Evening".
    Owned,
    /// What stands behind the first preposition: "deputies of the ruling coalition".
    OfPart,
    /// The phrase with the word before it.
    Wider,
    /// The phrase with the word behind it.
    Further,
    /// The state named most often in the whole article but one.
    Second,
    /// The body in the phrase, without those who speak for it.
    Core,
    /// That body, or the one to which the persons of the phrase belong, with the state in the phrase or else one of the article.
    StateBody,
    /// The body of the same kind that the article names with its state or place.
    NamedBody,
}

/// All ways, in the order of their bits, with their names as facts.
pub(crate) const HOWS: [(How, Word<'_>); 31] = [
    (How::Own, Word::new("own")),
    (How::Whole, Word::new("whole")),
    (How::Part, Word::new("part")),
    (How::Person, Word::new("person")),
    (How::Qualified, Word::new("qualified")),
    (How::Known, Word::new("known")),
    (How::Near, Word::new("near")),
    (How::NearState, Word::new("nearstate")),
    (How::Focus, Word::new("focus")),
    (How::First, Word::new("first")),
    (How::SentenceFirst, Word::new("sentencefirst")),
    (How::Subject, Word::new("subject")),
    (How::Holder, Word::new("holder")),
    (How::HolderBefore, Word::new("holderbefore")),
    (How::Main, Word::new("main")),
    (How::QualifiedMain, Word::new("qualifiedmain")),
    (How::Longer, Word::new("longer")),
    (How::Introduced, Word::new("introduced")),
    (How::IntroducedBody, Word::new("introducedbody")),
    (How::FullName, Word::new("fullname")),
    (How::Extended, Word::new("extended")),
    (How::Head, Word::new("head")),
    (How::Tail, Word::new("tail")),
    (How::Owned, Word::new("owned")),
    (How::OfPart, Word::new("ofpart")),
    (How::Wider, Word::new("wider")),
    (How::Further, Word::new("further")),
    (How::Second, Word::new("second")),
    (How::Core, Word::new("core")),
    (How::StateBody, Word::new("statebody")),
    (How::NamedBody, Word::new("namedbody")),
];

/// A party that a phrase may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) name: NameId,
    /// Set of [`How`].
    pub(crate) hows: u32,
    /// Bytes of the article where the party is named.
    pub(crate) span: Bytes,
    /// Set of [`Home`], for a body of that state.
    pub(crate) homes: u8,
    /// Bytes of the sentence that are the name, where it stands there as a part of the phrase or around it.
    pub(crate) part: Option<Bytes>,
}

/// What a state is to the article, of which a body may be; a bit of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// In the phrase.
    Own,
    /// The last one.
    Last,
    /// Named most often so far.
    Focus,
    /// Named first.
    First,
    /// Named most often in the whole article.
    Main,
    /// Named most often but one.
    Second,
    /// The last holder.
    Holder,
}

/// All of them, in the order of their bits, as facts.
pub(crate) const HOMES: [(Home, Word<'_>); 7] = [
    (Home::Own, Word::new("own")),
    (Home::Last, Word::new("last")),
    (Home::Focus, Word::new("focus")),
    (Home::First, Word::new("first")),
    (Home::Main, Word::new("main")),
    (Home::Second, Word::new("second")),
    (Home::Holder, Word::new("holder")),
];

/// States of which a body may be, and the sets of [`Home`].
type Homes = [(Option<usize>, u8); MOST_HOMES];
const MOST_HOMES: usize = 4;

impl Reading {
    /// Whether the article has shown it to be a state or a holder.
    pub(crate) fn is_party(&self) -> bool {
        let proofs = [How::NearState, How::Focus, How::First, How::Holder, How::HolderBefore];
        proofs.iter().any(|how| self.hows & (1 << *how as u32) != 0)
    }
}

/// A party and where it is named.
pub(crate) type Named = (NameId, Bytes);

#[derive(Debug, Clone)]
struct Party {
    name: NameId,
    /// Number in the gazetteer, for a state.
    state: Option<usize>,
    count: usize,
    /// Last place.
    span: Bytes,
}

/// Whom a surname, or the words of an office, stood for.
#[derive(Debug, Clone)]
struct Known {
    /// In lower case.
    words: Box<str>,
    name: NameId,
}

/// A statement and its holder.
#[derive(Debug, Clone)]
struct Held {
    holder: Named,
    /// Key of the name, as [`Names::plain`] gives it.
    plain: u64,
    /// Keys of topic and stance.
    topic: u64,
    stance: u64,
}

/// Where the parties of a phrase are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// In its own words.
    Words,
    /// In the article too.
    Article,
}

/// A sentence of the article as it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'s> {
    pub(crate) text: &'s str,
    pub(crate) tokens: &'s [Token<'s>],
    /// First byte in the article.
    pub(crate) offset: usize,
}

/// What has been learnt from the article so far.
#[derive(Debug, Clone, Default)]
pub struct Article {
    names: Names,
    /// What was seen of the whole article.
    ahead: Ahead,
    /// Parties in the order of their first mention.
    parties: Vec<Party>,
    known: Vec<Known>,
    /// First party of the last sentence that had one.
    subject: Option<Named>,
    /// Statements so far with a holder.
    held: Vec<Held>,
    /// Statements so far without a holder.
    n_unheld: usize,
    is_last_unheld: bool,
    /// For names that are put together, and words in lower case.
    buffer: String,
    /// Memory of sentences that are done with.
    spare: Vec<Spare>,
}

/// The buffers of a sentence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spare {
    pub(crate) tokens: Vec<Token<'static>>,
    pub(crate) mentions: Vec<Mention>,
    pub(crate) readings: Vec<Reading>,
    pub(crate) ends: Vec<usize>,
}

impl Article {
    /// The names that readings refer to.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Empty buffers for a sentence.
    pub(crate) fn spare(&mut self) -> Spare {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes the buffers of a sentence back.
    pub(crate) fn keep_spare(&mut self, mut spare: Spare) {
        spare.mentions.clear();
        spare.readings.clear();
        spare.ends.clear();
        self.spare.push(spare);
    }

    /// Forgets the article, and keeps the memory for the next one.
    pub fn clear(&mut self) {
        self.names.clear();
        self.ahead.clear();
        self.parties.clear();
        self.known.clear();
        self.subject = None;
        self.held.clear();
        self.n_unheld = 0;
        self.is_last_unheld = false;
    }

    /// The number of a name.
    pub(crate) fn name_id(&mut self, name: &str) -> NameId {
        self.names.id(name)
    }

    /// The last holder; before the first one, the last subject.
    pub(crate) fn last_holder(&self) -> Option<Named> {
        self.held.last().map(|held| held.holder).or(self.subject)
    }

    /// How many statements so far have this holder, and whether the last of them on a topic takes a stance; none where none is on it.
    pub(crate) fn held(&self, name: NameId, topic: Word<'_>, stance: Word<'_>) -> (usize, Option<bool>) {
        let plain = self.names.plain(name);
        let (mut n, mut is_stance) = (0, None);
        for held in self.held.iter().filter(|held| held.plain == plain) {
            n += 1;
            if held.topic == topic.key() {
                is_stance = Some(held.stance == stance.key());
            }
        }
        (n, is_stance)
    }

    /// The last holder that is not the last one.
    fn holder_before(&self) -> Option<Named> {
        let last = self.held.last()?.holder.0;
        self.held.iter().rev().map(|held| held.holder).find(|(name, _)| *name != last)
    }

    /// Learns what the whole article tells, from each of its sentences.
    pub(crate) fn foresee(&mut self, place: Place<'_>, mentions: &[Mention], gazetteer: &Gazetteer) {
        self.ahead.add_voice(place.tokens);
        for mention in mentions {
            self.ahead.add(mention, place, gazetteer, &mut self.names);
        }
    }

    /// How often the author speaks of the own side in the whole article.
    pub(crate) fn n_own_voice(&self) -> usize {
        self.ahead.n_own_voice()
    }

    /// Statements so far without a holder, and with one.
    pub(crate) fn n_statements(&self) -> (usize, usize) {
        (self.n_unheld, self.held.len())
    }

    /// Whether the last statement has no holder.
    pub(crate) fn is_last_unheld(&self) -> bool {
        self.is_last_unheld
    }

    /// Keeps a statement without a holder.
    pub(crate) fn keep_unheld(&mut self) {
        self.n_unheld += 1;
        self.is_last_unheld = true;
    }

    /// How often a party is named in the whole article.
    pub(crate) fn total(&self, name: NameId) -> usize {
        self.ahead.count(name)
    }

    /// The office of a person who is introduced elsewhere.
    pub(crate) fn introduced_office(&self, mention: &Mention, tokens: &[Token<'_>]) -> Option<Office> {
        let surname = mention.surname.filter(|_| mention.office.is_none() && mention.party.is_none())?;
        self.ahead.introduction(tokens[surname].word())?.office
    }

    /// Keeps the chosen holder of a statement on a topic with a stance, and for whom its phrase stood.
    pub(crate) fn keep_holder(
        &mut self,
        (name, span): Named,
        (topic, stance): (Word<'_>, Word<'_>),
        mention: Option<(&Mention, Place<'_>)>,
    ) {
        let plain = self.names.plain(name);
        self.held.push(Held { holder: (name, span), plain, topic: topic.key(), stance: stance.key() });
        self.is_last_unheld = false;
        let Some((mention, place)) = mention else { return };
        if let Some(surname) = mention.surname {
            self.keep_known(&place.tokens[surname].lower, name);
        }
        if mention.kind == MentionKind::Office || mention.kind == MentionKind::Described {
            self.keep_known(&place.text[mention.text.0..mention.text.1].to_lowercase(), name);
        }
    }

    /// Keeps that the offices with a name which a sentence mentions beside its holder speak for that holder: "Pakistan would welcome it, a Foreign Office
    /// spokesperson said". What an office stands for already is left as it is. Learning
    /// does without: weights learnt with it trusted such offices less, and the scores were the same.
    pub(crate) fn keep_offices(&mut self, name: NameId, mentions: &[Mention], place: Place<'_>) {
        for mention in mentions.iter().filter(|m| m.party.is_none() && !m.is_owned) {
            let inside = &place.tokens[mention.words.0..=mention.words.1];
            let words = place.text[mention.text.0..mention.text.1].to_lowercase();
            if inside.iter().any(|t| t.office.is_some() && t.is_capital) && self.known.iter().all(|k| *k.words != *words) {
                self.keep_known(&words, name);
            }
        }
    }

    fn keep_known(&mut self, words: &str, name: NameId) {
        match self.known.iter_mut().find(|known| *known.words == *words) {
            Some(known) => known.name = name,
            None => self.known.push(Known { words: words.into(), name }),
        }
    }

    fn states(&self) -> impl DoubleEndedIterator<Item = &Party> {
        self.parties.iter().filter(|p| p.state.is_some())
    }

    /// The state named last.
    fn latest_state(&self) -> Option<&Party> {
        self.states().max_by_key(|p| p.span.1)
    }

    /// The state named most often, the first of several.
    fn main_state(&self) -> Option<&Party> {
        self.states().rev().max_by_key(|p| p.count)
    }

    /// Adds to `list` all parties that a phrase may stand for; `sentence_first` is the sentence's first party.
    pub(crate) fn readings_into(
        &mut self,
        mention: &Mention,
        place: Place<'_>,
        reach: Reach,
        sentence_first: Option<&Reading>,
        gazetteer: &Gazetteer,
        list: &mut Vec<Reading>,
    ) {
        let here = (place.offset + mention.start, place.offset + mention.end);
        let mut readings = Readings { first: list.len(), list, here };
        let is_anaphor = matches!(mention.kind, MentionKind::Pronoun | MentionKind::Both);
        if let Some(party) = mention.party {
            let name = self.names.id(gazetteer.canonical(party));
            readings.add(name, How::Own, None, &self.names);
        }
        if !is_anaphor {
            self.add_names(mention, place, &mut readings);
            // Other phrases are seldom holders, and would cost as much.
            if reach == Reach::Article {
                self.add_ahead(mention, place, &mut readings);
            }
        }
        if !is_anaphor && reach == Reach::Article {
            self.add_bodies(mention, place, gazetteer, &mut readings);
        }
        let is_plain = mention.party.is_some() && mention.office.is_none() && mention.surname.is_none() && !mention.is_owned;
        if !is_plain && (reach == Reach::Article || is_anaphor) {
            self.add_context(mention, place, is_anaphor, sentence_first, gazetteer, &mut readings);
        }
    }

    /// Parties that the words of the phrase give.
    fn add_names(&mut self, mention: &Mention, place: Place<'_>, readings: &mut Readings<'_>) {
        let text = &place.text[mention.text.0..mention.text.1];
        if let Some(surname) = mention.surname
            && let Some(known) = self.known.iter().rev().find(|known| *known.words == *place.tokens[surname].lower)
        {
            readings.add(known.name, How::Known, None, &self.names);
        }
        if !self.known.is_empty() {
            self.buffer.clear();
            push_lower(text, &mut self.buffer);
            let (text, is_long) = (self.buffer.as_str(), self.buffer.contains(' '));
            let is_same = |words: &str| words == text || (is_long && (words.starts_with(text) || text.starts_with(words)));
            if let Some(known) = self.known.iter().rev().find(|known| is_same(&known.words)) {
                readings.add(known.name, How::Known, None, &self.names);
            }
        }
        for (part, how) in [(mention.body, How::Part), (mention.person, How::Person)] {
            if let Some((start, end)) = part {
                let name = self.names.id(&place.text[start..end]);
                readings.add_part(name, how, (start, end), &self.names);
            }
        }
        let whole = text.split([',', ';']).next().unwrap_or_default();
        let whole = whole.split(" who ").next().unwrap_or_default().trim();
        if !whole.is_empty() {
            let name = self.names.id(whole);
            readings.add_part(name, How::Whole, (mention.text.0, mention.text.0 + whole.len()), &self.names);
        }
    }

    /// Names that the article gives elsewhere, before or behind: in full, or with the office of a person.
    fn add_ahead(&mut self, mention: &Mention, place: Place<'_>, readings: &mut Readings<'_>) {
        if mention.party.is_none()
            && let Some(introduction) = mention.surname.and_then(|at| self.ahead.introduction(place.tokens[at].word()))
        {
            for (name, how) in [
                (introduction.party, How::Introduced),
                (introduction.body, How::IntroducedBody),
                (introduction.person, How::FullName),
            ] {
                if let Some(name) = name {
                    readings.add(name, how, None, &self.names);
                }
            }
        }
        for name in self.ahead.longer(mention, place.tokens).into_iter().flatten() {
            readings.add(name, How::Longer, None, &self.names);
        }
        for (how, bounds) in other_bounds(mention, place) {
            let Some((start, end)) = bounds else { continue };
            let name = self.names.id(&place.text[start..end]);
            readings.add_part(name, how, (start, end), &self.names);
        }
    }

    /// The body of the phrase, with and without its state.
    fn add_bodies(&mut self, mention: &Mention, place: Place<'_>, gazetteer: &Gazetteer, readings: &mut Readings<'_>) {
        let Some(core) = mention.core else { return };
        if core.text.is_some() {
            let name = core_name(&core, None, place, gazetteer, &mut self.buffer, &mut self.names);
            readings.add(name, How::Core, None, &self.names);
        }
        if let Some(name) = self.ahead.body(&core, place.tokens) {
            readings.add(name, How::NamedBody, None, &self.names);
        }
        for (state, homes) in self.homes(core.state) {
            if state.is_some() {
                let name = core_name(&core, state, place, gazetteer, &mut self.buffer, &mut self.names);
                readings.add_body(name, homes, &self.names);
            }
        }
    }

    /// The states of which a body in the article may be; only `own` where the phrase has one.
    fn homes(&self, own: Option<usize>) -> Homes {
        let mut homes = Homes::default();
        if own.is_some() {
            homes[0] = (own, 1 << Home::Own as u8);
            return homes;
        }
        let [main, second] = self.ahead.main_states().map(|state| state.and_then(|s| s.1));
        let held = self.held.last().and_then(|held| self.parties.iter().find(|p| p.name == held.holder.0)).and_then(|p| p.state);
        let of = |party: Option<&Party>| party.and_then(|p| p.state);
        let all = [
            (of(self.latest_state()), Home::Last),
            (of(self.main_state()), Home::Focus),
            (main, Home::Main),
            (of(self.states().next()), Home::First),
            (held, Home::Holder),
            (second, Home::Second),
        ];
        for (state, home) in all.into_iter().filter(|(state, _)| state.is_some()) {
            let place = homes.iter().position(|(known, _)| *known == state || known.is_none());
            if let Some(place) = place {
                homes[place] = (state, homes[place].1 | 1 << home as u8);
            }
        }
        homes
    }

    /// Parties that the article gives.
    fn add_context(
        &mut self,
        mention: &Mention,
        place: Place<'_>,
        is_anaphor: bool,
        sentence_first: Option<&Reading>,
        gazetteer: &Gazetteer,
        readings: &mut Readings<'_>,
    ) {
        let [main, second] = self.ahead.main_states();
        let is_body = place.tokens[mention.words.1].office == Some(Office::OwnBody);
        let is_nameless = mention.party.is_none()
            && (mention.person.is_none_or(|person| person == mention.text) || is_body)
            && !is_anaphor
            && !mention.is_owned;
        if is_nameless && mention.core.is_none() {
            let so_far = [self.latest_state(), self.main_state()].map(|p| p.map(|p| (p.name, p.state)));
            let ways = [How::Qualified, How::Qualified, How::QualifiedMain];
            for (state, how) in so_far.into_iter().chain([main]).zip(ways) {
                let Some((name, state)) = state else { continue };
                let name = self.qualified(name, state, mention, place, gazetteer);
                readings.add(name, how, None, &self.names);
            }
        }
        let of = |p: &Party| (p.name, p.span);
        let all = [
            (self.parties.iter().max_by_key(|p| p.span.1).map(of), How::Near),
            (self.latest_state().map(of), How::NearState),
            (self.main_state().map(of), How::Focus),
            (self.states().next().map(of), How::First),
            (main.map(|(name, _)| (name, readings.here)), How::Main),
            (second.map(|(name, _)| (name, readings.here)), How::Second),
            (sentence_first.filter(|_| mention.words.0 > 0).map(|r| (r.name, r.span)), How::SentenceFirst),
            (self.subject, How::Subject),
            (self.last_holder(), How::Holder),
            (self.holder_before(), How::HolderBefore),
        ];
        for (party, how) in all {
            if let Some((name, span)) = party {
                readings.add(name, how, is_anaphor.then_some(span), &self.names);
            }
        }
    }

    /// A phrase with the demonym of a state before it.
    fn qualified(
        &mut self,
        name: NameId,
        state: Option<usize>,
        mention: &Mention,
        place: Place<'_>,
        gazetteer: &Gazetteer,
    ) -> NameId {
        let demonym = state.and_then(|party| gazetteer.demonym(party));
        self.buffer.clear();
        self.buffer.push_str(demonym.unwrap_or(self.names.text(name)));
        self.buffer.push(' ');
        self.buffer.push_str(tidy(&place.text[mention.text.0..mention.text.1]));
        self.names.id(&self.buffer)
    }

    /// Counts a phrase that names a party.
    pub(crate) fn note(&mut self, mention: &Mention, place: Place<'_>, gazetteer: &Gazetteer) {
        let span = (place.offset + mention.start, place.offset + mention.end);
        let (name, state) = match (mention.party, mention.kind) {
            (Some(party), _) => {
                let is_state = gazetteer.kind(party) == PartyKind::State;
                (gazetteer.canonical(party), is_state.then_some(party))
            }
            (None, MentionKind::Name) if mention.office == Some(Office::OwnBody) => {
                (&place.text[mention.text.0..mention.text.1], None)
            }
            _ => return,
        };
        let name = self.names.id(name);
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
        self.subject = Some((reading.name, reading.span));
    }
}

/// The readings of one phrase, at the end of those of its sentence.
struct Readings<'l> {
    list: &'l mut Vec<Reading>,
    first: usize,
    here: Bytes,
}

impl Readings<'_> {
    /// Adds a party, or one more way to it; `span` is where it is named if not here.
    fn add(&mut self, name: NameId, how: How, span: Option<Bytes>, names: &Names) -> &mut Reading {
        let known = self.list[self.first..].iter().position(|r| names.is_same(r.name, name));
        let at = known.map_or(self.list.len(), |at| self.first + at);
        if at == self.list.len() {
            self.list.push(Reading { name, hows: 0, span: span.unwrap_or(self.here), homes: 0, part: None });
        }
        let reading = &mut self.list[at];
        reading.hows |= 1 << how as u32;
        reading
    }

    /// Adds a party whose name is those bytes of the sentence.
    fn add_part(&mut self, name: NameId, how: How, part: Bytes, names: &Names) {
        self.add(name, how, None, names).part.get_or_insert(part);
    }

    /// Adds a body of a state.
    fn add_body(&mut self, name: NameId, homes: u8, names: &Names) {
        self.add(name, How::StateBody, None, names).homes |= homes;
    }
}
