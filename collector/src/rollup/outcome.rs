//! How a call went, by the error taxonomy of payments: a decline is no failure, our own 4xx is not theirs.
//!
//! Sources in the order in which they are asked: `spanmill.outcome`, the status of HTTP, the status of gRPC,
//! `error.type`, the span's status with exception events and its message.

use spanmill_proto::otlp::{Scalar, status};
use spanmill_proto::wire::Malformed;

use super::failure::{by_class, by_curl_message, by_error_type, by_grpc_code, by_http_status, grpc_code};
use super::registry::Provider;
use super::span::Call;

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

    /// The provider's failure: what the failure ratio is made of.
    pub fn is_bad(self) -> bool {
        matches!(self, Failed | Timeout | Connect)
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

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
