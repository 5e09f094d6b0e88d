//! Words behind a sensitive key that tell about its value and are none: `token: expired`, `--password is deprecated`.

/// Words that follow a flag in prose about it, not on a command line.
#[rustfmt::skip]
const BEHIND_FLAG: &[&[u8]] = &[
    b"a", b"an", b"and", b"are", b"as", b"can", b"flag", b"for", b"from", b"has", b"if", b"in", b"instead", b"is",
    b"may", b"must", b"not", b"option", b"or", b"parameter", b"argument", b"should", b"so", b"that", b"the", b"to",
    b"was", b"when", b"with", b"you", b"your",
];

/// Words that follow a key and a colon in messages. Nobody's password is one of them.
#[rustfmt::skip]
const BEHIND_KEY: &[&[u8]] = &[
    b"absent", b"and", b"are", b"blocked", b"cannot", b"correct", b"created", b"denied", b"disabled", b"does",
    b"empty", b"enabled", b"expected", b"expired", b"failed", b"failure", b"field", b"forbidden", b"found",
    b"generated", b"has", b"incorrect", b"invalid", b"is", b"malformed", b"mismatch", b"missing", b"must", b"no",
    b"not", b"ok", b"optional", b"present", b"provided", b"refreshed", b"rejected", b"required", b"revoked",
    b"rotated", b"sent", b"set", b"should", b"signature", b"started", b"string", b"stored", b"success", b"the",
    b"too", b"try", b"unauthorized", b"unexpected", b"unknown", b"unset", b"updated", b"valid", b"verified",
    b"was", b"wrong", b"yes",
];

/// Whether `word` goes on about the flag before it.
pub(crate) fn follows_flag(word: &[u8]) -> bool {
    BEHIND_FLAG.contains(&word)
}

/// Whether `word` goes on about the key before it.
pub(crate) fn follows_key(word: &[u8]) -> bool {
    let word = word.strip_suffix(b".").unwrap_or(word);
    BEHIND_KEY.iter().any(|prose| prose.eq_ignore_ascii_case(word))
}
