//! What is normal survives a restart: one versioned text per provider, which a store keeps without looking inside.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::conversion;
use super::detector::Detector;
use super::learn::Failures;
use super::operation::Learned;
use super::provider::Provider;
use super::spread::Spread;
use super::week::Week;
use crate::rollup::Names;

/// Of the text below. What another version wrote is not read: a baseline is learned anew in five minutes.
const VERSION: u32 = 1;

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
        let known = self.providers.iter().filter(|provider| provider.failures.calls_ever > 0);
        known
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
        self.remembered.insert(saved.provider.to_string(), remembered);
        Ok(())
    }
}

impl Provider {
    fn save(&self, names: &dyn Names) -> Vec<u8> {
        // One that was not called since the restart is not forgotten by the next one.
        let remembered = self.remembered.iter().map(|(name, learned)| (name.clone(), learned));
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
    use crate::detect::Config;
    use crate::detect::simulated::{Texts, calls};

    #[test]
    fn a_baseline_survives_a_restart_and_arms_at_the_first_call() {
        let mut detector = Detector::new(Config::default());
        let mut second = calls(&mut detector, 1_000, 900, 100.0);
        let baseline = detector.states(&Texts)[0].baseline.unwrap();
        let saved = detector.save(&Texts);
        let mut restarted = Detector::new(Config::default());
        restarted.restore(&saved[0]).unwrap();
        second = calls(&mut restarted, second, 2, 100.0);
        let restored = restarted.states(&Texts)[0].baseline.unwrap();
        assert!((restored.p95_ms / baseline.p95_ms - 1.0).abs() < 0.05, "{restored:?} {baseline:?}");
        assert!(second > 1_900);
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
