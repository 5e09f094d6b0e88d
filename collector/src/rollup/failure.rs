//! What statuses, codes and the names of errors say of a call: the tables behind `outcome.rs`.

use spanmill_proto::otlp::Scalar;

use super::outcome::Outcome::{self, Cancelled, ClientFault, Connect, Failed, Timeout};
use super::span::integer;

/// `None`: an answer that is no error.
pub fn by_http_status(status: i64) -> Option<Outcome> {
    match status {
        408 | 504 => Some(Timeout),
        429 | 500..600 => Some(Failed),
        400..500 => Some(ClientFault),
        _ => None,
    }
}

/// The codes of gRPC by number; their names are the index.
const GRPC_CODES: [(&str, Option<Outcome>); 17] = [
    ("OK", None),
    ("CANCELLED", Some(Cancelled)),
    ("UNKNOWN", Some(Failed)),
    ("INVALID_ARGUMENT", Some(ClientFault)),
    ("DEADLINE_EXCEEDED", Some(Timeout)),
    ("NOT_FOUND", Some(ClientFault)),
    ("ALREADY_EXISTS", Some(ClientFault)),
    ("PERMISSION_DENIED", Some(ClientFault)),
    ("RESOURCE_EXHAUSTED", Some(Failed)),
    ("FAILED_PRECONDITION", Some(ClientFault)),
    ("ABORTED", Some(Failed)),
    ("OUT_OF_RANGE", Some(ClientFault)),
    ("UNIMPLEMENTED", Some(Failed)),
    ("INTERNAL", Some(Failed)),
    ("UNAVAILABLE", Some(Failed)),
    ("DATA_LOSS", Some(Failed)),
    ("UNAUTHENTICATED", Some(ClientFault)),
];

pub fn grpc_code(value: Scalar<'_>) -> Option<usize> {
    if let Some(code) = integer(value) {
        return usize::try_from(code).ok().filter(|&code| code < GRPC_CODES.len());
    }
    let Scalar::Text(text) = value else { return None };
    GRPC_CODES.iter().position(|(name, _)| same_word(text, name.as_bytes()))
}

pub fn by_grpc_code(code: usize) -> Option<Outcome> {
    GRPC_CODES[code].1
}

/// `DeadlineExceeded`, `DEADLINE_EXCEEDED` and `deadline-exceeded` are one word.
fn same_word(a: &[u8], b: &[u8]) -> bool {
    letters(a).eq(letters(b))
}

fn letters(text: &[u8]) -> impl Iterator<Item = u8> {
    text.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
}

/// `None`: it says nothing. Anything that it says and we do not know is a failure.
pub fn by_error_type(value: Scalar<'_>) -> Option<Outcome> {
    if let Some(number) = integer(value) {
        return match number {
            1..100 => Some(by_curl_errno(number)),
            100..600 => by_http_status(number),
            _ => None,
        };
    }
    let Scalar::Text(class) = value else { return None };
    if class.is_empty() {
        return None;
    }
    // For gRPC `error.type` is the name of the code.
    let grpc = grpc_code(value).filter(|&code| code > 0).and_then(by_grpc_code);
    grpc.or_else(|| by_class(class)).or(Some(Failed))
}

/// Whole words: classes that clients write, names of errno and of Node's errors. `ENOTFOUND` is also in
/// `ResourceNotFound`, so parts would not do.
const WORDS: [(&str, Outcome); 14] = [
    ("connect", Connect),
    ("dns", Connect),
    ("tls", Connect),
    ("ssl", Connect),
    ("ECONNREFUSED", Connect),
    ("EHOSTUNREACH", Connect),
    ("ENETUNREACH", Connect),
    ("EADDRNOTAVAIL", Connect),
    ("ENOTFOUND", Connect),
    ("EAI_AGAIN", Connect),
    ("EAI_NONAME", Connect),
    ("EPROTO", Connect),
    // What axios says when its timeout has passed.
    ("ECONNABORTED", Timeout),
    ("UND_ERR_CONNECT_TIMEOUT", Connect),
];

/// Parts of the class names of errors in PHP, Rust, Java, Go, Python, Node and .NET, lower case without
/// separators. The first that a name has decides, so the particular ones stand first.
const PARTS: [(&str, Outcome); 34] = [
    ("connecttimeout", Connect),
    ("connectiontimeout", Connect),
    ("handshaketimeout", Connect),
    ("timeout", Timeout),
    ("timedout", Timeout),
    ("deadlineexceeded", Timeout),
    ("cancel", Cancelled),
    ("connectionabort", Failed),
    ("aborterror", Cancelled),
    ("connectexception", Connect),
    ("connecterror", Connect),
    ("errorconnect", Connect),
    ("connectionerror", Connect),
    ("connectionrefused", Connect),
    ("connectionfailed", Connect),
    ("failedtoconnect", Connect),
    ("noroutetohost", Connect),
    ("hostunreachable", Connect),
    ("networkunreachable", Connect),
    ("addrnotavailable", Connect),
    ("unknownhost", Connect),
    ("hostnotfound", Connect),
    ("nameresolution", Connect),
    ("nxdomain", Connect),
    ("dnserror", Connect),
    ("dnsexception", Connect),
    ("gaierror", Connect),
    ("couldntresolve", Connect),
    ("resolvererror", Connect),
    ("sslerror", Connect),
    ("sslexception", Connect),
    ("tlserror", Connect),
    ("certificate", Connect),
    ("handshake", Connect),
];

pub fn by_class(class: &[u8]) -> Option<Outcome> {
    if let Some((_, outcome)) = WORDS.iter().find(|(word, _)| same_word(class, word.as_bytes())) {
        return Some(*outcome);
    }
    let mut name = [0; CLASS_MAX];
    let length = name.iter_mut().zip(letters(class)).map(|(to, from)| *to = from).count();
    let has = |part: &str| name[..length].windows(part.len()).any(|window| window == part.as_bytes());
    PARTS.iter().find(|(part, _)| has(part)).map(|(_, outcome)| *outcome)
}

/// Of a class name this much is looked at; the longest in PHP's and Java's libraries are about 100.
const CLASS_MAX: usize = 128;

/// `cURL error 28: …`, as Guzzle and others write it.
pub fn by_curl_message(message: &[u8]) -> Option<Outcome> {
    const BEGIN: &[u8] = b"cURL error ";
    let at = message.windows(BEGIN.len()).take(512).position(|w| w.eq_ignore_ascii_case(BEGIN))?;
    let digits = message[at + BEGIN.len()..].iter().take(2).take_while(|b| b.is_ascii_digit());
    let number = digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    (number > 0).then(|| by_curl_errno(number))
}

/// Numbers of libcurl's `CURLcode` (curl.se/libcurl/c/libcurl-errors.html).
fn by_curl_errno(number: i64) -> Outcome {
    match number {
        28 => Timeout,
        // Resolve proxy and host, connect, SSL: handshake, engine, certificates, ciphers, pinning, QUIC.
        5 | 6 | 7 | 35 | 51 | 53 | 54 | 58..=60 | 64 | 66 | 77 | 80 | 82 | 83 | 90 | 91 | 96 | 97 | 98 => {
            Connect
        }
        // A callback of ours said stop.
        42 => Cancelled,
        // Our own request cannot be made: protocol, URL, build, option.
        1 | 3 | 4 | 43 | 48 => ClientFault,
        _ => Failed,
    }
}
