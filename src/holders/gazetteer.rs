//! Names of parties and the words that mark who speaks: states, bodies, offices.
//!
//! Tables in `data/`, each party once: `states.csv` (canonical name, other names, demonyms, capitals and other seats), `leaders.csv` (persons who spoke for a state
//! long enough to be named without it), `bodies.csv` (blocs, organisations, armed groups, agreements, parties), `places.csv` (rivers, regions, disputed
//! territories: no holders), `offices.csv` (words for offices and bodies, by kind) and `verbs.csv` (verbs of saying and of taking a position). A
//! user's own table has the columns of `states.csv`, plus `kind`.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, MatchKind};
use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::holders::weights::{ByKey, Word};

const STATES: &str = include_str!("data/states.csv");
const BODIES: &str = include_str!("data/bodies.csv");
const PLACES: &str = include_str!("data/places.csv");
const LEADERS: &str = include_str!("data/leaders.csv");
const OFFICES: &str = include_str!("data/offices.csv");
const VERBS: &str = include_str!("data/verbs.csv");
const SHARED: &str = include_str!("data/shared.csv");
const LOOSE: &str = include_str!("data/loose.csv");

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

/// Capitalised because they open a sentence, not because they name something.
const OPENERS: &str = " a after all although an and any as asked at before but by despite even for from he her here his how however i if in it its last later \
    meanwhile most neither no nobody none not nothing now of on once one only or our several she since so some that the their there they this to what when \
    we two three four five six seven eight ten both every each few many more another other under over with without while where who why whether yet still \
    then these those you your my us him me until unless though through during among amid about between behind beyond because asked speaking meeting calling \
    earlier today yesterday tomorrow live updated photo analysis opinion editorial explainer comment briefing letter mr mrs ms dr ";
const DAYS_AND_MONTHS: &str = " monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october \
    november december ";
/// Lower-case words that end a phrase even before an office.
const BREAKS: &str = " said says told that to in on with by is was were are has had have will from as at or its his her their a an the and but who which \
    would could should can may might must not it he she they against over after before into than when while if because so about until under between ";

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

/// Rows of all tables while they are read.
#[derive(Default)]
struct Tables {
    patterns: Vec<String>,
    entries: Vec<Entry>,
    seen: HashMap<String, usize>,
    parties: Vec<(String, PartyKind)>,
    demonyms: Vec<Option<String>>,
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
    /// If the file cannot be read or has no column `canonical`.
    pub fn with_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        Self::build(Some(&text)).map_err(|e| e.in_file(path))
    }

    fn build(own: Option<&str>) -> Result<Self> {
        let mut tables = Tables::default();
        if let Some(own) = own {
            tables.read(own, PartyKind::Body)?;
        }
        tables.read(STATES, PartyKind::State)?;
        tables.read(LEADERS, PartyKind::State)?;
        tables.read(BODIES, PartyKind::Body)?;
        tables.read(PLACES, PartyKind::Place)?;
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&tables.patterns)
            .map_err(|e| Error::input("the gazetteer is too large").caused_by(e))?;
        let (mut roles, mut shared) = (roles()?, Vec::new());
        read_shared(&mut roles, &mut shared)?;
        Ok(Self { automaton, entries: tables.entries, parties: tables.parties, demonyms: tables.demonyms, roles, shared })
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

impl Tables {
    fn read(&mut self, table: &str, kind: PartyKind) -> Result<()> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(table.as_bytes());
        let headers = reader.headers().map_err(|e| Error::input("not a table of names").caused_by(e))?.clone();
        let column = |name: &str| headers.iter().position(|h| h == name);
        let canonical = column("canonical").ok_or_else(|| {
            Error::input("no such column").in_column("canonical").expected("canonical,kind,names,demonyms,seats").on_line(1)
        })?;
        for record in reader.records() {
            let record = record.map_err(|e| Error::input("not a row of names").caused_by(e))?;
            let field = |name: &str| column(name).and_then(|c| record.get(c)).unwrap_or_default().to_owned();
            let name = record.get(canonical).unwrap_or_default().trim().to_owned();
            let kind = if field("kind") == "state" { PartyKind::State } else { kind };
            let party = match self.parties.iter().position(|p| p.0 == name) {
                Some(known) => known,
                None => {
                    self.parties.push((name.clone(), kind));
                    self.demonyms.push(field("demonyms").split('|').next().filter(|d| !d.is_empty()).map(str::to_owned));
                    self.parties.len() - 1
                }
            };
            self.add(&name, party, NameForm::Name);
            field("names").split('|').for_each(|n| self.add(n, party, NameForm::Name));
            field("seats").split('|').for_each(|n| self.add(n, party, NameForm::Seat));
            for demonym in field("demonyms").split('|') {
                self.add(demonym, party, NameForm::Demonym);
                if !demonym.ends_with("sh") && !demonym.ends_with("ch") && !demonym.ends_with("ese") && !demonym.is_empty() {
                    self.add(&format!("{demonym}s"), party, NameForm::Demonym);
                }
            }
        }
        Ok(())
    }

    /// The first table to name something wins.
    fn add(&mut self, name: &str, party: usize, form: NameForm) {
        let name = name.trim();
        if name.is_empty() || self.seen.contains_key(name) {
            return;
        }
        self.seen.insert(name.to_owned(), self.patterns.len());
        self.patterns.push(name.to_owned());
        self.entries.push(Entry { party: party as u32, form });
        // Typographic apostrophes are as common as plain ones.
        if name.contains('\'') {
            self.add(&name.replace('\'', "’"), party, form);
        }
    }
}

fn roles() -> Result<ByKey<Role>> {
    let mut roles: ByKey<Role> = ByKey::default();
    let mut of = |word: &str, set: &dyn Fn(&mut Role)| set(roles.entry(Word::new(word).key()).or_default());
    offices()?.into_iter().for_each(|(word, (office, kind))| {
        of(&word, &|role| {
            role.office = Some(office);
            role.rank = Some(kind);
        });
    });
    verbs()?.into_iter().for_each(|(word, verb)| of(&word, &|role| role.verb = Some(verb)));
    loose()?.into_iter().for_each(|(word, loose)| of(&word, &|role| role.loose = Some(loose)));
    for (list, class) in [(OPENERS, WordClass::Opener), (DAYS_AND_MONTHS, WordClass::Date), (BREAKS, WordClass::Break)] {
        for word in list.split_whitespace() {
            of(word, &|role| {
                role.class = match (role.class, class) {
                    (WordClass::Opener, WordClass::Break) => WordClass::OpenerAndBreak,
                    _ => class,
                }
            });
        }
    }
    Ok(roles)
}

fn offices() -> Result<HashMap<String, (Office, OfficeKind)>> {
    /// Bodies that speak for their state; all others of the kind `body` have positions of their own.
    const STATE_BODIES: [&str; 31] = [
        "government",
        "cabinet",
        "ministry",
        "foreign ministry",
        "defence ministry",
        "defense ministry",
        "interior ministry",
        "home ministry",
        "finance ministry",
        "trade ministry",
        "commerce ministry",
        "energy ministry",
        "water ministry",
        "irrigation ministry",
        "culture ministry",
        "foreign office",
        "home office",
        "state department",
        "presidency",
        "presidential palace",
        "prime minister's office",
        "external affairs ministry",
        "ministry of external affairs",
        "ministry of foreign affairs",
        "ministry of defence",
        "administration",
        "authorities",
        "regime",
        "embassy",
        "high commission",
        "mission",
    ];
    let mut offices = HashMap::new();
    let mut reader = csv::Reader::from_reader(OFFICES.as_bytes());
    let records: Vec<csv::StringRecord> =
        reader.records().collect::<std::result::Result<_, _>>().map_err(|e| Error::input("not a row of offices").caused_by(e))?;
    let terms = || records.iter().flat_map(|r| r.get(1).unwrap_or_default().split('|').map(move |term| (r.get(0), term)));
    let office_of = |kind: Option<&str>, term: &str| {
        let row = records.iter().position(|r| r.get(0) == kind).unwrap_or_default();
        let office = match kind {
            Some("body") if STATE_BODIES.contains(&term) => Office::StateBody,
            Some("body") => Office::OwnBody,
            _ => Office::OfState,
        };
        (office, OfficeKind(row as u8))
    };
    // "growers" is a body as it stands, though a "grower" is a person: terms as they are written come before plurals of others.
    for (kind, term) in terms().filter(|(kind, _)| *kind == Some("body")) {
        offices.entry(term.to_owned()).or_insert(office_of(kind, term));
    }
    for (kind, term) in terms() {
        // The last word of a term is its head; plurals are formed on it.
        let head = term.rsplit(' ').next().unwrap_or(term);
        for word in [term.to_owned(), head.to_owned(), format!("{head}s")] {
            offices.entry(word).or_insert(office_of(kind, term));
        }
    }
    Ok(offices)
}

/// Bodies that many states have, their names and those who speak for them.
fn read_shared(roles: &mut ByKey<Role>, shared: &mut Vec<String>) -> Result<()> {
    let mut reader = csv::Reader::from_reader(SHARED.as_bytes());
    for record in reader.records() {
        let record = record.map_err(|e| Error::input("not a row of shared bodies").caused_by(e))?;
        for (column, is_people) in [(1, false), (2, true)] {
            for word in record.get(column).unwrap_or_default().split('|').filter(|word| !word.is_empty()) {
                roles.entry(Word::new(word).key()).or_default().shared = Some(Shared { body: shared.len() as u8, is_people });
            }
        }
        shared.push(record.get(0).unwrap_or_default().to_owned());
    }
    Ok(())
}

fn loose() -> Result<Vec<(String, Loose)>> {
    let mut words = Vec::new();
    let mut reader = csv::Reader::from_reader(LOOSE.as_bytes());
    for record in reader.records() {
        let record = record.map_err(|e| Error::input("not a row of loose words").caused_by(e))?;
        let kind = match record.get(0) {
            Some("number") => Loose::Number,
            Some("behind") => Loose::Behind,
            _ => Loose::Quality,
        };
        words.extend(record.get(1).unwrap_or_default().split('|').map(|word| (word.to_owned(), kind)));
    }
    Ok(words)
}

fn verbs() -> Result<HashMap<String, VerbKind>> {
    let mut verbs = HashMap::new();
    let mut reader = csv::Reader::from_reader(VERBS.as_bytes());
    for record in reader.records() {
        let record = record.map_err(|e| Error::input("not a row of verbs").caused_by(e))?;
        let kind = match record.get(0) {
            Some("say") => VerbKind::Say,
            Some("stance") => VerbKind::Stance,
            _ => VerbKind::Auxiliary,
        };
        for form in record.get(1).unwrap_or_default().split('|').flat_map(inflections) {
            verbs.entry(form).or_insert(kind);
        }
    }
    Ok(verbs)
}

/// All forms of a verb: "admit=admitted" is admit, admits, admitting, admitted; without "=" the past is regular.
fn inflections(entry: &str) -> Vec<String> {
    let mut parts = entry.split('=');
    let base = parts.next().unwrap_or_default();
    let mut forms: Vec<String> = parts.map(str::to_owned).collect();
    let (stem, last) = base.split_at(base.len().saturating_sub(1));
    let ends_in = |endings: &[&str]| endings.iter().any(|e| base.ends_with(e));
    let is_consonant_y = last == "y" && !stem.ends_with(['a', 'e', 'o', 'u']);
    let doubled = format!("{base}{last}");
    if forms.is_empty() {
        forms.push(match last {
            "e" => format!("{base}d"),
            "y" if is_consonant_y => format!("{stem}ied"),
            _ => format!("{base}ed"),
        });
    }
    let is_doubled = forms.iter().any(|f| f.starts_with(&doubled));
    forms.push(match last {
        _ if is_doubled => format!("{doubled}ing"),
        "e" if !ends_in(&["ee", "oe"]) => format!("{stem}ing"),
        _ => format!("{base}ing"),
    });
    forms.push(match last {
        "y" if is_consonant_y => format!("{stem}ies"),
        _ if ends_in(&["s", "x", "z", "ch", "sh", "o"]) => format!("{base}es"),
        _ => format!("{base}s"),
    });
    forms.push(base.to_owned());
    forms
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
