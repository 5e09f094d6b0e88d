//! Notifications that somebody is still to get, over restarts.

use rusqlite::{Connection, params};

use super::file::Error;
use super::row::integer;

/// Notifications kept; more than that nobody reads. The oldest go.
const WAITING_MAX: i64 = 10_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub id: i64,
    /// The notifier's name in the configuration.
    pub target: String,
    pub body: Vec<u8>,
    pub created_ms: u64,
}

pub fn put(connection: &Connection, target: &str, body: &[u8], now_ms: u64) -> Result<i64, Error> {
    let put = "INSERT INTO outbox (target, body, created_ms) VALUES (?, ?, ?)";
    connection.prepare_cached(put)?.execute(params![target, body, integer(now_ms)])?;
    let id = connection.last_insert_rowid();
    connection.prepare_cached("DELETE FROM outbox WHERE id <= ?")?.execute([id - WAITING_MAX])?;
    Ok(id)
}

/// It has arrived.
pub fn delivered(connection: &Connection, id: i64) -> Result<(), Error> {
    connection.prepare_cached("DELETE FROM outbox WHERE id = ?")?.execute([id])?;
    Ok(())
}

/// All that wait, oldest first.
pub fn waiting(connection: &Connection) -> Result<Vec<Notification>, Error> {
    let mut query = connection.prepare("SELECT id, target, body, created_ms FROM outbox ORDER BY id")?;
    let rows = query.query_map([], |row| {
        Ok(Notification {
            id: row.get(0)?,
            target: row.get(1)?,
            body: row.get(2)?,
            created_ms: row.get::<_, i64>(3)?.max(0) as u64,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
