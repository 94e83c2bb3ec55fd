//! The data of the benchmarks: labelled texts, the public set where it is, else our own.

use std::path::{Path, PathBuf};

use stancekit::features::Passage;
use stancekit::labelled::{Columns, Labelled, LabelledBuilder};
use stancekit::predict::{Answer, N_TOGETHER, Reading, Scratch};
use stancekit::{Predictor, Task};

/// The file, and text and stance of each of its rows.
pub fn rows() -> (PathBuf, Vec<(String, String)>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let public =
        std::env::var_os("STANCEKIT_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from).join("pstance/data.csv");
    let path = if public.is_file() { public } else { root.join("datasets/diplomacy/train.csv") };
    let mut reader = csv::Reader::from_path(&path).expect("the data was found");
    let headers = reader.headers().expect("a header").clone();
    let column = |name: &str| headers.iter().position(|h| h == name).expect("both sets have this column");
    let (text, stance) = (column("text"), column("stance"));
    let rows = reader.records().map(|r| r.expect("a good row")).map(|r| (r[text].to_owned(), r[stance].to_owned())).collect();
    (path, rows)
}

/// The rows as a training set for one head.
pub fn labelled(rows: &[(String, String)]) -> (Task, Labelled) {
    let task = Task::single(Some("text"), "stance", None, None);
    let names = ["text".to_owned(), "stance".to_owned()];
    let mut builder = LabelledBuilder::new(&task, Columns::find(&task, &names, 0, true).expect("both columns are there"));
    for (text, stance) in rows {
        builder.push(|c| if c == 0 { text } else { stance }).expect("every row has a label");
    }
    (task, builder.finish())
}

/// A rayon pool of one thread.
pub fn one_thread() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread")
}

/// Buffers for [`classes`].
pub fn readings() -> Vec<Reading> {
    (0..N_TOGETHER).map(|_| Reading::default()).collect()
}

/// Labels all texts by the first head; the sum of their classes.
pub fn classes(
    predictor: &Predictor,
    texts: &[&str],
    scratch: &mut Scratch,
    readings: &mut [Reading],
    answer: &mut Answer,
) -> usize {
    let mut sum = 0;
    for texts in texts.chunks(N_TOGETHER) {
        let mut passages = [Passage::from(""); N_TOGETHER];
        passages.iter_mut().zip(texts).for_each(|(passage, &text)| *passage = text.into());
        predictor.read_all(&passages[..texts.len()], scratch, readings);
        for reading in &mut readings[..texts.len()] {
            scratch.exchange(reading);
            predictor.answer_into(0, None, scratch, answer);
            sum += answer.class;
            scratch.exchange(reading);
        }
    }
    sum
}
