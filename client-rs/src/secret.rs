//! Values that are secret whatever they look like.

use std::fmt;

use crate::value::Value;

/// A card number as it may be seen, first six and last four digits: for answers, logs and messages of the program's own.
/// What is too short for that keeps its last four, or nothing.
///
/// ```
/// assert_eq!(spanmill::pan("4111 1111 1111 1111"), "4111 11** **** 1111");
/// assert_eq!(spanmill::pan("123"), "***");
/// ```
pub fn pan(number: &str) -> String {
    let digits = number.chars().filter(|char| char.is_numeric()).count();
    let (first, last) = match digits {
        15.. => (6, 4),
        // Of a shorter number the first six and last four would leave too little to guess.
        12..=14 => (0, 4),
        _ => (0, 0),
    };
    let mut at = 0;
    let veil = |char: char| {
        if !char.is_numeric() {
            return char;
        }
        at += 1;
        if at <= first || at > digits - last { char } else { '*' }
    };
    number.chars().map(veil).collect()
}

/// A value that must not be seen by anybody: neither printed nor recorded.
///
/// ```
/// let password = spanmill::Secret("hunter2");
/// assert_eq!(format!("{password} {password:?}"), "[masked] [masked]");
/// assert_eq!(password.0, "hunter2", "the program still has it");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<T>(pub T);

const MASKED: &str = "[masked]";

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASKED)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASKED)
    }
}

impl<T> From<Secret<T>> for Value<'_> {
    fn from(_: Secret<T>) -> Self {
        MASKED.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_shows_at_most_ten_digits() {
        for number in ["4111111111111111", "4111-1111-1111-1111", "378282246310005", "6304000000000000000"] {
            let shown = pan(number);
            assert_eq!(shown.len(), number.len());
            assert_eq!(shown.chars().filter(char::is_ascii_digit).count(), 10, "{shown}");
            assert_eq!((&shown[..4], &shown[shown.len() - 4..]), (&number[..4], &number[number.len() - 4..]));
        }
        assert_eq!(pan("4000000000006"), "*********0006");
        assert_eq!(pan("12345678901"), "***********");
        assert_eq!(pan("no number"), "no number");
    }

    #[test]
    fn a_secret_is_recorded_as_masked() {
        assert_eq!(Value::from(Secret(7)), Value::from("[masked]"));
    }
}
