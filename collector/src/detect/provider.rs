//! One provider as the detector knows it: what is normal, and the evidence that it is not.
//!
//! Counting is here; [`super::learn`] learns, [`super::judge`] decides.

use std::collections::HashMap;

use super::alert::Alert;
use super::channel::{CHANNELS, FAILED, FAULT, PerChannel, SLOW, TAIL};
use super::config::{self, Config};
use super::conversion::Conversion;
use super::cusum::{Count, Test};
use super::firing::Firing;
use super::gap::{Delay, Gap};
use super::histogram::bucket;
use super::learn::{Failures, Quarantine};
use super::open::OpenCall;
use super::operation::{Learned, Limits, Operation};
use super::recent::Recent;
use super::slots::Slots;
use super::sources::{Dimension, Sources};
use super::spread::Spread;
use super::statics::Statics;
use super::week::Week;
use crate::rollup::outcome::Outcome;
use crate::rollup::{Finished, Labels, Name};

/// Operations with a baseline of their own; the roll-up names no more than `operations_max` and `_other`.
pub const OPERATIONS_MAX: usize = 1_001;

/// The tests of the three channels, while the provider is armed.
pub type Tests = PerChannel<Test>;

#[derive(Debug)]
pub struct Provider {
    pub name: Name,
    pub settings: config::Provider,
    pub min_ratio: f64,
    // What is normal.
    pub operations: Vec<Operation>,
    pub failures: Failures,
    pub spread: PerChannel<Spread>,
    pub gap: Gap,
    pub delay: Delay,
    pub tests: Option<Tests>,
    /// The share above L1 that a slowdown by `min_ratio` makes.
    pub slow_at_ratio: f64,
    pub learn_clock: super::learn::Clock,
    pub quarantine: Quarantine,
    /// Operations of before the restart that were not called yet.
    pub remembered: HashMap<String, Learned>,
    // What is seen.
    pub slots: Slots,
    /// The sums as of the oldest slot, and as of now.
    pub settled: PerChannel<f64>,
    pub sums: PerChannel<f64>,
    /// Since the sum of the channel was 0 last, and the second in which that was.
    pub since: PerChannel<Count>,
    pub since_s: PerChannel<u64>,
    /// Of the present second, by arrival: all, and those of the scope that fires.
    pub fresh: PerChannel<Count>,
    pub fresh_inside: PerChannel<Count>,
    pub sources: [Sources; Dimension::ALL.len()],
    pub recent: Recent,
    pub statics: Statics,
    pub open: OpenNow,
    pub last_end_s: u64,
    pub last_call_s: u64,
    /// How long nothing has ended, as of the last look.
    pub pause_s: u64,
    /// Stalled seconds in a row, and the last one that counted.
    pub stalled: u32,
    pub stalled_s: u64,
    // What is said.
    pub firing: Option<Firing>,
    pub resolved_s: u64,
    /// Since when the verdict is what it is.
    pub verdict: super::alert::Verdict,
    pub since_unix_ns: u64,
    pub generation: u32,
    // The slow channel.
    pub conversion: Conversion,
    pub declining: Option<Alert>,
    pub week: Week,
    pub silent: Option<Alert>,
    /// Alerts so far.
    pub alerts: u64,
}

/// The open calls of a provider as of the last look.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenNow {
    /// Somebody told us of one lately, so that none is open means something.
    pub is_known: bool,
    pub calls: u32,
    pub past_slow: u32,
    pub past_tail: u32,
    pub past_timeout: u32,
    pub oldest_ns: u64,
}

impl Provider {
    pub fn new(name: Name, text: &str, config: &Config, now_s: u64) -> Provider {
        Provider {
            name,
            settings: config.of(text),
            min_ratio: config.min_ratio,
            operations: Vec::new(),
            failures: Failures::default(),
            spread: Default::default(),
            gap: Gap::default(),
            delay: Delay::default(),
            tests: None,
            slow_at_ratio: 1.0,
            learn_clock: Default::default(),
            quarantine: Quarantine::default(),
            remembered: HashMap::new(),
            slots: Slots::new(now_s),
            settled: [0.0; CHANNELS],
            sums: [0.0; CHANNELS],
            since: Default::default(),
            since_s: [now_s; CHANNELS],
            fresh: Default::default(),
            fresh_inside: Default::default(),
            sources: Default::default(),
            recent: Recent::default(),
            statics: Statics::new(config.limits),
            open: OpenNow::default(),
            last_end_s: now_s,
            last_call_s: now_s,
            pause_s: 0,
            stalled: 0,
            stalled_s: 0,
            firing: None,
            resolved_s: 0,
            verdict: super::alert::Verdict::Unknown,
            since_unix_ns: now_s * 1_000_000_000,
            generation: 0,
            conversion: Conversion::default(),
            declining: None,
            week: Week::default(),
            silent: None,
            alerts: 0,
        }
    }

    /// Other settings hold from now on.
    pub fn set(&mut self, text: &str, config: &Config) {
        self.settings = config.of(text);
        self.statics.set(config.limits);
        if self.min_ratio != config.min_ratio {
            self.min_ratio = config.min_ratio;
            self.operations.iter_mut().for_each(|operation| operation.find_limits(config.min_ratio));
        }
        self.find_tests();
    }

    pub fn clip(&self) -> f64 {
        self.settings.sensitivity.unwrap_or_default().clip()
    }

    pub fn is_armed(&self) -> bool {
        self.tests.is_some()
    }

    /// The place of an operation; a new one is added while there is room.
    pub fn operation(&mut self, name: Name) -> usize {
        if let Some(at) = self.operations.iter().position(|operation| operation.name == name) {
            return at;
        }
        if self.operations.len() < OPERATIONS_MAX {
            self.operations.push(Operation::new(name));
        }
        self.operations.len() - 1
    }

    /// The limits for an open call; one whose operation is not told is held against the slowest operation.
    pub fn limits(&self, operation: Name) -> Option<Limits> {
        match self.operations.iter().find(|known| known.name == operation) {
            Some(known) => known.limits,
            None if operation == Name::NONE => {
                let limits = self.operations.iter().filter_map(|operation| operation.limits);
                limits.max_by_key(|limits| limits.tail_ns)
            }
            None => None,
        }
    }

    /// A call has ended. `open` = what was known of it while it was open.
    pub fn ended(&mut self, call: &Finished, open: Option<&OpenCall>, now_s: u64) {
        let end_s = (call.end_unix_ns / 1_000_000_000).min(now_s);
        self.last_end_s = now_s;
        self.last_call_s = now_s;
        if let Some(open) = open {
            // By the clock that its start was told by: the host's own may be wrong.
            let end_unix_ns = open.started_unix_ns.saturating_add(call.duration_ns);
            let was_late = open.listed_unix_ns > end_unix_ns;
            let late_ns = call.received_unix_ns.saturating_sub(end_unix_ns);
            self.delay.learn(if was_late { late_ns } else { 0 });
        }
        if !self.slots.is_open(end_s) {
            return;
        }
        let at = self.operation(call.labels.operation);
        let limits = self.operations[at].limits;
        let bucket = bucket(call.duration_ns);
        let is_answer = matches!(call.outcome, Outcome::Ok | Outcome::Declined | Outcome::ClientFault);
        if is_answer {
            self.slots.at(end_s).learn(at as u16, bucket);
        }
        let mut bad: PerChannel<Option<bool>> = [None; CHANNELS];
        let mut is_long = false;
        if let Some(limits) = limits {
            for (channel, limit_ns) in [(SLOW, limits.slow_ns), (TAIL, limits.tail_ns)] {
                let is_over = call.duration_ns > limit_ns;
                is_long |= is_over && channel == TAIL;
                bad[channel] = match open.and_then(|open| open.crossed[channel]) {
                    Some(_) if is_over => None,
                    Some(second) => {
                        // It was late to tell us, not slow.
                        self.take_back(channel, second);
                        is_answer.then_some(false)
                    }
                    None if is_over => Some(true),
                    None => is_answer.then_some(false),
                };
            }
        }
        let is_failure = matches!(call.outcome, Outcome::Failed | Outcome::Timeout | Outcome::Connect);
        let was_tail = is_long && open.is_some_and(|open| open.crossed[TAIL].is_some());
        bad[FAILED] = match call.outcome {
            Outcome::Ok | Outcome::Declined => Some(false),
            // It was counted when it crossed L2: none is counted twice.
            _ if is_failure => (!was_tail).then_some(true),
            _ => None,
        };
        bad[FAULT] = match call.outcome {
            Outcome::ClientFault => Some(true),
            Outcome::Ok | Outcome::Declined => Some(false),
            _ => None,
        };
        for (channel, is_bad) in bad.into_iter().enumerate() {
            if let Some(is_bad) = is_bad {
                self.count(&call.labels, channel, is_bad, end_s);
            }
        }
        self.recent.ended(call, is_long, is_failure, bad.contains(&Some(true)), now_s);
        self.statics.ended(call, is_answer, is_failure, was_tail, now_s);
        self.conversion.ended(call);
        self.week.call();
    }

    /// An open call has crossed L1 or L2 in `second`.
    pub fn crossed(&mut self, open: &OpenCall, channel: usize, second: u64, now_s: u64) {
        self.count(&open.labels, channel, true, second);
        self.recent.crossed(open, now_s);
    }

    fn count(&mut self, labels: &Labels, channel: usize, is_bad: bool, second: u64) {
        self.slots.at(second).counts[channel].add(is_bad);
        self.fresh[channel].add(is_bad);
        if self.firing.as_ref().is_some_and(|firing| firing.concerns(labels)) {
            self.fresh_inside[channel].add(is_bad);
        }
        for dimension in Dimension::ALL {
            self.sources[dimension as usize].count(dimension.of(labels), channel, is_bad);
        }
    }

    fn take_back(&mut self, channel: usize, second: u64) {
        if self.slots.is_open(second) {
            let count = &mut self.slots.at(second).counts[channel];
            count.bad = count.bad.saturating_sub(1);
            self.since[channel].bad = self.since[channel].bad.saturating_sub(1);
        }
    }
}
