//! A stored window as a row: counts, quantiles for those who read with `sqlite3`, and the two histograms they are of.

use rusqlite::{Connection, Row, params};

use super::file::Error;
use super::hdr::Codec;
use crate::rollup::{Counts, Sum, middle_ns};

/// Tables by the length of their windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    TenSeconds,
    Minute,
}

impl Level {
    pub fn table(self) -> &'static str {
        match self {
            Level::TenSeconds => "windows_10s",
            Level::Minute => "windows_1m",
        }
    }

    pub fn length_s(self) -> u64 {
        match self {
            Level::TenSeconds => 10,
            Level::Minute => 60,
        }
    }
}

/// What [`add`] reads, in its order.
pub const COLUMNS: &str = "ok, declined, client_fault, failed, timeout, connect, cancelled, attempts, converted, \
                           convertible, late, sum_ns, max_ns, answered, other";

/// Adds a row whose [`COLUMNS`] begin at `first`.
pub fn add(sum: &mut Sum, row: &Row<'_>, first: usize, codec: &mut Codec) -> Result<(), Error> {
    let mut next = first..;
    let mut number = || row.get::<_, i64>(next.next().expect("endless")).map(|number| number.max(0) as u64);
    let mut counts = Counts::default();
    for count in &mut counts.by_outcome {
        *count = number()?;
    }
    counts.attempts = number()?;
    counts.converted = number()?;
    counts.convertible = number()?;
    sum.late += number()?;
    counts.sum_ns = number()?;
    counts.max_ns = number()?;
    sum.counts.merge(&counts);
    let blobs = first + Counts::default().by_outcome.len() + 6;
    for (at, histogram) in [(blobs, &mut sum.answered), (blobs + 1, &mut sum.other)] {
        if let Some(bytes) = row.get_ref(at)?.as_blob_or_null().map_err(rusqlite::Error::from)? {
            codec.decode(bytes, |bucket, count| histogram.add(bucket, count))?;
        }
    }
    Ok(())
}

/// What a row is made of: counts, and histograms as buckets with counts, ascending.
#[derive(Debug, Clone, Copy)]
pub struct Windowed<'a> {
    pub counts: &'a Counts,
    pub late: u64,
    pub answered: &'a [(u16, u64)],
    pub other: &'a [(u16, u64)],
}

/// Writes a window over whatever is stored of it.
pub fn put(
    window: Windowed<'_>,
    connection: &Connection,
    level: Level,
    provider: i64,
    begin_s: u64,
    codec: &mut Codec,
) -> Result<(), Error> {
    let Windowed { counts, late, answered, other } = window;
    let [p50, p95, p99] = quantiles(answered, [0.5, 0.95, 0.99], counts.max_ns);
    let [other_p95] = quantiles(other, [0.95], counts.max_ns);
    let [ok, declined, client_fault, failed, timeout, connect, cancelled] = counts.by_outcome.map(integer);
    connection.prepare_cached(insert(level))?.execute(params![
        provider,
        integer(begin_s),
        ok,
        declined,
        client_fault,
        failed,
        timeout,
        connect,
        cancelled,
        integer(counts.attempts),
        integer(counts.converted),
        integer(counts.convertible),
        integer(late),
        integer(counts.sum_ns),
        integer(counts.max_ns),
        p50,
        p95,
        p99,
        other_p95,
        codec.encode(answered.iter().copied()),
        codec.encode(other.iter().copied()),
    ])?;
    Ok(())
}

/// The durations in ns at `quantiles` (ascending, nearest rank), none above the longest; `None` without a value.
pub fn quantiles<const N: usize>(
    buckets: &[(u16, u64)],
    quantiles: [f64; N],
    max_ns: u64,
) -> [Option<i64>; N] {
    let total: u64 = buckets.iter().map(|(_, count)| count).sum();
    let mut next = buckets.iter();
    let (mut seen, mut at) = (0, 0);
    quantiles.map(|quantile| {
        let rank = ((quantile * total as f64).ceil() as u64).max(1);
        while seen < rank {
            let (bucket, count) = next.next()?;
            seen += count;
            at = middle_ns(*bucket);
        }
        Some(integer(at.min(max_ns)))
    })
}

fn insert(level: Level) -> &'static str {
    macro_rules! insert_into {
        ($table:literal) => {
            concat!(
                "INSERT OR REPLACE INTO ",
                $table,
                " (provider, begin_s, ok, declined, client_fault, failed, timeout, connect, cancelled, attempts, \
                 converted, convertible, late, sum_ns, max_ns, p50_ns, p95_ns, p99_ns, other_p95_ns, answered, other) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            )
        };
    }
    match level {
        Level::TenSeconds => insert_into!("windows_10s"),
        Level::Minute => insert_into!("windows_1m"),
    }
}

/// SQLite's integers have a sign; what does not fit is 292 years of waiting.
pub fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rollup::{Merged, bucket};

    proptest! {
        #[test]
        fn quantiles_of_buckets_are_those_of_the_roll_up(
            counts in proptest::collection::btree_map(0..10_000_000_000u64, 1..50u64, 0..40),
        ) {
            let mut merged = Merged::default();
            counts.iter().for_each(|(ns, count)| merged.add(bucket(*ns), *count));
            let want = merged.quantiles([0.5, 0.95, 0.99]).map(|found| found.map(integer));
            let found = quantiles(&merged.buckets(), [0.5, 0.95, 0.99], u64::MAX);
            prop_assert_eq!(found, want.map_or([None; 3], |want| want.map(Some)));
        }
    }
}
