//! What a destination answered, and what follows from it: done, later, in smaller pieces, or never.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, StatusCode};
use spanmill_proto::grpc::{self, Code};
use spanmill_proto::otlp::response;
use spanmill_proto::wire::{Fields, Malformed};

/// No destination may keep us waiting longer than this before we ask again.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Only another spanmill says so, with ABORTED or 409.
const OVERLAP: &str = "spanmill-overlap";

/// Of an answer's text so much is shown.
const TOLD_MAX: usize = 200;

/// The destination took the request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// All but these.
    pub rejected_spans: u64,
    /// Why not these, or a warning.
    pub message: String,
}

/// The destination did not take the request, or did not say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The same request may be taken another time.
    Later {
        reason: String,
        /// When the destination wants to be asked again.
        after: Option<Duration>,
        /// It may have taken the request, and only the answer was lost.
        maybe_taken: bool,
    },
    /// Nothing came within the time that a request has. Perhaps smaller ones make it; this one may have arrived.
    TooSlow { reason: String },
    /// Perhaps it takes smaller ones.
    TooLarge {
        reason: String,
        /// The answer stands for an exhausted quota as well, which is no fault of this request.
        may_be_load: bool,
    },
    /// It has a part of this request already, and takes only what it lacks, see [`Name`](super::name).
    PartlyKnown,
    /// It will never take this request.
    Never { reason: String },
}

impl Failure {
    /// Nobody answered.
    pub fn unanswered(reason: impl Into<String>, maybe_taken: bool) -> Failure {
        Failure::Later { reason: reason.into(), after: None, maybe_taken }
    }
}

/// Reads a whole answer. `fields` are the trailers, or the headers where those are all there is.
pub fn read_grpc(
    status: StatusCode,
    fields: &HeaderMap,
    body: &[u8],
    now_unix_ns: u64,
) -> Result<Accepted, Failure> {
    let after = retry_after(fields, now_unix_ns);
    let Some(code) = text(fields, "grpc-status") else {
        return Err(not_grpc(status, after));
    };
    let code = Code::parse(code);
    let told = text(fields, "grpc-message").map(grpc::decode_message).unwrap_or_default();
    let reason = if told.is_empty() { format!("{code:?}") } else { format!("{code:?}: {told}") };
    match code {
        Code::Ok => Ok(body.get(grpc::PREFIX..).map(accepted).unwrap_or_default()),
        Code::Aborted if fields.contains_key(OVERLAP) => Err(Failure::PartlyKnown),
        Code::ResourceExhausted if after.is_none() => Err(Failure::TooLarge { reason, may_be_load: true }),
        // Somebody must mend the token, the certificate, the address or the compression, and until then nothing
        // need be lost.
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented => Err(later(reason, after)),
        code if code.is_retryable() || code == Code::ResourceExhausted => Err(later(reason, after)),
        _ => Err(Failure::Never { reason }),
    }
}

/// Reads an answer to OTLP/HTTP.
pub fn read_http(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_unix_ns: u64,
) -> Result<Accepted, Failure> {
    if status.is_success() {
        // Whoever answers in JSON took it all the same, and says in a way that we do not read what it left out.
        return Ok(accepted(body));
    }
    let told = told(headers, body);
    let reason = if told.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {told}") };
    match status.as_u16() {
        413 => Err(Failure::TooLarge { reason, may_be_load: false }),
        409 if headers.contains_key(OVERLAP) => Err(Failure::PartlyKnown),
        // The request is at fault; 500 is not to be sent again either, says the OTLP specification.
        400 | 409 | 422 | 500 => Err(Failure::Never { reason }),
        // Overload, and everything that somebody must mend: the token, the path, the port, the compression.
        _ => Err(later(reason, retry_after(headers, now_unix_ns))),
    }
}

fn later(reason: String, after: Option<Duration>) -> Failure {
    Failure::Later { reason, after, maybe_taken: false }
}

fn text<'a>(fields: &'a HeaderMap, name: &str) -> Option<&'a str> {
    fields.get(name)?.to_str().ok()
}

/// A proxy or a wrong port answered, which says nothing of the spans: they wait until somebody has mended that.
fn not_grpc(status: StatusCode, after: Option<Duration>) -> Failure {
    let reason = format!("HTTP {status}, which is no gRPC answer");
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::TooLarge { reason, may_be_load: false },
        _ => Failure::Later { reason, after, maybe_taken: status.is_success() },
    }
}

/// What an HTTP answer says for people: the message of a `google.rpc.Status`, or text.
fn told(headers: &HeaderMap, body: &[u8]) -> String {
    let is_protobuf = text(headers, "content-type").is_some_and(|kind| kind.contains("protobuf"));
    let message = if is_protobuf { status_message(body).unwrap_or_default() } else { body };
    let text = String::from_utf8_lossy(&message[..message.len().min(TOLD_MAX)]);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn status_message(body: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields::of(body);
    while let Some(field) = fields.next().ok()? {
        if field.number == 2 {
            return field.bytes().ok();
        }
    }
    None
}

/// `partial_success` of the answer. The request was taken, so an answer that cannot be read means success.
fn accepted(message: &[u8]) -> Accepted {
    partial_success(message).unwrap_or_default()
}

fn partial_success(message: &[u8]) -> Result<Accepted, Malformed> {
    let mut accepted = Accepted::default();
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        if field.number != response::PARTIAL_SUCCESS {
            continue;
        }
        let mut inner = field.message()?;
        while let Some(field) = inner.next()? {
            match field.number {
                response::REJECTED_SPANS => accepted.rejected_spans = field.varint()?,
                response::ERROR_MESSAGE => {
                    accepted.message = String::from_utf8_lossy(field.bytes()?).into_owned();
                }
                _ => {}
            }
        }
    }
    Ok(accepted)
}

/// When the destination wants to be asked again: `RetryInfo` among the status details, or `retry-after`.
fn retry_after(fields: &HeaderMap, now_unix_ns: u64) -> Option<Duration> {
    let details = text(fields, "grpc-status-details-bin").and_then(base64);
    let from_details = details.and_then(|details| retry_info(&details).ok().flatten());
    let from_header = || {
        let told = text(fields, "retry-after")?.trim();
        told.parse().ok().map(Duration::from_secs).or_else(|| until(told, fields, now_unix_ns))
    };
    from_details.or_else(from_header).map(|after| after.min(RETRY_AFTER_MAX))
}

/// The wait until an HTTP date (RFC 9110, 10.2.3). It is of the destination's clock, so that of its answer is the
/// one to compare with where it says so.
fn until(date: &str, fields: &HeaderMap, now_unix_ns: u64) -> Option<Duration> {
    let now = text(fields, "date").and_then(|date| httpdate::parse_http_date(date).ok());
    let now = now.unwrap_or(UNIX_EPOCH + Duration::from_nanos(now_unix_ns));
    let date = httpdate::parse_http_date(date).ok()?;
    // One that has passed: at once.
    Some(date.duration_since(now).unwrap_or_default())
}

/// `google.rpc.Status` { details = 3 }, of which one is `google.protobuf.Any` { type_url = 1, value = 2 } with a
/// `google.rpc.RetryInfo` { retry_delay = 1 { seconds = 1, nanos = 2 } }.
fn retry_info(status: &[u8]) -> Result<Option<Duration>, Malformed> {
    let mut fields = Fields::of(status);
    while let Some(field) = fields.next()? {
        if field.number != 3 {
            continue;
        }
        let (mut is_retry_info, mut delay) = (false, None);
        let mut any = field.message()?;
        while let Some(field) = any.next()? {
            match field.number {
                1 => is_retry_info = field.bytes()?.ends_with(b"/google.rpc.RetryInfo"),
                2 => delay = retry_delay(field.message()?).ok(),
                _ => {}
            }
        }
        if is_retry_info {
            return Ok(Some(delay.unwrap_or_default()));
        }
    }
    Ok(None)
}

fn retry_delay(mut retry_info: Fields<'_>) -> Result<Duration, Malformed> {
    let mut delay = Duration::ZERO;
    while let Some(field) = retry_info.next()? {
        if field.number != 1 {
            continue;
        }
        let mut duration = field.message()?;
        while let Some(field) = duration.next()? {
            match field.number {
                // Negative or absurd ones are cut by the caller's bound.
                1 => delay += Duration::from_secs(field.varint()?.min(RETRY_AFTER_MAX.as_secs())),
                2 => delay += Duration::from_nanos(field.varint()?.min(999_999_999)),
                _ => {}
            }
        }
    }
    Ok(delay)
}

/// Decodes base64, padded or not, as gRPC allows for binary metadata.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use spanmill_proto::wire;

    use super::*;

    const NOW: u64 = 1_795_378_503_000_000_000;

    fn fields(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn each_status_has_its_consequence() {
        let kind = |pairs: &[(&'static str, &str)], status: u16| {
            consequence(&read_grpc(StatusCode::from_u16(status).unwrap(), &fields(pairs), &[], NOW))
        };
        for (code, want) in [
            ("0", "done"),
            ("14", "later"),
            ("4", "later"),
            ("1", "later"),
            ("10", "later"),
            ("16", "later"),
            ("7", "later"),
            ("8", "smaller"),
            ("12", "later"),
            ("3", "never"),
            ("13", "never"),
            ("2", "never"),
        ] {
            assert_eq!(kind(&[("grpc-status", code)], 200), want, "code {code}");
        }
        for (status, want) in
            [(503, "later"), (429, "later"), (404, "later"), (200, "later"), (413, "smaller")]
        {
            assert_eq!(kind(&[], status), want, "HTTP {status}");
        }
        for (status, want) in [
            (200, "done"),
            (202, "done"),
            (400, "never"),
            (409, "never"),
            (500, "never"),
            (413, "smaller"),
            (429, "later"),
            (503, "later"),
            (404, "later"),
            (415, "later"),
            (302, "later"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(consequence(&read_http(status, &fields(&[]), &[], NOW)), want, "HTTP {status}");
        }
        let overlap = ("spanmill-overlap", "1");
        let conflict = read_http(StatusCode::CONFLICT, &fields(&[overlap]), &[], NOW);
        let known = read_grpc(StatusCode::OK, &fields(&[("grpc-status", "10"), overlap]), &[], NOW);
        assert_eq!((conflict, known), (Err(Failure::PartlyKnown), Err(Failure::PartlyKnown)));
    }

    fn consequence(answer: &Result<Accepted, Failure>) -> &'static str {
        match answer {
            Ok(_) => "done",
            Err(Failure::Later { .. }) => "later",
            Err(Failure::TooSlow { .. } | Failure::TooLarge { .. }) => "smaller",
            Err(Failure::PartlyKnown) => "cut",
            Err(Failure::Never { .. }) => "never",
        }
    }

    #[test]
    fn an_http_answer_says_when_and_why() {
        let answer = fields(&[("retry-after", "7"), ("content-type", "text/plain")]);
        let failure = read_http(StatusCode::TOO_MANY_REQUESTS, &answer, b"slow\n down", NOW);
        let reason = "HTTP 429 Too Many Requests: slow down".to_owned();
        let after = Some(Duration::from_secs(7));
        assert_eq!(failure, Err(Failure::Later { reason, after, maybe_taken: false }));
        let mut status = vec![];
        wire::put_uint(&mut status, 1, 3);
        wire::put_bytes(&mut status, 2, b"bad span");
        let protobuf = fields(&[("content-type", "application/x-protobuf")]);
        let failure = read_http(StatusCode::BAD_REQUEST, &protobuf, &status, NOW);
        assert_eq!(failure, Err(Failure::Never { reason: "HTTP 400 Bad Request: bad span".into() }));
    }

    #[test]
    fn the_delay_that_the_destination_asks_for_is_read() {
        // Status { code: 8, details: [Any { "type.googleapis.com/google.rpc.RetryInfo", { { 7 s, 500 ms } } }] }
        let (mut duration, mut info, mut any, mut status) = (vec![], vec![], vec![], vec![]);
        wire::put_uint(&mut duration, 1, 7);
        wire::put_uint(&mut duration, 2, 500_000_000);
        wire::put_bytes(&mut info, 1, &duration);
        wire::put_bytes(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
        wire::put_bytes(&mut any, 2, &info);
        wire::put_uint(&mut status, 1, 8);
        wire::put_bytes(&mut status, 3, &any);
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let encoded: String = status
            .chunks(3)
            .flat_map(|chunk| {
                let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
                    << (8 * (3 - chunk.len()));
                (0..=chunk.len()).map(move |i| alphabet[(bits >> (18 - 6 * i) & 63) as usize] as char)
            })
            .collect();
        let answer = fields(&[("grpc-status", "8"), ("grpc-status-details-bin", &encoded)]);
        let Err(Failure::Later { after, .. }) = read_grpc(StatusCode::OK, &answer, &[], NOW) else {
            panic!("with RetryInfo it is retryable");
        };
        assert_eq!(after, Some(Duration::from_millis(7500)));
        let answer = fields(&[("grpc-status", "14"), ("retry-after", "86400")]);
        let Err(Failure::Later { after, .. }) = read_grpc(StatusCode::OK, &answer, &[], NOW) else {
            panic!("unavailable is retryable");
        };
        assert_eq!(after, Some(RETRY_AFTER_MAX));
    }

    #[test]
    fn the_date_that_the_destination_asks_for_is_read_by_its_own_clock() {
        let after = |pairs: &[(&'static str, &str)]| match read_http(
            StatusCode::SERVICE_UNAVAILABLE,
            &fields(pairs),
            b"",
            NOW,
        ) {
            Err(Failure::Later { after, .. }) => after.map(|after| after.as_secs()),
            other => panic!("unavailable is retryable: {other:?}"),
        };
        // NOW is Sun, 22 Nov 2026 20:15:03 GMT.
        let of = |date| after(&[("retry-after", date)]);
        assert_eq!(of("Sun, 22 Nov 2026 20:15:33 GMT"), Some(30));
        assert_eq!(of("Sunday, 22-Nov-26 20:15:13 GMT"), Some(10), "one of the two old forms");
        assert_eq!(of("Sun Nov 22 20:15:04 2026"), Some(1), "the other one");
        assert_eq!(of("Sun, 22 Nov 2026 20:15:00 GMT"), Some(0), "it has passed");
        assert_eq!(of("Mon, 23 Nov 2026 20:15:00 GMT"), Some(RETRY_AFTER_MAX.as_secs()));
        assert_eq!(of("soon"), None);
        // Its clock is an hour behind ours.
        let pairs =
            [("date", "Sun, 22 Nov 2026 19:15:00 GMT"), ("retry-after", "Sun, 22 Nov 2026 19:15:07 GMT")];
        assert_eq!(after(&pairs), Some(7));
    }

    #[test]
    fn partial_success_is_read_and_nonsense_is_success() {
        let (mut inner, mut message) = (vec![], vec![]);
        wire::put_uint(&mut inner, response::REJECTED_SPANS, 3);
        wire::put_bytes(&mut inner, response::ERROR_MESSAGE, b"too old");
        wire::put_bytes(&mut message, response::PARTIAL_SUCCESS, &inner);
        let mut body = grpc::prefix(false, message.len() as u32).to_vec();
        body.extend(message);
        let ok = fields(&[("grpc-status", "0")]);
        let accepted = read_grpc(StatusCode::OK, &ok, &body, NOW).unwrap();
        assert_eq!(accepted, Accepted { rejected_spans: 3, message: "too old".into() });
        for nonsense in [&b""[..], b"\0\0\0\0\0", b"\0\0\0\0\x02\x0a\x7f"] {
            assert_eq!(read_grpc(StatusCode::OK, &ok, nonsense, NOW), Ok(Accepted::default()));
        }
    }
}
