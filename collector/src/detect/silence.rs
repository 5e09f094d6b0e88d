//! Hours in which no calls are expected: "01:00-05:00 Europe/Moscow".

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A daily span of local time; one that ends before it begins goes over midnight.
#[derive(Debug, Clone)]
pub struct Silence {
    begin_min: u32,
    end_min: u32,
    zone: TimeZone,
    text: String,
}

/// Why a text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("write begin, end and time zone, e.g. \"01:00-05:00 Europe/Moscow\"")]
    Form,
    #[error("there is no time zone {0:?}; write a name such as \"Europe/Moscow\" or \"UTC\"")]
    Zone(String),
}

impl FromStr for Silence {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Silence, Wrong> {
        let (span, zone) = text.trim().split_once(' ').unwrap_or((text.trim(), "UTC"));
        let (begin, end) = span.split_once('-').ok_or(Wrong::Form)?;
        let (begin_min, end_min) = (minute(begin).ok_or(Wrong::Form)?, minute(end).ok_or(Wrong::Form)?);
        let zone = zone.trim();
        let zone = TimeZone::get(zone).map_err(|_| Wrong::Zone(zone.to_owned()))?;
        Ok(Silence { begin_min, end_min, zone, text: text.to_owned() })
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The minute of the day; 24:00 is the end of it.
fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
}

impl Silence {
    pub fn contains(&self, unix_s: u64) -> bool {
        let Ok(at) = Timestamp::from_second(unix_s as i64) else { return false };
        let local_s = unix_s as i64 + i64::from(self.zone.to_offset(at).seconds());
        let minute = (local_s.rem_euclid(86_400) / 60) as u32;
        if self.begin_min <= self.end_min {
            (self.begin_min..self.end_min).contains(&minute)
        } else {
            minute >= self.begin_min || minute < self.end_min
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_hours_follow_the_zone_and_its_summer_time() {
        let night: Silence = "22:30-05:00 Europe/Berlin".parse().unwrap();
        let check = |at: &str, want: bool| {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!(night.contains(at.as_second() as u64), want, "{at}");
        };
        check("2026-01-15T21:29:59Z", false);
        check("2026-01-15T21:30:00Z", true);
        check("2026-01-15T03:59:59Z", true);
        check("2026-01-15T04:00:00Z", false);
        check("2026-07-15T20:30:00Z", true);
        check("2026-07-15T03:00:00Z", false);
    }

    #[test]
    fn what_is_no_span_of_hours_is_refused() {
        for text in ["", "01:00", "1-5 UTC", "01:60-05:00 UTC", "25:00-26:00 UTC"] {
            assert_eq!(text.parse::<Silence>().unwrap_err(), Wrong::Form, "{text}");
        }
        assert_eq!(
            "01:00-05:00 Mars/Base".parse::<Silence>().unwrap_err(),
            Wrong::Zone("Mars/Base".to_owned())
        );
    }
}
