//! E-mail addresses: the part before the `@` is removed, the domain stays.

use crate::edit::Edit;
use crate::report::Rule;
use crate::rules::userinfo;

/// RFC 5321, 4.5.3.1.1.
const LOCAL_LEN_MAX: usize = 64;

/// RFC 5321, 4.5.3.1.2.
const DOMAIN_LEN_MAX: usize = 255;

/// Names that end like a domain and are files, units or modules: `icon@2x.png`, `getty@tty1.service`.
const NO_DOMAINS: &[&[u8]] = &[
    b"png",
    b"jpg",
    b"jpeg",
    b"gif",
    b"svg",
    b"webp",
    b"css",
    b"js",
    b"mjs",
    b"ts",
    b"json",
    b"html",
    b"service",
    b"socket",
    b"timer",
    b"target",
    b"mount",
    b"slice",
    b"scope",
    b"local",
    b"internal",
    b"consul",
];

/// Whether an address or a URL's host may stand around the `@` at `at`; looks at its own bytes only.
#[inline]
pub(crate) fn may_be(text: &[u8], at: usize) -> bool {
    at > 0
        && !userinfo::ends_url(text[at - 1])
        && text.get(at + 1).is_some_and(|&b| is_domain(b) || b == b'[')
}

/// The removal of the name before the `@` at `at`.
pub(crate) fn address(text: &[u8], at: usize) -> Option<Edit> {
    let local = text[..at].iter().rev().take(LOCAL_LEN_MAX).take_while(|b| is_local(**b)).count();
    // A longer name is cut, but not inside a character.
    let inside = text[at - local..at].iter().take_while(|&&b| b & 0xc0 == 0x80).count();
    let start = at - local + inside;
    // `ssh://git@host` and `git@host:path` name a service.
    if start == at || &text[start..at] == b"git" || text[..start].ends_with(b"//") {
        return None;
    }
    let len = text[at + 1..]
        .iter()
        .take(DOMAIN_LEN_MAX)
        .take_while(|b| is_domain(**b) || matches!(b, b'.' | b'-'))
        .count();
    let domain = text[at + 1..at + 1 + len].trim_ascii_end();
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    let dot = domain.iter().rposition(|&b| b == b'.')?;
    let top = &domain[dot + 1..];
    let real = dot > 0
        && top.len() >= 2
        && top.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80)
        && !NO_DOMAINS.iter().any(|name| top.eq_ignore_ascii_case(name));
    real.then(|| Edit::remove(start, at, Rule::Email))
}

fn is_local(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-') || b >= 0x80
}

fn is_domain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80
}
