//! All providers, second by second: calls in, changes out. Time is an argument.

use std::collections::HashMap;

use super::alert::{Alert, Change};
use super::channel::{SLOW, TAIL};
use super::config::Config;
use super::group::Group;
use super::judge::Present;
use super::open::OpenCalls;
use super::provider::{OpenNow, Provider};
use super::save::Remembered;
use crate::rollup::{Name, Names, Observed, Open};

/// Providers judged at most: the roll-up shows no more than `providers_max`, and those are 512 by default.
pub const PROVIDERS_MAX: usize = 10_001;
/// How often calls that nobody speaks of any more are given up.
const PURGE_S: u64 = 60;

#[derive(Debug)]
pub struct Detector {
    pub(super) config: Config,
    pub(super) providers: Vec<Provider>,
    by_name: HashMap<Name, usize, foldhash::fast::FixedState>,
    open: OpenCalls,
    group: Group,
    /// Until when a provider, or `*` for all, is muted.
    mutes: HashMap<String, u64>,
    /// Baselines of before the restart, of providers that were not called yet.
    pub(super) remembered: HashMap<String, Remembered>,
    now_s: u64,
}

impl Detector {
    pub fn new(config: Config) -> Detector {
        Detector {
            config,
            providers: Vec::new(),
            by_name: HashMap::default(),
            open: OpenCalls::default(),
            group: Group::default(),
            mutes: HashMap::new(),
            remembered: HashMap::new(),
            now_s: 0,
        }
    }

    /// Takes in what was seen since the last tick, and says what has changed. Once a second; a tick that was
    /// missed is made up for by the next.
    pub fn tick(&mut self, now_unix_ns: u64, observed: &Observed, names: &dyn Names) -> Vec<Change> {
        // At the full second it is the one before that has ended.
        let now_s = now_unix_ns.saturating_sub(1) / 1_000_000_000;
        if self.now_s > 0 && now_s < self.now_s {
            return Vec::new(); // the clock was set back: time goes on when it has caught up
        }
        self.now_s = now_s;
        for call in &observed.finished {
            let open = self.open.take(call);
            let at = self.provider(call.labels.provider, names, now_s);
            self.providers[at].ended(call, open.as_ref(), now_s);
        }
        if let Some(open) = &observed.open {
            self.look_at_open(open, now_unix_ns, names, now_s);
        }
        if now_s.is_multiple_of(PURGE_S) {
            self.open.purge(now_unix_ns);
            self.mutes.retain(|_, until| *until > now_unix_ns);
        }
        let mut changes = Vec::new();
        for at in 0..self.providers.len() {
            let is_muted = self.is_muted(&self.providers[at], names);
            changes.extend(self.providers[at].tick(&Present { now_s, now_unix_ns, names, is_muted }));
        }
        self.group.tick(&mut self.providers, changes, now_s, now_unix_ns)
    }

    /// By its table, for a while, or because all are.
    pub(super) fn is_muted(&self, provider: &Provider, names: &dyn Names) -> bool {
        let is_for_now = || {
            !self.mutes.is_empty()
                && (self.mutes.contains_key("*") || self.mutes.contains_key(&*names.text(provider.name)))
        };
        provider.settings.mute || is_for_now()
    }

    /// Other settings hold from now on. What is known and what fires stays.
    pub fn set(&mut self, config: Config, names: &dyn Names) {
        for provider in &mut self.providers {
            provider.set(&names.text(provider.name), &config);
        }
        self.config = config;
    }

    /// The process starts anew with what it had learned: no call is known to be open.
    pub fn restart(&mut self) {
        self.open.clear();
        for provider in &mut self.providers {
            provider.open = OpenNow::default();
        }
    }

    /// Nobody is told of this provider, or of all with `*`, until then.
    pub fn mute(&mut self, provider: &str, until_unix_ns: u64) {
        self.mutes.insert(provider.to_owned(), until_unix_ns);
    }

    /// The alert about our side, while it goes on.
    pub fn our_side(&self) -> Option<&Alert> {
        self.group.alert()
    }

    pub(super) fn provider(&mut self, name: Name, names: &dyn Names, now_s: u64) -> usize {
        if let Some(at) = self.by_name.get(&name) {
            return *at;
        }
        if self.providers.len() < PROVIDERS_MAX {
            let text = names.text(name);
            let mut provider = Provider::new(name, &text, &self.config, now_s);
            if let Some(known) = self.remembered.remove(&*text) {
                provider.recall(known);
            }
            self.providers.push(provider);
        }
        let at = self.providers.len() - 1;
        self.by_name.insert(name, at);
        at
    }

    fn look_at_open(&mut self, calls: &[Open], now_unix_ns: u64, names: &dyn Names, now_s: u64) {
        for provider in &mut self.providers {
            provider.open = OpenNow { is_known: provider.open.is_known, ..OpenNow::default() };
        }
        for call in calls {
            let at = self.provider(call.labels.provider, names, now_s);
            let provider = &mut self.providers[at];
            let age_ns = now_unix_ns.saturating_sub(call.started_unix_ns);
            provider.last_call_s = now_s;
            provider.open.is_known = true;
            provider.open.calls += 1;
            provider.open.oldest_ns = provider.open.oldest_ns.max(age_ns);
            let is_past =
                provider.settings.timeout.is_some_and(|timeout| u128::from(age_ns) > timeout.as_nanos());
            provider.open.past_timeout += u32::from(is_past);
            let Some(open) = self.open.list(call, now_unix_ns) else { continue };
            provider.recall_operation(call.labels.operation, names);
            let Some(limits) = provider.limits(call.labels.operation) else { continue };
            let delay_ns = provider.delay.delay_ns;
            for (channel, limit_ns) in [(SLOW, limits.slow_ns), (TAIL, limits.tail_ns)] {
                let limit_ns = limit_ns + delay_ns;
                if age_ns <= limit_ns {
                    continue;
                }
                let past =
                    if channel == SLOW { &mut provider.open.past_slow } else { &mut provider.open.past_tail };
                *past += 1;
                if open.crossed[channel].is_none() {
                    let second = ((call.started_unix_ns + limit_ns) / 1_000_000_000).min(now_s);
                    open.crossed[channel] = Some(second);
                    let open = *open;
                    provider.crossed(&open, channel, second, now_s);
                }
            }
        }
    }
}
