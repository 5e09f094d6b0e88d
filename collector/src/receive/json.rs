//! OTLP/JSON to protobuf, once; from there both take the same path.
//!
//! This is the one place of the receive path where objects are built: JSON is the slow way in, and says so in
//! the documentation.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::error::Category;

/// The protobuf form of an OTLP/JSON request; the error says where the JSON is wrong.
pub fn to_protobuf(json: &[u8]) -> Result<Bytes, String> {
    // serde would take an array for an object, its items being the fields in their order.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err("the body is not an OTLP/JSON trace export request: it is not an object".to_owned());
    }
    let request: ExportTraceServiceRequest = serde_json::from_slice(json).map_err(|error| refusal(&error))?;
    Ok(request.encode_to_vec().into())
}

/// What is wrong and where. Not in serde's words: they quote the value, and it is not masked yet.
fn refusal(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Eof => "it ends too early",
        Category::Data => "a value is not of the type that OTLP gives its field",
        Category::Syntax | Category::Io => "it is not JSON",
    };
    let (line, column) = (error.line(), error.column());
    format!("the body is not an OTLP/JSON trace export request: {what}, line {line} column {column}")
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value;

    use super::*;

    /// As the OTLP specification writes it: hex ids, 64-bit numbers as text, enums as numbers.
    const BY_THE_BOOK: &str = r#"{"resourceSpans":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"scope":{"name":"s"},"spans":[{
        "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":"",
        "name":"pay","kind":3,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000",
        "attributes":[{"key":"n","value":{"intValue":"7"}}],"status":{"code":2,"message":"no"}}]}]}]}"#;

    fn decoded(json: &str) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(to_protobuf(json.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_request_by_the_book_is_understood() {
        let request = decoded(BY_THE_BOOK);
        let span = &request.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!(span.trace_id[..2], [0x5b, 0x8e]);
        assert_eq!((span.kind, span.end_time_unix_nano), (3, 1_544_712_661_000_000_000));
        let value = span.attributes[0].value.clone().unwrap().value.unwrap();
        assert_eq!(value, any_value::Value::IntValue(7));
    }

    #[test]
    fn numbers_as_numbers_missing_and_unknown_fields_are_understood_too() {
        let request = decoded(
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
            "spanId":"eee19b7ec3c1b174","name":"x","startTimeUnixNano":1544712660000000000,"newField":{"a":[1]},
            "attributes":[{"key":"n","value":{"intValue":7}},{"key":"d","value":{"doubleValue":1.5}},
            {"key":"e"},{"key":"l","value":{"arrayValue":{"values":[{"boolValue":true}]}}}]}]}]}]}"#,
        );
        let span = &request.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!(span.start_time_unix_nano, 1_544_712_660_000_000_000);
        assert_eq!(span.attributes.len(), 4);
    }

    #[test]
    fn what_is_not_otlp_is_refused_with_its_place() {
        let error = to_protobuf(br#"{"resourceSpans":[{"scopeSpans":7}]}"#).unwrap_err();
        assert!(error.contains("line 1 column"), "{error}");
        assert!(to_protobuf(b"[]").is_err());
    }

    #[test]
    fn a_refusal_does_not_quote_the_body() {
        for body in [
            r#"{"resourceSpans":"4111111111111111"}"#,
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"x4111111111111111"}]}]}]}"#,
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"4111111111111111"}]}]}]}"#,
        ] {
            let error = to_protobuf(body.as_bytes()).unwrap_err();
            assert!(!error.contains("4111"), "{error}");
        }
    }
}
