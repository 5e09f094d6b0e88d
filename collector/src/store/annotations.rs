//! What people and deploy scripts note down beside the figures.

use rusqlite::{Connection, params};
use serde::Serialize;

use super::file::Error;
use super::row::integer;
use crate::rollup::rfc3339;

/// Annotations in one answer.
pub const ANSWER_MAX: u64 = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    pub id: i64,
    /// Unix seconds, as in series.
    pub t: u64,
    /// RFC 3339.
    pub at: String,
    pub text: String,
    pub tags: Vec<String>,
}

pub fn add(connection: &Connection, at_ms: u64, text: &str, tags: &[String]) -> Result<Annotation, Error> {
    let mut add =
        connection.prepare_cached("INSERT INTO annotations (at_ms, text, tags) VALUES (?, ?, ?)")?;
    add.execute(params![integer(at_ms), text, list(tags)])?;
    Ok(annotation(connection.last_insert_rowid(), at_ms, text.to_owned(), tags.to_vec()))
}

/// Those of `from_s..to_s`, the newest [`ANSWER_MAX`], oldest first.
pub fn between(connection: &Connection, from_s: u64, to_s: u64) -> Result<Vec<Annotation>, Error> {
    let query = "SELECT id, at_ms, text, tags FROM annotations WHERE at_ms >= ? AND at_ms < ? \
                 ORDER BY at_ms DESC, id DESC LIMIT ?";
    let mut query = connection.prepare_cached(query)?;
    let of = |seconds: u64| integer(seconds.saturating_mul(1000));
    let rows = query.query_map([of(from_s), of(to_s), integer(ANSWER_MAX)], |row| {
        let at_ms = row.get::<_, i64>(1)?.max(0) as u64;
        Ok(annotation(row.get(0)?, at_ms, row.get(2)?, texts(&row.get::<_, String>(3)?)))
    })?;
    let mut found = rows.collect::<Result<Vec<_>, _>>()?;
    found.reverse();
    Ok(found)
}

fn annotation(id: i64, at_ms: u64, text: String, tags: Vec<String>) -> Annotation {
    Annotation { id, t: at_ms / 1000, at: rfc3339(at_ms.saturating_mul(1_000_000)), text, tags }
}

/// A list of texts as SQLite's own functions read it.
pub fn list(texts: &[String]) -> String {
    serde_json::to_string(texts).expect("texts always encode")
}

/// What [`list`] wrote; nothing where somebody else wrote something else.
pub fn texts(list: &str) -> Vec<String> {
    serde_json::from_str(list).unwrap_or_default()
}
