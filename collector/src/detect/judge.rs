//! The decision, once a second: does it fire, whom does it concern, has it grown, is it over?

use super::alert::{Alert, Change, Kind, Scope, Severity, ulid};
use super::channel::{FAILED, FAULT, PerChannel, SLOW, TAIL};
use super::conversion::Said;
use super::cusum::{Count, fires};
use super::firing::Firing;
use super::learn::{SUSPICIOUS_AT, step};
use super::provider::Provider;
use super::scope::Inside;
use super::sources::Dimension;
use super::statics::{Known, Rule};
use crate::rollup::Names;

/// How far back the answers are looked for that tell slow from hung.
const ANSWERS_S: u64 = 15;
/// Open calls that make a pause a hang.
const OPEN_MIN: u32 = 3;
/// Stalled seconds that one open call is worth: evidence is in calls, not in seconds.
const STALLED_S_PER_CALL: u32 = 3;
/// The share of refused calls that is an incident, and how many times the usual.
const FAULT_SHARE: f64 = 0.2;
const FAULT_RATIO: f64 = 5.0;

/// What a tick needs from outside.
pub struct Present<'a> {
    pub now_s: u64,
    pub now_unix_ns: u64,
    pub names: &'a dyn Names,
    pub is_muted: bool,
}

/// Why it fires.
struct Cause {
    kind: Kind,
    channel: Option<usize>,
    inside: Option<Inside>,
    rule: Option<Rule>,
}

impl Provider {
    /// Ends a second. What has changed is for [`super::group`] to tell; alerts of the slow channel are told at once.
    pub fn tick(&mut self, present: &Present<'_>) -> Vec<Change> {
        let now_s = present.now_s;
        self.recall_operations(present.names);
        self.settle(now_s);
        self.stall(now_s);
        self.sum_up(now_s);
        let mut changes = Vec::new();
        if self.firing.is_some() {
            changes.extend(self.watch(present));
        } else if let Some(cause) = self.cause(now_s) {
            self.fire(&cause, present);
        }
        changes.extend(self.decline(present));
        changes.extend(self.silence(present));
        self.fresh = Default::default();
        self.fresh_inside = Default::default();
        changes
    }

    fn stall(&mut self, now_s: u64) {
        let pause_s = now_s.saturating_sub(self.last_end_s);
        if pause_s == 0 && self.is_calm(now_s) {
            // The pause that has just ended was noted when it began to be one.
            let pause_s = std::mem::take(&mut self.pause_s);
            self.gap.learn((pause_s + 1) as f64);
        } else if pause_s > 0 {
            self.pause_s = pause_s;
        }
        let is_stalled = self.open.past_tail > 0
            && self.gap.usual_s().is_some_and(|usual_s| pause_s as f64 > usual_s.ceil());
        if !is_stalled {
            self.stalled = 0;
            return;
        }
        self.stalled += 1;
        if self.stalled <= STALLED_S_PER_CALL * self.open.past_tail {
            self.slots.at(now_s).stalled = true;
            self.stalled_s = now_s;
        }
    }

    /// The sums as of now: those of half a minute ago, and the seconds since then with all that came in late.
    fn sum_up(&mut self, now_s: u64) {
        let Some(tests) = self.tests else { return };
        let mut sums = self.settled;
        for slot in self.slots.iter().filter(|slot| slot.second <= now_s) {
            step(&mut sums, &tests, slot);
        }
        self.sums = sums;
        for (channel, sum) in sums.iter().enumerate() {
            self.since[channel] = self.since[channel].plus(self.fresh[channel]);
            if *sum == 0.0 {
                (self.since[channel], self.since_s[channel]) = (Count::default(), now_s);
            }
        }
        let (clip, learns) = (self.clip(), self.is_calm(now_s));
        for sources in &mut self.sources {
            sources.step(&tests, clip, learns);
        }
    }

    fn cause(&self, now_s: u64) -> Option<Cause> {
        let firing: PerChannel<bool> = self.sums.map(fires);
        for channel in [FAILED, TAIL, SLOW, FAULT] {
            if firing[channel]
                && let Some(inside) = self.passes(channel)
            {
                let kind = self.kind(channel, now_s);
                return Some(Cause { kind, channel: Some(channel), inside, rule: None });
            }
        }
        if let Some(rule) = self.rule(now_s) {
            let lately = self.recent.since(now_s.saturating_sub(60));
            let unanswered = self.open.past_tail + lately.long_failures;
            let kind = match rule {
                Rule::P95 { .. } if unanswered > 2 * lately.long_answers => Kind::Hung,
                Rule::P95 { .. } => Kind::Slow,
                Rule::PastTimeout { .. } => Kind::Hung,
                Rule::Run { .. } if 2 * lately.long_failures > lately.failures => Kind::Hung,
                Rule::FailureRatio { .. } | Rule::Run { .. } => Kind::Failing,
            };
            return Some(Cause { kind, channel: None, inside: None, rule: Some(rule) });
        }
        let (channel, inside) = self.lone_source()?;
        let kind = self.kind(channel, now_s);
        Some(Cause { kind, channel: Some(channel), inside: Some(inside), rule: None })
    }

    /// Whether a channel that fires passes its guard, and for whom.
    fn passes(&self, channel: usize) -> Option<Option<Inside>> {
        let inside = self.scope(channel);
        let latest = self.latest_count(channel);
        let is_passed = match channel {
            SLOW => {
                let own = inside.and_then(|(dimension, name)| self.sources[dimension as usize].of(name));
                let own = own.map(|source| source.channels[SLOW].since);
                let all = self.is_shifted(latest) && self.is_shifted(self.since[SLOW]);
                all || own.is_some_and(|own| self.is_shifted(own))
            }
            FAULT => {
                let usual = self.failures.faults / self.failures.fault_calls.max(1.0);
                let share = latest.share();
                latest.calls() >= 8 && share >= FAULT_SHARE && share >= FAULT_RATIO * usual
            }
            _ => true,
        };
        is_passed.then_some(inside)
    }

    fn kind(&self, channel: usize, now_s: u64) -> Kind {
        let lately = self.recent.since(now_s.saturating_sub(ANSWERS_S));
        let unanswered = self.open.past_tail + lately.long_failures;
        match channel {
            FAILED if 2 * lately.long_failures > lately.failures && lately.long_failures > 0 => Kind::Hung,
            FAILED if fires(self.sums[TAIL]) && unanswered > 2 * lately.failures => Kind::Hung,
            FAILED | FAULT => Kind::Failing,
            // Nothing ends any more, for longer than slow calls take.
            SLOW if self.open.past_slow >= OPEN_MIN && self.pauses(now_s) => Kind::Hung,
            _ if self.sums[TAIL] >= SUSPICIOUS_AT && unanswered > 2 * lately.long_answers => Kind::Hung,
            _ => Kind::Slow,
        }
    }

    /// Whether nothing has ended for unusually long, and for longer than a call usually takes.
    fn pauses(&self, now_s: u64) -> bool {
        let pause_s = now_s.saturating_sub(self.last_end_s) as f64;
        let limits = self.operations.iter().filter_map(|operation| operation.limits);
        let slow_s = limits.map(|limits| limits.slow_ns).max().unwrap_or(0) as f64 / 1e9;
        pause_s >= slow_s.max(3.0) && self.gap.usual_s().is_some_and(|usual_s| pause_s > usual_s)
    }

    /// The static rule that holds now.
    fn rule(&self, now_s: u64) -> Option<Rule> {
        let limit_ns = self.statics.limit_ns() as f64;
        let durations = self.operations.iter().map(|operation| &operation.learned.durations);
        let over: (f64, f64) = durations.fold((0.0, 0.0), |sum, durations| {
            (sum.0 + durations.total() * durations.share_above(limit_ns), sum.1 + durations.total())
        });
        let is_armed = self.is_armed();
        let known = Known {
            is_armed,
            usual_over: over.0 / over.1.max(1.0),
            failed: self.failures.bad / self.failures.calls.max(1.0),
            calls_per_s: if is_armed {
                self.failures.rate
            } else {
                f64::from(self.statics.calls(now_s)) / 60.0
            },
            open: self.open,
            learned_s: self.failures.seconds,
        };
        self.statics.check(&known, now_s)
    }

    fn fire(&mut self, cause: &Cause, present: &Present<'_>) {
        let now_s = present.now_s;
        let scope = scope(cause.inside, present.names);
        let name = present.names.text(self.name);
        let started_s = match cause.channel {
            Some(channel) => self.since_s[channel].max(now_s.saturating_sub(600)),
            None => now_s.saturating_sub(60),
        };
        self.alerts += 1;
        let alert = Alert {
            id: ulid(present.now_unix_ns, &name, self.alerts),
            provider: name,
            kind: cause.kind,
            severity: severity(&scope),
            scope,
            started_unix_ns: started_s * 1_000_000_000,
            detected_unix_ns: present.now_unix_ns,
            resolved_unix_ns: None,
            evidence: String::new(),
            exemplars: self.recent.exemplars(started_s),
            providers: Vec::new(),
            muted: present.is_muted,
            grouped: false,
        };
        let mut firing = Firing::new(alert, cause.inside, now_s);
        firing.is_static = cause.rule.is_some();
        self.involve(&mut firing, cause.channel);
        self.firing = Some(firing);
        let evidence = self.sentence(cause.kind, cause.rule, now_s);
        if let Some(firing) = &mut self.firing {
            firing.alert.evidence = evidence;
        }
    }

    fn involve(&self, firing: &mut Firing, channel: Option<usize>) {
        let Some(tests) = self.tests else { return };
        for (at, test) in tests.iter().enumerate() {
            if channel == Some(at) || (firing.inside.is_none() && fires(self.sums[at])) {
                let own = firing.inside.and_then(|(dimension, name)| {
                    Some(self.sources[dimension as usize].of(name)?.channels[at].since)
                });
                let share = own.unwrap_or(self.since[at]).share();
                firing.involve(at, test, share, self.clip());
            }
        }
    }

    /// An alarm goes on: it may have grown, got worse, or be over.
    fn watch(&mut self, present: &Present<'_>) -> Option<Change> {
        let now_s = present.now_s;
        let mut firing = self.firing.take()?;
        let mut is_changed = false;
        if firing.is_static {
            firing.is_static = self.rule(now_s).is_some();
        }
        if let Some(tests) = self.tests {
            self.involve(&mut firing, None);
            if firing.inside.is_some() {
                let outside = |channel: usize| self.fresh[channel].minus(self.fresh_inside[channel]);
                let rest: PerChannel<f64> =
                    std::array::from_fn(|at| tests[at].step(firing.rest[at], outside(at)));
                firing.rest = rest;
                let grown = [FAILED, TAIL, SLOW]
                    .into_iter()
                    .find(|at| fires(rest[*at]) && (*at != SLOW || self.is_shifted(self.latest_count(SLOW))));
                if let Some(channel) = grown {
                    firing.inside = None;
                    firing.alert.scope = Scope::Everyone;
                    firing.alert.severity = Severity::Page;
                    firing.alert.kind = firing.alert.kind.max(self.kind(channel, now_s));
                    firing.fired_s = now_s;
                    self.involve(&mut firing, Some(channel));
                    is_changed = true;
                }
            }
        }
        if firing.inside.is_none() {
            let worse = [FAILED, TAIL].into_iter().filter(|at| firing.channels[*at] && fires(self.sums[*at]));
            let kind = worse.map(|channel| self.kind(channel, now_s)).max();
            if let Some(kind) = kind.filter(|kind| *kind > firing.alert.kind) {
                firing.alert.kind = kind;
                is_changed = true;
            }
        }
        if is_changed {
            firing.alert.exemplars = self.recent.exemplars(now_s.saturating_sub(60));
        }
        let is_told = firing.is_told;
        self.firing = Some(firing);
        if is_changed {
            let kind = self.firing.as_ref().map_or(Kind::Slow, |firing| firing.alert.kind);
            let evidence = self.sentence(kind, None, now_s);
            let firing = self.firing.as_mut()?;
            firing.alert.evidence = evidence;
        }
        if self.is_over(now_s) {
            let mut firing = self.firing.take()?;
            firing.alert.resolved_unix_ns = Some(present.now_unix_ns);
            self.resolved_s = now_s;
            self.forget_evidence();
            return Some(Change::Resolved(firing.alert));
        }
        let alert = self.firing.as_ref().map(|firing| firing.alert.clone())?;
        (is_changed && is_told).then_some(Change::Upgraded(alert))
    }

    fn decline(&mut self, present: &Present<'_>) -> Option<Change> {
        let is_well = self.firing.is_none() && self.is_calm(present.now_s);
        match self.conversion.tick(present.now_s, is_well, None) {
            Said::Declines { minutes, conversion, usually, calls } if self.declining.is_none() => {
                let evidence = format!(
                    "conversion {:.0} % over {minutes} min, normally {:.0} %; {calls} calls",
                    conversion * 100.0,
                    usually * 100.0
                );
                let alert = self.slow_alert(Kind::Declining, evidence, minutes * 60, present);
                self.declining = Some(alert.clone());
                Some(Change::Firing(alert))
            }
            Said::Recovered => {
                let mut alert = self.declining.take()?;
                alert.resolved_unix_ns = Some(present.now_unix_ns);
                Some(Change::Resolved(alert))
            }
            _ => None,
        }
    }

    fn silence(&mut self, present: &Present<'_>) -> Option<Change> {
        let now_s = present.now_s;
        self.week.tick(now_s);
        let is_expected = || self.settings.expected_silence.iter().any(|silence| silence.contains(now_s));
        let silent = self.week.is_silent(now_s, self.last_call_s).filter(|_| !is_expected());
        match (silent, &mut self.silent) {
            (Some(expected), None) => {
                let seconds = now_s - self.last_call_s;
                let evidence =
                    format!("no call for {seconds} s, normally {expected:.1} a second at this hour");
                let alert = self.slow_alert(Kind::Silent, evidence, seconds, present);
                self.silent = Some(alert.clone());
                Some(Change::Firing(alert))
            }
            (None, Some(_)) => {
                let mut alert = self.silent.take()?;
                alert.resolved_unix_ns = Some(present.now_unix_ns);
                Some(Change::Resolved(alert))
            }
            _ => None,
        }
    }

    fn slow_alert(&mut self, kind: Kind, evidence: String, since_s: u64, present: &Present<'_>) -> Alert {
        self.alerts += 1;
        let name = present.names.text(self.name);
        Alert {
            id: ulid(present.now_unix_ns, &name, self.alerts),
            provider: name,
            kind,
            scope: Scope::Everyone,
            started_unix_ns: present.now_unix_ns.saturating_sub(since_s * 1_000_000_000),
            detected_unix_ns: present.now_unix_ns,
            resolved_unix_ns: None,
            evidence,
            exemplars: Vec::new(),
            providers: Vec::new(),
            severity: Severity::Page,
            muted: present.is_muted,
            grouped: false,
        }
    }
}

fn scope(inside: Option<Inside>, names: &dyn Names) -> Scope {
    match inside {
        None => Scope::Everyone,
        Some((Dimension::Host, name)) => Scope::Host(names.text(name)),
        Some((Dimension::Endpoint, name)) => Scope::Endpoint(names.text(name)),
        Some((Dimension::Operation, name)) => Scope::Operation(names.text(name)),
        Some((Dimension::Service, name)) => Scope::Service(names.text(name)),
    }
}

/// One host or one service of ours wakes nobody.
fn severity(scope: &Scope) -> Severity {
    match scope {
        Scope::Host(_) | Scope::Service(_) => Severity::Info,
        _ => Severity::Page,
    }
}
