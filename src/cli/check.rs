//! `stance check`: what may be wrong with labelled data.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use stancekit::check::{
    CheckedRow, agreement, conflicts, groups_across_splits, label_counts, near_duplicates, unique_four_grams,
};
use stancekit::data::{BatchLimits, Rejects, RowBatch};
use stancekit::evaluate::N_SAMPLES;
use stancekit::labelled::Columns;

use super::columns::{TableArgs, TaskArgs, tell_encoding};
use super::{Common, ExitStatus, RejectArgs, settle};

/// Name of the split that is tested on.
const TEST_SPLIT: &str = "test";
/// So many findings of a kind are listed.
const SHOWN: usize = 10;
/// Labels with fewer rows are pointed out.
const RARE: usize = 10;

/// Look for what is wrong in labelled data: unknown and rare labels, conflicts, duplicates across splits, agreement of annotators.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    task: TaskArgs,
    /// A second table, checked as the test split of the first
    #[arg(long, value_name = "F")]
    test: Option<PathBuf>,
    /// Column of the split, if the table holds several
    #[arg(long, value_name = "COL")]
    split: Option<String>,
    /// Labels that are known, of the first head; others are named. By default those with a proposition in the task
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    known: Vec<String>,
    /// Columns of several annotators' labels of the same question
    #[arg(long, value_name = "COLS", value_delimiter = ',')]
    annotators: Vec<String>,
    #[command(flatten)]
    rejects: RejectArgs,
}

impl Check {
    pub fn run(&self, _: &Common) -> anyhow::Result<ExitStatus> {
        let mut rejects = self.rejects.open()?;
        let mut text = String::new();
        if !self.annotators.is_empty() {
            text += &self.annotator_report(&mut rejects)?;
            super::write_text(None, &text)?;
            return settle(&mut rejects);
        }
        let mut rows = self.read(&self.table, "train", &mut rejects)?;
        if let Some(test) = &self.test {
            let table = TableArgs { data: test.clone(), ..self.table.clone() };
            rows.extend(self.read(&table, TEST_SPLIT, &mut rejects)?);
        }
        anyhow::ensure!(!rows.is_empty(), "no row to check");
        let n_found = self.report(&rows, &mut text)?;
        super::write_text(None, &text)?;
        let status = settle(&mut rejects)?;
        Ok(if n_found > 0 { ExitStatus::Incomplete } else { status })
    }

    fn read(&self, table: &TableArgs, split: &str, rejects: &mut Rejects) -> anyhow::Result<Vec<CheckedRow>> {
        let task = self.task.task(&table.data, table.rows.text.as_deref())?;
        let mut reader = table.open()?;
        let text = table.text_column(&mut reader, &task)?;
        let columns = Columns::find(&task, reader.columns(), text, true).map_err(|e| reader.place_columns(e))?;
        let split_column = match &self.split {
            Some(name) => {
                Some(reader.columns().iter().position(|c| c == name).ok_or_else(|| anyhow::anyhow!("no column {name:?}"))?)
            }
            None => None,
        };
        let conditions = table.conditions(reader.columns())?;
        let mut batch = RowBatch::new();
        let mut rows = Vec::new();
        while reader.read_batch(&mut batch, BatchLimits::default(), rejects)? {
            batch.retain(|batch, row| conditions.iter().all(|c| c.holds(batch, row)));
            for row in 0..batch.n_rows() {
                let field = |c: usize| batch.field(row, c).to_owned();
                rows.push(CheckedRow {
                    line: batch.line(row),
                    text: field(columns.text),
                    group: columns.group.map_or_else(|| format!("{split} {}", batch.line(row)), field),
                    split: split_column.map_or_else(|| split.to_owned(), field),
                    labels: columns.labels.iter().flatten().map(|&c| field(c)).collect(),
                });
            }
        }
        tell_encoding(&reader);
        Ok(rows)
    }

    /// Writes all findings; gives the number of faults.
    fn report(&self, rows: &[CheckedRow], text: &mut String) -> anyhow::Result<usize> {
        let mut n_faults = 0;
        *text += &format!(
            "{} rows; {:.1} % of word 4-grams occur once\n\nrows per label\n",
            rows.len(),
            100.0 * unique_four_grams(rows)
        );
        for (labels, n) in label_counts(rows) {
            let rare = if n < RARE { "  (few)" } else { "" };
            *text += &format!("  {n:>6}  {}{rare}\n", labels.join(" / "));
        }
        let mut section = |title: &str, found: Vec<String>| {
            n_faults += found.len();
            *text += &format!("\n{title}: {}\n", found.len());
            found.iter().take(SHOWN).for_each(|line| *text += &format!("  {line}\n"));
        };
        section("unknown labels", self.unknown_labels(rows)?);
        section("groups in more than one split", groups_across_splits(rows).into_iter().map(str::to_owned).collect());
        let n_heads = rows.first().map_or(0, |r| r.labels.len());
        for head in 0..n_heads {
            let found = conflicts(rows, head);
            let line = |&(a, b): &(usize, usize)| {
                let (a, b) = (&rows[a], &rows[b]);
                format!(
                    "{} line {}: {}, {} line {}: {}: {}",
                    a.split, a.line, a.labels[head], b.split, b.line, b.labels[head], a.text
                )
            };
            section(&format!("same text, other label (label {})", head + 1), found.iter().map(line).collect());
        }
        let near = near_duplicates(rows);
        let across = near.iter().filter(|p| rows[p.first].split != rows[p.second].split).count();
        let line = |p: &stancekit::check::Pair| {
            let (a, b) = (&rows[p.first], &rows[p.second]);
            format!("{} line {} and {} line {} ({:.2}): {}", a.split, a.line, b.split, b.line, p.jaccard, b.text)
        };
        section(&format!("near-duplicates of different groups ({across} across splits)"), near.iter().map(line).collect());
        Ok(n_faults)
    }

    /// Rows whose label is in no list: not among those of `--known` or, of a head with propositions, in the task; or, in the test split, not in the other.
    fn unknown_labels(&self, rows: &[CheckedRow]) -> anyhow::Result<Vec<String>> {
        let task = self.task.task(&self.table.data, self.table.rows.text.as_deref())?;
        let mut known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        if known.is_empty() && !task.propositions.is_empty() {
            known.extend(task.propositions.keys().map(String::as_str).chain(task.heads[0].none.as_deref()));
        }
        let is_listed = |row: &CheckedRow| known.is_empty() || row.labels.first().is_some_and(|l| known.contains(&l.as_str()));
        let unlisted = rows.iter().filter(|row| !is_listed(row));
        let mut found: Vec<String> =
            unlisted.map(|r| format!("{} line {}: {:?} is not in the list", r.split, r.line, r.labels.first())).collect();
        for head in 0..rows.first().map_or(0, |r| r.labels.len()) {
            let of_split = |is_test: bool| {
                rows.iter().filter(move |r| (r.split == TEST_SPLIT) == is_test).map(move |r| (r.labels[head].as_str(), r.line))
            };
            let learnt: BTreeSet<&str> = of_split(false).map(|(label, _)| label).collect();
            if learnt.is_empty() {
                continue;
            }
            let unseen = of_split(true).filter(|(label, _)| !learnt.contains(label));
            found.extend(unseen.map(|(label, line)| format!("{TEST_SPLIT} line {line}: {label:?} is not in the training split")));
        }
        Ok(found)
    }

    fn annotator_report(&self, rejects: &mut Rejects) -> anyhow::Result<String> {
        let mut reader = self.table.open()?;
        let find =
            |name: &String| reader.columns().iter().position(|c| c == name).ok_or_else(|| anyhow::anyhow!("no column {name:?}"));
        let columns = self.annotators.iter().map(find).collect::<anyhow::Result<Vec<_>>>()?;
        let conditions = self.table.conditions(reader.columns())?;
        let mut batch = RowBatch::new();
        let mut units: Vec<Vec<String>> = Vec::new();
        while reader.read_batch(&mut batch, BatchLimits::default(), rejects)? {
            batch.retain(|batch, row| conditions.iter().all(|c| c.holds(batch, row)));
            units.extend((0..batch.n_rows()).map(|row| columns.iter().map(|&c| batch.field(row, c).trim().to_owned()).collect()));
        }
        tell_encoding(&reader);
        let found = agreement(&units, N_SAMPLES, 1);
        let mut text = format!("{} units, {} annotators\n", units.len(), columns.len());
        for (a, b, kappa) in found.kappas {
            text += &format!("Cohen's kappa, {} and {}: {kappa:.4}\n", self.annotators[a], self.annotators[b]);
        }
        text += &format!(
            "Krippendorff's alpha, nominal: {:.4}  [{:.4}, {:.4}]\n",
            found.alpha, found.interval.low, found.interval.high
        );
        Ok(text)
    }
}
