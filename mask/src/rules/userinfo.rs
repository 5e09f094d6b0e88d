//! User and password in a URL: `https://user:secret@host/`. The host is what a reader needs.

use crate::edit::Edit;
use crate::pass::Pass;
use crate::place::is_void;
use crate::report::Rule;

/// A longer user and password are not looked for.
const USERINFO_LEN_MAX: usize = 512;

/// Notes the removal of the user and password before the `@` at `at`, if a `://` stands before them.
pub(crate) fn before(pass: &mut Pass<'_>, at: usize) {
    let text = pass.text;
    let Some(start) = start(pass, at) else {
        pass.edits.extend(of_driver(text, at));
        return;
    };
    pass.user = Some((at, start));
    let user = &text[start..at];
    if is_secret(user) && !is_path(user) {
        pass.edits.push(Edit::remove(start, at, Rule::Url));
    }
}

/// `user:password@tcp(host:3306)/db`, as Go's drivers write it.
fn of_driver(text: &[u8], at: usize) -> Option<Edit> {
    let host = &text[at + 1..];
    if !host.starts_with(b"tcp(") && !host.starts_with(b"unix(") {
        return None;
    }
    let len =
        text[..at].iter().rev().take(USERINFO_LEN_MAX).take_while(|&&b| !ends_url(b) && b != b'=').count();
    let user = &text[at - len..at];
    is_secret(user).then(|| Edit::remove(at - len, at, Rule::Url))
}

/// Behind the `://`. A password may hold an `@`: from the next one on the way back is short.
fn start(pass: &Pass<'_>, at: usize) -> Option<usize> {
    let text = pass.text;
    let (stop, known) = pass.user.map_or((0, None), |(stop, start)| (stop, Some(start)));
    for i in (at.saturating_sub(USERINFO_LEN_MAX)..at).rev() {
        if i == stop && known.is_some() {
            return known;
        }
        match text[i] {
            b'/' if text[..i].ends_with(b":/") => return Some(i + 1),
            b if ends_url(b) => return None,
            _ => {}
        }
    }
    None
}

/// With a password, or a key in the user's place as in `https://3f2a…@sentry.example`; `git@` and `deploy@` are names.
fn is_secret(user: &[u8]) -> bool {
    let secret = match user.iter().position(|&b| b == b':') {
        Some(colon) => colon + 1 < user.len() && !is_void(&user[colon + 1..]),
        None => user.len() >= 16 && user.iter().any(u8::is_ascii_digit),
    };
    secret && !is_void(user)
}

/// Whether the `@` stands behind the host: `https://host:8443/a@b`. A slash can also be part of a password.
fn is_path(user: &[u8]) -> bool {
    let Some(end) = user.iter().position(|b| b"/?#".contains(b)) else { return false };
    match user[..end].iter().position(|&b| b == b':') {
        // What follows the colon is no port.
        Some(colon) => {
            colon + 1 == end || user[colon + 1..end].iter().all(u8::is_ascii_digit) || user[0] == b'['
        }
        None => true,
    }
}

pub(crate) fn ends_url(b: u8) -> bool {
    b <= b' ' || b"\"'<>`\\,".contains(&b)
}
