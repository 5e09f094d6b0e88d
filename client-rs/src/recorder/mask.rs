//! Masks a value on its way into a span's buffer: nothing else of this crate sees a value unmasked.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use spanmill_mask::{Key, Masker, Report};

use super::limits::{OVERLAP_BYTES, Rules};

/// What takes the place of a value that the masker could not deal with.
const MASK_ERROR: &str = "[mask-error]";

/// The masker with what it found.
pub(super) struct Scrubber {
    rules: &'static Rules,
    masker: &'static Masker,
    report: Report,
    /// Values that were masked.
    pub(super) masked: u64,
    /// Values that were cut.
    pub(super) truncated: u64,
}

impl Scrubber {
    pub(super) fn new(rules: &'static Rules) -> Scrubber {
        Scrubber { rules, masker: &rules.masker, report: Report::default(), masked: 0, truncated: 0 }
    }

    /// Begins another span. The report goes on: only whether something was masked is asked of it.
    pub(super) fn begin(&mut self, rules: &'static Rules) {
        self.rules = rules;
        self.masker = &rules.masker;
        (self.masked, self.truncated) = (0, 0);
    }

    pub(super) fn rules(&self) -> &'static Rules {
        self.rules
    }

    /// `text` masked and cut to the limit of values.
    pub(super) fn value<'t>(&mut self, key: Key, text: &'t [u8]) -> Cow<'t, [u8]> {
        self.text(key, text, self.rules.limits.value_bytes_max)
    }

    pub(super) fn key(&self, key: &str) -> Key {
        self.masker.key(key.as_bytes())
    }

    /// `text` masked, then cut to `bytes_max` between characters.
    ///
    /// Of a longer text only the first `bytes_max` and an overlap are looked at. The overlap's end may hold
    /// the first half of a secret that could not be recognised, so as much is cut from the end of what came
    /// out, however short that has become.
    pub(super) fn text<'t>(&mut self, key: Key, text: &'t [u8], bytes_max: usize) -> Cow<'t, [u8]> {
        let window = cut(text, bytes_max + OVERLAP_BYTES);
        let mut kept_max = bytes_max;
        // A rule that panics costs the value, which the masker sees to, never the payment that is being traced.
        let masked = self.masker.text(key, window, &mut self.report);
        self.masked += u64::from(masked.is_some());
        let scrubbed = masked.map_or(Cow::Borrowed(window), Cow::Owned);
        if window.len() < text.len() {
            kept_max = kept_max.min(scrubbed.len().saturating_sub(OVERLAP_BYTES));
        }
        if scrubbed.len() <= kept_max {
            return scrubbed;
        }
        self.truncated += 1;
        match scrubbed {
            Cow::Borrowed(bytes) => Cow::Borrowed(cut(bytes, kept_max)),
            Cow::Owned(mut bytes) => {
                bytes.truncate(cut(&bytes, kept_max).len());
                Cow::Owned(bytes)
            }
        }
    }

    /// The text that takes the place of a number, if it must not be seen.
    pub(super) fn int(&mut self, key: Key, value: i64) -> Option<String> {
        let (masker, report) = (self.masker, &mut self.report);
        let masked = catch_unwind(AssertUnwindSafe(|| masker.int(key, value, report)))
            .unwrap_or_else(|_| Some(MASK_ERROR.into()));
        self.masked += u64::from(masked.is_some());
        masked
    }

    /// The text that takes the place of a number, if it must not be seen.
    pub(super) fn double(&mut self, key: Key, value: f64) -> Option<String> {
        let (masker, report) = (self.masker, &mut self.report);
        let masked = catch_unwind(AssertUnwindSafe(|| masker.double(key, value, report)))
            .unwrap_or_else(|_| Some(MASK_ERROR.into()));
        self.masked += u64::from(masked.is_some());
        masked
    }
}

/// The beginning of `text`, at most `bytes_max` long, that does not end inside a character.
fn cut(text: &[u8], bytes_max: usize) -> &[u8] {
    if text.len() <= bytes_max {
        return text;
    }
    let is_boundary = |at: usize| text[at] & 0b1100_0000 != 0b1000_0000;
    // A character has at most four bytes; what has none within three steps back is not text.
    let at = (bytes_max.saturating_sub(3)..=bytes_max).rev().find(|&at| is_boundary(at));
    &text[..at.unwrap_or(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber() -> Scrubber {
        Scrubber::new(Box::leak(Box::new(Rules { masker: Masker::standard(), limits: Default::default() })))
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        for filler in ["a", "é", "€", "😀"] {
            let text = filler.repeat(5000);
            let mut scrubber = scrubber();
            let kept = scrubber.text(Key::Plain, text.as_bytes(), 1001);
            assert!(kept.len() <= 1001 && kept.len() > 1001 - filler.len(), "{filler}: {}", kept.len());
            assert!(std::str::from_utf8(&kept).is_ok());
            assert_eq!(scrubber.truncated, 1);
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_cut_at_the_limit() {
        assert_eq!(scrubber().text(Key::Plain, &[0x80; 5000], 100).len(), 100);
    }

    #[test]
    fn a_value_at_the_limit_stays_whole() {
        let text = "x".repeat(100);
        assert_eq!(scrubber().text(Key::Plain, text.as_bytes(), 100).len(), 100);
    }

    #[test]
    fn no_cut_lets_a_part_of_a_card_number_through() {
        const PAN: &str = "4111111111111111";
        for before in 0..200 {
            let text = format!("{}{PAN}{}", "x ".repeat(before), " y".repeat(500));
            let kept = scrubber().text(Key::Plain, text.as_bytes(), 200).into_owned();
            let kept = String::from_utf8(kept).unwrap();
            let digits = kept.bytes().filter(u8::is_ascii_digit).count();
            assert!(digits <= 10, "{before}: {kept}");
        }
    }
}
