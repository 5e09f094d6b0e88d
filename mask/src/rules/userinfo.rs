//! User and password in a URL: `https://user:secret@host/`. The host is what a reader needs.

use crate::edit::Edit;
use crate::place::is_void;
use crate::report::Rule;

/// Longer authorities are not looked into.
const AUTHORITY_LEN_MAX: usize = 1024;

/// Whether a URL with a user may start at the `:` at `at`; looks at its own bytes only.
#[inline]
pub(crate) fn may_start(text: &[u8], at: usize) -> bool {
    text[at + 1..].starts_with(b"//")
        && text[at + 3..].iter().take(AUTHORITY_LEN_MAX).take_while(|b| !ends_url(**b)).any(|&b| b == b'@')
}

/// The removal of the user and password behind the `://` at `at`.
pub(crate) fn of_url(text: &[u8], at: usize) -> Option<Edit> {
    let start = at + 3;
    let len = text[start..].iter().take(AUTHORITY_LEN_MAX).take_while(|b| !ends_url(**b)).count();
    let rest = &text[start..start + len];
    let authority = rest.iter().position(|b| b"/?#".contains(b)).unwrap_or(len);
    // The last `@`: a password may hold more of them.
    let end = match rest[..authority].iter().rposition(|&b| b == b'@') {
        Some(end) => end,
        // What follows the colon is no port, so a password with a slash goes on behind it.
        None if is_cut_password(&rest[..authority]) => rest.iter().rposition(|&b| b == b'@')?,
        None => return None,
    };
    let user = &rest[..end];
    let secret = match user.iter().position(|&b| b == b':') {
        Some(colon) => colon + 1 < user.len() && !is_void(&user[colon + 1..]),
        None => is_token(user),
    };
    (secret && !is_void(user)).then(|| Edit::remove(start, start + end, Rule::Url))
}

fn is_cut_password(authority: &[u8]) -> bool {
    let Some(colon) = authority.iter().position(|&b| b == b':') else { return false };
    let behind = &authority[colon + 1..];
    !behind.is_empty() && !behind.iter().all(u8::is_ascii_digit) && !authority.starts_with(b"[")
}

/// `https://3f2a…@sentry.example`: a key in the user's place; `git@` and `deploy@` are names.
fn is_token(user: &[u8]) -> bool {
    user.len() >= 16 && user.iter().any(u8::is_ascii_digit)
}

fn ends_url(b: u8) -> bool {
    b <= b' ' || b"\"'<>`\\,".contains(&b)
}
