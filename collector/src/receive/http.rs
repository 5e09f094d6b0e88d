//! `POST /v1/traces`: OTLP/HTTP with protobuf or JSON in, the same encoding out.

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;
use spanmill_proto::wire;

use super::Accepted;
use super::answer::Answer;
use super::response::{Failure, INVALID_IDS, export_response};

/// Path of traces, as the OTLP specification fixes it.
pub const TRACES: &str = "/v1/traces";

/// How the sender writes, and wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Protobuf,
    Json,
}

impl Format {
    /// The format of a `content-type` header.
    pub fn parse(content_type: Option<&HeaderValue>) -> Result<Format, String> {
        let text = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = text.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/x-protobuf") {
            Ok(Format::Protobuf)
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Ok(Format::Json)
        } else {
            Err(format!(
                "content-type '{media_type}' is not OTLP; use application/x-protobuf or application/json"
            ))
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Format::Protobuf => "application/x-protobuf",
            Format::Json => "application/json",
        })
    }
}

/// The answer to an accepted request.
pub fn accepted(format: Format, accepted: Accepted) -> Response<Answer> {
    let body = match format {
        Format::Protobuf => export_response(accepted),
        Format::Json if accepted.rejected_spans == 0 => b"{}".to_vec(),
        // 64-bit numbers are text in OTLP/JSON.
        Format::Json => json!({"partialSuccess": {
            "rejectedSpans": accepted.rejected_spans.to_string(), "errorMessage": INVALID_IDS}})
        .to_string()
        .into_bytes(),
    };
    let mut response = Response::new(Answer::data(body));
    response.headers_mut().insert(CONTENT_TYPE, format.content_type());
    response
}

/// The answer to a refused request: a `google.rpc.Status` in the sender's format.
pub fn refused(format: Format, status: u16, failure: &Failure) -> Response<Answer> {
    let body = match format {
        Format::Protobuf => {
            let mut out = Vec::new();
            wire::put_uint(&mut out, 1, failure.code as u64);
            wire::put_bytes(&mut out, 2, failure.message.as_bytes());
            out
        }
        Format::Json => {
            json!({"code": failure.code as u8, "message": failure.message}).to_string().into_bytes()
        }
    };
    let mut response = Response::new(Answer::data(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status of ours");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, format.content_type());
    if let Some(after) = failure.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    if status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_known_with_parameters_and_in_any_case() {
        let parse = |text: &'static str| Format::parse(Some(&HeaderValue::from_static(text)));
        assert_eq!(parse("application/x-protobuf"), Ok(Format::Protobuf));
        assert_eq!(parse("Application/JSON; charset=utf-8"), Ok(Format::Json));
        assert!(parse("text/plain").unwrap_err().contains("text/plain"));
        assert!(Format::parse(None).is_err());
    }
}
