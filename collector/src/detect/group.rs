//! Many at once are not many incidents: one of ours, between us and all of them.

use std::sync::Arc;

use super::alert::{Alert, Change, Kind, Scope, Severity, ulid};
use super::channel::{FAILED, SLOW, TAIL};
use super::cusum::FIRES_AT;
use super::provider::Provider;

/// So many providers, and this share of the armed ones, within [`TOGETHER_S`].
const MEMBERS_MIN: usize = 5;
const MEMBERS_SHARE: f64 = 0.3;
const TOGETHER_S: u64 = 10;
/// So long an alarm waits for others that are on their way up.
const HOLD_S: u64 = 3;
/// A provider without calls for longer is not part of the count.
const ACTIVE_S: u64 = 600;
/// Our side is well again when all but this share of the providers are, …
const LEFT_SHARE: f64 = 0.3;
/// … for so long; who then still has bad calls has an incident of its own.
const LEFT_S: u64 = 120;

#[derive(Debug, Default)]
pub struct Group {
    alert: Option<Alert>,
    members: usize,
    few_since_s: Option<u64>,
    alerts: u64,
}

impl Group {
    pub fn alert(&self) -> Option<&Alert> {
        self.alert.as_ref()
    }

    /// Decides what is told of the alarms of this second. `changes` = what the providers said of those that go on.
    pub fn tick(
        &mut self,
        providers: &mut [Provider],
        changes: Vec<Change>,
        now_s: u64,
        now_unix_ns: u64,
    ) -> Vec<Change> {
        let mut told: Vec<Change> = changes.into_iter().filter(|change| !change.alert().grouped).collect();
        let armed =
            providers.iter().filter(|one| one.is_armed() && one.last_call_s + ACTIVE_S > now_s).count();
        let needed = MEMBERS_MIN.max((armed as f64 * MEMBERS_SHARE).ceil() as usize);
        let fired = providers.iter().filter(|one| fired_lately(one, now_s)).count();
        let rising = providers.iter().filter(|one| is_rising(one)).count();
        if self.alert.is_none() && fired >= needed {
            told.push(self.form(providers, now_s, now_unix_ns));
        }
        for provider in providers.iter_mut() {
            let Some(firing) = &mut provider.firing else { continue };
            if firing.is_told {
                continue;
            }
            let is_wide = firing.inside.is_none() && !firing.alert.muted;
            if self.alert.is_some() && is_wide {
                (firing.is_told, firing.alert.grouped) = (true, true);
                self.members += 1;
                continue;
            }
            let is_due = now_s >= firing.fired_s + HOLD_S;
            if is_wide && fired + rising >= needed && !is_due {
                continue;
            }
            firing.is_told = true;
            told.push(Change::Firing(firing.alert.clone()));
        }
        told.extend(self.follow(providers, now_s, now_unix_ns));
        told
    }

    fn form(&mut self, providers: &mut [Provider], now_s: u64, now_unix_ns: u64) -> Change {
        self.members = 0;
        let (mut names, mut kinds, mut exemplars) = (Vec::new(), Vec::new(), Vec::new());
        let mut started_unix_ns = now_unix_ns;
        for provider in providers.iter_mut().filter(|one| fired_lately(one, now_s)) {
            let Some(firing) = &mut provider.firing else { continue };
            names.push(Arc::clone(&firing.alert.provider));
            kinds.push(firing.alert.kind);
            exemplars.extend(firing.alert.exemplars.first().copied());
            started_unix_ns = started_unix_ns.min(firing.alert.started_unix_ns);
            // One that was told already stays an alert of its own, which the page shows as part of this one.
            firing.alert.grouped |= !firing.is_told;
            firing.is_told = true;
            self.members += 1;
        }
        exemplars.truncate(super::recent::EXEMPLARS);
        self.alerts += 1;
        self.few_since_s = None;
        let alert = Alert {
            id: ulid(now_unix_ns, "*", self.alerts),
            provider: "*".into(),
            kind: most_common(&kinds),
            scope: Scope::OurSide,
            started_unix_ns,
            detected_unix_ns: now_unix_ns,
            resolved_unix_ns: None,
            evidence: format!(
                "{} providers at once, so egress, DNS or proxy: {}",
                names.len(),
                names.join(", ")
            ),
            exemplars,
            providers: names,
            severity: Severity::Page,
            muted: false,
            grouped: false,
        };
        self.alert = Some(alert.clone());
        Change::Firing(alert)
    }

    /// Ends the alert when most are well again, and tells of those who are not.
    fn follow(&mut self, providers: &mut [Provider], now_s: u64, now_unix_ns: u64) -> Vec<Change> {
        if self.alert.is_none() {
            return Vec::new();
        }
        let left: Vec<&mut Provider> =
            providers.iter_mut().filter(|one| one.firing.as_ref().is_some_and(|f| f.alert.grouped)).collect();
        let is_few = left.len() as f64 <= LEFT_SHARE * self.members as f64;
        self.few_since_s = if is_few { self.few_since_s.or(Some(now_s)) } else { None };
        let is_over = self.few_since_s.is_some_and(|since_s| now_s >= since_s + LEFT_S);
        if !left.is_empty() && !is_over {
            return Vec::new();
        }
        let mut told = Vec::new();
        if let Some(mut alert) = self.alert.take() {
            alert.resolved_unix_ns = Some(now_unix_ns);
            told.push(Change::Resolved(alert));
        }
        for provider in left {
            let Some(firing) = &mut provider.firing else { continue };
            if firing.last_bad_s + LEFT_S / 4 >= now_s {
                firing.alert.grouped = false;
                told.push(Change::Firing(firing.alert.clone()));
            }
        }
        told
    }
}

fn fired_lately(provider: &Provider, now_s: u64) -> bool {
    provider.firing.as_ref().is_some_and(|firing| {
        firing.inside.is_none() && !firing.alert.muted && firing.fired_s + TOGETHER_S > now_s
    })
}

fn is_rising(provider: &Provider) -> bool {
    provider.firing.is_none() && [SLOW, TAIL, FAILED].iter().any(|at| provider.sums[*at] >= FIRES_AT / 2.0)
}

fn most_common(kinds: &[Kind]) -> Kind {
    let count = |kind: &Kind| kinds.iter().filter(|other| *other == kind).count();
    kinds.iter().copied().max_by_key(count).unwrap_or(Kind::Hung)
}

#[cfg(test)]
mod tests {
    use crate::detect::simulated::{SECOND, Texts, call};
    use crate::detect::{Alert, Change, Config, Detector, Scope};
    use crate::rollup::outcome::Outcome;
    use crate::rollup::{Finished, Name, Observed};

    /// Six providers, of which all fail from the 400th second on.
    fn our_side() -> Alert {
        let mut detector = Detector::new(Config::default());
        let mut of_all = |second: u64, outcome: Outcome| {
            let one = |number: u64| {
                let mut call = call(second, number, 100.0, outcome);
                call.labels.provider = Name(100 + (number % 6) as u32);
                call
            };
            let finished: Vec<Finished> = (0..30).map(one).collect();
            detector.tick((second + 1) * SECOND, &Observed { finished, ..Observed::default() }, &Texts)
        };
        let calm: Vec<Change> = (1_000..1_400).flat_map(|second| of_all(second, Outcome::Ok)).collect();
        assert_eq!(calm, []);
        let told = (1_400..1_440).flat_map(|second| of_all(second, Outcome::Connect));
        let alerts: Vec<Alert> = told.map(|change| change.alert().clone()).collect();
        let [alert] = &alerts[..] else { panic!("one alert, not {alerts:?}") };
        alert.clone()
    }

    #[test]
    fn an_alert_about_our_side_names_those_that_it_stands_for() {
        let alert = our_side();
        assert_eq!((&*alert.provider, &alert.scope), ("*", &Scope::OurSide));
        assert!(alert.providers.len() >= 5, "{alert:?}");
        assert!(alert.providers.iter().all(|name| alert.evidence.contains(&**name)), "{alert:?}");
    }
}
