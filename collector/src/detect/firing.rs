//! An alarm that goes on: whom it concerns, and whether it is over.

use super::alert::Alert;
use super::channel::{CHANNELS, PerChannel, SLOW, TAIL};
use super::cusum::{FIRES_AT, Test};
use super::provider::{Provider, Tests};
use super::sources::Dimension;
use crate::rollup::{Labels, Name};

/// Good for so long, and it is over: shorter, and every flap would be told.
const HOLD_S: u64 = 30;
/// Without any call nothing is known; after so long nobody waits any more.
const SILENCE_S: u64 = 600;
/// At low rates: so many good calls in a row over so long.
const GOOD_RUN: u32 = 10;
const GOOD_RUN_S: u64 = 300;

#[derive(Debug)]
pub struct Firing {
    pub alert: Alert,
    /// The one source that it concerns; `None` = everyone.
    pub inside: Option<(Dimension, Name)>,
    /// The channels that say so.
    pub channels: PerChannel<bool>,
    /// A rule of [`super::statics`] says so.
    pub is_static: bool,
    pub fired_s: u64,
    /// Whether it was told; before, it may still become part of an alert about our side.
    pub is_told: bool,
    /// The reverse tests, against half of what the incident was.
    back_tests: Tests,
    back: PerChannel<f64>,
    is_back: PerChannel<bool>,
    good_since_s: Option<u64>,
    good_run: u32,
    good_run_since_s: u64,
    /// The sums of the calls that it does not concern: when these fire, too, it is everyone.
    pub rest: PerChannel<f64>,
    pub last_bad_s: u64,
}

impl Firing {
    pub fn new(alert: Alert, inside: Option<(Dimension, Name)>, fired_s: u64) -> Firing {
        Firing {
            alert,
            inside,
            channels: [false; CHANNELS],
            is_static: false,
            fired_s,
            is_told: false,
            back_tests: [Test::new(0.05, 0.5, 7.0); CHANNELS],
            back: [0.0; CHANNELS],
            is_back: [false; CHANNELS],
            good_since_s: None,
            good_run: 0,
            good_run_since_s: fired_s,
            rest: [0.0; CHANNELS],
            last_bad_s: fired_s,
        }
    }

    pub fn concerns(&self, labels: &Labels) -> bool {
        self.inside.is_none_or(|(dimension, name)| dimension.of(labels) == name)
    }

    /// One more channel says that something is wrong, with this share of bad calls.
    pub fn involve(&mut self, channel: usize, test: &Test, share: f64, clip: f64) {
        if self.channels[channel] {
            return;
        }
        self.channels[channel] = true;
        let incident = (share / 2.0).max(test.incident).clamp(test.normal * 1.2, 0.9);
        self.back_tests[channel] = Test::new(test.normal.min(0.7), incident, clip);
    }
}

impl Provider {
    /// Whether the alarm is over, as of this second.
    pub fn is_over(&mut self, now_s: u64) -> bool {
        let fresh = self.fresh_inside;
        let stalled = self.stalled_s == now_s && now_s > 0;
        let (last_call_s, open, sums) = (self.last_call_s, self.open, self.sums);
        let rate = self.failures.rate;
        let Some(firing) = self.firing.as_mut() else { return false };
        let mut is_good = !firing.is_static;
        for channel in (0..CHANNELS).filter(|channel| firing.channels[*channel]) {
            let test = firing.back_tests[channel];
            firing.back[channel] = test.step_back(firing.back[channel], fresh[channel]);
            if stalled && channel == TAIL {
                firing.back[channel] = (firing.back[channel] - 2.0 * test.step_max).max(0.0);
            }
            let limit = if firing.is_back[channel] { FIRES_AT / 2.0 } else { FIRES_AT };
            firing.is_back[channel] = firing.back[channel] >= limit - 1e-6;
            is_good &= firing.is_back[channel];
        }
        // A channel that it does not know of yet must not be on its way up.
        is_good &= firing.inside.is_some()
            || sums[SLOW..].iter().zip(firing.channels).all(|(sum, known)| known || *sum < FIRES_AT);
        let bad: u32 = (0..CHANNELS).filter(|at| firing.channels[*at]).map(|at| fresh[at].bad).sum();
        let calls: u32 = fresh.iter().map(|count| count.calls()).max().unwrap_or_default();
        if bad > 0 || stalled {
            (firing.good_run, firing.good_run_since_s, firing.last_bad_s) = (0, now_s, now_s);
        } else {
            firing.good_run += calls;
        }
        firing.good_since_s = if is_good { firing.good_since_s.or(Some(now_s)) } else { None };
        let held = firing.good_since_s.is_some_and(|since_s| now_s >= since_s + HOLD_S);
        let by_run = rate < 1.0
            && !firing.is_static
            && firing.good_run >= GOOD_RUN
            && now_s >= firing.good_run_since_s + GOOD_RUN_S;
        let by_silence = open.past_tail == 0 && now_s >= last_call_s + SILENCE_S;
        held || by_run || by_silence
    }
}
