//! What the whole article tells of its parties, gathered before its statements are read: names in full, the offices of persons, and how often each party is
//! named. The full name, or the office, often comes after the first statement of its party: a headline has "Tribes", the text "the Euphrates tribes".

use crate::holders::article::Place;
use crate::holders::gazetteer::{Gazetteer, Office, PartyKind};
use crate::holders::mentions::{Core, Mention, MentionKind};
use crate::holders::names::{NameId, Names};
use crate::holders::tokens::Token;
use crate::holders::weights::{Word, words};

/// Words of an author's own side: "our view", "this newspaper".
const OWN_VOICE: [Word<'_>; 6] = words(["we", "our", "us", "ours", "newspaper", "readers"]);
/// Longer names that are offered for a phrase.
const MOST_LONGER: usize = 2;

/// What was seen of the whole article.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ahead {
    counts: Vec<Count>,
    full_names: Vec<FullName>,
    /// Keys of the words of the full names.
    words: Vec<u64>,
    buffer: String,
    introductions: Vec<Introduction>,
    bodies: Vec<Body>,
    /// Words by which an author speaks of the own side, outside quotations.
    n_own_voice: usize,
}

#[derive(Debug, Clone)]
struct Count {
    name: NameId,
    /// Number in the gazetteer, for a state.
    state: Option<usize>,
    n: usize,
}

/// A body with its state or a name: "Sudanese army", "Gauteng police".
#[derive(Debug, Clone)]
struct Body {
    name: NameId,
    key: u64,
    shared: Option<u8>,
    state: Option<usize>,
    n: usize,
}

/// A name of several words.
#[derive(Debug, Clone)]
struct FullName {
    name: NameId,
    /// Its words, as a range of [`Ahead::words`].
    words: (usize, usize),
    /// Key of the first letters of its capitalised words.
    initials: u64,
    n: usize,
}

/// Where the article says who a person is.
#[derive(Debug, Clone)]
pub(crate) struct Introduction {
    surname: u64,
    pub(crate) party: Option<NameId>,
    pub(crate) office: Option<Office>,
    pub(crate) body: Option<NameId>,
    pub(crate) person: Option<NameId>,
}

impl Ahead {
    /// Forgets the article, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.counts.clear();
        self.full_names.clear();
        self.words.clear();
        self.introductions.clear();
        self.bodies.clear();
        self.n_own_voice = 0;
    }

    /// Adds a phrase of the article.
    pub(crate) fn add(&mut self, mention: &Mention, place: Place<'_>, gazetteer: &Gazetteer, names: &mut Names) {
        let party = mention.party.map(|party| names.id(gazetteer.canonical(party)));
        if let (Some(name), Some(party)) = (party, mention.party) {
            match self.counts.iter_mut().find(|count| count.name == name) {
                Some(count) => count.n += 1,
                None => {
                    let is_state = gazetteer.kind(party) == PartyKind::State;
                    self.counts.push(Count { name, state: is_state.then_some(party), n: 1 });
                }
            }
        }
        self.add_body(mention, place, gazetteer, names);
        let is_named = matches!(mention.kind, MentionKind::Name | MentionKind::Party | MentionKind::Described);
        if !is_named {
            return;
        }
        let surname = mention.surname.filter(|_| mention.office.is_some() || mention.party.is_some());
        if let Some(surname) = surname.filter(|&at| self.introduction(place.tokens[at].word()).is_none()) {
            let mut part = |bytes: Option<(usize, usize)>| bytes.map(|(start, end)| names.id(&place.text[start..end]));
            self.introductions.push(Introduction {
                surname: place.tokens[surname].word().key(),
                party,
                office: mention.office,
                body: part(mention.body),
                person: part(mention.person),
            });
        }
        self.add_name(mention.text, place, names);
        if let Some(body) = mention.body {
            self.add_name(body, place, names);
        }
    }

    /// Adds a body that is named with its state or place.
    fn add_body(&mut self, mention: &Mention, place: Place<'_>, gazetteer: &Gazetteer, names: &mut Names) {
        let Some(core) = mention.core.filter(|core| core.text.is_some() && (core.is_named || core.state.is_some())) else {
            return;
        };
        let name = core_name(&core, core.state.filter(|_| !core.is_named), place, gazetteer, &mut self.buffer, names);
        match self.bodies.iter_mut().find(|body| body.name == name) {
            Some(body) => body.n += 1,
            None => self.bodies.push(Body {
                name,
                key: place.tokens[core.noun].word().key(),
                shared: core.shared,
                state: core.state,
                n: 1,
            }),
        }
    }

    /// The body of the same kind that the article names with its state or place, the one named most often first.
    pub(crate) fn body(&self, core: &Core, tokens: &[Token<'_>]) -> Option<NameId> {
        let key = tokens[core.noun].word().key();
        let is_same = |body: &&Body| {
            (body.key == key || core.shared.is_some() && core.shared == body.shared)
                && (core.state.is_none() || core.state == body.state)
        };
        self.bodies.iter().rev().filter(is_same).max_by_key(|body| body.n).map(|body| body.name)
    }

    /// Adds a name of two words or more.
    fn add_name(&mut self, (start, end): (usize, usize), place: Place<'_>, names: &mut Names) {
        let inside = || place.tokens.iter().filter(|t| start <= t.start && t.end <= end + 3 && t.start < end);
        let first = self.words.len();
        self.words.extend(inside().filter(|t| is_telling(t)).map(|t| t.word().key()));
        if self.words.len() < first + 2 || !inside().any(|t| t.is_capital) {
            self.words.truncate(first);
            return;
        }
        let name = names.id(&place.text[start..end]);
        match self.full_names.iter_mut().find(|full| full.name == name) {
            Some(full) => {
                full.n += 1;
                self.words.truncate(first);
            }
            None => {
                self.buffer.clear();
                self.buffer.extend(inside().filter(|t| t.is_capital).filter_map(|t| t.text.chars().next()));
                let initials = Word::new(&self.buffer).key();
                self.full_names.push(FullName { name, words: (first, self.words.len()), initials, n: 1 });
            }
        }
    }

    /// Counts the words by which an author speaks of the own side.
    pub(crate) fn add_voice(&mut self, tokens: &[Token<'_>]) {
        let is_own = |t: &&Token<'_>| !t.is_quoted && OWN_VOICE.contains(&t.word());
        self.n_own_voice += tokens.iter().filter(is_own).count();
    }

    /// How often the author speaks of the own side, as in a leading article.
    pub(crate) fn n_own_voice(&self) -> usize {
        self.n_own_voice
    }

    /// How often a party is named.
    pub(crate) fn count(&self, name: NameId) -> usize {
        self.counts.iter().find(|count| count.name == name).map_or(0, |count| count.n)
    }

    /// The two states named most often, the first ones of several.
    pub(crate) fn main_states(&self) -> [Option<(NameId, Option<usize>)>; 2] {
        let mut best: [Option<&Count>; 2] = [None; 2];
        for count in self.counts.iter().filter(|count| count.state.is_some()) {
            if let Some(place) = best.iter().position(|b| b.is_none_or(|b| b.n < count.n)) {
                best[place..].rotate_right(1);
                best[place] = Some(count);
            }
        }
        best.map(|count| count.map(|count| (count.name, count.state)))
    }

    /// Who the person with a surname is.
    pub(crate) fn introduction(&self, surname: Word<'_>) -> Option<&Introduction> {
        self.introductions.iter().find(|i| i.surname == surname.key())
    }

    /// Longer names that hold all words of a phrase, or have it as initials; those named most often first.
    pub(crate) fn longer(&self, mention: &Mention, tokens: &[Token<'_>]) -> [Option<NameId>; MOST_LONGER] {
        let (first, last) = mention.words;
        // "the alliance's three captains": the words up to the owner.
        let owner = (first..last).find(|&i| tokens[i].is_possessive).unwrap_or(last);
        let inside = || tokens[first..=owner].iter().filter(|t| is_telling(t));
        let n = inside().count();
        let mut best: [Option<&FullName>; MOST_LONGER] = [None; MOST_LONGER];
        if n == 0 {
            return [None; MOST_LONGER];
        }
        let acronym = (first == last && tokens[first].text.len() > 1).then(|| Word::new(tokens[first].text).key());
        let holds = |full: &&FullName| {
            let words = &self.words[full.words.0..full.words.1];
            words.len() > n && inside().all(|t| words.contains(&t.word().key())) || acronym == Some(full.initials)
        };
        for full in self.full_names.iter().filter(holds) {
            let place = best.iter().position(|b| b.is_none_or(|b| b.n < full.n));
            if let Some(place) = place {
                best[place..].rotate_right(1);
                best[place] = Some(full);
            }
        }
        best.map(|full| full.map(|full| full.name))
    }
}

/// Name of a body, with the demonym of a state before it if one is given.
pub(crate) fn core_name(
    core: &Core,
    state: Option<usize>,
    place: Place<'_>,
    gazetteer: &Gazetteer,
    buffer: &mut String,
    names: &mut Names,
) -> NameId {
    buffer.clear();
    if let Some(state) = state {
        buffer.push_str(gazetteer.demonym(state).unwrap_or(gazetteer.canonical(state)));
        buffer.push(' ');
    }
    match (core.text, core.shared) {
        (Some((start, end)), _) => buffer.push_str(&place.text[start..end]),
        (None, Some(shared)) => buffer.push_str(gazetteer.shared(shared)),
        (None, None) => {}
    }
    names.id(buffer)
}

/// Whether a word tells a name from others.
fn is_telling(token: &Token<'_>) -> bool {
    !token.is_mark
        && !matches!(
            token.lower.as_ref(),
            "the" | "a" | "an" | "of" | "in" | "from" | "for" | "and" | "at" | "on" | "its" | "their" | "his" | "her"
        )
}
