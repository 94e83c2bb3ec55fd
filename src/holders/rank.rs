//! Which phrase of a sentence holds the stance, and for which party it stands: candidates, what is known of each, and the choice.
//!
//! A candidate is a reading of a phrase, the holder of an earlier sentence, or nobody (the article's own voice). Each has a score, the sum of the weights
//! of its facts; the highest wins, and ties go to the first.

use crate::holders::Mode;
use crate::holders::article::{Article, HOWS, Reading};
use crate::holders::gazetteer::{Gazetteer, NameForm, Office, VerbKind};
use crate::holders::mentions::{Mention, MentionKind};
use crate::holders::tokens::Token;
use crate::holders::weights::{Facts, Weights, small};

const PREPOSITIONS: [&str; 20] = [
    "by", "to", "with", "against", "from", "of", "on", "for", "between", "in", "over", "than", "at", "into", "about", "towards",
    "after", "before", "under", "through",
];
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

/// What the ranker may look at.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) tokens: &'a [Token<'a>],
    pub(crate) mentions: &'a [Mention],
    pub(crate) readings: &'a [Vec<Reading>],
    pub(crate) article: &'a Article,
    pub(crate) gazetteer: &'a Gazetteer,
    pub(crate) topic: &'a str,
    pub(crate) stance: &'a str,
    pub(crate) is_headline: bool,
    /// Holders of other statements of the sentence on the same topic.
    pub(crate) taken: &'a [String],
}

impl View<'_> {
    /// All candidates.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let mut all = Vec::with_capacity(32);
        for (m, readings) in self.readings.iter().enumerate() {
            all.extend((0..readings.len()).filter(|&r| !self.taken.contains(&readings[r].name)).map(|r| Candidate::Phrase(m, r)));
        }
        if self.article.last_holder().is_some_and(|(name, _)| !self.taken.contains(name)) {
            all.push(Candidate::Earlier);
        }
        all.push(Candidate::Nobody);
        all
    }

    /// The party of a candidate.
    pub(crate) fn name(&self, candidate: Candidate) -> &str {
        match candidate {
            Candidate::Phrase(m, r) => &self.readings[m][r].name,
            Candidate::Earlier => self.article.last_holder().map_or("", |(name, _)| name),
            Candidate::Nobody => "",
        }
    }

    /// The best candidate; where `only` is given, among the readings of that phrase.
    pub(crate) fn choose(&self, only: Option<usize>, weights: &Weights) -> Candidate {
        let mut best = (Candidate::Nobody, f32::NEG_INFINITY);
        let (mut last, mut phrase_score) = (usize::MAX, 0.0);
        let is_wanted = |c: &Candidate| only.is_none_or(|m| matches!(c, Candidate::Phrase(phrase, _) if *phrase == m));
        for candidate in self.candidates().into_iter().filter(is_wanted) {
            let mut score = 0.0;
            if let Candidate::Phrase(m, _) = candidate {
                // What is said of the phrase is the same for all its readings.
                if m != last {
                    let mut sum = [0.0];
                    self.describe_phrase(m, &mut Facts::new(&mut |fact| weights.add_to(fact, &mut sum)));
                    (last, phrase_score) = (m, sum[0]);
                }
                score += phrase_score;
            }
            let mut sum = [0.0];
            self.describe_rest(candidate, &mut Facts::new(&mut |fact| weights.add_to(fact, &mut sum)));
            score += sum[0];
            if score > best.1 {
                best = (candidate, score);
            }
        }
        best.0
    }

    /// All facts of a candidate.
    pub(crate) fn describe(&self, candidate: Candidate, facts: &mut Facts<'_>) {
        if let Candidate::Phrase(m, _) = candidate {
            self.describe_phrase(m, facts);
        }
        self.describe_rest(candidate, facts);
    }

    fn describe_rest(&self, candidate: Candidate, facts: &mut Facts<'_>) {
        match candidate {
            Candidate::Phrase(m, r) => self.describe_reading(m, r, facts),
            Candidate::Earlier => self.describe_absent("earlier", facts),
            Candidate::Nobody => self.describe_absent("nobody", facts),
        }
    }

    /// Facts for a holder who is not in the sentence.
    fn describe_absent(&self, who: &str, facts: &mut Facts<'_>) {
        let first = self.tokens.first().map_or("", |t| t.lower.as_ref());
        let n_tagged = self.mentions.iter().filter(|m| m.is_tagged).count();
        let n_quoted = self.tokens.iter().filter(|t| t.is_quoted).count();
        let quote = match n_quoted * 10 / self.tokens.len().max(1) {
            0 if n_quoted == 0 => "none",
            0..=5 => "some",
            6..=8 => "most",
            _ => "all",
        };
        let pronoun = self.mentions.iter().position(|m| m.kind == MentionKind::Pronoun && m.words.0 < 3);
        facts.add(who, "");
        facts.pair(who, "tagged", small(n_tagged));
        facts.pair(who, "mentions", small(self.mentions.len()));
        facts.pair(who, "quote", quote);
        facts.pair(who, "pronoun", if pronoun.is_some() { "yes" } else { "no" });
        facts.pair(who, "headline", if self.is_headline { "yes" } else { "no" });
        facts.pair(who, self.stance, small(n_tagged));
        facts.pair(who, self.topic, "");
        facts.pair(who, "first", first);
        let last = self.tokens.last().map_or("", |t| t.text);
        facts.pair(who, "last", if matches!(last, "?" | "\"" | "”" | ":") { last } else { "-" });
        for word in ["we", "our", "us", "nobody", "neither", "analysts", "observers", "unclear", "should", "must"] {
            if self.tokens.iter().any(|t| t.lower == word && !t.is_quoted) {
                facts.pair(who, "has", word);
            }
        }
        let has_say = self.tokens.iter().any(|t| t.verb == Some(VerbKind::Say) && !t.is_quoted);
        facts.pair(who, "says", if has_say { "yes" } else { "no" });
        let is_second = !self.taken.is_empty();
        facts.pair(who, "second", if is_second { "yes" } else { "no" });
    }

    /// Facts of a phrase, whomever it stands for.
    fn describe_phrase(&self, m: usize, facts: &mut Facts<'_>) {
        let mention = &self.mentions[m];
        let (first, last) = mention.words;
        let word = |at: Option<usize>| at.and_then(|i| self.tokens.get(i)).map_or("#", |t| t.lower.as_ref());
        let kind = kind_name(mention);
        let before = word(first.checked_sub(1));
        let free = if PREPOSITIONS.contains(&before) { before } else { "free" };
        let tagged = if mention.is_tagged { "tagged" } else { "untagged" };
        facts.add(tagged, kind);
        facts.add(tagged, "");
        facts.add("before", before);
        facts.pair("before2", word(first.checked_sub(2)), before);
        facts.add("after", word(Some(last + 1)));
        facts.pair("after2", word(Some(last + 1)), word(Some(last + 2)));
        facts.pair("kindfree", kind, free);
        facts.add("head", word(Some(last)));
        facts.add("firstword", word(Some(first)));
        facts.pair("order", small(m), free);
        facts.pair("ordertagged", small(m), tagged);
        facts.pair("alone", small(self.mentions.len()), tagged);
        let is_start = first <= 1;
        facts.pair("start", if is_start { "yes" } else { "no" }, kind);
        let quoted = if self.tokens[first].is_quoted { "in" } else { "out" };
        facts.pair("quoted", quoted, tagged);
        facts.pair("quotedkind", quoted, kind);
        if mention.is_possessive {
            facts.add("owns", word(Some(last + 1)));
            facts.pair("owner", small(m), free);
        }
        facts.pair("headline", if self.is_headline { "yes" } else { "no" }, small(m));
        self.describe_verbs(first, last, tagged, facts);
        self.describe_clause(m, facts);
    }

    /// The verbs around a phrase.
    fn describe_verbs(&self, first: usize, last: usize, tagged: &str, facts: &mut Facts<'_>) {
        let limit = self.tokens.len().min(last + 12);
        let behind = (last + 1..limit)
            .find(|&i| self.tokens[i].verb.is_some_and(|v| v != VerbKind::Auxiliary) && !self.tokens[i].is_quoted);
        match behind {
            Some(at) => {
                let token = &self.tokens[at];
                let kind = verb_name(token.verb);
                let crosses = self.mentions.iter().any(|m| m.words.0 > last && m.words.1 < at);
                facts.pair("verb", kind, small((at - last).min(4)));
                facts.pair("crosses", kind, if crosses { "yes" } else { "no" });
                if !crosses {
                    facts.pair("does", self.stance, &token.lower);
                    facts.add("does", &token.lower);
                }
            }
            None => facts.add("verb", "none"),
        }
        let ahead = (first.saturating_sub(5)..first)
            .rev()
            .find(|&i| self.tokens[i].verb == Some(VerbKind::Say) && !self.tokens[i].is_quoted);
        facts.pair("said", ahead.map_or("none", |at| small(first - at)), tagged);
        let since_quote =
            (first.saturating_sub(4)..first).rev().find(|&i| self.tokens[i].is_quoted && !self.tokens[i + 1].is_quoted);
        facts.pair("sincequote", since_quote.map_or("none", |at| small(first - at)), tagged);
        let is_by = first > 1 && self.tokens[first - 1].lower == "by";
        if is_by {
            let participle = self.tokens[first.saturating_sub(5)..first - 1]
                .iter()
                .rev()
                .find(|t| t.verb.is_some() || t.lower.ends_with("ed"));
            facts.add("passive", participle.map_or("no", |t| verb_name(t.verb)));
        }
    }

    /// The words of the clause that a phrase begins, with the topic and the stance of the statement.
    fn describe_clause(&self, m: usize, facts: &mut Facts<'_>) {
        let last = self.mentions[m].words.1;
        let end = self.mentions.get(m + 1).map_or(self.tokens.len(), |next| next.words.0);
        let mut n = 0;
        for token in self.tokens[last + 1..end].iter().filter(|t| !t.is_mark && t.lower.len() > 3).take(8) {
            facts.pair("on", self.topic, &token.lower);
            n += 1;
        }
        facts.pair("clause", small(n / 2), if self.taken.is_empty() { "" } else { "second" });
        let breaks = self.tokens[..self.mentions[m].words.0]
            .iter()
            .filter(|t| matches!(t.lower.as_ref(), "," | ";" | "and" | "but" | "while" | "whereas" | "although" | "as" | "that"))
            .count();
        let part = if self.taken.is_empty() { "firststatement" } else { "secondstatement" };
        facts.pair("breaks", small(breaks), part);
        facts.pair("part", small(m), part);
    }

    /// Facts of one reading of a phrase.
    fn describe_reading(&self, m: usize, r: usize, facts: &mut Facts<'_>) {
        let (mention, reading) = (&self.mentions[m], &self.readings[m][r]);
        let kind = kind_name(mention);
        let office = self.tokens[mention.words.0..=mention.words.1].iter().find(|t| t.office.is_some());
        let mut found = String::new();
        for (how, name) in HOWS {
            if reading.hows & (1 << how as u32) != 0 {
                facts.pair("how", name, kind);
                facts.pair("how", name, &mention.pattern);
                facts.pair("how", name, office.map_or("-", |t| t.lower.as_ref()));
                facts.add("how", name);
                found.push_str(name);
                found.push('+');
            }
        }
        facts.pair("hows", &found, kind);
        facts.pair("hows", &found, &mention.pattern);
        facts.pair("hows", &found, office.map_or("-", |t| office_name(t.office)));
        let head = self.tokens[mention.words.1].lower.as_ref();
        let first_how = HOWS.iter().find(|(how, _)| reading.hows & (1 << *how as u32) != 0).map_or("", |(_, name)| name);
        facts.pair("howhead", first_how, head);
        let first =
            self.tokens[mention.words.0..].iter().find(|t| t.lower != "the" && t.lower != "a").map_or("", |t| t.lower.as_ref());
        facts.pair("howfirst", first_how, first);
        let is_holder = self.article.last_holder().is_some_and(|(name, _)| *name == reading.name);
        facts.pair("holder", if is_holder { "yes" } else { "no" }, kind);
        facts.pair("count", small(self.article.count(&reading.name)), kind);
        let n_same = self
            .readings
            .iter()
            .enumerate()
            .filter(|(i, rs)| *i != m && rs.first().is_some_and(|o| o.name == reading.name))
            .count();
        facts.add("same", small(n_same));
        let is_among_readings = mention.party.is_some_and(|p| self.gazetteer.canonical(p) == reading.name);
        facts.pair("named", if is_among_readings { "yes" } else { "no" }, kind);
        facts.pair("words", small(reading.name.split(' ').count()), first_how);
    }

    /// The mode of a statement by its holder.
    pub(crate) fn mode(&self, candidate: Candidate, weights: &Weights) -> Mode {
        let mut best = (Mode::Author, f32::NEG_INFINITY);
        for mode in MODES {
            let mut sum = [0.0];
            self.describe_mode(mode, candidate, &mut Facts::new(&mut |fact| weights.add_to(fact, &mut sum)));
            if sum[0] > best.1 {
                best = (mode, sum[0]);
            }
        }
        best.0
    }

    /// Facts that speak for or against a mode.
    pub(crate) fn describe_mode(&self, mode: Mode, candidate: Candidate, facts: &mut Facts<'_>) {
        let mode = mode.as_str();
        let n_quoted = self.tokens.iter().filter(|t| t.is_quoted && !t.is_mark).count();
        let n_words = self.tokens.iter().filter(|t| !t.is_mark).count().max(1);
        let share = small((n_quoted * 6).div_ceil(n_words));
        let who = match candidate {
            Candidate::Phrase(m, _) => kind_name(&self.mentions[m]),
            Candidate::Earlier => "earlier",
            Candidate::Nobody => "nobody",
        };
        let opens = self.tokens.first().is_some_and(|t| t.is_quoted);
        let says = self.tokens.iter().find(|t| t.verb == Some(VerbKind::Say) && !t.is_quoted).map_or("-", |t| t.lower.as_ref());
        facts.add(mode, "");
        facts.pair(mode, "who", who);
        facts.pair(mode, "share", share);
        facts.pair(mode, "says", says);
        facts.pair(mode, if opens { "opens" } else { "within" }, share);
        facts.pair(mode, if says == "-" { "silent" } else { "spoken" }, share);
        facts.pair(mode, if who == "nobody" { "nobody" } else { "party" }, share);
        facts.pair(mode, self.stance, "");
        facts.pair(mode, "headline", if self.is_headline { "yes" } else { "no" });
        let Candidate::Phrase(m, _) = candidate else { return };
        let (first, last) = self.mentions[m].words;
        let word = |at: Option<usize>| at.and_then(|i| self.tokens.get(i)).map_or("#", |t| t.lower.as_ref());
        facts.pair(mode, "after", word(Some(last + 1)));
        facts.pair(mode, "before", word(first.checked_sub(1)));
        let verb = self.tokens[last + 1..].iter().find(|t| t.verb.is_some_and(|v| v != VerbKind::Auxiliary));
        facts.pair(mode, "verb", verb.map_or("-", |t| t.lower.as_ref()));
        facts.pair(mode, "kind", verb.map_or("-", |t| verb_name(t.verb)));
        let that = self.tokens[last + 1..].iter().take(6).any(|t| t.lower == "that");
        facts.pair(mode, "that", if that { "yes" } else { "no" });
    }
}

fn verb_name(verb: Option<VerbKind>) -> &'static str {
    match verb {
        Some(VerbKind::Say) => "say",
        Some(VerbKind::Stance) => "act",
        Some(VerbKind::Auxiliary) => "aux",
        None => "-",
    }
}

fn office_name(office: Option<Office>) -> &'static str {
    match office {
        Some(Office::OfState) => "person",
        Some(Office::StateBody) => "state",
        Some(Office::OwnBody) => "own",
        None => "-",
    }
}

fn kind_name(mention: &Mention) -> &'static str {
    if mention.is_owned {
        return "owned";
    }
    match (mention.kind, mention.form, mention.office) {
        (MentionKind::Party, Some(NameForm::Demonym), Some(Office::OwnBody)) => "demonymbody",
        (MentionKind::Party, Some(NameForm::Demonym), Some(_)) => "demonymoffice",
        (MentionKind::Party, Some(NameForm::Demonym), None) => "demonym",
        (MentionKind::Party, Some(NameForm::Seat), None) => "seat",
        (MentionKind::Party, Some(NameForm::Seat), _) => "seatoffice",
        (MentionKind::Party, _, Some(Office::OwnBody)) => "partybody",
        (MentionKind::Party, _, Some(_)) => "partyoffice",
        (MentionKind::Party, ..) if mention.text.contains(' ') => "partylong",
        (MentionKind::Party, ..) => "party",
        (MentionKind::Name, _, Some(Office::OwnBody)) => "namebody",
        (MentionKind::Name, _, Some(_)) => "nameoffice",
        (MentionKind::Name, ..) => "name",
        (MentionKind::Office, _, Some(Office::OwnBody)) => "body",
        (MentionKind::Office, _, Some(Office::StateBody)) => "statebody",
        (MentionKind::Office, ..) => "office",
        (MentionKind::Pronoun, ..) => "pronoun",
        (MentionKind::Both, ..) => "both",
        (MentionKind::Described, ..) => "described",
    }
}
