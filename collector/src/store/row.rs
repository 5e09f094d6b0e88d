//! A stored window as a row: counts, quantiles for those who read with `sqlite3`, and the two histograms they are of.

use rusqlite::{Connection, Row, params};

use super::file::Error;
use super::hdr::Codec;
use crate::rollup::{Counts, Sum};

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

/// Writes `sum` over whatever is stored of that window.
pub fn put(
    sum: &Sum,
    connection: &Connection,
    level: Level,
    provider: i64,
    begin_s: u64,
    codec: &mut Codec,
) -> Result<(), Error> {
    let Sum { counts, answered, other, late } = sum;
    let at = |histogram: Option<[u64; 3]>, which: usize| {
        histogram.map(|found| integer(found[which].min(counts.max_ns)))
    };
    let quantiles = answered.quantiles([0.5, 0.95, 0.99]);
    let other_p95 = other.quantiles([0.95]).map(|[p95]| integer(p95.min(counts.max_ns)));
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
        integer(*late),
        integer(counts.sum_ns),
        integer(counts.max_ns),
        at(quantiles, 0),
        at(quantiles, 1),
        at(quantiles, 2),
        other_p95,
        codec.encode(answered.buckets().into_iter()),
        codec.encode(other.buckets().into_iter()),
    ])?;
    Ok(())
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
