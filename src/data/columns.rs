//! Which column of a table is the text, the id, the title: by a flag, or by the names that data sets use.

use crate::error::{Error, Result};

/// What a column can be for an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The text itself.
    Text,
    /// The identifier of the article.
    Id,
    /// The headline.
    Title,
    /// The day it was published.
    Date,
    /// Who published it.
    Outlet,
    /// Where it stands on the web.
    Url,
}

/// Names of a text column in ranks: a name of an earlier rank wins, two of the same rank are ambiguous.
const TEXT_NAMES: &[&[&str]] = &[
    &["text"],
    &["sentence", "content", "body", "full_text", "fulltext", "article_text", "article_body"],
    &["article", "tweet", "statement", "post", "message", "comment", "document", "review", "abstract", "paragraph"],
];
const ID_NAMES: &[&[&str]] = &[
    &["id"],
    &["article_id"],
    &["doc_id"],
    &["document_id"],
    &["tweet_id"],
    &["sentence_id"],
    &["uuid"],
    &["guid"],
    &["article"],
];
const TITLE_NAMES: &[&[&str]] = &[&["title"], &["headline"], &["article_title"], &["heading"], &["subject"]];
const DATE_NAMES: &[&[&str]] = &[
    &["date"],
    &["published"],
    &["published_at"],
    &["publish_date"],
    &["published_date"],
    &["publication_date"],
    &["date_published"],
    &["pub_date"],
    &["pubdate"],
    &["published_time"],
    &["created_at"],
    &["datetime"],
    &["timestamp"],
    &["time"],
    &["year"],
];
const OUTLET_NAMES: &[&[&str]] = &[
    &["outlet"],
    &["publisher"],
    &["source"],
    &["newspaper"],
    &["publication"],
    &["site_name"],
    &["site"],
    &["media"],
    &["domain"],
];
const URL_NAMES: &[&[&str]] = &[&["url"], &["link"], &["source_url"], &["permalink"], &["uri"], &["href"]];

impl Role {
    /// The name in messages, and of the flag that names the column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Id => "id",
            Self::Title => "title",
            Self::Date => "date",
            Self::Outlet => "outlet",
            Self::Url => "url",
        }
    }

    fn names(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Text => TEXT_NAMES,
            Self::Id => ID_NAMES,
            Self::Title => TITLE_NAMES,
            Self::Date => DATE_NAMES,
            Self::Outlet => OUTLET_NAMES,
            Self::Url => URL_NAMES,
        }
    }
}

/// The column for `role`: the one named `wanted`, or else the one whose name is usual for the role. Case does not matter, and neither does
/// the difference of space, hyphen and underscore.
///
/// # Errors
///
/// If there is none, or several are equally likely; the message lists the columns that there are.
pub fn find_column(columns: &[String], role: Role, wanted: Option<&str>) -> Result<usize> {
    find_optional_column(columns, role, wanted)?.ok_or_else(|| {
        let names: Vec<&str> = role.names().concat();
        Error::input(format!("no {} column", role.name()))
            .expected(format!("one of {}", names.join(", ")))
            .found(list(columns))
            .help(format!("name it with --{}", role.name()))
    })
}

/// As [`find_column`], but `None` if nothing was wanted and nothing is there.
///
/// # Errors
///
/// If the wanted column is not there, or several are equally likely.
pub fn find_optional_column(columns: &[String], role: Role, wanted: Option<&str>) -> Result<Option<usize>> {
    if let Some(wanted) = wanted {
        return find_named(columns, wanted)
            .map(Some)
            .map_err(|e| e.help(format!("name the {} column as it is written there", role.name())));
    }
    for rank in role.names() {
        let hits: Vec<usize> = (0..columns.len()).filter(|&i| rank.contains(&plain(&columns[i]).as_str())).collect();
        match hits[..] {
            [] => {}
            [only] => return Ok(Some(only)),
            [..] => {
                let names: Vec<&str> = hits.iter().map(|&i| columns[i].as_str()).collect();
                return Err(Error::input(format!("more than one {} column", role.name()))
                    .found(names.join(", "))
                    .help(format!("say which with --{}", role.name())));
            }
        }
    }
    Ok(None)
}

/// The column of exactly this name, or the only one that differs in case alone.
///
/// # Errors
///
/// If there is none, or several differ in case alone.
pub fn find_named(columns: &[String], wanted: &str) -> Result<usize> {
    if let Some(exact) = columns.iter().position(|c| c == wanted) {
        return Ok(exact);
    }
    let hits: Vec<usize> = (0..columns.len()).filter(|&i| plain(&columns[i]) == plain(wanted)).collect();
    match hits[..] {
        [only] => Ok(only),
        [] => Err(Error::input(format!("no column {wanted:?}")).found(list(columns))),
        [..] => Err(Error::input(format!("more than one column is called {wanted:?}")).found(list(columns))),
    }
}

/// Whether `name` is usual for a column of this role.
pub(super) fn is_known_name(role: Role, name: &str) -> bool {
    role.names().iter().any(|rank| rank.contains(&plain(name).as_str()))
}

/// The columns in a message: all of them, unless there are very many.
fn list(columns: &[String]) -> String {
    const SHOWN: usize = 40;
    let mut names = columns.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if columns.len() > SHOWN {
        names.push_str(&format!(" and {} more", columns.len() - SHOWN));
    }
    names
}

fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|&n| n.to_owned()).collect()
    }

    #[test]
    fn the_usual_name_is_found_whatever_its_case() {
        let names = columns(&["ID", "Headline", "Full Text", "Published-At", "Publisher"]);
        assert_eq!(find_column(&names, Role::Text, None).unwrap(), 2);
        assert_eq!(find_column(&names, Role::Title, None).unwrap(), 1);
        assert_eq!(find_column(&names, Role::Date, None).unwrap(), 3);
        assert_eq!(find_column(&names, Role::Outlet, None).unwrap(), 4);
        assert_eq!(find_optional_column(&names, Role::Url, None).unwrap(), None);
    }

    #[test]
    fn the_better_name_wins_over_the_weaker() {
        assert_eq!(find_column(&columns(&["article", "index", "text"]), Role::Text, None).unwrap(), 2);
        assert_eq!(find_column(&columns(&["article", "index", "text"]), Role::Id, None).unwrap(), 0);
    }

    #[test]
    fn two_equally_likely_columns_are_ambiguous() {
        let message = find_column(&columns(&["body", "content"]), Role::Text, None).unwrap_err().to_string();
        assert_eq!(message, "more than one text column; found body, content; say which with --text");
    }

    #[test]
    fn a_missing_column_lists_those_there_are() {
        let message = find_column(&columns(&["a", "b"]), Role::Text, None).unwrap_err().to_string();
        assert!(message.contains("found a, b; name it with --text"), "{message}");
        let message = find_column(&columns(&["a", "b"]), Role::Text, Some("c")).unwrap_err().to_string();
        assert!(message.starts_with("no column \"c\"; found a, b"), "{message}");
    }
}
