//! Limits that anyone can explain: they cover the time in which nothing is known yet, and providers with few calls.

use super::config::Limits;
use super::provider::OpenNow;
use crate::rollup::Finished;
use crate::rollup::outcome::Outcome;

/// The window of these rules, and room for a second more.
const WINDOW_S: u64 = 60;
const RING: usize = 64;
/// A ratio of fewer calls is none.
const CALLS_MIN: u32 = 20;
/// Calls over the limit that make a 95th percentile worth a word: one of twenty is chance.
const OVER_MIN: u32 = 5;
/// Standard deviations that chance may make of a share.
const CHANCE: f64 = 3.5;
/// A provider whose calls are this many times over the limit by nature is no incident.
const USUAL_OVER_MAX: f64 = 0.3;
/// Of the open calls: past the provider's timeout.
const PAST_TIMEOUT_MIN: u32 = 3;
const PAST_TIMEOUT_SHARE: f64 = 0.2;
/// Failures in a row, at least, and for how long.
const RUN_MIN: u32 = 5;
const RUN_S: u64 = 5;
/// What a run of failures may be by chance.
const RUN_CHANCE: f64 = 1e-5;
/// Above this rate ratios are quicker and say more.
const RUN_RATE_MAX: f64 = 1.0;
/// The share of failures that is taken as normal while none is known.
const UNKNOWN_FAILURES: f64 = 0.1;

#[derive(Debug, Clone)]
pub struct Statics {
    limits: Limits,
    /// Longer than this is over the limit of p95; grows with the baseline once that is known.
    limit_ns: u64,
    ring: Vec<Second>,
    run: u32,
    run_since_s: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Second {
    second: u64,
    timed: u32,
    over: u32,
    failed: u32,
    judged: u32,
}

/// The rule that holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    P95 { limit_s: f64, over: u32, calls: u32 },
    FailureRatio { failed: u32, calls: u32 },
    PastTimeout { past: u32, open: u32 },
    Run { failures: u32, seconds: u64 },
}

/// What the provider knows of itself that these rules ask for.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub is_armed: bool,
    /// Its share of calls over the limit of p95 so far.
    pub usual_over: f64,
    pub failed: f64,
    pub calls_per_s: f64,
    pub open: OpenNow,
    /// Seconds that it has learned of.
    pub learned_s: u64,
}

impl Statics {
    pub fn new(limits: Limits) -> Statics {
        let limit_ns = limits.p95.as_nanos() as u64;
        Statics { limits, limit_ns, ring: vec![Second::default(); RING], run: 0, run_since_s: 0 }
    }

    /// Other limits hold from now on; once the baseline is known, the one of p95 follows it, see [`Self::learn`].
    pub fn set(&mut self, limits: Limits) {
        if limits.p95 != self.limits.p95 {
            self.ring.fill(Second::default());
        }
        *self = Statics {
            ring: std::mem::take(&mut self.ring),
            run: self.run,
            run_since_s: self.run_since_s,
            ..Statics::new(limits)
        };
    }

    /// The baseline is known: p95 has to be three times as long as usual.
    pub fn learn(&mut self, p95_ns: f64) {
        let before_ns = self.limit_ns;
        self.limit_ns = (self.limits.p95.as_nanos() as u64).max((3.0 * p95_ns) as u64);
        if self.limit_ns > before_ns + before_ns / 5 {
            self.ring.fill(Second::default()); // what was over the old limit is not over this one
        }
    }

    pub fn limit_ns(&self) -> u64 {
        self.limit_ns
    }

    /// `was_told` = it was counted while it was open.
    pub fn ended(&mut self, call: &Finished, is_answer: bool, is_failure: bool, was_told: bool, now_s: u64) {
        let is_over = call.duration_ns > self.limit_ns && !was_told;
        let at = &mut self.ring[now_s as usize % RING];
        if at.second != now_s {
            *at = Second { second: now_s, ..Second::default() };
        }
        at.timed += u32::from(is_answer || is_over);
        at.over += u32::from(is_over);
        at.failed += u32::from(is_failure);
        let is_success = matches!(call.outcome, Outcome::Ok | Outcome::Declined);
        at.judged += u32::from(is_failure || is_success);
        if is_success {
            self.run = 0;
        } else if is_failure {
            if self.run == 0 {
                self.run_since_s = now_s;
            }
            self.run += 1;
        }
    }

    /// The first rule that holds.
    pub fn check(&self, known: &Known, now_s: u64) -> Option<Rule> {
        let open = known.open;
        if open.past_timeout >= PAST_TIMEOUT_MIN
            && f64::from(open.past_timeout) >= PAST_TIMEOUT_SHARE * f64::from(open.calls)
        {
            return Some(Rule::PastTimeout { past: open.past_timeout, open: open.calls });
        }
        if let Some(rule) = self.run(known, now_s) {
            return Some(rule);
        }
        let window = self.window(now_s);
        let p95_s = self.limit_ns as f64 / 1e9;
        // What it did all the time so far is no incident; and before a whole window there is no "so far".
        let usual = if known.is_armed { 0.0 } else { known.usual_over };
        let timed = f64::from(window.timed);
        let share = (2.0 * usual).max(0.05);
        let is_over = window.over >= OVER_MIN
            && f64::from(window.over)
                > share * timed + CHANCE * (share * (1.0 - share).max(0.0) * timed).sqrt();
        if window.timed >= CALLS_MIN && is_over && known.learned_s >= WINDOW_S && usual <= USUAL_OVER_MAX {
            return Some(Rule::P95 { limit_s: p95_s, over: window.over, calls: window.timed });
        }
        let judged = f64::from(window.judged);
        let ratio = self.limits.failure_ratio;
        // A provider that fails as often as this by nature swings around the limit: chance has to be ruled out.
        let limit = ratio * judged + CHANCE * (ratio * (1.0 - ratio) * judged).sqrt();
        if !known.is_armed && window.judged >= CALLS_MIN && f64::from(window.failed) > limit {
            return Some(Rule::FailureRatio { failed: window.failed, calls: window.judged });
        }
        None
    }

    fn run(&self, known: &Known, now_s: u64) -> Option<Rule> {
        if known.calls_per_s >= RUN_RATE_MAX || self.run < RUN_MIN {
            return None;
        }
        let normal = if known.is_armed { known.failed.clamp(0.002, 0.9) } else { UNKNOWN_FAILURES };
        let needed = (RUN_CHANCE.ln() / normal.ln()).ceil();
        let seconds = now_s.saturating_sub(self.run_since_s);
        (f64::from(self.run) >= needed && seconds >= RUN_S)
            .then_some(Rule::Run { failures: self.run, seconds })
    }

    fn window(&self, now_s: u64) -> Second {
        let mut sum = Second::default();
        for second in self.ring.iter().filter(|second| second.second + WINDOW_S > now_s) {
            sum.timed += second.timed;
            sum.over += second.over;
            sum.failed += second.failed;
            sum.judged += second.judged;
        }
        sum
    }

    /// What was seen so far has been told of.
    pub fn clear(&mut self) {
        self.ring.fill(Second::default());
        self.run = 0;
    }

    /// Calls of the last minute.
    pub fn calls(&self, now_s: u64) -> u32 {
        let window = self.window(now_s);
        window.timed.max(window.judged)
    }
}
