//! The last calls of a provider, for the sentence that explains a verdict and for what kind it is.

use std::collections::{HashMap, VecDeque};

use super::open::OpenCall;
use crate::rollup::{Finished, Name};

/// Calls kept of one second, and in all: a percentile over half a minute needs no more.
const CALLS_PER_S: u32 = 16;
const CALLS_MAX: usize = 512;
/// Hosts told apart in "20 of 20 hosts".
const HOSTS_MAX: usize = 2_048;
/// Trace ids in an alert.
pub const EXEMPLARS: usize = 5;
/// How far back a verdict looks for its reasons.
pub const WINDOW_S: u64 = 60;

#[derive(Debug, Clone, Default)]
pub struct Recent {
    calls: VecDeque<Call>,
    hosts: HashMap<Name, Host, foldhash::fast::FixedState>,
    /// Newest last.
    exemplars: VecDeque<(u64, [u8; 16])>,
    seconds: VecDeque<Second>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    second: u64,
    duration_ns: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Host {
    seen_s: u64,
    bad_s: u64,
}

/// What ended in one second, by arrival.
#[derive(Debug, Clone, Copy, Default)]
pub struct Second {
    second: u64,
    pub calls: u32,
    kept: u32,
    /// Answered, though later than L2.
    pub long_answers: u32,
    /// Not answered, and longer than L2.
    pub long_failures: u32,
    pub failures: u32,
}

impl Recent {
    pub fn ended(&mut self, call: &Finished, is_long: bool, is_failure: bool, is_bad: bool, now_s: u64) {
        let second = self.second(now_s);
        second.calls += 1;
        second.failures += u32::from(is_failure);
        second.long_failures += u32::from(is_long && is_failure);
        second.long_answers += u32::from(is_long && call.outcome.is_answer());
        let is_kept = second.kept < CALLS_PER_S;
        second.kept += u32::from(is_kept);
        if is_kept {
            self.calls.push_back(Call { second: now_s, duration_ns: call.duration_ns });
            if self.calls.len() > CALLS_MAX {
                self.calls.pop_front();
            }
        }
        self.host(call.labels.host, is_bad, now_s);
        if is_bad {
            self.exemplar(call.trace_id, now_s);
        }
    }

    pub fn crossed(&mut self, open: &OpenCall, now_s: u64) {
        self.host(open.labels.host, true, now_s);
        self.exemplar(open.trace_id, now_s);
    }

    fn exemplar(&mut self, trace_id: [u8; 16], now_s: u64) {
        if self.exemplars.back().is_some_and(|(_, last)| *last == trace_id) {
            return;
        }
        if self.exemplars.len() == EXEMPLARS {
            self.exemplars.pop_front();
        }
        self.exemplars.push_back((now_s, trace_id));
    }

    fn second(&mut self, now_s: u64) -> &mut Second {
        if self.seconds.back().is_none_or(|second| second.second != now_s) {
            self.seconds.push_back(Second { second: now_s, ..Second::default() });
            while self.seconds.front().is_some_and(|first| first.second + WINDOW_S < now_s) {
                self.seconds.pop_front();
            }
        }
        self.seconds.back_mut().expect("one was just put there")
    }

    fn host(&mut self, host: Name, is_bad: bool, now_s: u64) {
        if self.hosts.len() >= HOSTS_MAX && !self.hosts.contains_key(&host) {
            self.hosts.retain(|_, known| known.seen_s + WINDOW_S >= now_s);
            if self.hosts.len() >= HOSTS_MAX {
                return;
            }
        }
        let known = self.hosts.entry(host).or_default();
        known.seen_s = now_s;
        if is_bad {
            known.bad_s = now_s;
        }
    }

    /// What ended since `since_s`.
    pub fn since(&self, since_s: u64) -> Second {
        let mut sum = Second::default();
        for second in self.seconds.iter().rev().take_while(|second| second.second >= since_s) {
            sum.calls += second.calls;
            sum.long_answers += second.long_answers;
            sum.long_failures += second.long_failures;
            sum.failures += second.failures;
        }
        sum
    }

    /// The 95th percentile of the calls that ended since `since_s`, in seconds.
    pub fn p95_s(&self, since_s: u64) -> Option<f64> {
        let calls = self.calls.iter().rev().take_while(|call| call.second >= since_s);
        let mut durations: Vec<u64> = calls.map(|call| call.duration_ns).collect();
        durations.sort_unstable();
        let at = (durations.len() * 95).div_ceil(100);
        durations.get(at.saturating_sub(1)).map(|ns| *ns as f64 / 1e9)
    }

    /// Hosts with bad calls and all hosts since `since_s`.
    pub fn hosts(&self, since_s: u64) -> (usize, usize) {
        let seen = self.hosts.iter().filter(|(name, host)| **name != Name::NONE && host.seen_s >= since_s);
        seen.fold((0, 0), |(bad, all), (_, host)| (bad + usize::from(host.bad_s >= since_s), all + 1))
    }

    pub fn exemplars(&self, since_s: u64) -> Vec<[u8; 16]> {
        let since = self.exemplars.iter().filter(|(second, _)| *second >= since_s);
        since.map(|(_, trace_id)| *trace_id).collect()
    }
}
