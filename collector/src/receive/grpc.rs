//! `TraceService/Export` over gRPC: one message in, one message out, framed by hand.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
pub use spanmill_proto::grpc::EXPORT;
use spanmill_proto::grpc::{self, PREFIX};
use spanmill_proto::wire;

use super::Accepted;
use super::answer::Answer;
use super::response::{Failure, export_response};

const CONTENT_TYPE_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// The message inside a request body, and whether it is compressed.
pub fn message(body: &Bytes) -> Result<(bool, Bytes), String> {
    let Some((prefix, rest)) = body.split_first_chunk::<PREFIX>() else {
        return Err(format!("a gRPC body begins with {PREFIX} bytes of prefix, this one has {}", body.len()));
    };
    let (compressed, length) = grpc::parse_prefix(*prefix);
    if rest.len() != length as usize {
        return Err(format!(
            "Export takes one message; its prefix says {length} bytes, the body has {}",
            rest.len()
        ));
    }
    Ok((compressed, body.slice(PREFIX..)))
}

/// The answer to an accepted request.
pub fn accepted(accepted: Accepted) -> Response<Answer> {
    let message = export_response(accepted);
    let mut data = Vec::with_capacity(PREFIX + message.len());
    data.extend_from_slice(&grpc::prefix(false, message.len() as u32));
    data.extend_from_slice(&message);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut response = Response::new(Answer::data(data).with_trailers(trailers));
    response.headers_mut().insert(CONTENT_TYPE, CONTENT_TYPE_GRPC);
    response
}

/// The answer to a refused request: status in the headers, no body.
pub fn refused(failure: &Failure) -> Response<Answer> {
    let mut response = Response::new(Answer::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, CONTENT_TYPE_GRPC);
    headers.insert("grpc-status", HeaderValue::from(u16::from(failure.code as u8)));
    let message = grpc::encode_message(&failure.message);
    headers.insert("grpc-message", HeaderValue::try_from(message).expect("percent-encoding leaves ASCII"));
    if let Some(retry_after) = failure.retry_after {
        let details = STANDARD_NO_PAD.encode(status_with_retry(failure, retry_after));
        let details = HeaderValue::try_from(details).expect("base64 is ASCII");
        headers.insert("grpc-status-details-bin", details);
    }
    response
}

/// A `google.rpc.Status` with a `google.rpc.RetryInfo`, by which OTLP clients wait.
fn status_with_retry(failure: &Failure, retry_after: Duration) -> Vec<u8> {
    let mut out = Vec::new();
    wire::put_uint(&mut out, 1, failure.code as u64);
    wire::put_bytes(&mut out, 2, failure.message.as_bytes());
    let details = wire::open(&mut out, 3);
    wire::put_bytes(&mut out, 1, b"type.googleapis.com/google.rpc.RetryInfo");
    let retry_info = wire::open(&mut out, 2);
    let delay = wire::open(&mut out, 1);
    wire::put_uint(&mut out, 1, retry_after.as_secs());
    wire::put_uint(&mut out, 2, u64::from(retry_after.subsec_nanos()));
    wire::close(&mut out, delay);
    wire::close(&mut out, retry_info);
    wire::close(&mut out, details);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_other_than_one_message_is_refused() {
        let framed = |length: u32, content: &[u8]| {
            let mut body = grpc::prefix(false, length).to_vec();
            body.extend_from_slice(content);
            message(&body.into())
        };
        assert_eq!(framed(3, b"abc"), Ok((false, Bytes::from_static(b"abc"))));
        assert!(framed(2, b"abc").is_err());
        assert!(framed(4, b"abc").is_err());
        assert!(message(&Bytes::from_static(b"abc")).is_err());
    }

    #[test]
    fn an_overload_says_when_to_come_back() {
        let failure = Failure::overload("full".into(), Duration::from_millis(1_500));
        let response = refused(&failure);
        assert_eq!(response.headers()["grpc-status"], "14");
        let details = STANDARD_NO_PAD.decode(&response.headers()["grpc-status-details-bin"]).unwrap();
        let delay = [0x08, 1, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01];
        assert!(details.windows(delay.len()).any(|part| part == delay), "{details:?}");
    }
}
