//! How a call went, by the error taxonomy of payments: a decline is no failure, our own 4xx is not theirs.
//!
//! Sources in the order in which they are asked: `spanmill.outcome`, the status of HTTP, the status of gRPC,
//! `error.type`, the span's status with exception events and its message.

use spanmill_proto::otlp::{Scalar, status};
use spanmill_proto::wire::Malformed;

use super::registry::Provider;
use super::span::{Call, integer};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Outcome {
    Ok,
    /// Answered, and the answer is no: insufficient funds, say.
    Declined,
    /// Refused because of what we sent.
    ClientFault,
    Failed,
    Timeout,
    /// Name resolution, TCP or TLS did not come about.
    Connect,
    /// We gave up for reasons of our own.
    Cancelled,
}

use Outcome::{Cancelled, ClientFault, Connect, Declined, Failed, Ok as Fine, Timeout};

impl Outcome {
    pub const COUNT: usize = 7;
    pub const ALL: [Outcome; Outcome::COUNT] =
        [Fine, Declined, ClientFault, Failed, Timeout, Connect, Cancelled];

    /// The label in metrics, the key in the API, the value of `spanmill.outcome`.
    pub fn name(self) -> &'static str {
        match self {
            Fine => "ok",
            Declined => "declined",
            ClientFault => "client_fault",
            Failed => "failed",
            Timeout => "timeout",
            Connect => "connect",
            Cancelled => "cancelled",
        }
    }

    /// Answered as agreed, so its duration says how fast the provider is.
    pub fn is_answer(self) -> bool {
        matches!(self, Fine | Declined)
    }
}

/// What was decided, and what decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub outcome: Outcome,
    pub because: Because,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    Explicit,
    /// The provider's `decline_when` asks for an attribute that the span has.
    DeclineRule,
    HttpStatus,
    GrpcStatus,
    ErrorType,
    Exception,
    StatusMessage,
    Status,
    NothingWrong,
}

impl std::fmt::Display for Because {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Because::Explicit => "by spanmill.outcome",
            Because::DeclineRule => "by decline_when of its [[provider]] table",
            Because::HttpStatus => "by the status of HTTP",
            Because::GrpcStatus => "by the status of gRPC",
            Because::ErrorType => "by error.type",
            Because::Exception => "by its exception event",
            Because::StatusMessage => "by the message of the span's status",
            Because::Status => "by the span's status",
            Because::NothingWrong => "nothing says that anything went wrong",
        })
    }
}

impl Because {
    /// The span says how the business went, not only how the transport did: it counts for conversion.
    pub fn is_business(self) -> bool {
        matches!(self, Because::Explicit | Because::DeclineRule)
    }
}

/// Decides the outcome of `call`; `provider` is the registry's entry, where there is one.
#[inline]
pub fn decide(call: &Call<'_>, provider: Option<&Provider>) -> Result<Verdict, Malformed> {
    if let Some(outcome) = call.evidence.outcome.and_then(explicit) {
        return Ok(Verdict { outcome, because: Because::Explicit });
    }
    let verdict = technical(call)?;
    match provider {
        Some(provider) if !provider.decline_when.is_empty() => by_decline_rule(call, provider, verdict),
        _ => Ok(verdict),
    }
}

fn explicit(value: &[u8]) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|outcome| value.eq_ignore_ascii_case(outcome.name().as_bytes()))
}

/// A 402 with the code of a decline is a decline; a 503 is a failure whatever code stands beside it.
fn by_decline_rule(call: &Call<'_>, provider: &Provider, verdict: Verdict) -> Result<Verdict, Malformed> {
    if !matches!(verdict.outcome, Fine | ClientFault) {
        return Ok(verdict);
    }
    let mut decided = verdict;
    for (attribute, values) in &provider.decline_when {
        let Some(value) = call.attribute(attribute.as_bytes())? else { continue };
        if values.iter().any(|wanted| says(value, wanted)) {
            return Ok(Verdict { outcome: Declined, because: Because::DeclineRule });
        }
        decided.because = Because::DeclineRule;
    }
    Ok(decided)
}

fn says(value: Scalar<'_>, wanted: &str) -> bool {
    match value {
        Scalar::Text(text) => text == wanted.as_bytes(),
        Scalar::Int(value) => wanted.parse() == Ok(value),
        Scalar::Bool(value) => wanted.parse() == Ok(value),
        Scalar::Double(value) => wanted.parse() == Ok(value),
        Scalar::Other => false,
    }
}

fn technical(call: &Call<'_>) -> Result<Verdict, Malformed> {
    let evidence = &call.evidence;
    let decided = |outcome, because| Ok(Verdict { outcome, because });
    let http_status = evidence.http_status.get().filter(|status| (100..600).contains(status));
    if let Some(outcome) = http_status.and_then(by_http_status) {
        return decided(outcome, Because::HttpStatus);
    }
    let grpc_status = evidence.grpc_status.get().and_then(grpc_code);
    if let Some(outcome) = grpc_status.and_then(by_grpc_code) {
        return decided(outcome, Because::GrpcStatus);
    }
    if evidence.status == status::OK {
        return decided(Fine, Because::Status); // the developer says so, and knows
    }
    if let Some(outcome) = evidence.error_type.and_then(by_error_type) {
        return decided(outcome, Because::ErrorType);
    }
    // An exception that the code recorded and got over is no failure of a call that was answered.
    let is_error = evidence.status == status::ERROR;
    let was_answered = http_status.is_some() || grpc_status.is_some();
    if evidence.has_events
        && (is_error || !was_answered)
        && let Some(exception) = call.exception()?
    {
        // Guzzle's ConnectException is thrown for timeouts too: curl's number knows better.
        let outcome = by_curl_message(exception.message).or_else(|| by_class(exception.class));
        return decided(outcome.unwrap_or(Failed), Because::Exception);
    }
    if !is_error {
        return decided(Fine, Because::NothingWrong);
    }
    match by_curl_message(evidence.status_message) {
        Some(outcome) => decided(outcome, Because::StatusMessage),
        None => decided(Failed, Because::Status),
    }
}

/// `None`: an answer that is no error.
fn by_http_status(status: i64) -> Option<Outcome> {
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

fn grpc_code(value: Scalar<'_>) -> Option<usize> {
    if let Some(code) = integer(value) {
        return usize::try_from(code).ok().filter(|&code| code < GRPC_CODES.len());
    }
    let Scalar::Text(text) = value else { return None };
    GRPC_CODES.iter().position(|(name, _)| same_word(text, name.as_bytes()))
}

fn by_grpc_code(code: usize) -> Option<Outcome> {
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
fn by_error_type(value: Scalar<'_>) -> Option<Outcome> {
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

fn by_class(class: &[u8]) -> Option<Outcome> {
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
fn by_curl_message(message: &[u8]) -> Option<Outcome> {
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

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
