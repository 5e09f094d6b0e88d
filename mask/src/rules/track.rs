//! What a magnetic stripe or a chip holds behind the card number: holder, expiry, service code, discretionary data.
//!
//! It is sensitive authentication data and removed as a whole. Track 2 is `PAN=YYMMSSS…` (in chips `PAND…`),
//! track 1 is `%BPAN^HOLDER^YYMMSSS…?`.

use crate::edit::Edit;
use crate::report::Rule;

/// Expiry (4) and service code (3) stand in every track.
const FIXED_DIGITS: usize = 7;

/// ISO/IEC 7813: a holder's name has 2 to 26 characters.
const HOLDER_LEN_MAX: usize = 26;

/// ISO/IEC 7813: track 1 has at most 79 characters.
const TRACK_LEN_MAX: usize = 79;

/// The removal of the track data that goes on where a card number ends.
pub(crate) fn behind(text: &[u8], pan_end: usize) -> Option<Edit> {
    let start = pan_end + 1;
    let end = match text.get(pan_end)? {
        b'=' | b'D' | b'd' => end_of_track2(text, start)?,
        b'^' => end_of_track1(text, start)?,
        _ => return None,
    };
    Some(Edit::remove(start, end, Rule::Track))
}

/// Whether a chip's track 2 goes on at the `D` at `pan_end`; such a token is no hash.
pub(crate) fn is_chip(text: &[u8], pan_end: usize) -> bool {
    matches!(text.get(pan_end), Some(b'D' | b'd')) && end_of_track2(text, pan_end + 1).is_some()
}

/// To the end of the token, so that neither padding nor check bytes stay.
fn end_of_track2(text: &[u8], start: usize) -> Option<usize> {
    let fixed = text.get(start..start + FIXED_DIGITS)?;
    let more = text[start..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
    fixed.iter().all(u8::is_ascii_digit).then_some(start + more)
}

fn end_of_track1(text: &[u8], start: usize) -> Option<usize> {
    let holder = text[start..].iter().take(HOLDER_LEN_MAX + 1).position(|&b| b == b'^')?;
    let rest = start + holder + 1;
    let is_track = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'/' | b'.' | b'-' | b'^');
    let more = text[rest..].iter().take(TRACK_LEN_MAX).take_while(is_track).count();
    (more >= FIXED_DIGITS).then_some(rest + more)
}
