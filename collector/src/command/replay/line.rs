//! One line of an event file.

use std::borrow::Cow;
use std::fmt;
use std::hash::BuildHasher;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::quick;
use crate::rollup::outcome::Outcome;

/// What a line says. Keys that are not known are skipped.
#[derive(Debug, Default, Deserialize)]
pub struct Line<'a> {
    /// Seconds by the clock of the host.
    pub t: f64,
    #[serde(borrow)]
    pub k: Cow<'a, str>,
    #[serde(borrow, default)]
    pub p: Cow<'a, str>,
    #[serde(borrow, default)]
    pub h: Cow<'a, str>,
    #[serde(default)]
    pub id: Id,
    pub ms: Option<f64>,
    #[serde(default)]
    pub err: Truth,
    #[serde(borrow)]
    pub out: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub op: Cow<'a, str>,
    #[serde(borrow, default)]
    pub svc: Cow<'a, str>,
    #[serde(borrow, default)]
    pub ep: Cow<'a, str>,
    /// Seconds by our clock, when it arrived.
    pub rx: Option<f64>,
}

/// Why a line can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("{0}")]
    Json(String),
    #[error("t and rx are seconds from 0")]
    Time,
    #[error("an end needs \"ms\", its duration in milliseconds")]
    NoDuration,
    #[error("\"p\", the provider, is missing")]
    NoProvider,
    #[error("there is no outcome {0:?}")]
    Outcome(String),
}

impl Line<'_> {
    pub fn parse(line: &[u8]) -> Result<Line<'_>, Wrong> {
        let line = match quick::read(line) {
            Some(line) => line,
            None => serde_json::from_slice(line).map_err(|error| Wrong::Json(error.to_string()))?,
        };
        let is_time = |t: f64| t.is_finite() && t.abs() < 1e9;
        // By the host's clock it may be before the beginning; by ours not.
        match is_time(line.t) && is_time(line.rx.unwrap_or(0.0)) && line.clock_s() >= 0.0 {
            true => Ok(line),
            false => Err(Wrong::Time),
        }
    }

    /// When it reached us.
    pub fn clock_s(&self) -> f64 {
        self.rx.unwrap_or(self.t)
    }

    pub fn outcome(&self) -> Result<Outcome, Wrong> {
        match &self.out {
            None if self.err.0 => Ok(Outcome::Failed),
            None => Ok(Outcome::Ok),
            Some(name) => Outcome::ALL
                .into_iter()
                .find(|outcome| outcome.name() == name)
                .ok_or_else(|| Wrong::Outcome(name.clone().into_owned())),
        }
    }
}

/// A number or a string, as a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Id(pub u64);

impl Id {
    pub fn of(value: &impl std::hash::Hash) -> Id {
        Id(hash(value))
    }
}

/// 0, 1, false, true or null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Truth(pub bool);

macro_rules! visit {
    ($type:ident, $expects:literal, $($method:ident: $from:ty => |$value:ident| $make:expr;)*) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                struct Any;
                impl Visitor<'_> for Any {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expects)
                    }
                    $(fn $method<E>(self, $value: $from) -> Result<$type, E> {
                        Ok($type($make))
                    })*
                    fn visit_unit<E>(self) -> Result<$type, E> {
                        Ok($type::default())
                    }
                }
                deserializer.deserialize_any(Any)
            }
        }
    };
}

visit! { Id, "a number or a string",
    visit_u64: u64 => |value| hash(&value);
    visit_i64: i64 => |value| hash(&value);
    visit_f64: f64 => |value| hash(&value.to_bits());
    visit_str: &str => |value| hash(&value);
}

visit! { Truth, "0 or 1",
    visit_bool: bool => |value| value;
    visit_u64: u64 => |value| value != 0;
    visit_i64: i64 => |value| value != 0;
    visit_f64: f64 => |value| value != 0.0;
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    foldhash::fast::FixedState::default().hash_one(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Line<'_>, Wrong> {
        Line::parse(line.as_bytes())
    }

    #[test]
    fn ids_are_numbers_or_strings_and_outcomes_override_errors() {
        let end = parse(r#"{"t":1.61,"k":"end","p":"bank-a","h":"h7","id":17,"ms":360,"err":0}"#).unwrap();
        assert_eq!((end.t, end.ms, end.outcome().unwrap()), (1.61, Some(360.0), Outcome::Ok));
        let same = parse(r#"{"id":17,"k":"start","t":1}"#).unwrap();
        assert_eq!(end.id, same.id);
        let text = parse(r#"{"id":"17","k":"start","t":1}"#).unwrap();
        assert_ne!(end.id, text.id);
        let failed = parse(r#"{"t":1,"k":"end","ms":1,"err":true}"#).unwrap();
        assert_eq!(failed.outcome().unwrap(), Outcome::Failed);
        let declined = parse(r#"{"t":1,"k":"end","ms":1,"err":1,"out":"declined","x":[1]}"#).unwrap();
        assert_eq!(declined.outcome().unwrap(), Outcome::Declined);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for line in
            ["", "{}", "[]", r#"{"t":"1","k":"end"}"#, r#"{"t":-5,"k":"end"}"#, r#"{"t":1e300,"k":"x"}"#]
        {
            assert!(parse(line).is_err(), "{line}");
        }
        let wrong = parse(r#"{"t":1,"k":"end","ms":1,"out":"bad"}"#).unwrap().outcome();
        assert_eq!(wrong.unwrap_err(), Wrong::Outcome("bad".to_owned()));
        // A clock that is behind by more than the recording is old.
        assert!(parse(r#"{"t":-5,"k":"end","rx":3}"#).is_ok());
    }
}
