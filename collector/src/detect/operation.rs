//! What is normal for one operation of a provider, and the two limits that follow: L1, slow, and L2, tail.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use crate::rollup::Name;

/// The half-life of a baseline, in seconds in which it learned.
pub const HALF_LIFE_S: f64 = 3600.0;
/// Below so many calls a baseline forgets more slowly: percentiles need calls, not hours.
const CALLS_KEPT: f64 = 300.0;
/// The slowdown that the latency test is made for.
const SHIFT: f64 = 2.25;
/// A tail of this share is an incident in any case.
const TAIL_INCIDENT_MIN: f64 = 0.07;
/// Shares above say no more about a shift, but make a part of the calls that is slow invisible.
const INCIDENT_MAX: f64 = 0.6;
/// The percentile that L1 is, and lower ones for providers whose 95th says little: two modes, or a heavy tail.
const PERCENTILES: [f64; 3] = [0.95, 0.9, 0.8];
/// So much better must a lower one tell 2.25 times slower from normal, …
const BETTER: f64 = 1.4;
/// … by so many calls at least; and the choice stays for as many seconds, because what was counted before a change
/// says nothing after it.
const CHOICE_CALLS: f64 = 1000.0;
const CHOICE_S: u64 = 3600;

#[derive(Debug, Clone)]
pub struct Operation {
    pub name: Name,
    pub learned: Learned,
    /// `None` until it is armed.
    pub limits: Option<Limits>,
}

/// What is saved.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Learned {
    pub durations: Histogram,
    pub calls: u64,
    /// Seconds since the first call in which it could learn.
    pub seconds: u64,
    /// Which of the percentiles L1 is, and since when.
    percentile: usize,
    chosen_s: u64,
}

/// The limits of an operation, and the shares of its calls that lie above them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// L1.
    pub slow_ns: u64,
    /// L2.
    pub tail_ns: u64,
    pub p95_ns: f64,
    /// Share above L1 and L2 as it is, and if everything took 2.25 times as long.
    pub slow: Shift,
    pub tail: Shift,
    /// Share above L1 if everything took `min_ratio` times as long.
    pub slow_at_ratio: f64,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Shift {
    pub normal: f64,
    pub incident: f64,
}

impl Operation {
    pub fn new(name: Name) -> Operation {
        Operation { name, learned: Learned::default(), limits: None }
    }

    /// 200 calls and 5 min, or 40 calls and an hour.
    pub fn is_known(&self) -> bool {
        is_known(self.learned.calls, self.learned.seconds)
    }

    /// `seconds` more were learned: forget, and look anew. True if L1 is now another percentile.
    pub fn refresh(&mut self, seconds: u64, min_ratio: f64) -> bool {
        let kept = (self.learned.durations.total() / CALLS_KEPT).min(1.0);
        self.learned.durations.fade((-(seconds as f64) * kept / HALF_LIFE_S).exp2());
        self.learned.seconds += seconds;
        if !self.is_known() {
            return false;
        }
        let before = self.learned.percentile;
        let is_due = self.learned.seconds >= self.learned.chosen_s + CHOICE_S || self.learned.chosen_s == 0;
        if is_due && self.learned.durations.total() >= CHOICE_CALLS {
            self.learned.choose();
        }
        self.find_limits(min_ratio);
        self.learned.percentile != before
    }

    pub fn find_limits(&mut self, min_ratio: f64) {
        if self.is_known() && self.learned.durations.total() >= 1.0 {
            self.limits = Some(Limits::of(&self.learned, min_ratio));
        }
    }
}

pub fn is_known(calls: u64, seconds: u64) -> bool {
    (calls >= 200 && seconds >= 300) || (calls >= 40 && seconds >= 3600)
}

impl Learned {
    fn slow_ns(&self, percentile: usize) -> f64 {
        let [p50_ns] = self.durations.quantiles([0.5]);
        let [p_ns] = self.durations.quantiles([PERCENTILES[percentile.min(PERCENTILES.len() - 1)]]);
        p_ns.max(1.5 * p50_ns)
    }

    fn choose(&mut self) {
        let information = |percentile| Shift::of(&self.durations, self.slow_ns(percentile)).information();
        let mut best = (0, BETTER * information(0));
        for percentile in 1..PERCENTILES.len() {
            if information(percentile) > best.1 {
                best = (percentile, information(percentile));
            }
        }
        (self.percentile, self.chosen_s) = (best.0, self.seconds.max(1));
    }
}

impl Limits {
    fn of(learned: &Learned, min_ratio: f64) -> Limits {
        let durations = &learned.durations;
        let [p50_ns, p95_ns, p99_ns] = durations.quantiles([0.5, 0.95, 0.99]);
        let slow_ns = learned.slow_ns(learned.percentile);
        let slow = Shift::of(durations, slow_ns);
        let tail_ns = (2.0 * p99_ns).max(4.0 * p50_ns);
        let mut tail = Shift::of(durations, tail_ns);
        tail.incident = tail.incident.max(TAIL_INCIDENT_MIN);
        Limits {
            slow_ns: slow_ns as u64,
            tail_ns: tail_ns as u64,
            p95_ns,
            slow,
            tail,
            slow_at_ratio: durations.share_above(slow_ns / min_ratio),
        }
    }
}

impl Shift {
    fn of(durations: &Histogram, limit_ns: f64) -> Shift {
        Shift {
            normal: durations.share_above(limit_ns),
            incident: durations.share_above(limit_ns / SHIFT).min(INCIDENT_MAX),
        }
    }

    /// What a call says on average of a shift (Kullback and Leibler), with the floor that the test has.
    fn information(&self) -> f64 {
        let (normal, incident) = (self.normal.max(0.01), self.incident.clamp(0.011, 0.99));
        if incident <= normal {
            return 0.0;
        }
        incident * (incident / normal).ln() + (1.0 - incident) * ((1.0 - incident) / (1.0 - normal)).ln()
    }
}
