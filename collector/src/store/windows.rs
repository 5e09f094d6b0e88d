//! Writes the windows that changed, with the position that they contain, and gives back the last ones after a restart.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::breakdowns;
use super::file::Error;
use super::hdr::Codec;
use super::row::{self, COLUMNS, Level, Windowed, integer};
use crate::journal::Position;
use crate::rollup::{Restored, STORED_S, StoredBreakdown, StoredWindow, Sum};

/// How far back a call may end that a record brings: the roll-up counts nothing that is older.
const REACH_S: u64 = 15 * 60;

/// The journal that a position is of.
pub type Instance = u128;

/// What is kept between writes.
#[derive(Debug, Default)]
pub struct Windows {
    codec: Codec,
    sum: Sum,
    providers: HashMap<String, i64>,
}

impl Windows {
    /// After a transaction that was not committed: rows that it made are not there.
    pub fn forget(&mut self) {
        self.providers.clear();
    }

    /// Writes windows over what is stored of them, and their minutes anew.
    pub fn write<'a>(
        &mut self,
        transaction: &Transaction<'_>,
        windows: impl Iterator<Item = &'a StoredWindow>,
    ) -> Result<(), Error> {
        let mut minutes = BTreeSet::new();
        for window in windows {
            let provider = self.provider(transaction, &window.provider)?;
            minutes.insert((provider, window.begin_s / 60 * 60));
            let row = Windowed {
                counts: &window.counts,
                late: window.late,
                answered: &window.answered,
                other: &window.other,
            };
            row::put(row, transaction, Level::TenSeconds, provider, window.begin_s, &mut self.codec)?;
        }
        minutes.into_iter().try_for_each(|(provider, begin_s)| self.minute(transaction, provider, begin_s))
    }

    /// A minute is the sum of its six rows, which are kept far longer than anything can still change them.
    fn minute(&mut self, transaction: &Transaction<'_>, provider: i64, begin_s: u64) -> Result<(), Error> {
        let query =
            format!("SELECT {COLUMNS} FROM windows_10s WHERE provider = ? AND begin_s >= ? AND begin_s < ?");
        let mut query = transaction.prepare_cached(&query)?;
        let mut rows = query.query(params![provider, integer(begin_s), integer(begin_s + 60)])?;
        self.sum.clear();
        while let Some(row) = rows.next()? {
            row::add(&mut self.sum, row, 0, &mut self.codec)?;
        }
        let Sum { counts, answered, other, late } = &self.sum;
        let (answered, other) = (answered.buckets(), other.buckets());
        let row = Windowed { counts, late: *late, answered: &answered, other: &other };
        row::put(row, transaction, Level::Minute, provider, begin_s, &mut self.codec)
    }

    /// Writes breakdowns over what is stored of them; one without calls goes.
    pub fn write_breakdowns<'a>(
        &mut self,
        transaction: &Transaction<'_>,
        breakdowns: impl Iterator<Item = &'a StoredBreakdown>,
    ) -> Result<(), Error> {
        for one in breakdowns {
            let provider = self.provider(transaction, &one.provider)?;
            breakdowns::put(transaction, provider, one, &mut self.codec)?;
        }
        Ok(())
    }

    fn provider(&mut self, connection: &Connection, name: &str) -> Result<i64, Error> {
        if let Some(&id) = self.providers.get(name) {
            return Ok(id);
        }
        let id = provider(connection, name)?;
        self.providers.insert(name.to_owned(), id);
        Ok(id)
    }

    /// What the roll-up begins with: the position of the last checkpoint, and all windows that a record after it can
    /// still change. `None` where nothing is stored, or of another journal.
    pub fn restore(
        &mut self,
        connection: &Connection,
        now_s: u64,
    ) -> Result<Option<(Instance, Restored)>, Error> {
        let query = "SELECT instance, position, at_s FROM checkpoint";
        let found =
            connection.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        let Some((instance, position, at_s)): Option<([u8; 16], i64, i64)> = found else { return Ok(None) };
        // Records after the position arrived after the checkpoint, which may be long ago by now.
        let at_s = at_s.max(0) as u64;
        let newest_s = now_s.min(at_s);
        let since_s = newest_s.saturating_sub(REACH_S + STORED_S);
        let windows = self.since(connection, since_s)?;
        let breakdowns = breakdowns::since(connection, since_s / 60 * 60, &mut self.codec)?;
        let position = Some(Position(position.max(0) as u64));
        Ok(Some((Instance::from_le_bytes(instance), Restored { windows, breakdowns, position, at_s })))
    }

    pub fn since(&mut self, connection: &Connection, begin_s: u64) -> Result<Vec<StoredWindow>, Error> {
        let query = format!(
            "SELECT name, begin_s, {COLUMNS} FROM providers CROSS JOIN windows_10s \
             ON provider = providers.id AND begin_s >= ? ORDER BY provider, begin_s"
        );
        let mut query = connection.prepare(&query)?;
        let mut rows = query.query([integer(begin_s)])?;
        let mut windows = Vec::new();
        while let Some(row) = rows.next()? {
            self.sum.clear();
            row::add(&mut self.sum, row, 2, &mut self.codec)?;
            windows.push(StoredWindow {
                provider: row.get(0)?,
                begin_s: row.get::<_, i64>(1)?.max(0) as u64,
                counts: self.sum.counts,
                answered: self.sum.answered.buckets(),
                other: self.sum.other.buckets(),
                late: self.sum.late,
            });
        }
        Ok(windows)
    }
}

/// Says that all before `position` is in the windows.
pub fn checkpoint(
    transaction: &Transaction<'_>,
    instance: Instance,
    position: Position,
    at_s: u64,
) -> Result<(), Error> {
    let checkpoint = "INSERT OR REPLACE INTO checkpoint (one, instance, position, at_s) VALUES (1, ?, ?, ?)";
    let mut checkpoint = transaction.prepare_cached(checkpoint)?;
    checkpoint.execute(params![instance.to_le_bytes(), integer(position.0), integer(at_s)])?;
    Ok(())
}

/// The number of a provider, given to it on first sight.
pub fn provider(connection: &Connection, name: &str) -> Result<i64, Error> {
    let mut find = connection.prepare_cached("SELECT id FROM providers WHERE name = ?")?;
    if let Some(id) = find.query_row([name], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    connection.prepare_cached("INSERT INTO providers (name) VALUES (?)")?.execute([name])?;
    Ok(connection.last_insert_rowid())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, NOW_S, window};
    use super::*;

    fn written(connection: &mut Connection, windows: &[StoredWindow]) {
        let transaction = connection.transaction().unwrap();
        Windows::default().write(&transaction, windows.iter()).unwrap();
        checkpoint(&transaction, 7, Position(99), NOW_S).unwrap();
        transaction.commit().unwrap();
    }

    #[test]
    fn what_is_written_comes_back_with_its_position() {
        let (_dir, mut connection) = fixture::database();
        let windows: Vec<StoredWindow> =
            (0..5).map(|i| window("bank", NOW_S - 40 + 10 * i, 20 + i)).collect();
        written(&mut connection, &windows);
        let (instance, restored) = Windows::default().restore(&connection, NOW_S).unwrap().unwrap();
        assert_eq!((instance, restored.position, restored.at_s), (7, Some(Position(99)), NOW_S));
        assert_eq!(format!("{:?}", restored.windows), format!("{windows:?}"));
    }

    #[test]
    fn after_a_long_stop_the_windows_of_before_it_come_back() {
        let (_dir, mut connection) = fixture::database();
        written(&mut connection, &[window("bank", NOW_S - 900, 1), window("bank", NOW_S - 2000, 1)]);
        let (_, restored) = Windows::default().restore(&connection, NOW_S + 86_400).unwrap().unwrap();
        assert_eq!(restored.windows.len(), 1, "a record after the position can't reach the other");
    }

    #[test]
    fn a_minute_is_the_exact_sum_of_its_windows_however_often_they_are_written() {
        let (_dir, mut connection) = fixture::database();
        let minute = NOW_S / 60 * 60;
        let mut windows: Vec<StoredWindow> =
            (0..6).map(|i| window("bank", minute + 10 * i, 3 + 5 * i)).collect();
        written(&mut connection, &windows[..4]);
        windows[1] = window("bank", minute + 10, 40);
        written(&mut connection, &windows);
        written(&mut connection, &windows[2..3]);

        let mut want = Sum::default();
        for window in &windows {
            want.counts.merge(&window.counts);
            window.answered.iter().for_each(|&(bucket, count)| want.answered.add(bucket, count));
            window.other.iter().for_each(|&(bucket, count)| want.other.add(bucket, count));
            want.late += window.late;
        }
        let mut found = Sum::default();
        let query = format!("SELECT {COLUMNS}, p50_ns, p99_ns FROM windows_1m");
        let quantiles: [Option<i64>; 2] = connection
            .query_row(&query, [], |row| {
                row::add(&mut found, row, 0, &mut Codec::default()).unwrap();
                Ok([row.get(15)?, row.get(16)?])
            })
            .unwrap();
        assert_eq!((found.counts, found.late), (want.counts, want.late));
        assert_eq!(found.answered.buckets(), want.answered.buckets());
        assert_eq!(found.other.buckets(), want.other.buckets());
        let [p50, p99] = want.answered.quantiles([0.5, 0.99]).unwrap().map(|ns| ns.min(want.counts.max_ns));
        assert_eq!(quantiles, [Some(p50 as i64), Some(p99 as i64)]);
    }
}
