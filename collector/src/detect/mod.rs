//! Says within seconds which provider is slow, failing or hanging, and whether it is theirs or ours.
//!
//! A state machine: calls in, once a second, verdicts and alerts out; it knows no clock and no other stage's inside.
//! `docs/detection.md` explains the method.
//!
//! ```text
//! finished calls ─┐             ┌ latency ┐  scope    our side
//! open calls ─────┴─ Provider ──┼ tail    ├─ guard ── Group ──→ Change
//!                    baseline   ├ failures┤
//!                               └ refusals┘
//! ```

mod alert;
mod channel;
mod config;
mod conversion;
mod cusum;
mod detector;
mod evidence;
mod firing;
mod gap;
mod group;
mod histogram;
mod judge;
mod learn;
mod live;
mod open;
mod operation;
mod provider;
mod recent;
mod save;
mod scope;
mod silence;
#[cfg(test)]
pub mod simulated;
mod slots;
mod sources;
mod spread;
mod standing;
mod statics;
mod week;

pub use alert::{Alert, Change, Kind, Scope, Severity, Verdict};
pub use config::{Config, Limits, Provider as ProviderConfig, Sensitivity};
pub use detector::Detector;
pub use live::{Live, Settings, Standings, Surroundings, start};
pub use save::{NotRestored, Saved, VERSION as SAVED_VERSION};
pub use silence::{Silence, Wrong as WrongSilence};
pub use standing::{AgeLimits, Baseline, Meter, Standing};
