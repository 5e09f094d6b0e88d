//! Stored windows added up: one provider in steps, or all of them over one stretch of time.

use rusqlite::{Connection, OptionalExtension, params};

use super::file::Error;
use super::hdr::Codec;
use super::row::{self, COLUMNS, Level, integer};
use super::upkeep::TEN_SECONDS_S;
use crate::rollup::Sum;

/// A stretch of time in steps. Unix seconds; `to_s` is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from_s: u64,
    pub to_s: u64,
    pub step_s: u64,
}

impl Range {
    /// The least that holds `from_s..to_s` in steps of at least `step_s` and whole windows: 10 s while those are kept,
    /// else minutes.
    pub fn stored(from_s: u64, to_s: u64, step_s: u64, now_s: u64) -> Range {
        let unit_s = match from_s + TEN_SECONDS_S < now_s || step_s >= 60 {
            true => Level::Minute.length_s(),
            false => Level::TenSeconds.length_s(),
        };
        let step_s = step_s.next_multiple_of(unit_s);
        Range { from_s: from_s / step_s * step_s, to_s: to_s.next_multiple_of(step_s), step_s }
    }

    fn level(&self) -> Level {
        if self.step_s.is_multiple_of(60) { Level::Minute } else { Level::TenSeconds }
    }
}

/// One provider in steps, each handed to `point` with its first second; `None`: nothing is stored of it.
pub fn series<T>(
    connection: &Connection,
    provider: &str,
    range: Range,
    mut point: impl FnMut(u64, &Sum) -> T,
) -> Result<Option<Vec<T>>, Error> {
    let id = "SELECT id FROM providers WHERE name = ?";
    let id: Option<i64> =
        connection.prepare_cached(id)?.query_row([provider], |row| row.get(0)).optional()?;
    let Some(id) = id else { return Ok(None) };
    let table = range.level().table();
    let query = format!(
        "SELECT begin_s, {COLUMNS} FROM {table} WHERE provider = ? AND begin_s >= ? AND begin_s < ? ORDER BY begin_s"
    );
    let mut query = connection.prepare_cached(&query)?;
    let mut rows = query.query(params![id, integer(range.from_s), integer(range.to_s)])?;
    let (mut codec, mut sum) = (Codec::default(), Sum::default());
    let mut points = Vec::new();
    let mut t = range.from_s;
    while let Some(row) = rows.next()? {
        let begin_s = row.get::<_, i64>(0)?.max(0) as u64;
        while begin_s >= t + range.step_s {
            points.push(point(t, &sum));
            sum.clear();
            t += range.step_s;
        }
        row::add(&mut sum, row, 1, &mut codec)?;
    }
    while t < range.to_s {
        points.push(point(t, &sum));
        sum.clear();
        t += range.step_s;
    }
    Ok(Some(points))
}

/// Every provider that has anything within `from_s..to_s`, handed to `each`, by name. Begins with the 10 s, or where
/// those are gone the minute, that `from_s` is in.
pub fn sums(
    connection: &Connection,
    from_s: u64,
    to_s: u64,
    now_s: u64,
    mut each: impl FnMut(&str, &Sum),
) -> Result<(), Error> {
    let parts = parts(from_s, to_s, now_s);
    let mut names = connection.prepare_cached("SELECT id, name FROM providers ORDER BY name")?;
    let mut names = names.query([])?;
    let (mut codec, mut sum) = (Codec::default(), Sum::default());
    while let Some(provider) = names.next()? {
        let (id, name): (i64, String) = (provider.get(0)?, provider.get(1)?);
        sum.clear();
        let mut any = false;
        for (level, from_s, to_s) in parts {
            let table = level.table();
            let query =
                format!("SELECT {COLUMNS} FROM {table} WHERE provider = ? AND begin_s >= ? AND begin_s < ?");
            let mut query = connection.prepare_cached(&query)?;
            let mut rows = query.query(params![id, integer(from_s), integer(to_s)])?;
            while let Some(row) = rows.next()? {
                row::add(&mut sum, row, 0, &mut codec)?;
                any = true;
            }
        }
        if any {
            each(&name, &sum);
        }
    }
    Ok(())
}

/// Whole minutes, and at the edges 10 s where they are still kept: a sixth of the rows for the same sum.
fn parts(from_s: u64, to_s: u64, now_s: u64) -> [(Level, u64, u64); 3] {
    let (first, last) = if from_s + TEN_SECONDS_S < now_s {
        (from_s / 60 * 60, to_s.next_multiple_of(60))
    } else {
        (from_s.next_multiple_of(60), to_s / 60 * 60)
    };
    let last = last.max(first);
    let from_s = from_s / 10 * 10;
    [
        (Level::TenSeconds, from_s, first.min(to_s)),
        (Level::Minute, first, last),
        (Level::TenSeconds, last.max(first), to_s),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, NOW_S, window};
    use super::super::windows::Windows;
    use super::*;

    /// A call in every 10 s of the last hour, and one provider that was last seen an hour before.
    fn hour() -> (tempfile::TempDir, Connection) {
        let (dir, mut connection) = fixture::database();
        let windows: Vec<_> = (1..=360).map(|i| window("bank", NOW_S - 10 * i, 3)).collect();
        let transaction = connection.transaction().unwrap();
        let old = window("old", NOW_S - 7200, 1);
        Windows::default().write(&transaction, windows.iter().chain([&old])).unwrap();
        transaction.commit().unwrap();
        (dir, connection)
    }

    #[test]
    fn steps_are_whole_windows_that_hold_what_was_asked_for() {
        let check = |from_s, to_s, step_s, want: (u64, u64, u64)| {
            let range = Range::stored(from_s, to_s, step_s, NOW_S);
            assert_eq!((range.from_s, range.to_s, range.step_s), want);
        };
        check(NOW_S - 1201, NOW_S + 1, 1, (NOW_S - 1210, NOW_S + 10, 10));
        check(NOW_S - 1201, NOW_S + 1, 15, (NOW_S / 20 * 20 - 1220, NOW_S + 20, 20));
        check(NOW_S - 3600, NOW_S, 61, (NOW_S / 120 * 120 - 3600, NOW_S / 120 * 120 + 120, 120));
        check(NOW_S - 2 * 86_400, NOW_S, 10, (NOW_S / 60 * 60 - 2 * 86_400, NOW_S, 60));
    }

    #[test]
    fn a_series_has_a_point_for_each_step_and_loses_no_call() {
        let (_dir, connection) = hour();
        for step_s in [10, 20, 60, 300, 3600] {
            let range = Range::stored(NOW_S - 4000, NOW_S, step_s, NOW_S);
            let points =
                series(&connection, "bank", range, |t, sum| (t, sum.counts.calls())).unwrap().unwrap();
            let times: Vec<u64> = points.iter().map(|point| point.0).collect();
            assert_eq!(times, (range.from_s..range.to_s).step_by(step_s as usize).collect::<Vec<_>>());
            assert_eq!(points.iter().map(|point| point.1).sum::<u64>(), 3 * 360, "in steps of {step_s} s");
        }
        let range = Range::stored(NOW_S - 60, NOW_S, 10, NOW_S);
        assert_eq!(series(&connection, "nobody", range, |t, _| t).unwrap(), None);
    }

    #[test]
    fn sums_over_any_stretch_are_exact_to_ten_seconds() {
        let (_dir, connection) = hour();
        for (back, until, want) in
            [(3600, 0, 1080), (3590, 0, 1077), (1803, 7, 543), (50, 0, 15), (130, 20, 33)]
        {
            let mut found = Vec::new();
            sums(&connection, NOW_S - back, NOW_S - until, NOW_S, |name, sum| {
                found.push((name.to_owned(), sum.counts.calls(), sum.answered.buckets().len()));
            })
            .unwrap();
            assert_eq!(found, [("bank".to_owned(), want, 2)], "the last {back} to {until} s");
        }
    }
}
