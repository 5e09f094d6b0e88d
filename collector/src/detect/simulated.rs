//! Calls for the tests of this stage; whole incidents are in `collector/tests/detection`.

use std::sync::Arc;

use super::detector::Detector;
use crate::rollup::outcome::Outcome;
use crate::rollup::{Finished, Labels, Name, Names, Observed};

pub const SECOND: u64 = 1_000_000_000;

/// Every name is its number.
pub struct Texts;

impl Names for Texts {
    fn text(&self, name: Name) -> Arc<str> {
        format!("name-{}", name.0).into()
    }
}

/// One call of provider 7 that ended in `second`.
pub fn call(second: u64, number: u64, ms: f64, outcome: Outcome) -> Finished {
    let end_unix_ns = second * SECOND + number % 10 * SECOND / 10;
    Finished {
        labels: Labels {
            provider: Name(7),
            operation: Name(8),
            host: Name(9 + (number % 5) as u32),
            ..Labels::default()
        },
        outcome,
        end_unix_ns,
        duration_ns: (ms * 1e6) as u64,
        received_unix_ns: end_unix_ns,
        trace_id: [1; 16],
        span_id: second * 1000 + number,
        weight: 1024,
        converts: false,
    }
}

/// Ten calls in each of `seconds`, 0.5 to 1.5 times `ms`; the second after the last.
pub fn calls(detector: &mut Detector, begin_s: u64, seconds: u64, ms: f64) -> u64 {
    for second in begin_s..begin_s + seconds {
        let spread = |number: u64| ms * (0.5 + ((second * 7 + number * 13) % 100) as f64 / 100.0);
        let finished = (0..10).map(|number| call(second, number, spread(number), Outcome::Ok)).collect();
        let observed = Observed { finished, ..Observed::default() };
        detector.tick((second + 1) * SECOND, &observed, &Texts);
    }
    begin_s + seconds
}
