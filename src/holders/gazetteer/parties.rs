//! The tables of parties: which names stand for whom.

use hashbrown::HashSet;

use crate::error::{Error, Result};
use crate::holders::gazetteer::{Entry, NameForm, PartyKind};

const STATES: &str = include_str!("../data/states.csv");
const BODIES: &str = include_str!("../data/bodies.csv");
const PLACES: &str = include_str!("../data/places.csv");
const LEADERS: &str = include_str!("../data/leaders.csv");

/// Rows of all tables of parties.
#[derive(Default)]
pub(super) struct PartyTables {
    /// Every name, as it stands in texts.
    pub(super) patterns: Vec<String>,
    /// What each pattern names.
    pub(super) entries: Vec<Entry>,
    pub(super) parties: Vec<(String, PartyKind)>,
    /// First demonym of each party.
    pub(super) demonyms: Vec<Option<String>>,
    seen: HashSet<String>,
}

/// What a party that is no state may be called in a table; all are treated alike.
const KINDS_OF_BODIES: [&str; 11] =
    ["agreement", "armed-group", "bloc", "body", "company", "court", "group", "military", "organisation", "party", "territory"];

impl PartyTables {
    /// The tables of the project, behind a user's own, whose names overrule.
    pub(super) fn read_all(own: Option<&str>) -> Result<Self> {
        let mut tables = Self::default();
        if let Some(own) = own {
            tables.read(own, PartyKind::Body)?;
        }
        tables.read(STATES, PartyKind::State)?;
        tables.read(LEADERS, PartyKind::State)?;
        tables.read(BODIES, PartyKind::Body)?;
        tables.read(PLACES, PartyKind::Place)?;
        Ok(tables)
    }

    fn read(&mut self, table: &str, kind: PartyKind) -> Result<()> {
        let table = table.strip_prefix('\u{feff}').unwrap_or(table);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(table.as_bytes());
        let headers = reader.headers().map_err(|e| Error::input("not a table of names").caused_by(e))?.clone();
        let column = |name: &str| headers.iter().position(|h| h == name);
        let canonical = column("canonical").ok_or_else(|| {
            let found = headers.iter().collect::<Vec<_>>().join(",");
            let error = Error::input("no such column").in_column("canonical").on_line(1);
            error.expected("canonical,kind,names,demonyms,seats").found(found)
        })?;
        for record in reader.records() {
            let record = record.map_err(|e| Error::input("not a row of names").caused_by(e))?;
            let field = |name: &str| column(name).and_then(|c| record.get(c)).unwrap_or_default().to_owned();
            let name = record.get(canonical).unwrap_or_default().trim().to_owned();
            let line = record.position().map_or(0, csv::Position::line);
            if name.is_empty() {
                let error = Error::input("a party without a name").in_column("canonical").on_line(line);
                return Err(error.help("fill it, or take the row out"));
            }
            if record.len() > headers.len() {
                return Err(Error::input("ragged row")
                    .on_line(line)
                    .expected(format!("at most {} fields, as in the header", headers.len()))
                    .found(record.len().to_string())
                    .help("join several names by |, and quote a field that holds a comma"));
            }
            let kind = match field("kind").trim() {
                "" => kind,
                "state" => PartyKind::State,
                known if KINDS_OF_BODIES.contains(&known) => PartyKind::Body,
                other => {
                    let error = Error::input("unknown kind of party").in_column("kind").on_line(line);
                    return Err(error.expected(format!("state, {}, or nothing", KINDS_OF_BODIES.join(", "))).found(other));
                }
            };
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
        if name.is_empty() || !self.seen.insert(name.to_owned()) {
            return;
        }
        self.patterns.push(name.to_owned());
        self.entries.push(Entry { party: party as u32, form });
        // Typographic apostrophes are as common as plain ones.
        if name.contains('\'') {
            self.add(&name.replace('\'', "’"), party, form);
        }
    }
}
