//! Names of parties and the words that mark who speaks: states, bodies, offices.
//!
//! Tables in `data/`, each party once: `states.csv` (canonical name, other names, demonyms, capitals and other seats), `leaders.csv` (persons who spoke for a state
//! long enough to be named without it), `bodies.csv` (blocs, organisations, armed groups, agreements, parties), `places.csv` (rivers, regions, disputed
//! territories: no holders), `offices.csv` (words for offices and bodies, by kind) and `verbs.csv` (verbs of saying and of taking a position). A
//! user's own table has the columns of `states.csv`, plus `kind`.

mod parties;
mod words;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, MatchKind};

use crate::data::source::read_utf8;
use crate::error::{Error, Result};
use crate::holders::weights::{ByKey, Word};
use parties::PartyTables;
use words::WordTables;

/// What kind of party a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartyKind {
    /// A state.
    State,
    /// Anything else that has a name: a bloc, a court, an armed group, a party, an agreement.
    Body,
    /// A place that parties dispute or meet in, which holds no position.
    Place,
}

/// How a name refers to its party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameForm {
    /// By one of its names.
    Name,
    /// By its people: "Kenyan", "Kenyans".
    Demonym,
    /// By its capital or seat: "Nairobi".
    Seat,
}

/// What a word for an office or body says of who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Office {
    /// One who speaks for the state: a minister, an envoy, an official.
    OfState,
    /// A part of the state that speaks for it: a ministry, a government.
    StateBody,
    /// A body that has positions of its own: an army, a court, a union, farmers.
    OwnBody,
}

/// Rows of the table of offices: who holds the office, and so for whom they speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OfficeKind(pub(crate) u8);

/// What a verb does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerbKind {
    /// It reports what someone says or thinks.
    Say,
    /// It takes a position or acts on one.
    Stance,
    /// "is", "has", "will".
    Auxiliary,
}

#[derive(Debug, Clone)]
struct Entry {
    party: u32,
    form: NameForm,
}

/// A gazetteer hit: bytes of the text, and the party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Number of the party.
    pub party: usize,
    /// How it is named.
    pub form: NameForm,
}

/// The tables, ready for searching.
#[derive(Debug, Clone)]
pub struct Gazetteer {
    automaton: AhoCorasick,
    entries: Vec<Entry>,
    parties: Vec<(String, PartyKind)>,
    /// First demonym of each party.
    demonyms: Vec<Option<String>>,
    /// What a word says as an office and as a verb, by its key.
    roles: ByKey<Role>,
    /// Names of the bodies that many states have.
    shared: Vec<String>,
}

/// What is known of a word in lower case.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Role {
    pub(crate) office: Option<Office>,
    pub(crate) verb: Option<VerbKind>,
    pub(crate) class: WordClass,
    pub(crate) loose: Option<Loose>,
    pub(crate) shared: Option<Shared>,
    pub(crate) rank: Option<OfficeKind>,
}

/// A word for a body that many states have, such as an army.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shared {
    /// Number of the body.
    pub(crate) body: u8,
    /// Names those who belong to it: "officers".
    pub(crate) is_people: bool,
}

/// Words that stand in a phrase but in no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loose {
    /// Before the name, a number: "nine rebel groups".
    Number,
    /// Before the name, a word of size, age or judgement: "small growers".
    Quality,
    /// Behind the name: "the growers meanwhile".
    Behind,
}

/// Words that do not name anything even where they are capitalised, or end a phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum WordClass {
    /// Any other.
    #[default]
    Open,
    /// Capitalised because it opens a sentence.
    Opener,
    /// An opener that also ends a phrase in lower case.
    OpenerAndBreak,
    /// A day or month.
    Date,
    /// Ends a phrase.
    Break,
}

impl Gazetteer {
    /// The tables of the project.
    pub fn builtin() -> Arc<Self> {
        static BUILTIN: OnceLock<Arc<Gazetteer>> = OnceLock::new();
        Arc::clone(BUILTIN.get_or_init(|| Arc::new(Self::build(None).expect("the project's own tables are checked by a test"))))
    }

    /// The project's tables and a user's own, whose names overrule.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or has no column `canonical`, or a row has no name there or too many fields.
    pub fn with_file(path: &Path) -> Result<Self> {
        Self::build(Some(&read_utf8(path)?)).map_err(|e| e.in_file(path))
    }

    fn build(own: Option<&str>) -> Result<Self> {
        let PartyTables { patterns, entries, parties, demonyms, .. } = PartyTables::read_all(own)?;
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .map_err(|e| Error::input("the gazetteer is too large").caused_by(e))?;
        let WordTables { roles, shared } = WordTables::read_all()?;
        Ok(Self { automaton, entries, parties, demonyms, roles, shared })
    }

    /// Names in the text, leftmost longest, whole words only.
    pub fn find(&self, text: &str) -> Vec<Hit> {
        let bytes = text.as_bytes();
        let is_word = |at: Option<&u8>| at.is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80);
        self.automaton
            .find_iter(text)
            .filter(|m| !is_word(m.start().checked_sub(1).and_then(|i| bytes.get(i))) && !is_word(bytes.get(m.end())))
            .map(|m| {
                let entry = &self.entries[m.pattern().as_usize()];
                Hit { start: m.start(), end: m.end(), party: entry.party as usize, form: entry.form }
            })
            .collect()
    }

    /// Canonical name of a party.
    pub fn canonical(&self, party: usize) -> &str {
        &self.parties[party].0
    }

    /// What belongs to a party is called so: "Kenyan".
    pub fn demonym(&self, party: usize) -> Option<&str> {
        self.demonyms[party].as_deref()
    }

    /// Name of a body that many states have: "army".
    pub(crate) fn shared(&self, body: u8) -> &str {
        &self.shared[usize::from(body)]
    }

    /// Kind of a party.
    pub fn kind(&self, party: usize) -> PartyKind {
        self.parties[party].1
    }

    /// What the word, in lower case, does as a verb.
    pub fn verb(&self, word: &str) -> Option<VerbKind> {
        self.role(Word::new(word).key()).verb
    }

    /// What the word, in lower case and singular or plural, says as an office or body.
    pub fn office(&self, word: &str) -> Option<Office> {
        self.role(Word::new(word).key()).office
    }

    /// The same for both, by the key of the word.
    pub(crate) fn role(&self, key: u64) -> Role {
        self.roles.get(&key).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, NameForm)> {
        let gazetteer = Gazetteer::builtin();
        gazetteer.find(text).into_iter().map(|h| (gazetteer.canonical(h.party).to_owned(), h.form)).collect()
    }

    #[test]
    fn names_demonyms_and_seats_are_found() {
        assert_eq!(
            found("New Delhi told Pakistanis that the U.S. envoy, a Niger expert, left Nigeria."),
            [
                ("India".to_owned(), NameForm::Seat),
                ("Pakistan".to_owned(), NameForm::Demonym),
                ("United States".to_owned(), NameForm::Name),
                ("Niger".to_owned(), NameForm::Name),
                ("Nigeria".to_owned(), NameForm::Name),
            ]
        );
    }

    #[test]
    fn longer_names_win_and_parts_of_words_do_not_count() {
        assert_eq!(found("South Sudan")[0].0, "South Sudan");
        assert_eq!(found("Indiana Irangate"), []);
    }

    #[test]
    fn a_users_table_overrules() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("own.csv");
        std::fs::write(&path, "canonical,names\nGeorgia (US),Georgia\nKarsava,Karsava Republic\n").unwrap();
        let gazetteer = Gazetteer::with_file(&path).unwrap();
        let hit = gazetteer.find("Georgia and the Karsava Republic");
        assert_eq!(gazetteer.canonical(hit[0].party), "Georgia (US)");
        assert_eq!(gazetteer.canonical(hit[1].party), "Karsava");
    }

    #[test]
    fn a_users_table_that_would_be_misread_is_refused_by_line() {
        for (table, message) in [
            ("canonical,kind,names\nA,state,X\n,state,Y\n", "line 3, column \"canonical\": a party without a name"),
            (
                "canonical,kind,names\nA,State of mind,X\n",
                "line 2, column \"kind\": unknown kind of party; expected state, agreement, armed-group,",
            ),
            ("canonical,kind,names\nA,state,X,Y\n", "line 2: ragged row; expected at most 3 fields, as in the header; found 4"),
        ] {
            let error = Gazetteer::build(Some(table)).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        let marked = Gazetteer::build(Some("\u{feff}canonical,names\nKarsava,Vera\n")).unwrap();
        assert_eq!(marked.canonical(marked.find("by the Vera")[0].party), "Karsava");
    }

    #[test]
    fn verbs_are_known_in_all_their_forms() {
        let gazetteer = Gazetteer::builtin();
        for form in ["says", "said", "denied", "denies", "denying", "admitting", "urges", "urging", "wrote"] {
            assert_eq!(gazetteer.verb(form), Some(VerbKind::Say), "{form}");
        }
        assert_eq!(gazetteer.verb("rejects"), Some(VerbKind::Stance));
        assert_eq!(gazetteer.verb("table"), Some(VerbKind::Stance));
        assert_eq!(gazetteer.verb("river"), None);
    }

    #[test]
    fn offices_tell_who_speaks() {
        let gazetteer = Gazetteer::builtin();
        assert_eq!(gazetteer.office("ministers"), Some(Office::OfState));
        assert_eq!(gazetteer.office("ministry"), Some(Office::StateBody));
        assert_eq!(gazetteer.office("court"), Some(Office::OwnBody));
        assert_eq!(gazetteer.office("river"), None);
    }
}
