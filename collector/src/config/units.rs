//! Durations ("90s", "24h") and sizes ("64MiB") as the operator writes them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration: a whole number and one of `ms s m h d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

/// A size in bytes: a whole number and one of `B KiB MiB GiB TiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

const TIMES_MS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// `text` as a number of the smallest unit of `units`.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The largest unit that `value` is a whole number of.
fn format(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let whole = units.iter().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor));
    let (unit, factor) = whole.unwrap_or(&units[units.len() - 1]);
    write!(f, "{}{unit}", value / factor)
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format(self.0.as_millis() as u64, &TIMES_MS, f)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format(self.0, &SIZES, f)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = String::deserialize(deserializer)?;
        let ms = parse(&text, &TIMES_MS).ok_or_else(|| {
            de::Error::custom("not a duration; write a whole number and ms, s, m, h or d, e.g. \"90s\"")
        })?;
        Ok(Time(Duration::from_millis(ms)))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = parse(&text, &SIZES).ok_or_else(|| {
            de::Error::custom("not a size; write a whole number and B, KiB, MiB, GiB or TiB, e.g. \"64MiB\"")
        })?;
        Ok(Size(bytes))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for (text, bytes) in
            [("0B", 0), ("1KiB", 1024), ("64MiB", 64 << 20), ("10GiB", 10 << 30), ("1000B", 1000)]
        {
            assert_eq!(parse(text, &SIZES), Some(bytes), "{text}");
            assert_eq!(Size(bytes).to_string(), text);
        }
        for (text, ms) in [("250ms", 250), ("1s", 1_000), ("90s", 90_000), ("24h", 86_400_000)] {
            assert_eq!(parse(text, &TIMES_MS), Some(ms), "{text}");
        }
        assert_eq!(Time(Duration::from_secs(90)).to_string(), "90s");
        assert_eq!(Time(Duration::from_secs(86_400)).to_string(), "1d");
    }

    #[test]
    fn what_is_not_a_quantity_is_refused() {
        for text in
            ["", "10", "MiB", "10MB", "-1s", "1.5h", "99999999999999999999B", "18446744073709551615TiB"]
        {
            assert_eq!(parse(text, &SIZES), None, "{text}");
            assert_eq!(parse(text, &TIMES_MS), None, "{text}");
        }
    }
}
