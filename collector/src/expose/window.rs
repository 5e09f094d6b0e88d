//! Windows and steps as they are written in addresses: `60s`, `5m`, `24h`, `7d`.

use std::time::Duration;

use super::problem::Problem;

/// What the roll-up keeps at a second's resolution.
pub(super) const RECENT: Duration = Duration::from_secs(15 * 60);
/// Of all providers at once: a day of 70 that are busy takes most of a second to add up.
pub(super) const MAX: Duration = Duration::from_secs(7 * 86_400);

/// Reads a trailing window of at most [`MAX`].
pub(super) fn parse(text: &str) -> Result<Duration, Problem> {
    parse_within(text, MAX)
}

pub(super) fn parse_within(text: &str, max: Duration) -> Result<Duration, Problem> {
    let window = duration(text).ok_or_else(|| {
        Problem::bad_request(format!("unknown window '{text}'"), "use s, m, h or d, e.g. 60s")
    })?;
    if window > max {
        let max = match max.as_secs() {
            days if days.is_multiple_of(86_400) => format!("{}d", days / 86_400),
            seconds => format!("{}m", seconds / 60),
        };
        let error = format!("window '{text}' is longer than the {max} that are answered");
        return Err(Problem::bad_request(error, format!("use at most {max}")));
    }
    Ok(window)
}

/// A time in whole unix seconds; an empty one is none.
pub(super) fn unix_s(key: &str, text: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let error = format!("{key} '{text}' is not a time");
        Problem::bad_request(error, "use whole unix seconds, e.g. 1795378500")
    })
}

/// A whole number and a unit; `None` for anything else, and for nothing at all (`0s`).
pub(super) fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    // `parse` alone would take a sign.
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok().filter(|count| *count > 0)?;
    Some(Duration::from_secs(count.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::{duration, parse};

    #[test]
    fn a_number_and_a_unit_make_a_window() {
        for (text, seconds) in [("1s", 1), ("60s", 60), ("5m", 300), ("24h", 86_400), ("7d", 604_800)] {
            assert_eq!(duration(text).map(|window| window.as_secs()), Some(seconds), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_units_that_exist() {
        for text in [
            "",
            "s",
            "60",
            "0s",
            "-5m",
            "+5m",
            "5 lightyears",
            "1.5h",
            "5m ",
            "5M",
            "5µ",
            "99999999999999999999s",
        ] {
            let problem = parse(text).unwrap_err();
            assert_eq!(problem.error, format!("unknown window '{text}'"));
            assert_eq!(problem.hint, "use s, m, h or d, e.g. 60s");
        }
        assert_eq!(duration("999999999999999999d"), None, "more seconds than fit");
    }

    #[test]
    fn a_window_beyond_what_is_kept_says_how_much_that_is() {
        assert_eq!(parse("7d").unwrap().as_secs(), 604_800);
        assert_eq!(parse("8d").unwrap_err().error, "window '8d' is longer than the 7d that are answered");
    }
}
