//! The tables of words: what each word says as an office, a verb, a body that many states have, or a word of no name.

use crate::error::{Error, Result};
use crate::holders::gazetteer::{Loose, Office, OfficeKind, Role, Shared, VerbKind, WordClass};
use crate::holders::weights::{ByKey, Word};

const OFFICES: &str = include_str!("../data/offices.csv");
const VERBS: &str = include_str!("../data/verbs.csv");
const SHARED: &str = include_str!("../data/shared.csv");
const LOOSE: &str = include_str!("../data/loose.csv");

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

/// What the tables say of words.
#[derive(Default)]
pub(super) struct WordTables {
    /// By the key of the word.
    pub(super) roles: ByKey<Role>,
    /// Names of the bodies that many states have.
    pub(super) shared: Vec<String>,
}

/// A row of a table: its name, then lists of words.
struct Row(csv::StringRecord);

impl Row {
    fn name(&self) -> &str {
        self.0.get(0).unwrap_or_default()
    }

    /// The words of a list, which `|` joins.
    fn list(&self, column: usize) -> impl Iterator<Item = &str> {
        self.0.get(column).unwrap_or_default().split('|').filter(|word| !word.is_empty())
    }
}

/// The rows of a table of `content`.
fn rows(table: &str, content: &str) -> Result<Vec<Row>> {
    let rows = csv::Reader::from_reader(table.as_bytes()).into_records().map(|record| record.map(Row));
    rows.collect::<Result<_, _>>().map_err(|e| Error::input(format!("not a row of {content}")).caused_by(e))
}

impl WordTables {
    /// The tables of the project.
    pub(super) fn read_all() -> Result<Self> {
        let mut tables = Self::default();
        tables.add_offices(&rows(OFFICES, "offices")?);
        tables.add_verbs(&rows(VERBS, "verbs")?);
        tables.add_loose(&rows(LOOSE, "loose words")?);
        tables.add_shared(&rows(SHARED, "shared bodies")?);
        tables.add_classes();
        Ok(tables)
    }

    fn role(&mut self, word: &str) -> &mut Role {
        self.roles.entry(Word::new(word).key()).or_default()
    }

    fn add_offices(&mut self, rows: &[Row]) {
        let terms = || (0..).zip(rows).flat_map(|(i, row)| row.list(1).map(move |term| (OfficeKind(i), row.name(), term)));
        // "growers" is a body as it stands, though a "grower" is a person: terms as they are written come before plurals of others.
        for (kind, name, term) in terms().filter(|(_, name, _)| *name == "body") {
            self.add_office(term, kind, office(name, term));
        }
        for (kind, name, term) in terms() {
            // The last word of a term, or the last before "of", is its head; plurals are formed on it.
            let head = term.split(" of ").next().and_then(|before| before.rsplit(' ').next()).unwrap_or(term);
            for word in [term, head, &format!("{head}s")] {
                self.add_office(word, kind, office(name, term));
            }
        }
    }

    /// The first row to have a word wins.
    fn add_office(&mut self, word: &str, kind: OfficeKind, office: Office) {
        let role = self.role(word);
        if role.rank.is_none() {
            (role.rank, role.office) = (Some(kind), Some(office));
        }
    }

    fn add_verbs(&mut self, rows: &[Row]) {
        for row in rows {
            let kind = match row.name() {
                "say" => VerbKind::Say,
                "stance" => VerbKind::Stance,
                _ => VerbKind::Auxiliary,
            };
            for form in row.list(1).flat_map(inflections) {
                self.role(&form).verb.get_or_insert(kind);
            }
        }
    }

    fn add_loose(&mut self, rows: &[Row]) {
        for row in rows {
            let kind = match row.name() {
                "number" => Loose::Number,
                "behind" => Loose::Behind,
                _ => Loose::Quality,
            };
            row.list(1).for_each(|word| self.role(word).loose = Some(kind));
        }
    }

    /// Bodies that many states have, their names and those who speak for them.
    fn add_shared(&mut self, rows: &[Row]) {
        for (body, row) in (0..).zip(rows) {
            for (column, is_people) in [(1, false), (2, true)] {
                row.list(column).for_each(|word| self.role(word).shared = Some(Shared { body, is_people }));
            }
            self.shared.push(row.name().to_owned());
        }
    }

    fn add_classes(&mut self) {
        for (list, class) in [(OPENERS, WordClass::Opener), (DAYS_AND_MONTHS, WordClass::Date), (BREAKS, WordClass::Break)] {
            for word in list.split_whitespace() {
                let role = self.role(word);
                role.class = match (role.class, class) {
                    (WordClass::Opener, WordClass::Break) => WordClass::OpenerAndBreak,
                    _ => class,
                };
            }
        }
    }
}

/// What a term of the row `name` of the table of offices says.
fn office(name: &str, term: &str) -> Office {
    match name {
        "body" if STATE_BODIES.contains(&term) => Office::StateBody,
        "body" => Office::OwnBody,
        _ => Office::OfState,
    }
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
