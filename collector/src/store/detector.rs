//! What the detector keeps here in its own forms: what is normal for each provider, and what it saw of each hour.

use rusqlite::{Connection, OptionalExtension, params};

use super::file::Error;
use super::row::integer;
use super::windows;

/// Level of zstd: parts are some KiB, written once and mostly never read.
const LEVEL: i32 = 3;
/// An hour of one provider inflates to at most this: 40 bytes for each of its seconds, four times over.
const HOUR_BYTES_MAX: usize = 1 << 20;

/// What is normal for a provider. `version` says how to read `body`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    pub provider: String,
    pub version: u32,
    pub body: Vec<u8>,
}

pub fn put_baselines(connection: &Connection, baselines: &[Baseline], now_ms: u64) -> Result<(), Error> {
    let put = "INSERT OR REPLACE INTO baselines (provider, version, body, saved_ms) VALUES (?, ?, ?, ?)";
    let mut put = connection.prepare_cached(put)?;
    for one in baselines {
        put.execute(params![one.provider, one.version, one.body, integer(now_ms)])?;
    }
    Ok(())
}

pub fn baselines(connection: &Connection) -> Result<Vec<Baseline>, Error> {
    let mut query = connection.prepare("SELECT provider, version, body FROM baselines ORDER BY provider")?;
    let rows = query.query_map([], |row| {
        Ok(Baseline { provider: row.get(0)?, version: row.get(1)?, body: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Appends to what is kept of one provider's hour.
pub fn append(connection: &Connection, provider: &str, hour_s: u64, bytes: &[u8]) -> Result<(), Error> {
    let provider = windows::provider(connection, provider)?;
    let packed = zstd::bulk::compress(bytes, LEVEL).map_err(unpackable)?;
    let append = "INSERT INTO detector_input (provider, hour_s, part, body) VALUES (?1, ?2, \
                  (SELECT coalesce(max(part), 0) + 1 FROM detector_input WHERE provider = ?1 AND hour_s = ?2), ?3)";
    connection.prepare_cached(append)?.execute(params![provider, integer(hour_s), packed])?;
    Ok(())
}

/// All that was appended to one provider's hour, in order; empty where there is nothing.
pub fn hour(connection: &Connection, provider: &str, hour_s: u64) -> Result<Vec<u8>, Error> {
    let id = "SELECT id FROM providers WHERE name = ?";
    let id: Option<i64> =
        connection.prepare_cached(id)?.query_row([provider], |row| row.get(0)).optional()?;
    id.map_or(Ok(Vec::new()), |id| parts(connection, id, integer(hour_s)))
}

fn parts(connection: &Connection, provider: i64, hour_s: i64) -> Result<Vec<u8>, Error> {
    let query = "SELECT body FROM detector_input WHERE provider = ? AND hour_s = ? ORDER BY part";
    let mut query = connection.prepare_cached(query)?;
    let mut rows = query.query([provider, hour_s])?;
    let mut bytes = Vec::new();
    while let Some(row) = rows.next()? {
        let packed = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let room = HOUR_BYTES_MAX.saturating_sub(bytes.len());
        bytes.extend(zstd::bulk::decompress(packed, room).map_err(unpackable)?);
    }
    Ok(bytes)
}

/// Puts the parts of one hour before `before_s` together, which takes a fraction of the room; false: there is none.
pub fn pack_one(connection: &Connection, before_s: u64) -> Result<bool, Error> {
    let query = "SELECT provider, hour_s FROM providers CROSS JOIN detector_input \
                 ON provider = id AND hour_s < ?1 AND hour_s >= ?2 AND part > 1 LIMIT 1";
    let range = [integer(before_s), integer(before_s.saturating_sub(PACKED_S))];
    let found = connection
        .prepare_cached(query)?
        .query_row(range, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((provider, hour_s)): Option<(i64, i64)> = found else { return Ok(false) };
    let transaction = connection.unchecked_transaction()?;
    let packed = zstd::bulk::compress(&parts(&transaction, provider, hour_s)?, LEVEL).map_err(unpackable)?;
    transaction
        .execute("DELETE FROM detector_input WHERE provider = ? AND hour_s = ?", [provider, hour_s])?;
    let put = "INSERT INTO detector_input (provider, hour_s, part, body) VALUES (?, ?, 1, ?)";
    transaction.execute(put, params![provider, hour_s, packed])?;
    transaction.commit()?;
    Ok(true)
}

/// How far back parts are looked for: what a daemon that was down over a weekend has left.
const PACKED_S: u64 = 4 * 86_400;

fn unpackable(error: std::io::Error) -> Error {
    Error::Part(error)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, NOW_S};
    use super::*;

    const HOUR: u64 = NOW_S / 3600 * 3600;

    #[test]
    fn an_hour_is_what_was_appended_to_it_packed_or_not() {
        let (_dir, connection) = fixture::database();
        let mut want = Vec::new();
        for minute in 0..60u8 {
            let bytes = [[minute; 40], [7; 40]].concat();
            append(&connection, "bank", HOUR, &bytes).unwrap();
            append(&connection, "other", HOUR, &[minute]).unwrap();
            append(&connection, "bank", HOUR + 3600, &[minute]).unwrap();
            want.extend(bytes);
        }
        assert_eq!(hour(&connection, "bank", HOUR).unwrap(), want);
        while pack_one(&connection, HOUR + 3600).unwrap() {}
        let rows: i64 =
            connection.query_row("SELECT count(*) FROM detector_input", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 62, "two hours in one part each, and one that is not over");
        assert_eq!(hour(&connection, "bank", HOUR).unwrap(), want);
        append(&connection, "bank", HOUR, &[1]).unwrap();
        assert_eq!(hour(&connection, "bank", HOUR).unwrap().len(), want.len() + 1);
        assert!(hour(&connection, "nobody", HOUR).unwrap().is_empty());
    }

    #[test]
    fn the_newest_baseline_holds() {
        let (_dir, connection) = fixture::database();
        let one = |body: &[u8]| Baseline { provider: "bank".to_owned(), version: 3, body: body.to_vec() };
        put_baselines(&connection, &[one(b"old")], 1).unwrap();
        put_baselines(&connection, &[one(b"new")], 2).unwrap();
        assert_eq!(baselines(&connection).unwrap(), [one(b"new")]);
    }
}
