//! Lets go of what is too old, a few rows per transaction, so that the writer is never busy with it for long.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::detector;
use super::file::Error;
use super::row::integer;

/// Between two looks at what is too old.
const PAUSE: Duration = Duration::from_secs(60);
/// Rows deleted in one transaction: some milliseconds.
const ROWS: i64 = 2_000;
/// Above it minutes go before their time, a day at a time. 512 providers that are all busy would take some 9 GiB.
const BYTES_MAX: u64 = 8 << 30;
/// Free pages are given back where they are many, 4 MiB at a time; few are taken again by what comes.
const FREE_PAGES_MAX: u64 = 25_600;
const VACUUM_PAGES: u64 = 1_024;
const DAY_S: u64 = 86_400;

/// How long rows are kept.
pub const TEN_SECONDS_S: u64 = DAY_S;
pub const BREAKDOWNS_S: u64 = 7 * DAY_S;
pub const MINUTES_S: u64 = 30 * DAY_S;
const INPUT_S: u64 = 30 * DAY_S;
/// Thirteen months, so that last year's same month can be looked at.
const EVENTS_S: u64 = 400 * DAY_S;
/// Parts of an hour still come in for this long after it.
const LATE_S: u64 = 20 * 60;
/// Nobody wants to be told of a thing of last week as news.
const OUTBOX_S: u64 = 7 * DAY_S;
/// Annotations kept at most: a deploy every six minutes for thirteen months.
const ANNOTATIONS_MAX: i64 = 100_000;

const WINDOWS_10S: &str = "DELETE FROM windows_10s WHERE (provider, begin_s) IN (
    SELECT provider, begin_s FROM providers CROSS JOIN windows_10s ON provider = id AND begin_s < ?1 LIMIT ?2)";
const WINDOWS_1M: &str = "DELETE FROM windows_1m WHERE (provider, begin_s) IN (
    SELECT provider, begin_s FROM providers CROSS JOIN windows_1m ON provider = id AND begin_s < ?1 LIMIT ?2)";
const BREAKDOWNS: &str = "DELETE FROM breakdowns WHERE (begin_s, provider, dimension, key) IN (
    SELECT begin_s, provider, dimension, key FROM breakdowns WHERE begin_s < ?1 LIMIT ?2)";
const INPUT: &str = "DELETE FROM detector_input WHERE (provider, hour_s, part) IN (
    SELECT provider, hour_s, part FROM providers CROSS JOIN detector_input ON provider = id AND hour_s < ?1 LIMIT ?2)";
const VERDICTS: &str = "DELETE FROM verdicts WHERE id IN (
    SELECT id FROM verdicts WHERE detected_ms < ?1 * 1000 AND resolved_ms IS NOT NULL ORDER BY detected_ms LIMIT ?2)";
const ANNOTATIONS: &str = "DELETE FROM annotations WHERE id IN (
    SELECT id FROM annotations WHERE at_ms < ?1 * 1000 OR id <= (SELECT max(id) FROM annotations) - ?3 LIMIT ?2)";
const MUTES: &str =
    "DELETE FROM mutes WHERE id IN (SELECT id FROM mutes WHERE until_ms < ?1 * 1000 LIMIT ?2)";
const OUTBOX: &str =
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_ms < ?1 * 1000 LIMIT ?2)";
const PROVIDERS: &str = "DELETE FROM providers WHERE id IN (
    SELECT id FROM providers WHERE NOT EXISTS (SELECT 1 FROM windows_1m WHERE provider = id)
        AND NOT EXISTS (SELECT 1 FROM windows_10s WHERE provider = id)
        AND NOT EXISTS (SELECT 1 FROM detector_input WHERE provider = id)
        AND id NOT IN (SELECT provider FROM breakdowns) LIMIT ?2)";

/// What a step let go of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Numbers of providers are free again.
    pub providers: bool,
}

#[derive(Debug)]
pub struct Upkeep {
    /// The next of the steps; past the last one, a pause.
    next: usize,
    paused: Instant,
    bytes_max: u64,
}

impl Default for Upkeep {
    fn default() -> Upkeep {
        Upkeep { next: 0, paused: Instant::now(), bytes_max: BYTES_MAX }
    }
}

impl Upkeep {
    /// True while the next step should not wait.
    pub fn has_more(&self) -> bool {
        (1..STEPS.len() + 1).contains(&self.next)
    }

    /// One small transaction, or nothing.
    pub fn step(&mut self, connection: &Connection, now_s: u64) -> Result<Forgotten, Error> {
        if self.next > STEPS.len() {
            if self.paused.elapsed() < PAUSE {
                return Ok(Forgotten::default());
            }
            self.next = 0;
        }
        let Some((delete, kept_s)) = STEPS.get(self.next) else {
            if !detector::pack_one(connection, (now_s / 3600 * 3600).saturating_sub(LATE_S))? {
                self.next += 1;
                self.paused = Instant::now();
                give_back(connection)?;
            }
            return Ok(Forgotten::default());
        };
        let mut before_s = now_s.saturating_sub(*kept_s);
        let oldest = match *delete {
            BREAKDOWNS => oldest_breakdown,
            WINDOWS_1M => oldest_minute,
            _ => |_: &Connection| Ok(0),
        };
        // Breakdowns come first, and what they give back is seen before minutes are asked for it.
        if matches!(*delete, BREAKDOWNS | WINDOWS_1M) && bytes(connection)? > self.bytes_max {
            let oldest_s = oldest(connection)?;
            let day_s = (oldest_s / DAY_S + 1) * DAY_S;
            if oldest_s > 0 && day_s < now_s.saturating_sub(DAY_S) {
                tracing::warn!(
                    "store: larger than {} bytes, so the oldest day of it goes early",
                    self.bytes_max
                );
                before_s = before_s.max(day_s);
            }
        }
        let mut statement = connection.prepare_cached(delete)?;
        let deleted = match statement.parameter_count() {
            3 => statement.execute([integer(before_s), ROWS, ANNOTATIONS_MAX])?,
            _ => statement.execute([integer(before_s), ROWS])?,
        };
        // A step that had its fill goes on where it was.
        self.next += usize::from(deleted < ROWS as usize);
        Ok(Forgotten { providers: *delete == PROVIDERS && deleted > 0 })
    }
}

const STEPS: [(&str, u64); 9] = [
    (WINDOWS_10S, TEN_SECONDS_S),
    (BREAKDOWNS, BREAKDOWNS_S),
    (WINDOWS_1M, MINUTES_S),
    (INPUT, INPUT_S),
    (VERDICTS, EVENTS_S),
    (ANNOTATIONS, EVENTS_S),
    (MUTES, EVENTS_S),
    (OUTBOX, OUTBOX_S),
    (PROVIDERS, 0),
];

fn oldest_breakdown(connection: &Connection) -> Result<u64, Error> {
    let oldest: Option<i64> =
        connection.query_row("SELECT min(begin_s) FROM breakdowns", [], |row| row.get(0))?;
    Ok(oldest.unwrap_or(0).max(0) as u64)
}

fn oldest_minute(connection: &Connection) -> Result<u64, Error> {
    let oldest = "SELECT min((SELECT min(begin_s) FROM windows_1m WHERE provider = id)) FROM providers";
    let oldest: Option<i64> = connection.query_row(oldest, [], |row| row.get(0))?;
    Ok(oldest.unwrap_or(0).max(0) as u64)
}

fn pragma(connection: &Connection, name: &str) -> Result<u64, Error> {
    Ok(connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0))?.max(0) as u64)
}

/// Bytes of pages in use.
fn bytes(connection: &Connection) -> Result<u64, Error> {
    let pages = pragma(connection, "page_count")? - pragma(connection, "freelist_count")?;
    Ok(pages * pragma(connection, "page_size")?)
}

fn give_back(connection: &Connection) -> Result<(), Error> {
    let free = pragma(connection, "freelist_count")?;
    if free > FREE_PAGES_MAX && free > pragma(connection, "page_count")? / 4 {
        // Each step gives one page back.
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, NOW_S, window};
    use super::super::windows::Windows;
    use super::super::{annotations, mutes};
    use super::*;

    fn count(connection: &Connection, table: &str) -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    /// Works until there is nothing left to do, and says how many steps that took.
    fn settle(upkeep: &mut Upkeep, connection: &Connection) -> usize {
        upkeep.next = 0;
        let mut steps = 0;
        while upkeep.next <= STEPS.len() {
            upkeep.step(connection, NOW_S).unwrap();
            steps += 1;
        }
        steps
    }

    fn filled(ages_s: &[u64]) -> (tempfile::TempDir, Connection) {
        let (dir, mut connection) = fixture::database();
        let transaction = connection.transaction().unwrap();
        let windows: Vec<_> = ages_s.iter().map(|age| window("bank", (NOW_S - age) / 10 * 10, 9)).collect();
        Windows::default().write(&transaction, windows.iter()).unwrap();
        transaction.commit().unwrap();
        (dir, connection)
    }

    #[test]
    fn ten_seconds_go_after_a_day_and_minutes_after_a_month() {
        let (_dir, connection) = filled(&[60, DAY_S - 60, DAY_S + 60, 29 * DAY_S, 31 * DAY_S]);
        settle(&mut Upkeep::default(), &connection);
        assert_eq!((count(&connection, "windows_10s"), count(&connection, "windows_1m")), (2, 4));
        assert_eq!(count(&connection, "providers"), 1);
    }

    #[test]
    fn a_provider_of_whom_nothing_is_left_goes() {
        let (_dir, connection) = filled(&[31 * DAY_S]);
        settle(&mut Upkeep::default(), &connection);
        assert_eq!(count(&connection, "providers"), 0);
    }

    #[test]
    fn much_that_is_old_goes_a_little_at_a_time() {
        let ages: Vec<u64> = (0..7000).map(|i| 2 * DAY_S + 10 * i).collect();
        let (_dir, connection) = filled(&ages);
        let steps = settle(&mut Upkeep::default(), &connection);
        assert_eq!(count(&connection, "windows_10s"), 0);
        assert!(steps > STEPS.len() + 7000 / ROWS as usize, "{steps} steps");
    }

    #[test]
    fn a_store_that_is_too_large_loses_its_oldest_days_first() {
        let (_dir, connection) = filled(&[60, 5 * DAY_S, 20 * DAY_S]);
        let mut upkeep = Upkeep { bytes_max: 1, ..Upkeep::default() };
        settle(&mut upkeep, &connection);
        let oldest = oldest_minute(&connection).unwrap();
        assert_eq!((count(&connection, "windows_1m"), (NOW_S - oldest) / DAY_S), (2, 5));
        // The last day stays whatever its size.
        for _ in 0..3 {
            settle(&mut upkeep, &connection);
        }
        assert_eq!(count(&connection, "windows_1m"), 1);
    }

    #[test]
    fn events_are_bounded_by_age_and_number() {
        let (_dir, connection) = filled(&[60]);
        let (old, now) = ((NOW_S - 401 * DAY_S) * 1000, NOW_S * 1000);
        annotations::add(&connection, old, "long ago", &[]).unwrap();
        annotations::add(&connection, now, "now", &[]).unwrap();
        for (since_ms, until_ms) in [(old, old + 1), (now, now + 1)] {
            let (reason, who) = ("maintenance".to_owned(), "anna".to_owned());
            let mute = mutes::Mute { provider: "bank".to_owned(), since_ms, until_ms, reason, who };
            mutes::add(&connection, &mute).unwrap();
        }
        let far = "INSERT INTO annotations (id, at_ms, text, tags) VALUES (?, ?, 'x', '[]')";
        connection.execute(far, [50, integer(now)]).unwrap();
        connection.execute(far, [ANNOTATIONS_MAX + 40, integer(now)]).unwrap();
        settle(&mut Upkeep::default(), &connection);
        assert_eq!((count(&connection, "annotations"), count(&connection, "mutes")), (2, 1));
    }

    #[test]
    fn room_that_is_free_for_long_is_given_back() {
        let (_dir, connection) = filled(&[]);
        connection.execute_batch("CREATE TABLE large (body BLOB)").unwrap();
        for _ in 0..60 {
            connection.execute("INSERT INTO large VALUES (zeroblob(2000000))", []).unwrap();
        }
        connection.execute_batch("DROP TABLE large").unwrap();
        let before = pragma(&connection, "freelist_count").unwrap();
        assert!(before > FREE_PAGES_MAX, "{before}");
        settle(&mut Upkeep::default(), &connection);
        assert_eq!(before - pragma(&connection, "freelist_count").unwrap(), VACUUM_PAGES);
    }
}
