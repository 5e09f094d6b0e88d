//! What is normal survives a restart: one versioned text per provider, which a store keeps without looking inside.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::conversion;
use super::detector::{Detector, PROVIDERS_MAX};
use super::learn::Failures;
use super::operation::Learned;
use super::provider::{OPERATIONS_MAX, Provider};
use super::spread::Spread;
use super::week::Week;
use crate::rollup::{Name, Names};

/// Of the text below. What another version wrote is not read: a baseline is learned anew in five minutes.
pub const VERSION: u32 = 1;

/// The baseline of one provider, for a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub provider: Arc<str>,
    pub bytes: Vec<u8>,
}

/// Why a saved baseline is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotRestored {
    #[error("it can't be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("version {0} of it is not known here")]
    Version(u32),
    #[error("its figures are not those of a baseline")]
    Damaged,
    #[error("{PROVIDERS_MAX} others are known already")]
    TooMany,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    operations: HashMap<String, &'a Learned>,
    failures: &'a Failures,
    spread: &'a [Spread],
    conversion: &'a conversion::Learned,
    week: &'a Week,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// What a provider knew before the restart, until its first call.
#[derive(Debug, Clone, Deserialize)]
pub struct Remembered {
    operations: HashMap<String, Learned>,
    failures: Failures,
    spread: Vec<Spread>,
    conversion: conversion::Learned,
    week: Week,
}

impl Detector {
    /// The baselines of all providers that have one.
    pub fn save(&self, names: &dyn Names) -> Vec<Saved> {
        self.save_part(0, 1, names)
    }

    /// The same of every `of`th provider, from the `part`th on: all at once would hold up a verdict.
    pub fn save_part(&self, part: usize, of: usize, names: &dyn Names) -> Vec<Saved> {
        let known = self.providers.iter().skip(part).step_by(of);
        known
            .filter(|provider| provider.failures.calls_ever > 0)
            .map(|provider| Saved { provider: names.text(provider.name), bytes: provider.save(names) })
            .collect()
    }

    /// Takes back what [`Detector::save`] gave, before the first tick.
    pub fn restore(&mut self, saved: &Saved) -> Result<(), NotRestored> {
        let Version { version } = serde_json::from_slice(&saved.bytes)?;
        if version != VERSION {
            return Err(NotRestored::Version(version));
        }
        let remembered: Remembered = serde_json::from_slice(&saved.bytes)?;
        let is_whole = remembered.week.is_whole()
            && remembered.spread.len() == super::channel::CHANNELS
            && remembered.operations.values().all(|operation| operation.durations.is_whole());
        if !is_whole {
            return Err(NotRestored::Damaged);
        }
        if self.remembered.len() >= PROVIDERS_MAX {
            return Err(NotRestored::TooMany);
        }
        self.remembered.insert(saved.provider.to_string(), remembered);
        Ok(())
    }
}

impl Provider {
    fn save(&self, names: &dyn Names) -> Vec<u8> {
        // One that was not called since the restart is not forgotten by the next one.
        let room = OPERATIONS_MAX.saturating_sub(self.operations.len());
        let remembered = self.remembered.iter().take(room).map(|(name, learned)| (name.clone(), learned));
        let operations = self.operations.iter();
        let operations =
            operations.map(|operation| (names.text(operation.name).to_string(), &operation.learned));
        let written = Written {
            version: VERSION,
            operations: remembered.chain(operations).collect(),
            failures: &self.failures,
            spread: &self.spread,
            conversion: &self.conversion.learned,
            week: &self.week,
        };
        serde_json::to_vec(&written).expect("numbers and texts can be written as JSON")
    }

    /// It was known before.
    pub fn recall(&mut self, known: Remembered) {
        self.remembered = known.operations;
        self.failures = known.failures;
        for (spread, known) in self.spread.iter_mut().zip(known.spread) {
            *spread = known;
        }
        self.conversion.learned = known.conversion;
        self.week = known.week;
        self.find_tests();
    }

    /// A call of this operation is open; that none has ended since the restart must not hide that it hangs.
    pub fn recall_operation(&mut self, operation: Name, names: &dyn Names) {
        let is_new = || self.operations.iter().all(|known| known.name != operation);
        if !self.remembered.is_empty() && is_new() && self.remembered.contains_key(&*names.text(operation)) {
            self.operation(operation);
            self.recall_operations(names);
        }
    }

    /// Operations that were called for the first time since the restart have their baseline back.
    pub fn recall_operations(&mut self, names: &dyn Names) {
        if self.remembered.is_empty() {
            return;
        }
        let mut is_changed = false;
        for operation in self.operations.iter_mut().filter(|operation| operation.learned.seconds == 0) {
            if let Some(learned) = self.remembered.remove(&*names.text(operation.name)) {
                operation.learned = learned;
                operation.find_limits(self.min_ratio);
                is_changed = true;
            }
        }
        if is_changed {
            self.find_tests();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::simulated::{SECOND, Texts, call, calls};
    use crate::detect::{Change, Config, Kind};
    use crate::rollup::outcome::Outcome;
    use crate::rollup::{Observed, Open};

    #[test]
    fn a_baseline_survives_a_restart_and_arms_at_the_first_call() {
        let mut detector = Detector::new(Config::default());
        let mut second = calls(&mut detector, 1_000, 900, 100.0);
        let baseline = detector.standings(second * 1_000_000_000, &Texts)[0].baseline.unwrap();
        let saved = detector.save(&Texts);
        let mut restarted = Detector::new(Config::default());
        restarted.restore(&saved[0]).unwrap();
        second = calls(&mut restarted, second, 2, 100.0);
        let restored = restarted.standings(second * 1_000_000_000, &Texts)[0].baseline.unwrap();
        assert!(
            (restored.p95_ns as f64 / baseline.p95_ns as f64 - 1.0).abs() < 0.05,
            "{restored:?} {baseline:?}"
        );
        assert!(second > 1_900);
    }

    #[test]
    fn a_call_that_hangs_is_seen_after_a_restart_before_any_has_ended() {
        let mut detector = Detector::new(Config::default());
        let begin_s = calls(&mut detector, 1_000, 900, 100.0);
        let mut restarted = Detector::new(Config::default());
        restarted.restore(&detector.save(&Texts)[0]).unwrap();
        let labels = call(begin_s, 0, 100.0, Outcome::Ok).labels;
        let open_at = |number: u64| Open {
            labels,
            started_unix_ns: begin_s * SECOND + number * SECOND / 10,
            trace_id: [1; 16],
            span_id: number + 1,
        };
        let changes = (1..60).flat_map(|second| {
            let observed =
                Observed { open: Some((0..second * 10).map(open_at).collect()), ..Observed::default() };
            restarted.tick((begin_s + second) * SECOND, &observed, &Texts)
        });
        let changes: Vec<Change> = changes.collect();
        assert!(
            matches!(&changes[..], [Change::Firing(alert), ..] if alert.kind == Kind::Hung),
            "{changes:?}"
        );
    }

    #[test]
    fn a_second_saves_its_part_and_a_minute_all() {
        let mut detector = Detector::new(Config::default());
        calls(&mut detector, 1_000, 60, 100.0);
        let parts = (0..60).map(|part| detector.save_part(part, 60, &Texts).len());
        assert_eq!(parts.collect::<Vec<_>>(), [&[1][..], &[0; 59]].concat());
    }

    #[test]
    fn what_is_no_baseline_is_refused() {
        let mut detector = Detector::new(Config::default());
        let saved = |text: &str| Saved { provider: "bank".into(), bytes: text.into() };
        assert!(matches!(detector.restore(&saved("")), Err(NotRestored::Unreadable(_))));
        assert!(matches!(detector.restore(&saved("{\"version\":99}")), Err(NotRestored::Version(99))));
        calls(&mut detector, 1_000, 60, 100.0);
        let whole = String::from_utf8(detector.save(&Texts).remove(0).bytes).unwrap();
        let damaged = whole.replacen("\"counts\":[", "\"counts\":[1.0,", 1);
        assert!(matches!(detector.restore(&saved(&damaged)), Err(NotRestored::Damaged)));
        assert!(detector.restore(&saved(&whole)).is_ok());
    }
}
