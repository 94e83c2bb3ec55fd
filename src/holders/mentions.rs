//! Noun phrases of a sentence that may name a party, and what each says of itself.
//!
//! A phrase grows around a name of the gazetteer, capitalised words or a word for an office: "Pakistan's Foreign Office spokesperson", "the defence minister",
//! "Karsan growers' union". Where the tagger has marked a span, the span is the phrase: "dairy farmers in Quebec". Not here: whom a phrase stands for in
//! its article, and which of the phrases holds a stance.

use std::ops::Range;

use crate::holders::gazetteer::{Gazetteer, Loose, NameForm, Office, PartyKind, VerbKind, WordClass};
use crate::holders::tokens::{Token, bare};
use crate::holders::weights::{Word, words};

/// What a phrase is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum MentionKind {
    /// A name of the gazetteer, perhaps with offices around it.
    Party,
    /// Capitalised words that the gazetteer does not know.
    Name,
    /// An office or body alone: "the ministry".
    Office,
    /// A pronoun or "the country".
    Pronoun,
    /// "both sides".
    Both,
    /// Anything else that the tagger has marked: "growers in the delta".
    Described,
}

/// First byte in the sentence, and one past the last.
pub(crate) type Bytes = (usize, usize);

/// A phrase of the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mention {
    /// Bytes of the sentence.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// First and last token.
    pub(crate) words: (usize, usize),
    pub(crate) kind: MentionKind,
    /// Number of the gazetteer's party that heads it.
    pub(crate) party: Option<usize>,
    pub(crate) form: Option<NameForm>,
    pub(crate) office: Option<Office>,
    /// The words without article and possessive ending.
    pub(crate) text: Bytes,
    /// A body named inside: the part behind "of", or before an office or a person.
    pub(crate) body: Option<Bytes>,
    /// The body of a state or place that speaks or is spoken for.
    pub(crate) core: Option<Core>,
    /// The name of a person at its end: "senator Anna Berg".
    pub(crate) person: Option<Bytes>,
    /// Last capitalised word, by which a person is named again: number of the token.
    pub(crate) surname: Option<usize>,
    pub(crate) is_possessive: bool,
    /// More than one word without its article.
    pub(crate) is_long: bool,
    pub(crate) pattern: Pattern,
    /// Begins with "its", "their", "his", "her".
    pub(crate) is_owned: bool,
    /// The tagger has marked it.
    pub(crate) is_tagged: bool,
}

/// A body inside a phrase, without those who speak for it: "army" in "the Sudanese army's spokesman"; or that to which persons belong: "Turkish officers".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Core {
    /// The words of the body, if it is named.
    pub(crate) text: Option<Bytes>,
    /// Number of the token that names the body or its people.
    pub(crate) noun: usize,
    /// Number of the body among those that many states have.
    pub(crate) shared: Option<u8>,
    /// The state in the phrase: number of the gazetteer's party.
    pub(crate) state: Option<usize>,
    /// Has a name of its own, or of a place: "Gauteng police".
    pub(crate) is_named: bool,
}

/// What the words of a phrase are, a letter each: d determiner, P party, D demonym, S seat, L place, O office, o office in lower case, N name, w other; s behind
/// a possessive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pattern {
    letters: [u8; Self::MOST],
    n: usize,
    /// Key of the letters, as of a [`Word`].
    key: u64,
}

impl Pattern {
    /// Letters at most, for half as many words.
    const MOST: usize = 24;
}

pub(crate) const DETERMINERS: [Word<'_>; 11] =
    words(["the", "a", "an", "its", "his", "her", "their", "both", "two", "our", "some"]);
const OWNERS: [&str; 5] = ["its", "his", "her", "their", "our"];
const PRONOUNS: [&str; 9] = ["he", "she", "they", "it", "we", "i", "his", "their", "both"];
/// Words that begin a pronoun, "the country" or "both sides".
const ANAPHOR_STARTS: [Word<'_>; 11] = words(["both", "two", "the", "he", "she", "they", "it", "we", "i", "his", "their"]);
const COUNTRY_WORDS: [&str; 10] =
    ["country", "nation", "kingdom", "republic", "island", "group", "bloc", "capital", "sultanate", "emirate"];
const PAIR_WORDS: [&str; 10] =
    ["sides", "governments", "capitals", "countries", "neighbours", "neighbors", "parties", "states", "delegations", "nations"];
/// All phrases of a sentence, in order; `tagged` are the tagger's spans, first and last token, and win where they overlap others.
pub(crate) fn mentions(sentence: &str, tokens: &[Token<'_>], tagged: &[(usize, usize)], gazetteer: &Gazetteer) -> Vec<Mention> {
    let mut found = Vec::new();
    mentions_into(sentence, tokens, tagged, gazetteer, &mut found);
    found
}

/// [`mentions`], added to `found`, which is empty.
pub(crate) fn mentions_into(
    sentence: &str,
    tokens: &[Token<'_>],
    tagged: &[(usize, usize)],
    gazetteer: &Gazetteer,
    found: &mut Vec<Mention>,
) {
    let mut next_tagged = tagged.iter().peekable();
    let mut at = 0;
    while at < tokens.len() {
        if let Some(&&(first, last)) = next_tagged.peek()
            && first <= at
        {
            next_tagged.next();
            let limit = next_tagged.peek().map_or(tokens.len(), |span| span.0);
            let (first, last) = trimmed(tokens, first, place_end(tokens, last, limit).unwrap_or(last));
            let mut mention = mention(sentence, tokens, first, last, gazetteer);
            mention.is_tagged = true;
            found.push(mention);
            at = last.max(at) + 1;
            continue;
        }
        let limit = next_tagged.peek().map_or(tokens.len(), |span| span.0);
        let floor = found.last().map_or(0, |m: &Mention| m.words.1 + 1);
        match chunk(sentence, tokens, at, floor..limit) {
            Some((first, last)) => {
                let mention = mention(sentence, tokens, first, last, gazetteer);
                found.extend(Some(mention).filter(|m| is_holder_like(m, sentence, tokens, gazetteer)));
                at = last + 1;
            }
            None => at += 1,
        }
    }
}

/// Tokens of the phrase that begins at `at`, if one does, all among `free`.
fn chunk(sentence: &str, tokens: &[Token<'_>], at: usize, free: Range<usize>) -> Option<(usize, usize)> {
    if let Some(last) = pronoun_end(tokens, at).filter(|last| free.contains(last)) {
        return Some((at, last));
    }
    if !is_head(&tokens[at], at) {
        return None;
    }
    let mut last = at;
    while last + 1 < free.end && continues(tokens, at, last, sentence) {
        last += 1;
    }
    while last > at && !is_head(&tokens[last], last) {
        last -= 1;
    }
    last = place_end(tokens, last, free.end).or_else(|| people_end(tokens, last, free.end)).unwrap_or(last);
    // An article or possessive pronoun before the phrase is part of it.
    let has_determiner = at > free.start && DETERMINERS[..8].contains(&tokens[at - 1].word());
    Some((if has_determiner { at - 1 } else { at }, last))
}

/// Where people who are named by a place end: "growers in the delta" before a verb.
fn place_end(tokens: &[Token<'_>], last: usize, limit: usize) -> Option<usize> {
    let people = tokens[last].office == Some(Office::OwnBody) && !tokens[last].is_capital
        || last == 0 && tokens[0].office == Some(Office::OwnBody);
    let is_place = people && tokens.get(last + 1).is_some_and(|t| matches!(t.text, "in" | "of" | "from" | "on" | "along"));
    let end = (last + 2..limit.min(last + 7)).find(|&i| tokens[i].verb.is_some() || tokens[i].is_mark).filter(|_| is_place)?;
    (tokens[end].verb.is_some() && end > last + 2).then_some(end - 1)
}

/// Where a group ends that begins with a demonym, a capital, an owner or the first word of the sentence: "Turkish papers", "Trade unionists" before a verb.
fn people_end(tokens: &[Token<'_>], last: usize, limit: usize) -> Option<usize> {
    let here = &tokens[last];
    let is_before = here.is_possessive || here.hit.is_some_and(|h| h.form != NameForm::Name) || last == 0 && here.hit.is_none();
    let is_plain = |t: &&Token<'_>| t.is_free() && !t.is_capital && t.loose.is_none();
    let n = tokens[last + 1..limit.min(last + 4)].iter().take_while(is_plain).count();
    let is_over = tokens.get(last + 1 + n).is_none_or(|t| t.is_mark || t.verb.is_some() || is_preposition(t));
    (is_before && n > 0 && is_over).then_some(last + n)
}

fn is_head(token: &Token<'_>, position: usize) -> bool {
    token.hit.is_some() || token.office.is_some() || is_name(token, position)
}

fn is_name(token: &Token<'_>, position: usize) -> bool {
    if !token.is_capital {
        return false;
    }
    match token.class {
        WordClass::Opener | WordClass::OpenerAndBreak => position >= 2 && token.lower.len() >= 5,
        WordClass::Date => false,
        WordClass::Open | WordClass::Break => true,
    }
}

/// Whether the token after `last` belongs to the phrase that began at `first`.
fn continues(tokens: &[Token<'_>], first: usize, last: usize, sentence: &str) -> bool {
    let (here, next) = (&tokens[last], &tokens[last + 1]);
    if next.is_mark || !sentence[here.end..next.start].trim_matches(['\'', '’']).trim().is_empty() {
        return matches!(next.text, "'" | "’") && here.is_possessive && tokens.get(last + 2).is_some_and(|t| !t.is_mark);
    }
    // Two parties side by side are two phrases, but for "Indian" before a body: "Indian Congress".
    if next.hit.is_some() {
        return tokens[first..=last].iter().all(|w| w.hit.is_none()) && here.office.is_none()
            || here.hit.is_some_and(|h| h.form == NameForm::Demonym);
    }
    // A verb that is also an office ("heads", "chairs") ends the phrase.
    if (next.office.is_some() && (next.verb.is_none() || next.is_capital)) || is_name(next, last + 1) {
        return true;
    }
    let after = tokens.get(last + 2);
    match next.text {
        "of" | "for" => {
            (here.office.is_some() || here.is_capital)
                && after.is_some_and(|w| (w.is_capital && w.hit.is_none()) || matches!(w.text, "the" | "state"))
        }
        "the" => matches!(here.text, "of" | "for"),
        "de" | "al" | "bin" | "da" | "von" | "van" => after.is_some_and(|w| w.is_capital),
        "and" => {
            here.is_capital
                && here.hit.is_none()
                && here.office.is_none()
                && after.is_some_and(|w| w.office.is_some())
                && last > first
        }
        // One lower-case word between a party and its office: "Kenyan water minister".
        lower => {
            (here.hit.is_some() || here.is_possessive || here.is_capital || last > first)
                && lower.chars().all(|c| c.is_lowercase() || c == '-')
                && after.is_some_and(|w| w.office.is_some() && !w.is_capital)
                && next.verb.is_none()
                && !matches!(next.class, WordClass::Break | WordClass::OpenerAndBreak)
        }
    }
}

/// Last token of a pronoun, "the country" or "both sides" at `at`.
fn pronoun_end(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let token = &tokens[at];
    if !ANAPHOR_STARTS.contains(&token.word()) {
        return None;
    }
    let next = |d: usize| tokens.get(at + d).map_or("", |t| t.lower.as_ref());
    match token.lower.as_ref() {
        "both" | "two" if PAIR_WORDS.contains(&next(1)) => Some(at + 1),
        "the" if COUNTRY_WORDS.contains(&next(1)) => Some(at + 1),
        "the" if next(1) == "two" && PAIR_WORDS.contains(&next(2)) => Some(at + 2),
        // "its ministry" is a phrase of its own; "his" and "their" before anything else stand for the person.
        "his" | "their" if tokens.get(at + 1).is_some_and(|t| is_head(t, at + 1)) => None,
        lower if PRONOUNS.contains(&lower) && (lower != "i" || token.text == "I") => Some(at),
        _ => None,
    }
}

/// A tagger's span without the words at its ends that belong to no name: "snapped Ali Gashi", "growers of".
fn trimmed(tokens: &[Token<'_>], mut first: usize, mut last: usize) -> (usize, usize) {
    let is_before =
        |t: &Token<'_>| t.is_mark || is_preposition(t) || !t.is_capital && t.verb == Some(VerbKind::Say) && t.office.is_none();
    let is_behind = |t: &Token<'_>| t.is_mark || is_preposition(t) || !t.is_capital && t.loose == Some(Loose::Behind);
    while first < last && is_before(&tokens[first]) {
        first += 1;
    }
    while last > first && is_behind(&tokens[last]) {
        last -= 1;
    }
    (first, last)
}

fn is_preposition(token: &Token<'_>) -> bool {
    matches!(token.text, "of" | "in" | "from" | "on" | "at" | "for" | "to" | "by" | "with")
}

/// Where the name begins in a phrase: behind its article, numbers and words of size, age or judgement, "thousands of the" too.
pub(crate) fn core(inside: &[Token<'_>], first: usize) -> usize {
    let is_loose = |i: usize| match inside[i].loose {
        Some(Loose::Number) => !inside[i].is_capital || first + i == 0,
        Some(Loose::Quality) => {
            !inside[i].is_capital
                || first + i == 0 && inside.get(i + 1).is_some_and(|next| !next.is_capital || next.hit.is_some())
        }
        _ => inside[i].text.starts_with(|c: char| c.is_ascii_digit()) && inside.get(i + 1).is_some_and(|next| !next.is_capital),
    };
    let mut core = 0;
    while core + 1 < inside.len() {
        let is_of = core > 0 && inside[core].text == "of" && inside[core - 1].loose == Some(Loose::Number);
        if !is_of && !is_loose(core) && !DETERMINERS.contains(&inside[core].word()) {
            break;
        }
        core += 1;
    }
    core
}

/// Reads the tokens `first..=last` as a phrase.
pub(crate) fn mention(sentence: &str, tokens: &[Token<'_>], first: usize, last: usize, gazetteer: &Gazetteer) -> Mention {
    let inside = &tokens[first..=last];
    let is_owned = OWNERS.contains(&inside[0].lower.as_ref()) && inside.len() > 1;
    let core = core(inside, first);
    let end = inside.last().map_or(0, |t| t.start + bare(&sentence[t.start..t.end]).len());
    let text = (inside[core].start, end.max(inside[core].start));
    // The head is before "of", "in", "from": "officials in the Indian capital", "the chief of Hamas".
    let head_end =
        inside.iter().position(|t| matches!(t.text, "of" | "in" | "from" | "on" | "at" | "for")).unwrap_or(inside.len());
    let is_party = |t: &&Token<'_>| t.hit.is_some_and(|h| gazetteer.kind(h.party) != PartyKind::Place);
    let hit = inside[..head_end].iter().rev().find(is_party).or(inside.iter().find(is_party)).and_then(|t| t.hit);
    let office = inside[..head_end].iter().rev().find_map(|t| t.office).or(inside.iter().rev().find_map(|t| t.office));
    let is_part_of_name =
        |&i: &usize| inside[i].hit.is_none() && (inside[i].office.is_none() || i > 0) && is_name(&inside[i], first + i);
    let has_name = (0..inside.len()).any(|i| is_part_of_name(&i));
    let surname = (0..inside.len()).rev().find(|i| inside[*i].office.is_none() && is_part_of_name(i)).map(|i| first + i);
    let is_alone = inside.len() <= 3;
    let lower_first = inside[0].lower.as_ref();
    let last_lower = inside[inside.len() - 1].lower.as_ref();
    let kind = if is_alone && PAIR_WORDS.contains(&last_lower) && matches!(lower_first, "both" | "the" | "two")
        || lower_first == "both" && is_alone
    {
        MentionKind::Both
    } else if inside.len() == 1 && PRONOUNS.contains(&lower_first)
        || is_alone && lower_first == "the" && COUNTRY_WORDS.contains(&last_lower) && hit.is_none()
    {
        MentionKind::Pronoun
    } else if hit.is_some() {
        MentionKind::Party
    } else if has_name {
        MentionKind::Name
    } else if office.is_some() {
        MentionKind::Office
    } else {
        MentionKind::Described
    };
    Mention {
        start: inside[0].start,
        end,
        words: (first, last),
        kind,
        party: hit.map(|h| h.party),
        form: hit.map(|h| h.form),
        office,
        text,
        body: body(sentence, inside, first),
        core: body_core(sentence, inside, first, gazetteer),
        person: person(sentence, inside, first),
        surname,
        is_possessive: inside[inside.len() - 1].is_possessive
            || kind == MentionKind::Pronoun && matches!(lower_first, "his" | "their"),
        pattern: Pattern::of(inside, first, gazetteer),
        is_long: sentence[text.0..text.1].contains(' '),
        is_owned,
        is_tagged: false,
    }
}

impl Pattern {
    fn of(inside: &[Token<'_>], first: usize, gazetteer: &Gazetteer) -> Self {
        let mut pattern = Self::default();
        let mut last = 0;
        for (i, token) in inside.iter().enumerate().take(Self::MOST / 2) {
            let letter = match token.hit.map(|hit| (gazetteer.kind(hit.party), hit.form)) {
                Some((PartyKind::Place, _)) => b'L',
                Some((PartyKind::State, NameForm::Demonym)) => b'D',
                Some((PartyKind::State, NameForm::Seat)) => b'S',
                Some(_) => b'P',
                None if token.office.is_some() && token.is_capital && first + i > 0 => b'O',
                None if token.office.is_some() => b'o',
                None if token.is_mark => b',',
                None if i == 0 && DETERMINERS.contains(&token.word()) => b'd',
                None if is_name(token, first + i) => b'N',
                None => b'w',
            };
            // Runs count once.
            if letter != last {
                pattern.push(letter);
            }
            last = letter;
            if token.is_possessive {
                pattern.push(b's');
                last = b's';
            }
        }
        pattern.key = Word::new(pattern.as_str()).key();
        pattern
    }

    fn push(&mut self, letter: u8) {
        self.letters[self.n] = letter;
        self.n += 1;
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters[..self.n]).unwrap_or_default()
    }

    pub(crate) fn word(&self) -> Word<'_> {
        Word::known(self.key, self.as_str())
    }
}

/// A body named inside a phrase that is headed by a person or an office: "Anna Berg of the Growers' League", "Growers' League chair Anna Berg", "the
/// League's lawyer".
fn body(sentence: &str, inside: &[Token<'_>], first: usize) -> Option<Bytes> {
    let text = |from: usize, to: usize| {
        let end = inside[to].start + bare(&sentence[inside[to].start..inside[to].end]).len();
        (from <= to).then_some((inside[from].start, end))
    };
    let is_capital = |i: usize| inside.get(i).is_some_and(|t| t.is_capital && t.hit.is_none());
    if let Some(of) = inside.iter().position(|t| matches!(t.text, "of" | "from" | "for" | "at")).filter(|&i| i > 0) {
        let from = of + 1 + usize::from(inside.get(of + 1).is_some_and(|t| t.text == "the"));
        return is_capital(from).then(|| text(from, inside.len() - 1)).flatten();
    }
    if let Some(owner) = inside.iter().position(|t| t.is_possessive && t.hit.is_none()).filter(|&i| i + 1 < inside.len()) {
        let from = usize::from(!is_name(&inside[0], first + 1) && owner > 0);
        // "Growers' League chair": capital words before an office belong to the body's name.
        let next = owner + 1 + usize::from(matches!(inside[owner + 1].text, "'" | "’"));
        let run = (next..inside.len()).take_while(|&i| is_capital(i)).count();
        let is_before_office = inside.get(next + run).is_some_and(|t| t.office.is_some() && !t.is_capital);
        let to = if is_before_office && run > 0 { next + run - 1 } else { owner };
        return (to >= from).then(|| text(from, to)).flatten();
    }
    let office = inside.iter().position(|t| t.office.is_some() && !t.is_capital).filter(|&i| i > 0)?;
    let from = usize::from(!is_capital(0) || inside[0].lower == "the");
    // One capital word that opens the sentence is no name: "Foreign minister".
    if first == 0 && office == 1 {
        return None;
    }
    (office > from
        && (from..office).all(|i| inside[i].is_capital || inside[i].is_mark || matches!(inside[i].text, "of" | "and" | "for")))
    .then(|| text(from, office - 1))
    .flatten()
}

/// The body that a phrase names, or to which its persons belong.
fn body_core(sentence: &str, inside: &[Token<'_>], first: usize, gazetteer: &Gazetteer) -> Option<Core> {
    let is_state = |t: &Token<'_>| {
        t.hit.is_some_and(|h| gazetteer.kind(h.party) == PartyKind::State || gazetteer.demonym(h.party).is_some())
    };
    let is_body = |i: usize| {
        inside[i].office == Some(Office::OwnBody) && inside[i].hit.is_none() && inside[i].shared.is_none_or(|s| !s.is_people)
    };
    let split = inside.iter().position(|t| matches!(t.text, "of" | "for" | "from" | "at" | "in")).unwrap_or(inside.len());
    let named = (0..split).find(|&i| is_body(i)).or((split..inside.len()).find(|&i| is_body(i)));
    let end =
        named.map(|i| (i..inside.len() - 1).find(|&i| inside[i].is_possessive || !is_body(i + 1)).unwrap_or(inside.len() - 1));
    let noun = end.or_else(|| (0..split).find(|&i| inside[i].shared.is_some() && inside[i].hit.is_none()))?;
    let state = inside[..noun].iter().rev().find(|t| is_state(t)).or(inside.iter().find(|t| is_state(t)));
    let start = end.map(|end| body_start(inside, end));
    let bytes =
        |start: usize| (inside[start].start, inside[noun].start + bare(&sentence[inside[noun].start..inside[noun].end]).len());
    Some(Core {
        text: start.map(bytes),
        noun: first + noun,
        shared: inside[noun].shared.map(|s| s.body),
        state: state.and_then(|t| t.hit).map(|h| h.party),
        is_named: start
            .is_some_and(|start| (start..=noun).any(|i| is_name(&inside[i], first + i) && (inside[i].office.is_none() && i > 0))),
    })
}

/// First word of the body that ends with word `end`: owners, demonyms, numbers and articles before it are not its name.
fn body_start(inside: &[Token<'_>], end: usize) -> usize {
    let is_foreign = |i: usize| {
        let t = &inside[i];
        let is_owner = t.is_possessive && !(t.office == Some(Office::OwnBody) && t.lower.ends_with('s'));
        let is_apostrophe = t.is_mark && i > 0 && inside[i - 1].is_possessive;
        t.hit.is_some()
            || is_owner
            || t.is_mark && !is_apostrophe
            || is_preposition(t)
            || t.loose.is_some() && !t.is_capital
            || DETERMINERS.contains(&t.word())
    };
    let before = (0..end).rev().find(|&i| is_foreign(i));
    before.map_or(0, |at| at + 1)
}

/// The name of a person or of a body behind its description: the first run of two or more unknown capitalised words, else the last run.
fn person(sentence: &str, inside: &[Token<'_>], first: usize) -> Option<Bytes> {
    let is_part = |i: usize| {
        inside[i].hit.is_none()
            && (inside[i].office.is_none() || i > 0 && inside[i - 1].is_capital)
            && is_name(&inside[i], first + i)
    };
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for i in (0..inside.len()).filter(|&i| is_part(i)) {
        match runs.last_mut() {
            Some(run) if run.1 + 1 == i => run.1 = i,
            _ => runs.push((i, i)),
        }
    }
    // A run behind a known name belongs to it: "Lima Group".
    runs.retain(|run| run.0 == 0 || inside[run.0 - 1].hit.is_none());
    let run = runs.iter().find(|run| run.1 > run.0).or(runs.last())?;
    let last = &inside[run.1];
    let stop = last.start + bare(&sentence[last.start..last.end]).len();
    (run.1 + 1 - run.0 < inside.len()).then_some((inside[run.0].start, stop))
}

/// Whether a phrase that the tagger has not marked may hold a position: places and datelines do not.
fn is_holder_like(mention: &Mention, sentence: &str, tokens: &[Token<'_>], gazetteer: &Gazetteer) -> bool {
    let (first, last) = mention.words;
    // "ISLAMABAD — ": a dateline says where, not who.
    let is_dateline = first == 0 && sentence[tokens[last].end..].trim_start().starts_with(['—', '–']);
    let has_place = tokens[first..=last].iter().any(|t| t.hit.is_some_and(|h| gazetteer.kind(h.party) == PartyKind::Place));
    let is_place = has_place && mention.party.is_none() && mention.office.is_none();
    !is_dateline && !is_place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holders::tokens::{quotes, tokens};

    fn found(sentence: &str) -> Vec<Mention> {
        let gazetteer = Gazetteer::builtin();
        let tokens = tokens(sentence, &quotes(sentence), &gazetteer);
        mentions(sentence, &tokens, &[], &gazetteer)
    }

    #[test]
    fn an_office_belongs_to_its_state() {
        let sentence = "Pakistan's Foreign Office spokesperson Amjad Rana welcomed it";
        let first = &found(sentence)[0];
        assert_eq!(&sentence[first.start..first.end], "Pakistan's Foreign Office spokesperson Amjad Rana");
        assert_eq!((first.kind, first.surname), (MentionKind::Party, Some(5)));
    }

    #[test]
    fn a_body_is_found_behind_of() {
        let body = |s: &'static str| found(s)[0].body.map(|(start, end)| &s[start..end]);
        assert_eq!(body("Anna Berg of the Growers' League said"), Some("Growers' League"));
        assert_eq!(body("Growers' League chair Anna Berg said"), Some("Growers' League"));
    }

    #[test]
    fn two_parties_are_two_phrases() {
        assert_eq!(found("India and Pakistan agreed").len(), 2);
    }

    #[test]
    fn pairs_and_pronouns_are_phrases() {
        assert_eq!(found("Both sides said they would go")[0].kind, MentionKind::Both);
        assert_eq!(found("the country will not yield")[0].kind, MentionKind::Pronoun);
    }
}
