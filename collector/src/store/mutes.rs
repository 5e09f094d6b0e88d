//! Providers that are muted, and the record of who muted them. Muting again replaces what held before.

use rusqlite::{Connection, params};

use super::file::Error;
use super::row::integer;

/// One provider's mute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mute {
    pub provider: String,
    pub since_ms: u64,
    pub until_ms: u64,
    pub reason: String,
    /// Who said so.
    pub who: String,
}

pub fn add(connection: &Connection, mute: &Mute) -> Result<(), Error> {
    let add = "INSERT INTO mutes (provider, since_ms, until_ms, reason, who) VALUES (?, ?, ?, ?, ?)";
    let Mute { provider, since_ms, until_ms, reason, who } = mute;
    connection.prepare_cached(add)?.execute(params![
        provider,
        integer(*since_ms),
        integer(*until_ms),
        reason,
        who
    ])?;
    Ok(())
}

/// The newest of each provider.
pub fn newest(connection: &Connection) -> Result<Vec<Mute>, Error> {
    let query = "SELECT provider, since_ms, until_ms, reason, who FROM mutes \
                 WHERE id IN (SELECT max(id) FROM mutes GROUP BY provider)";
    let mut query = connection.prepare(query)?;
    let mutes = query.query_map([], |row| {
        Ok(Mute {
            provider: row.get(0)?,
            since_ms: row.get::<_, i64>(1)?.max(0) as u64,
            until_ms: row.get::<_, i64>(2)?.max(0) as u64,
            reason: row.get(3)?,
            who: row.get(4)?,
        })
    })?;
    Ok(mutes.collect::<Result<_, _>>()?)
}
