//! Which phrase of a sentence holds the stance, and for which party it stands: candidates, what is known of each, and the choice.
//!
//! A candidate is a reading of a phrase, the holder of an earlier sentence, or nobody (the article's own voice). Each has a score, the sum of the weights
//! of its facts; the highest wins, and ties go to the first.

use crate::holders::article::{Article, HOMES, HOWS, How};
use crate::holders::gazetteer::{NameForm, Office, VerbKind};
use crate::holders::mentions::{Bytes, Mention, MentionKind};
use crate::holders::names::NameId;
use crate::holders::tokens::Token;
use crate::holders::traits::{office_word, verb_word};
use crate::holders::weights::{Facts, Weights, Word, small, sum, word, words, yes_no};
use crate::holders::{Mode, Sentence};

const PREPOSITIONS: [Word<'_>; 20] = words([
    "by", "to", "with", "against", "from", "of", "on", "for", "between", "in", "over", "than", "at", "into", "about", "towards",
    "after", "before", "under", "through",
]);
/// Words that say whether a sentence has a holder at all.
const TELLING_WORDS: [Word<'_>; 10] =
    words(["we", "our", "us", "nobody", "neither", "analysts", "observers", "unclear", "should", "must"]);
/// Words and marks between clauses.
const CLAUSE_BREAKS: [Word<'_>; 9] = words([",", ";", "and", "but", "while", "whereas", "although", "as", "that"]);
/// Modes in the order in which they are tried.
pub(crate) const MODES: [Mode; 4] = [Mode::Author, Mode::Indirect, Mode::Direct, Mode::Mixed];

/// One possible holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// Reading number r of phrase number m.
    Phrase(usize, usize),
    /// The last holder of the article.
    Earlier,
    /// The article's own voice.
    Nobody,
}

/// What all readings of a phrase share.
#[derive(Debug, Clone, Copy)]
struct Phrase<'a> {
    number: usize,
    kind: Word<'a>,
    pattern: Word<'a>,
    /// The first office of the phrase: what it stands for, and its word.
    office: Word<'a>,
    office_text: Word<'a>,
    /// The kind of its last office.
    rank: Word<'a>,
    /// First word but for an article, and last.
    first: Word<'a>,
    head: Word<'a>,
    /// The office of a person who is introduced elsewhere.
    introduced: Option<Office>,
}

/// What the ranker may look at.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) sentence: &'a Sentence<'a>,
    pub(crate) article: &'a Article,
    pub(crate) topic: Word<'a>,
    pub(crate) stance: Word<'a>,
    /// Holders of other statements of the sentence on the same topic.
    pub(crate) taken: &'a [NameId],
}

impl<'a> View<'a> {
    /// All candidates.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        let sentence = self.sentence;
        let is_free = |candidate: &Candidate| self.name(*candidate).is_some_and(|name| !self.taken.contains(&name));
        let readings = move |m: usize| (0..sentence.readings_of(m).len()).map(move |r| Candidate::Phrase(m, r));
        let phrases = (0..sentence.mentions.len()).flat_map(readings);
        phrases.chain([Candidate::Earlier]).filter(is_free).chain([Candidate::Nobody])
    }

    /// The party of a candidate; none for the article's own voice.
    pub(crate) fn name(&self, candidate: Candidate) -> Option<NameId> {
        match candidate {
            Candidate::Phrase(m, r) => Some(self.sentence.readings_of(m)[r].name),
            Candidate::Earlier => self.article.last_holder().map(|(name, _)| name),
            Candidate::Nobody => None,
        }
    }

    /// The best candidate; where `only` is given, among the readings of that phrase.
    pub(crate) fn choose(&self, only: Option<usize>, weights: &Weights) -> Candidate {
        let mut best = (Candidate::Nobody, f32::NEG_INFINITY);
        let mut phrase: Option<(Phrase<'_>, f32)> = None;
        let is_wanted = |c: &Candidate| only.is_none_or(|m| matches!(c, Candidate::Phrase(phrase, _) if *phrase == m));
        for candidate in self.candidates().filter(is_wanted) {
            let score = match candidate {
                Candidate::Phrase(m, r) => {
                    // What is said of the phrase is the same for all its readings.
                    let (phrase, of_phrase) = match &mut phrase {
                        Some(known) if known.0.number == m => known,
                        other => other.insert((self.phrase(m), sum(weights, |facts| self.describe_phrase(m, facts)))),
                    };
                    *of_phrase + sum(weights, |facts| self.describe_reading(phrase, r, facts))
                }
                Candidate::Earlier => sum(weights, |facts| self.describe_earlier(facts)),
                Candidate::Nobody => sum(weights, |facts| self.describe_nobody(facts)),
            };
            if score > best.1 {
                best = (candidate, score);
            }
        }
        best.0
    }

    /// All facts of a candidate.
    pub(crate) fn describe(&self, candidate: Candidate, facts: &mut impl Facts) {
        match candidate {
            Candidate::Phrase(m, r) => {
                self.describe_phrase(m, facts);
                self.describe_reading(&self.phrase(m), r, facts);
            }
            Candidate::Earlier => self.describe_earlier(facts),
            Candidate::Nobody => self.describe_nobody(facts),
        }
    }

    /// Facts for the last holder, who is not in the sentence.
    fn describe_earlier(&self, facts: &mut impl Facts) {
        facts.add(&[word!("earlier"), word!("")]);
        facts.add(&[word!("earlier"), word!("tagged"), small(self.n_tagged())]);
    }

    /// Facts for the article's own voice.
    fn describe_nobody(&self, facts: &mut impl Facts) {
        let who = word!("nobody");
        let first = self.sentence.tokens.first().map_or(word!(""), Token::word);
        let n_tagged = self.n_tagged();
        let n_quoted = self.sentence.tokens.iter().filter(|t| t.is_quoted).count();
        let quote = match n_quoted * 10 / self.sentence.tokens.len().max(1) {
            0 if n_quoted == 0 => word!("none"),
            0..=5 => word!("some"),
            6..=8 => word!("most"),
            _ => word!("all"),
        };
        let pronoun = self.sentence.mentions.iter().position(|m| m.kind == MentionKind::Pronoun && m.words.0 < 3);
        facts.add(&[who, word!("")]);
        facts.add(&[who, word!("tagged"), small(n_tagged)]);
        facts.add(&[who, word!("mentions"), small(self.sentence.mentions.len())]);
        facts.add(&[who, word!("quote"), quote]);
        let voice = small(self.article.n_own_voice());
        facts.add(&[who, word!("voice"), voice]);
        facts.add(&[who, word!("voice"), voice, self.stance]);
        let (n_unheld, n_held) = self.article.n_statements();
        facts.add(&[who, word!("unheld"), small(n_unheld), small(n_held)]);
        facts.add(&[who, word!("unheld"), small(n_unheld)]);
        facts.add(&[who, word!("lastunheld"), yes_no(self.article.is_last_unheld()), self.stance]);
        facts.add(&[who, word!("pronoun"), yes_no(pronoun.is_some())]);
        facts.add(&[who, word!("headline"), yes_no(self.sentence.is_headline)]);
        facts.add(&[who, self.stance, small(n_tagged)]);
        facts.add(&[who, self.topic, word!("")]);
        facts.add(&[who, word!("first"), first]);
        for word in TELLING_WORDS {
            if self.sentence.tokens.iter().any(|t| t.word() == word && !t.is_quoted) {
                facts.add(&[who, word!("has"), word]);
            }
        }
        let is_second = !self.taken.is_empty();
        facts.add(&[who, word!("second"), yes_no(is_second)]);
    }

    fn n_tagged(&self) -> usize {
        self.sentence.mentions.iter().filter(|m| m.is_tagged).count()
    }

    /// Facts of a phrase, whomever it stands for.
    fn describe_phrase(&self, m: usize, facts: &mut impl Facts) {
        let mention = &self.sentence.mentions[m];
        let (first, last) = mention.words;
        let word = |at: Option<usize>| at.and_then(|i| self.sentence.tokens.get(i)).map_or(word!("#"), Token::word);
        let kind = kind_name(mention);
        let before = word(first.checked_sub(1));
        let free = if PREPOSITIONS.contains(&before) { before } else { word!("free") };
        let tagged = tagged_name(mention);
        facts.add(&[tagged, kind]);
        facts.add(&[tagged, word!("")]);
        facts.add(&[word!("before"), before]);
        facts.add(&[word!("before2"), word(first.checked_sub(2)), before]);
        facts.add(&[word!("after"), word(Some(last + 1))]);
        facts.add(&[word!("after2"), word(Some(last + 1)), word(Some(last + 2))]);
        facts.add(&[word!("firstword"), word(Some(first))]);
        let is_start = first <= 1;
        facts.add(&[word!("start"), yes_no(is_start), kind]);
        let quoted = if self.sentence.tokens[first].is_quoted { word!("in") } else { word!("out") };
        facts.add(&[word!("quoted"), quoted, tagged]);
        facts.add(&[word!("quotedkind"), quoted, kind]);
        if mention.is_possessive {
            facts.add(&[word!("owns"), word(Some(last + 1))]);
            facts.add(&[word!("owner"), small(m), free]);
        }
        self.describe_verbs(first, last, tagged, facts);
        self.describe_clause(m, facts);
    }

    /// The verbs around a phrase.
    fn describe_verbs(&self, first: usize, last: usize, tagged: Word<'_>, facts: &mut impl Facts) {
        let limit = self.sentence.tokens.len().min(last + 12);
        let behind = (last + 1..limit).find(|&i| {
            self.sentence.tokens[i].verb.is_some_and(|v| v != VerbKind::Auxiliary) && !self.sentence.tokens[i].is_quoted
        });
        match behind {
            Some(at) => {
                let token = &self.sentence.tokens[at];
                let kind = verb_word(token.verb);
                let crosses = self.sentence.mentions.iter().any(|m| m.words.0 > last && m.words.1 < at);
                facts.add(&[word!("verb"), kind, small((at - last).min(4))]);
                facts.add(&[word!("crosses"), kind, yes_no(crosses)]);
                if !crosses {
                    facts.add(&[word!("does"), self.stance, token.word()]);
                    facts.add(&[word!("does"), token.word()]);
                }
            }
            None => facts.add(&[word!("verb"), word!("none")]),
        }
        let ahead = (first.saturating_sub(5)..first)
            .rev()
            .find(|&i| self.sentence.tokens[i].verb == Some(VerbKind::Say) && !self.sentence.tokens[i].is_quoted);
        facts.add(&[word!("said"), ahead.map_or(word!("none"), |at| small(first - at)), tagged]);
        let is_by = first > 1 && self.sentence.tokens[first - 1].lower == "by";
        if is_by {
            let participle = self.sentence.tokens[first.saturating_sub(5)..first - 1]
                .iter()
                .rev()
                .find(|t| t.verb.is_some() || t.lower.ends_with("ed"));
            facts.add(&[word!("passive"), participle.map_or(word!("no"), |t| verb_word(t.verb))]);
        }
    }

    /// The words of the clause that a phrase begins, with the topic and the stance of the statement.
    fn describe_clause(&self, m: usize, facts: &mut impl Facts) {
        let last = self.sentence.mentions[m].words.1;
        let end = self.sentence.mentions.get(m + 1).map_or(self.sentence.tokens.len(), |next| next.words.0);
        for token in self.sentence.tokens[last + 1..end].iter().filter(|t| !t.is_mark && t.lower.len() > 3).take(8) {
            facts.add(&[word!("on"), self.topic, token.word()]);
        }
        let before = &self.sentence.tokens[..self.sentence.mentions[m].words.0];
        let breaks = before.iter().filter(|t| CLAUSE_BREAKS.contains(&t.word())).count();
        let part = if self.taken.is_empty() { word!("firststatement") } else { word!("secondstatement") };
        facts.add(&[word!("breaks"), small(breaks), part]);
        facts.add(&[word!("part"), small(m), part]);
    }

    /// What all readings of a phrase share.
    fn phrase(&self, m: usize) -> Phrase<'_> {
        let mention = &self.sentence.mentions[m];
        let inside = &self.sentence.tokens[mention.words.0..=mention.words.1];
        let office = inside.iter().find(|t| t.office.is_some());
        let first = self.sentence.tokens[mention.words.0..].iter().find(|t| t.lower != "the" && t.lower != "a");
        Phrase {
            number: m,
            kind: kind_name(mention),
            pattern: mention.pattern.word(),
            office: office_word(office.and_then(|t| t.office)),
            office_text: office.map_or(word!("-"), Token::word),
            rank: office_rank(inside),
            first: first.map_or(word!(""), Token::word),
            head: self.sentence.tokens[mention.words.1].word(),
            introduced: self.article.introduced_office(mention, &self.sentence.tokens),
        }
    }

    /// Facts of one reading of a phrase.
    fn describe_reading(&self, phrase: &Phrase<'_>, r: usize, facts: &mut impl Facts) {
        let &Phrase { number: m, kind, pattern, office, office_text, rank, first, head, introduced } = phrase;
        let (mention, reading) = (&self.sentence.mentions[m], self.sentence.readings_of(m)[r]);
        // All ways to the party as one fact, each way alone, and the first.
        let mut hows = [word!("hows"); HOWS.len() + 2];
        let mut n = 1;
        for (how, name) in HOWS {
            if reading.hows & (1 << how as u32) != 0 {
                facts.add(&[word!("how"), name, office_text]);
                hows[n] = name;
                n += 1;
            }
        }
        for last in [kind, pattern, office, rank] {
            hows[n] = last;
            facts.add(&hows[..=n]);
        }
        let first_how = hows[1];
        facts.add(&[word!("howhead"), first_how, head]);
        facts.add(&[word!("howfirst"), first_how, first]);
        if reading.homes != 0 {
            self.describe_home(mention, reading.homes, facts);
        }
        let is_holder = self.article.last_holder().is_some_and(|(name, _)| name == reading.name);
        facts.add(&[word!("holder"), yes_no(is_holder), kind]);
        let (n_held, stand) = self.article.held(reading.name, self.topic, self.stance);
        facts.add(&[word!("held"), small(n_held), kind]);
        facts.add(&[word!("namefirst"), self.article.names().first_word(reading.name), first_how]);
        facts.add(&[word!("topichow"), self.topic, first_how, kind]);
        let total = self.article.total(reading.name);
        facts.add(&[word!("total"), small(total), kind]);
        if let Some(office) = introduced {
            facts.add(&[word!("introduced"), office_word(Some(office)), first_how]);
        }
        let is_own = reading.hows & (1 << How::Own as u32) != 0;
        facts.add(&[word!("named"), yes_no(is_own), kind]);
        facts.add(&[word!("words"), small(self.article.names().n_words(reading.name)), first_how]);
        let stand = match stand {
            None => word!("none"),
            Some(true) => word!("same"),
            Some(false) => word!("other"),
        };
        facts.add(&[word!("stand"), stand, self.stance]);
        if let Some(part) = reading.part {
            self.describe_part(mention, part, first_how, facts);
        }
        self.describe_beside(m, reading.name, facts);
    }

    /// Where a name that is a part of its phrase begins and ends: the words on both sides of both cuts, and their classes.
    fn describe_part(&self, mention: &Mention, (start, end): Bytes, first_how: Word<'_>, facts: &mut impl Facts) {
        let tokens = &self.sentence.tokens;
        let (first, last) = mention.words;
        let from = (first..=last).find(|&i| tokens[i].start >= start).unwrap_or(last);
        let to = (from + tokens[from..].iter().take_while(|t| t.start < end).count()).saturating_sub(1).max(first);
        let (is_begun, is_over) = (from == first, to >= last);
        let left = if is_begun { word!("^") } else { tokens[from - 1].word() };
        let right = if is_over { word!("$") } else { tokens[to + 1].word() };
        facts.add(&[word!("cutleft"), left, first_how]);
        facts.add(&[word!("cutright"), right, first_how]);
        facts.add(&[word!("left"), left]);
        facts.add(&[word!("right"), right]);
        let left = if is_begun { word!("^") } else { class_name(&tokens[from - 1]) };
        let right = if is_over { word!("$") } else { class_name(&tokens[to + 1]) };
        facts.add(&[word!("cut"), left, class_name(&tokens[from]), class_name(&tokens[to]), right]);
        facts.add(&[word!("cutfirst"), left, tokens[from].word()]);
        facts.add(&[word!("cutlast"), tokens[to].word(), right]);
    }

    /// Other phrases of the sentence for the same party.
    fn describe_beside(&self, m: usize, name: NameId, facts: &mut impl Facts) {
        let is_same = |&i: &usize| i != m && self.sentence.readings_of(i).first().is_some_and(|other| other.name == name);
        for i in (0..self.sentence.mentions.len()).filter(is_same) {
            let other = &self.sentence.mentions[i];
            let side = if i < m { word!("before") } else { word!("behind") };
            let before = other.words.0.checked_sub(1).map_or(word!("#"), |at| self.sentence.tokens[at].word());
            facts.add(&[word!("beside"), side, tagged_name(other), kind_name(other)]);
            facts.add(&[word!("besidebefore"), side, before]);
        }
    }

    /// What the state of a body is to the article.
    fn describe_home(&self, mention: &Mention, homes: u8, facts: &mut impl Facts) {
        let noun = mention.core.map_or(word!("-"), |core| self.sentence.tokens[core.noun].word());
        let mut row = [word!("homes"); HOMES.len() + 2];
        let mut n = 1;
        for (home, name) in HOMES {
            if homes & (1 << home as u8) != 0 {
                facts.add(&[word!("home"), name]);
                row[n] = name;
                n += 1;
            }
        }
        facts.add(&row[..n]);
        row[n] = noun;
        facts.add(&row[..=n]);
    }

    /// The mode of a statement by its holder.
    pub(crate) fn mode(&self, candidate: Candidate, weights: &Weights) -> Mode {
        let mut best = (Mode::Author, f32::NEG_INFINITY);
        for mode in MODES {
            let score = sum(weights, |facts| self.describe_mode(mode, candidate, facts));
            if score > best.1 {
                best = (mode, score);
            }
        }
        best.0
    }

    /// Facts that speak for or against a mode.
    pub(crate) fn describe_mode(&self, mode: Mode, candidate: Candidate, facts: &mut impl Facts) {
        let mode = mode_name(mode);
        let n_quoted = self.sentence.tokens.iter().filter(|t| t.is_quoted && !t.is_mark).count();
        let n_words = self.sentence.tokens.iter().filter(|t| !t.is_mark).count().max(1);
        let share = small((n_quoted * 6).div_ceil(n_words));
        let who = match candidate {
            Candidate::Phrase(m, _) => kind_name(&self.sentence.mentions[m]),
            Candidate::Earlier => word!("earlier"),
            Candidate::Nobody => word!("nobody"),
        };
        let opens = self.sentence.tokens.first().is_some_and(|t| t.is_quoted);
        let says =
            self.sentence.tokens.iter().find(|t| t.verb == Some(VerbKind::Say) && !t.is_quoted).map_or(word!("-"), Token::word);
        facts.add(&[mode, word!("")]);
        facts.add(&[mode, word!("who"), who]);
        facts.add(&[mode, word!("share"), share]);
        facts.add(&[mode, word!("says"), says]);
        facts.add(&[mode, if opens { word!("opens") } else { word!("within") }, share]);
        facts.add(&[mode, if says == word!("-") { word!("silent") } else { word!("spoken") }, share]);
        facts.add(&[mode, if who == word!("nobody") { word!("nobody") } else { word!("party") }, share]);
        facts.add(&[mode, self.stance, word!("")]);
        facts.add(&[mode, word!("headline"), yes_no(self.sentence.is_headline)]);
        let Candidate::Phrase(m, _) = candidate else { return };
        let (first, last) = self.sentence.mentions[m].words;
        let word = |at: Option<usize>| at.and_then(|i| self.sentence.tokens.get(i)).map_or(word!("#"), Token::word);
        facts.add(&[mode, word!("after"), word(Some(last + 1))]);
        facts.add(&[mode, word!("before"), word(first.checked_sub(1))]);
        let verb = self.sentence.tokens[last + 1..].iter().find(|t| t.verb.is_some_and(|v| v != VerbKind::Auxiliary));
        facts.add(&[mode, word!("verb"), verb.map_or(word!("-"), Token::word)]);
        facts.add(&[mode, word!("kind"), verb.map_or(word!("-"), |t| verb_word(t.verb))]);
        let that = self.sentence.tokens[last + 1..].iter().take(6).any(|t| t.lower == "that");
        facts.add(&[mode, word!("that"), yes_no(that)]);
    }
}

fn mode_name(mode: Mode) -> Word<'static> {
    match mode {
        Mode::Author => word!("author"),
        Mode::Indirect => word!("indirect"),
        Mode::Direct => word!("direct"),
        Mode::Mixed => word!("mixed"),
    }
}

/// The kind of the last office of a phrase.
fn office_rank(inside: &[Token<'_>]) -> Word<'static> {
    const RANKS: [Word<'_>; 10] = words(["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9"]);
    let kind = inside.iter().rev().find_map(|t| t.rank);
    kind.map_or(word!("r-"), |kind| RANKS[usize::from(kind.0).min(9)])
}

/// What a word is in a name: known to the gazetteer, an office, with a capital, or none of these.
fn class_name(token: &Token<'_>) -> Word<'static> {
    match (token.hit.is_some(), token.office.is_some(), token.is_capital) {
        (true, ..) => word!("hit"),
        (false, true, true) => word!("O"),
        (false, true, false) => word!("o"),
        (false, false, true) => word!("N"),
        (false, false, false) => word!("w"),
    }
}

fn tagged_name(mention: &Mention) -> Word<'static> {
    if mention.is_tagged { word!("tagged") } else { word!("untagged") }
}

fn kind_name(mention: &Mention) -> Word<'static> {
    if mention.is_owned {
        return word!("owned");
    }
    match (mention.kind, mention.form, mention.office) {
        (MentionKind::Party, Some(NameForm::Demonym), Some(Office::OwnBody)) => word!("demonymbody"),
        (MentionKind::Party, Some(NameForm::Demonym), Some(_)) => word!("demonymoffice"),
        (MentionKind::Party, Some(NameForm::Demonym), None) => word!("demonym"),
        (MentionKind::Party, Some(NameForm::Seat), None) => word!("seat"),
        (MentionKind::Party, Some(NameForm::Seat), _) => word!("seatoffice"),
        (MentionKind::Party, _, Some(Office::OwnBody)) => word!("partybody"),
        (MentionKind::Party, _, Some(_)) => word!("partyoffice"),
        (MentionKind::Party, ..) if mention.is_long => word!("partylong"),
        (MentionKind::Party, ..) => word!("party"),
        (MentionKind::Name, _, Some(Office::OwnBody)) => word!("namebody"),
        (MentionKind::Name, _, Some(_)) => word!("nameoffice"),
        (MentionKind::Name, ..) => word!("name"),
        (MentionKind::Office, _, Some(Office::OwnBody)) => word!("body"),
        (MentionKind::Office, _, Some(Office::StateBody)) => word!("statebody"),
        (MentionKind::Office, ..) => word!("office"),
        (MentionKind::Pronoun, ..) => word!("pronoun"),
        (MentionKind::Both, ..) => word!("both"),
        (MentionKind::Described, ..) => word!("described"),
    }
}
