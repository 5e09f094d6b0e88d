//! One provider's durations over time, as a picture has them: columns of time, rows of √2 from 1 ms to 1 h.

use std::sync::LazyLock;

use serde::Serialize;

use super::fold::Fold;
use super::latency::{BUCKETS, low_ns};
use super::outcome::Outcome;
use super::window::Sum;

/// 2^22 ms is more than an hour, the longest duration that is told apart.
const ROWS: usize = 45;
/// Shown at least, up to a second, so that a quiet picture has a scale.
const ROWS_MIN: usize = 21;

#[derive(Debug, Clone, Serialize)]
pub struct Heatmap {
    pub step_s: u64,
    /// Upper ends of the rows.
    pub bounds_ms: Vec<f64>,
    pub columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Unix second.
    pub t: u64,
    /// Calls that were ok or declined: above the bound before and up to the bound of the row.
    pub counts: Vec<u64>,
    pub timeout: u64,
    /// Failed or not connected.
    pub failed: u64,
}

/// The row of each bucket of the histograms.
static ROW_OF: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let row = |bucket| {
        let ms = low_ns(bucket as u16) as f64 / 1e6;
        (0..ROWS - 1).find(|&row| ms <= bound_ms(row)).unwrap_or(ROWS - 1) as u8
    };
    (0..BUCKETS).map(row).collect()
});

fn bound_ms(row: usize) -> f64 {
    2f64.powf(row as f64 / 2.0)
}

impl Column {
    /// What `sum` says of the step that begins at `t`; with all rows there are.
    pub fn of(t: u64, sum: &Sum) -> Column {
        let mut counts = vec![0; ROWS];
        for (bucket, calls) in sum.answered.buckets() {
            counts[usize::from(ROW_OF[usize::from(bucket)])] += calls;
        }
        let of = |outcome| sum.counts.of(outcome);
        let failed = of(Outcome::Failed) + of(Outcome::Connect);
        Column { t, counts, timeout: of(Outcome::Timeout), failed }
    }
}

impl Heatmap {
    /// Rows above the longest call and above a second are left out.
    pub fn of(step_s: u64, mut columns: Vec<Column>) -> Heatmap {
        let used =
            |column: &Column| column.counts.iter().rposition(|&calls| calls > 0).map_or(0, |row| row + 1);
        let rows = columns.iter().map(used).max().unwrap_or_default().max(ROWS_MIN);
        columns.iter_mut().for_each(|column| column.counts.truncate(rows));
        let bounds_ms = (0..rows).map(|row| (bound_ms(row) * 100.0).round() / 100.0).collect();
        Heatmap { step_s, bounds_ms, columns }
    }
}

impl Fold {
    /// As [`Fold::series`].
    pub fn heatmap(
        &mut self,
        now_ns: u64,
        name: &str,
        from_s: u64,
        to_s: u64,
        step_s: u64,
    ) -> Option<Heatmap> {
        let now_s = now_ns / 1_000_000_000;
        let provider = self.providers.find(name)?;
        let (from_s, to_s, step_s) = super::board::range(provider, now_s, from_s, to_s, step_s);
        let sum = &mut self.sum;
        let mut columns = Vec::new();
        for t in (from_s..to_s).step_by(step_s as usize) {
            sum.clear();
            provider.window.sum_into(t, (t + step_s).min(to_s), sum);
            columns.push(Column::of(t, sum));
        }
        Some(Heatmap::of(step_s, columns))
    }
}

#[cfg(test)]
mod tests {
    use super::super::latency::{DURATION_MAX_NS, bucket};
    use opentelemetry_proto::tonic::trace::v1::Span;

    use super::super::fixture::{NOW_S, SECOND, batch, config, span};
    use super::*;

    #[test]
    fn each_call_is_in_the_row_of_its_duration() {
        let mut fold = Fold::new(config(Vec::new()), 0);
        let call = |ms: u64, outcome: &str| {
            let end_time_unix_nano = NOW_S * SECOND;
            let start_time_unix_nano = end_time_unix_nano - ms * 1_000_000;
            let attributes = format!("spanmill.provider=bank, spanmill.outcome={outcome}");
            Span { start_time_unix_nano, end_time_unix_nano, ..span(&attributes) }
        };
        let calls =
            [call(1, "ok"), call(3, "declined"), call(5000, "ok"), call(9, "timeout"), call(2, "connect")];
        fold.add(&batch("", calls.to_vec(), NOW_S * SECOND));
        let map = fold.heatmap(NOW_S * SECOND, "bank", NOW_S - 20, NOW_S + 1, 10).unwrap();
        assert_eq!(map.bounds_ms[..5], [1.0, 1.41, 2.0, 2.83, 4.0]);
        assert_eq!((map.step_s, map.columns.len()), (10, 3));
        let column = &map.columns[2];
        let rows: Vec<usize> = (0..column.counts.len()).filter(|&row| column.counts[row] > 0).collect();
        assert_eq!(rows, [0, 4, 25], "up to 1 ms, 4 ms, 5.8 s");
        assert_eq!((map.bounds_ms.len(), column.counts.len()), (26, 26));
        assert_eq!((column.timeout, column.failed), (1, 1));
        assert_eq!(map.columns[0].counts, [0; 26]);
        assert!(fold.heatmap(NOW_S * SECOND, "nobody", 0, 1, 1).is_none());
        let idle = fold.heatmap(NOW_S * SECOND, "bank", NOW_S - 20, NOW_S - 10, 10).unwrap();
        assert_eq!(idle.bounds_ms.len(), ROWS_MIN);
    }

    #[test]
    fn every_duration_up_to_an_hour_is_below_its_bound() {
        for bucket in 0..=bucket(DURATION_MAX_NS) {
            let (ms, row) = (low_ns(bucket) as f64 / 1e6, usize::from(ROW_OF[usize::from(bucket)]));
            assert!(ms <= bound_ms(row) && (row == 0 || ms > bound_ms(row - 1)), "{ms} in row {row}");
        }
    }
}
