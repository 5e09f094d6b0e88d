//! `Spanmill\Verdict`: what the daemon thinks of a provider.

use ext_php_rs::prelude::*;
use spanmill::{State, Verdict as Reading};

/// What the daemon thinks of a provider at this moment.
#[php_enum]
#[php(name = "Spanmill\\Verdict")]
#[derive(Debug, Clone, Copy)]
pub enum Verdict {
    /// Nobody can say: no daemon on this host, or a provider that it does not know.
    #[php(value = "unknown")]
    Unknown,
    /// Too few calls so far to know what is normal.
    #[php(value = "learning")]
    Learning,
    /// As it usually is.
    #[php(value = "ok")]
    Ok,
    /// Answers come later than usual.
    #[php(value = "slow")]
    Slow,
    /// More calls fail than usual.
    #[php(value = "failing")]
    Failing,
    /// Calls get no answer.
    #[php(value = "hung")]
    Hung,
    /// It says no more often than usual.
    #[php(value = "declining")]
    Declining,
    /// Nobody calls it, though at this hour somebody always does.
    #[php(value = "silent")]
    Silent,
}

impl From<Reading> for Verdict {
    /// A verdict on another host or service is not one on ours.
    fn from(reading: Reading) -> Verdict {
        match reading.state() {
            _ if reading.is_elsewhere() => Verdict::Ok,
            State::Unknown => Verdict::Unknown,
            State::Learning => Verdict::Learning,
            State::Ok => Verdict::Ok,
            State::Slow => Verdict::Slow,
            State::Failing => Verdict::Failing,
            State::Hung => Verdict::Hung,
            State::Declining => Verdict::Declining,
            State::Silent => Verdict::Silent,
        }
    }
}
