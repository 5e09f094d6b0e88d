//! One provider's minutes by operation, host, service and endpoint.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::file::Error;
use super::hdr::Codec;
use super::row::{integer, quantiles};
use crate::rollup::{BreakdownTable, Counts, Dimension, Merged, Part, Row as Line, StoredBreakdown};

/// Rows of an answer, as the roll-up has them.
const ROWS_MAX: usize = 64;
/// Keys told apart while adding up; 30 KiB each. Beyond it they count as the rest.
const KEYS_MAX: usize = 1_024;
/// The rest, as the roll-up names it.
const OTHER: &str = "_other";

const COLUMNS: &str = "key, ok, declined, client_fault, failed, timeout, connect, cancelled, attempts, sum_ns, max_ns, \
                       answered";

pub fn put(
    connection: &Connection,
    provider: i64,
    one: &StoredBreakdown,
    codec: &mut Codec,
) -> Result<(), Error> {
    let counts = &one.counts;
    if *counts == Counts::default() {
        let drop = "DELETE FROM breakdowns WHERE begin_s = ? AND provider = ? AND dimension = ? AND key = ?";
        let row = params![integer(one.begin_s), provider, one.by as i64, one.key];
        connection.prepare_cached(drop)?.execute(row)?;
        return Ok(());
    }
    let put = "INSERT OR REPLACE INTO breakdowns (begin_s, provider, dimension, key, ok, declined, client_fault, \
               failed, timeout, connect, cancelled, attempts, sum_ns, max_ns, p50_ns, p95_ns, p99_ns, answered) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let [ok, declined, client_fault, failed, timeout, connect, cancelled] = counts.by_outcome.map(integer);
    let [p50, p95, p99] = quantiles(&one.answered, [0.5, 0.95, 0.99], counts.max_ns);
    connection.prepare_cached(put)?.execute(params![
        integer(one.begin_s),
        provider,
        one.by as i64,
        one.key,
        ok,
        declined,
        client_fault,
        failed,
        timeout,
        connect,
        cancelled,
        integer(counts.attempts),
        integer(counts.sum_ns),
        integer(counts.max_ns),
        p50,
        p95,
        p99,
        codec.encode(one.answered.iter().copied()),
    ])?;
    Ok(())
}

/// All from `begin_s` on.
pub fn since(
    connection: &Connection,
    begin_s: u64,
    codec: &mut Codec,
) -> Result<Vec<StoredBreakdown>, Error> {
    let query = format!(
        "SELECT {COLUMNS}, begin_s, name, dimension FROM breakdowns JOIN providers ON id = provider WHERE begin_s >= ?"
    );
    let mut query = connection.prepare(&query)?;
    let mut rows = query.query([integer(begin_s)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut answered = Vec::new();
        let counts = read(row, codec, |bucket, count| answered.push((bucket, count)))?;
        let by =
            Dimension::ALL.into_iter().find(|by| row.get(14).is_ok_and(|stored: i64| stored == *by as i64));
        let Some(by) = by else { continue };
        let begin_s = row.get::<_, i64>(12)?.max(0) as u64;
        found.push(StoredBreakdown {
            provider: row.get(13)?,
            by,
            key: row.get(0)?,
            begin_s,
            counts,
            answered,
        });
    }
    Ok(found)
}

/// The minutes `from_s..to_s` of one provider, the busiest key first; `None`: nothing is stored of the provider.
pub fn table(
    connection: &Connection,
    provider: &str,
    by: Dimension,
    from_s: u64,
    to_s: u64,
) -> Result<Option<BreakdownTable>, Error> {
    let id = "SELECT id FROM providers WHERE name = ?";
    let id: Option<i64> =
        connection.prepare_cached(id)?.query_row([provider], |row| row.get(0)).optional()?;
    let Some(id) = id else { return Ok(None) };
    // One look-up for each minute: the table is in the order of time.
    let query = format!(
        "WITH RECURSIVE minutes (minute) AS (SELECT ?1 UNION ALL SELECT minute + 60 FROM minutes WHERE minute + 60 < ?2) \
         SELECT {COLUMNS} FROM minutes CROSS JOIN breakdowns ON begin_s = minute AND provider = ?3 AND dimension = ?4"
    );
    let mut query = connection.prepare_cached(&query)?;
    let mut rows = query.query(params![integer(from_s / 60 * 60), integer(to_s), id, by as i64])?;
    let mut codec = Codec::default();
    let mut keys: HashMap<String, (Counts, Merged)> = HashMap::new();
    let mut other = (Counts::default(), Merged::default());
    let mut lost = 0;
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        let is_new = !keys.contains_key(&key);
        let (counts, answered) = match key == OTHER || (is_new && keys.len() == KEYS_MAX) {
            true => {
                lost += usize::from(key != OTHER);
                &mut other
            }
            false => keys.entry(key).or_default(),
        };
        counts.merge(&read(row, &mut codec, |bucket, count| answered.add(bucket, count))?);
    }
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_by(|a, b| b.1.0.calls().cmp(&a.1.0.calls()).then_with(|| a.0.cmp(&b.0)));
    for (_, (counts, answered)) in keys.drain(ROWS_MAX.min(keys.len())..) {
        other.0.merge(&counts);
        answered.buckets().into_iter().for_each(|(bucket, count)| other.1.add(bucket, count));
        lost += 1;
    }
    let rows =
        keys.into_iter().map(|(key, (counts, answered))| Line { key, part: Part::of(&counts, &answered) });
    Ok(Some(BreakdownTable::of(by, rows.collect(), Part::of(&other.0, &other.1), lost)))
}

fn read(row: &Row<'_>, codec: &mut Codec, add: impl FnMut(u16, u64)) -> Result<Counts, Error> {
    let number = |at: usize| row.get::<_, i64>(at).map(|number| number.max(0) as u64);
    let mut counts = Counts::default();
    for (at, count) in counts.by_outcome.iter_mut().enumerate() {
        *count = number(1 + at)?;
    }
    counts.attempts = number(8)?;
    counts.sum_ns = number(9)?;
    counts.max_ns = number(10)?;
    if let Some(bytes) = row.get_ref(11)?.as_blob_or_null().map_err(rusqlite::Error::from)? {
        codec.decode(bytes, add)?;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, NOW_S, breakdown};
    use super::super::windows::Windows;
    use super::*;

    fn written(connection: &mut Connection, rows: &[StoredBreakdown]) {
        let transaction = connection.transaction().unwrap();
        Windows::default().write_breakdowns(&transaction, rows.iter()).unwrap();
        transaction.commit().unwrap();
    }

    #[test]
    fn minutes_of_one_provider_add_up_by_key() {
        let (_dir, mut connection) = fixture::database();
        let minute = NOW_S / 60 * 60;
        let mut rows: Vec<_> = (0..60).map(|i| breakdown("bank", "h1", minute - 60 * i, 4)).collect();
        rows.extend((0..30).map(|i| breakdown("bank", "h2", minute - 60 * i, 4)));
        rows.push(breakdown("bank", OTHER, minute, 3));
        rows.push(breakdown("other", "h1", minute, 9));
        written(&mut connection, &rows);
        let of = |from_s| table(&connection, "bank", Dimension::Host, from_s, minute + 60).unwrap().unwrap();
        let hour = of(minute - 59 * 60);
        let found: Vec<_> = hour.rows.iter().map(|row| (row.key.as_str(), row.part.count)).collect();
        assert_eq!((found, hour.other.count), (vec![("h1", 240), ("h2", 120)], 3));
        assert_eq!(hour.rows[0].part.share, Some(240.0 / 363.0));
        assert_eq!(of(minute - 59).rows[0].part.count, 8, "the minute that it begins in is part of it");
        assert!(table(&connection, "bank", Dimension::Service, 0, 60).unwrap().unwrap().rows.is_empty());
        assert!(table(&connection, "nobody", Dimension::Host, 0, 60).unwrap().is_none());
    }

    #[test]
    fn what_is_written_comes_back_and_a_row_without_calls_goes() {
        let (_dir, mut connection) = fixture::database();
        let minute = NOW_S / 60 * 60;
        let kept = breakdown("bank", "h1", minute, 7);
        let mut gone = breakdown("bank", "h2", minute, 5);
        written(&mut connection, &[kept.clone(), gone.clone(), breakdown("bank", "h1", minute - 60, 1)]);
        (gone.counts, gone.answered) = (Counts::default(), Vec::new());
        written(&mut connection, &[gone]);
        let found = since(&connection, minute, &mut Codec::default()).unwrap();
        assert_eq!(format!("{found:?}"), format!("{:?}", [kept]));
    }

    #[test]
    fn keys_without_end_are_bounded_and_none_of_their_calls_is_lost() {
        let (_dir, mut connection) = fixture::database();
        let minute = NOW_S / 60 * 60;
        let rows: Vec<_> = (0..3000)
            .map(|i| breakdown("bank", &format!("pod-{i}"), minute - 60 * (i % 50), 1 + i % 2))
            .collect();
        written(&mut connection, &rows);
        let found = table(&connection, "bank", Dimension::Host, minute - 3000, minute + 60).unwrap().unwrap();
        let calls: u64 = found.rows.iter().map(|row| row.part.count).sum::<u64>() + found.other.count;
        assert_eq!((found.rows.len(), calls), (ROWS_MAX, 4500));
        assert!(found.lost_keys >= KEYS_MAX - ROWS_MAX, "{}", found.lost_keys);
    }
}
