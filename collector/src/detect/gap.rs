//! The usual pause between the ends of a provider's calls, and how long after its end we hear of a call.

use super::histogram::{Histogram, bucket};

/// Samples that say something about a 99.9th percentile.
const SAMPLES_MIN: f64 = 100.0;

/// Seconds, forgotten by halves as often as the baselines.
#[derive(Debug, Clone, Default)]
pub struct Gap {
    pauses: Histogram,
    usual_s: f64,
}

impl Gap {
    pub fn learn(&mut self, seconds: f64) {
        self.pauses.add(bucket((seconds * 1e9) as u64));
    }

    pub fn refresh(&mut self, factor: f64) {
        self.pauses.fade(factor);
        let [usual] = self.pauses.quantiles([0.999]);
        self.usual_s = usual / 1e9;
    }

    /// A pause that is longer than 99.9 % of them, if that is known.
    pub fn usual_s(&self) -> Option<f64> {
        (self.pauses.total() >= SAMPLES_MIN).then_some(self.usual_s.max(1.0))
    }
}

/// How much longer a call is open for us than it was for its caller.
#[derive(Debug, Clone, Default)]
pub struct Delay {
    seen: Histogram,
    pub delay_ns: u64,
}

impl Delay {
    pub fn learn(&mut self, ns: u64) {
        self.seen.add(bucket(ns));
    }

    /// The 99th percentile: a call that is merely reported late is not a slow one. Below a second it is the
    /// pace of our own looking.
    pub fn refresh(&mut self, factor: f64) {
        self.seen.fade(factor);
        let [delay] = self.seen.quantiles([0.99]);
        self.delay_ns = if self.seen.total() < 5.0 || delay < 1e9 { 0 } else { delay as u64 };
    }
}
