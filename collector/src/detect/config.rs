//! What the operator chooses.

use std::collections::HashMap;
use std::time::Duration;

use super::silence::Silence;

/// How much evidence an alarm asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sensitivity {
    Fast,
    #[default]
    Normal,
    Calm,
}

impl Sensitivity {
    /// The least number of distinct bad seconds.
    pub fn clip(self) -> f64 {
        match self {
            Sensitivity::Fast => 5.0,
            Sensitivity::Normal => 7.0,
            Sensitivity::Calm => 12.0,
        }
    }
}

/// Limits that hold whatever is normal.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub p95: Duration,
    pub failure_ratio: f64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { p95: Duration::from_secs(5), failure_ratio: 0.2 }
    }
}

#[derive(Debug, Clone)]
pub struct Config {
    pub sensitivity: Sensitivity,
    /// A slowdown below this raises nothing.
    pub min_ratio: f64,
    pub limits: Limits,
    /// By the name of the provider.
    pub providers: HashMap<String, Provider>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            sensitivity: Sensitivity::default(),
            min_ratio: 2.0,
            limits: Limits::default(),
            providers: HashMap::new(),
        }
    }
}

/// What a `[[provider]]` table says to the detector.
#[derive(Debug, Clone, Default)]
pub struct Provider {
    pub sensitivity: Option<Sensitivity>,
    /// Its clients give up after this.
    pub timeout: Option<Duration>,
    pub mute: bool,
    pub expected_silence: Vec<Silence>,
}

impl Config {
    /// The settings of a provider; `name@environment` has those of `name`.
    pub fn of(&self, name: &str) -> Provider {
        let base = name.split('@').next().unwrap_or(name);
        let mut provider = self.providers.get(base).cloned().unwrap_or_default();
        provider.sensitivity.get_or_insert(self.sensitivity);
        provider
    }
}
