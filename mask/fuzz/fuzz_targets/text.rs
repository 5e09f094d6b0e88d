//! Any bytes as a text: no panic, masking twice is masking once, UTF-8 stays UTF-8, no secret without a candidate.
//!
//! Run it with `cargo +nightly fuzz run text` in `mask/`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use spanmill_mask::{Key, Masker, Report, Rule};

static MASKER: LazyLock<Masker> = LazyLock::new(Masker::standard);

fuzz_target!(|text: &[u8]| {
    for key in [Key::Plain, Key::Pan, Key::Sensitive, Key::Keep] {
        let mut report = Report::default();
        let masked = MASKER.text(key, text, &mut report);
        assert_eq!(report.hits[Rule::Error as usize], 0, "a rule failed");
        let Some(masked) = masked else { continue };
        assert_eq!(MASKER.text(key, &masked, &mut report), None, "masking twice changes more");
        if std::str::from_utf8(text).is_ok() {
            assert!(std::str::from_utf8(&masked).is_ok(), "UTF-8 was cut");
        }
        if key == Key::Plain {
            let mut offsets = Vec::new();
            MASKER.candidates(text, &mut offsets);
            assert!(!offsets.is_empty(), "masked without a candidate");
        }
    }
});
