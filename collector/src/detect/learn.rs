//! How a provider's baseline follows what is seen: only while nothing is suspicious, and only seconds that no late
//! span can change any more.

use serde::{Deserialize, Serialize};

use super::channel::{CHANNELS, FAILED, FAULT, PerChannel, SLOW, TAIL};
use super::cusum::{Count, FIRES_AT, Test};
use super::operation::{HALF_LIFE_S, is_known};
use super::provider::Provider;
use super::slots::Slot;

/// A sum above is suspicion: what is seen then is learned only if it turns out to be nothing.
pub const SUSPICIOUS_AT: f64 = FIRES_AT / 3.0;
/// A suspicion that has not become an alarm by then is the new normal.
const SUSPICION_S_MAX: u64 = 900;
/// After an incident its last calls are still on their way.
const AFTERMATH_S: u64 = 60;
/// Seconds of a pause that count as time: a night without calls must not wear the baseline out.
const PAUSE_S_MAX: u64 = 600;
/// How often percentiles are looked up.
const REFRESH_S: u64 = 15;
/// Durations held while something is suspicious.
const QUARANTINE_MAX: usize = 16_384;

/// The least normal share of each channel: what is rarer has not been seen often enough to be known.
const NORMAL_MIN: PerChannel<f64> = [0.01, 0.003, 0.002, 0.02];
/// So much more than what is known is still normal: e^12 to one is not rare among millions of calls a day.
const MARGIN: PerChannel<f64> = [1.25, 1.1, 1.1, 1.1];
/// A test of shares that lie closer than this would never decide.
const NORMAL_OF_INCIDENT_MAX: f64 = 0.6;

/// Failed and other calls, forgotten by halves.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Failures {
    pub bad: f64,
    pub calls: f64,
    /// The same for calls that were refused because of what we sent.
    pub faults: f64,
    pub fault_calls: f64,
    /// Calls and seconds ever learned of; what arms the provider.
    pub calls_ever: u64,
    pub seconds: u64,
    /// Calls per second.
    pub rate: f64,
}

/// Where the learning is in time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    learned_s: u64,
    pending_s: u64,
    pending_calls: u64,
}

/// What was seen while something was suspicious.
#[derive(Debug, Clone, Default)]
pub struct Quarantine {
    since_s: Option<u64>,
    slots: Vec<Slot>,
    durations: usize,
}

impl Quarantine {
    fn keep(&mut self, mut slot: Slot, now_s: u64) {
        self.since_s.get_or_insert(now_s);
        if self.durations + slot.durations.len() > QUARANTINE_MAX {
            slot.durations.clear();
        }
        self.durations += slot.durations.len();
        self.slots.push(slot);
    }

    fn take(&mut self) -> Vec<Slot> {
        std::mem::take(self).slots
    }
}

impl Provider {
    /// Nothing suspicious: what is seen is normal.
    pub fn is_calm(&self, now_s: u64) -> bool {
        self.firing.is_none()
            && now_s >= self.resolved_s + AFTERMATH_S
            && self.sums.iter().all(|sum| *sum < SUSPICIOUS_AT)
    }

    /// Moves the seconds that are done into the sums and, if all is well, into the baseline.
    pub fn settle(&mut self, now_s: u64) {
        while let Some(slot) = self.slots.settle(now_s) {
            if let Some(tests) = self.tests {
                step(&mut self.settled, &tests, &slot);
            }
            if self.firing.is_some() || now_s < self.resolved_s + AFTERMATH_S {
                self.quarantine.take();
            } else if self.is_calm(now_s) {
                for slot in self.quarantine.take() {
                    self.learn(&slot);
                }
                self.learn(&slot);
            } else {
                self.quarantine.keep(slot, now_s);
            }
        }
        if self.quarantine.since_s.is_some_and(|since_s| now_s > since_s + SUSPICION_S_MAX) {
            for slot in self.quarantine.take() {
                self.learn(&slot);
            }
            self.refresh();
            self.forget_evidence();
        }
    }

    /// What was seen so far is no evidence any more.
    pub fn forget_evidence(&mut self) {
        self.slots.clear();
        (self.settled, self.sums) = ([0.0; CHANNELS], [0.0; CHANNELS]);
        self.since = Default::default();
        self.sources.iter_mut().for_each(super::sources::Sources::clear);
        self.statics.clear();
    }

    fn learn(&mut self, slot: &Slot) {
        let clock = &mut self.learn_clock;
        let seconds = match clock.learned_s {
            0 => 1,
            before => slot.second.saturating_sub(before).min(PAUSE_S_MAX),
        };
        clock.learned_s = clock.learned_s.max(slot.second);
        clock.pending_s += seconds;
        // A second of a busy provider stands for all of its calls, also those whose durations were not kept.
        for (at, bucket) in &slot.durations {
            let Some(operation) = self.operations.get_mut(usize::from(*at)) else { continue };
            operation.learned.durations.add(*bucket);
            operation.learned.calls += 1;
        }
        clock.pending_calls += u64::from(slot.answers.max(slot.counts[FAILED].calls()));
        for channel in 0..CHANNELS {
            self.spread[channel].add(seconds, slot.counts[channel]);
        }
        let failed = slot.counts[FAILED];
        self.failures.bad += f64::from(failed.bad);
        self.failures.calls += f64::from(failed.calls());
        let refused = slot.counts[FAULT];
        self.failures.faults += f64::from(refused.bad);
        self.failures.fault_calls += f64::from(refused.calls());
        if self.learn_clock.pending_s >= REFRESH_S {
            self.refresh();
        }
    }

    /// Looks up anew what is normal.
    pub fn refresh(&mut self) {
        let clock = &mut self.learn_clock;
        let (seconds, calls) =
            (std::mem::take(&mut clock.pending_s), std::mem::take(&mut clock.pending_calls));
        let mut is_changed = false;
        for operation in &mut self.operations {
            is_changed |= operation.refresh(seconds, self.min_ratio);
        }
        if is_changed {
            self.spread[SLOW] = Default::default();
            self.forget_evidence();
        }
        let factor = (-(seconds as f64) / HALF_LIFE_S).exp2();
        self.gap.refresh(factor);
        self.delay.refresh(factor);
        self.failures.pass(seconds, calls);
        self.find_tests();
    }

    /// Makes the tests of what is known, if that is enough.
    pub fn find_tests(&mut self) {
        if !is_known(self.failures.calls_ever, self.failures.seconds) {
            return;
        }
        if let Some(p95_s) = self.p95_s() {
            self.statics.learn(p95_s * 1e9);
        }
        let clip = self.clip();
        let mut sums = [0.0; 6];
        for operation in &self.operations {
            let Some(limits) = operation.limits else { continue };
            let weight = operation.learned.durations.total();
            let shares = [
                1.0,
                limits.slow.normal,
                limits.slow.incident,
                limits.tail.normal,
                limits.tail.incident,
                limits.slow_at_ratio,
            ];
            sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += weight * share);
        }
        let [calls, slow_0, slow_1, tail_0, tail_1, at_ratio] = sums;
        let share = |sum: f64, otherwise: f64| if calls > 0.0 { sum / calls } else { otherwise };
        self.slow_at_ratio = share(at_ratio, 1.0);
        let failed = self.failures.bad / self.failures.calls.max(1.0);
        let slow = self.normal(SLOW, share(slow_0, 0.05), calls);
        let tail = self.normal(TAIL, share(tail_0, 0.0), calls);
        let failed = self.normal(FAILED, failed, self.failures.calls);
        let failed_1 = (5.0 * failed).min((1.0 + 2.0 * failed) / 3.0).max(0.04);
        let refused = self.failures.faults / self.failures.fault_calls.max(1.0);
        let refused = self.normal(FAULT, refused, self.failures.fault_calls);
        let refused_1 = (5.0 * refused).min((1.0 + 2.0 * refused) / 3.0).max(0.25);
        let test = |normal: f64, incident: f64| {
            Test::new(normal.min(NORMAL_OF_INCIDENT_MAX * incident), incident, clip)
        };
        self.tests = Some([
            test(slow, share(slow_1, 0.3).max(0.1)),
            test(tail, share(tail_1, 0.1).max(0.01)),
            test(failed, failed_1),
            test(refused, refused_1),
        ]);
    }

    /// The normal share with all that it varies by: few calls, and minutes that are not like each other.
    fn normal(&self, channel: usize, share: f64, calls: f64) -> f64 {
        let shares = self.spread[channel].shares();
        let share = if shares.blocks >= 10 { share.max(shares.mean) } else { share }.max(NORMAL_MIN[channel]);
        let error = (share * (1.0 - share).max(0.0) / calls.max(1.0)).sqrt();
        MARGIN[channel] * share + 2.0 * error + 3.0 * shares.sigma
    }
}

impl Failures {
    /// `seconds` more were learned, with `calls`.
    fn pass(&mut self, seconds: u64, calls: u64) {
        let kept = (self.calls / 1000.0).min(1.0);
        let factor = (-(seconds as f64) * kept / HALF_LIFE_S).exp2();
        self.bad *= factor;
        self.calls *= factor;
        self.faults *= factor;
        self.fault_calls *= factor;
        self.calls_ever += calls;
        self.seconds += seconds;
        if seconds > 0 {
            let new = calls as f64 / seconds as f64;
            let part = (seconds as f64 / 600.0).min(1.0).max(seconds as f64 / self.seconds.max(1) as f64);
            self.rate += (new - self.rate) * part.min(1.0);
        }
    }
}

/// One second in the three sums.
pub fn step(sums: &mut PerChannel<f64>, tests: &PerChannel<Test>, slot: &Slot) {
    for channel in 0..CHANNELS {
        let count: Count = slot.counts[channel];
        sums[channel] = match channel {
            TAIL if slot.stalled => tests[channel].step_bad(sums[channel]),
            _ => tests[channel].step(sums[channel], count),
        };
    }
}
