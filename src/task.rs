//! What a model is trained for: which columns are texts, labels and groups, and which head is given another.
//!
//! A task comes from a `task.toml` or from flags (`--text`, `--label`, `--given`, `--group`); both make the same [`Task`]. It knows names of columns, never
//! their contents: label sets come from the training data.
//!
//! ```
//! let task: stancekit::Task = r#"
//!     name = "diplomacy"
//!     text = "text"
//!     group = "article"
//!     [[head]]
//!     name = "topic"
//!     [[head]]
//!     name = "stance"
//!     given = "topic"
//! "#.parse()?;
//! assert_eq!(task.heads[1].given.as_deref(), Some("topic"));
//! # Ok::<(), stancekit::Error>(())
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::data::source::read_utf8;
use crate::error::{Error, Result};

/// A labelling task over the rows of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// A short name, for reports.
    #[serde(default = "default_name")]
    pub name: String,
    /// Column of the text; found by its usual names where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Column whose equal values belong together (an article): cross-validation and bootstrap keep them whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Columns that together name one text: rows that agree on them are several labels of the same text. Empty: every row is a text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unit: Vec<String>,
    /// Column of a target text whose first mention is marked, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// A target whose first mention in every text is marked, where neither a column nor a span says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_text: Option<String>,
    /// Columns of start and end (code points, end exclusive) of the target mention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_span: Option<(String, String)>,
    /// The heads; one that is given another stands after it.
    #[serde(rename = "head")]
    pub heads: Vec<HeadTask>,
    /// What each label of the first head asks, for readers: proposition by label.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub propositions: BTreeMap<String, String>,
}

/// One label column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadTask {
    /// Name of the head, and of its column unless `column` says otherwise.
    pub name: String,
    /// Column of the labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Another head, or a column of the input, whose value is known when this head answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// A text may have several of these labels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multiple: bool,
    /// The label that stands for "none of the others".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<String>,
}

impl Task {
    /// Whether texts come with a mention that the labels are about.
    pub fn has_target(&self) -> bool {
        self.target.is_some() || self.target_text.is_some() || self.target_span.is_some()
    }
}

impl HeadTask {
    /// A head read from the column of its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), column: None, given: None, multiple: false, none: None }
    }

    /// Name of the label column.
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }
}

impl Task {
    /// One label column, perhaps given another column; needs no task file.
    pub fn single(text: Option<&str>, label: &str, given: Option<&str>, group: Option<&str>) -> Self {
        let head = HeadTask { given: given.map(str::to_owned), ..HeadTask::new(label) };
        Self {
            name: label.to_owned(),
            text: text.map(str::to_owned),
            group: group.map(str::to_owned),
            unit: Vec::new(),
            target: None,
            target_text: None,
            target_span: None,
            heads: vec![head],
            propositions: BTreeMap::new(),
        }
    }

    /// Reads a `task.toml`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is no legal task.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        read_utf8(path)?.parse::<Self>().map_err(|e| e.in_file(path))
    }

    /// Position of the head with this name.
    pub fn head(&self, name: &str) -> Option<usize> {
        self.heads.iter().position(|h| h.name == name)
    }

    /// Checks that heads have different names and that a given head stands before the one that needs it.
    ///
    /// # Errors
    ///
    /// Names the head that is wrong.
    pub fn validate(&self) -> Result<()> {
        if self.heads.is_empty() {
            return Err(Error::parameter("the task has no head").help("add a [[head]] with a name, or use --label"));
        }
        for (i, head) in self.heads.iter().enumerate() {
            if self.head(&head.name) != Some(i) {
                return Err(Error::parameter("two heads have one name").found(head.name.clone()));
            }
            let given = head.given.as_deref().and_then(|name| self.head(name));
            if given.is_some_and(|g| g >= i) {
                return Err(Error::parameter(format!("head {:?} is given a head that comes later", head.name))
                    .help("put the given head first"));
            }
            if given.is_some() && head.multiple {
                return Err(Error::parameter(format!("head {:?} cannot be both multiple and given another head", head.name)));
            }
        }
        Ok(())
    }
}

impl FromStr for Task {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let task: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() as u64 + 1);
            let error = Error::parameter(e.message().to_owned()).help("see datasets/diplomacy/task.toml for an example");
            line.map_or_else(|| Error::parameter(e.message().to_owned()), |line| error.on_line(line))
        })?;
        task.validate()?;
        Ok(task)
    }
}

fn default_name() -> String {
    "task".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_head_needs_no_file() {
        let task = Task::single(Some("text"), "stance", Some("target"), None);
        task.validate().unwrap();
        assert_eq!(task.heads[0].column(), "stance");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = "name = \"x\"\nhaed = 1\n".parse::<Task>().unwrap_err();
        assert_eq!(error.place().line, Some(2));
    }

    #[test]
    fn a_head_cannot_be_given_a_later_one() {
        let text = "[[head]]\nname = \"a\"\ngiven = \"b\"\n[[head]]\nname = \"b\"\n";
        assert!(text.parse::<Task>().is_err());
    }
}
