//! What is found in which kind of input, where it is said to be, and that no secret is ever told.

use std::io::Cursor;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use spanmill_mask::Masker;

use super::*;

const CARD: &str = "4111111111111111";

/// What is written about `input`, and whether something was found.
fn scanned(input: &[u8], format: Format) -> (String, bool) {
    let masker = Masker::standard();
    let mut output = Vec::new();
    let mut report = Report::new(&masker, format, Box::new(&mut output));
    scan_input("in", Box::new(Cursor::new(input.to_vec())), 0, &mut report).unwrap();
    let found = report.finish().unwrap();
    let output = String::from_utf8(output).unwrap();
    assert!(!output.contains(CARD) && !output.contains("hunter2"), "a secret is told: {output}");
    (output, found)
}

fn lines(input: &[u8]) -> Vec<String> {
    let (output, found) = scanned(input, Format::Text);
    let mut lines: Vec<String> = output.lines().map(str::to_owned).collect();
    let summary = lines.pop().unwrap();
    assert_eq!(found, !lines.is_empty(), "{summary}");
    lines
}

fn text(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn request() -> ExportTraceServiceRequest {
    let list = ArrayValue {
        values: vec![AnyValue::default(), AnyValue { value: Some(Value::IntValue(4_111_111_111_111_111)) }],
    };
    let span = Span {
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        name: format!("pay {CARD}"),
        attributes: vec![
            text("db.password", Value::StringValue("hunter2".into())),
            text("cards", Value::ArrayValue(list)),
            text(CARD, Value::StringValue("x".into())),
        ],
        events: vec![Event {
            name: "sent".into(),
            attributes: vec![text("body", Value::BytesValue(format!("{{\"é\":\"{CARD}\"}}").into()))],
            ..Event::default()
        }],
        status: Some(Status { message: "cvv=123 wrong".into(), code: 2 }),
        ..Span::default()
    };
    let resource = Resource {
        attributes: vec![text("host.name", Value::StringValue(CARD.into()))],
        ..Resource::default()
    };
    let scope_spans = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![scope_spans],
            ..ResourceSpans::default()
        }],
    }
}

/// The findings in [`request`], whatever form it has.
fn check_request(lines: &[String]) {
    let ids = format!("in: trace {} span {}: ", "ab".repeat(16), "cd".repeat(8));
    let want = [
        "in: resource, attribute \"host.name\", character 1: pan: 411111******1111".to_owned(),
        format!("{ids}name, character 5: pan: 411111******1111"),
        format!("{ids}attribute \"db.password\", character 1: key: [masked]"),
        format!("{ids}attribute \"cards\"[1], character 1: pan: 411111******1111"),
        format!("{ids}attribute \"411111******1111\", key, character 1: pan: 411111******1111"),
        format!("{ids}event \"sent\", attribute \"body\", character 7: pan: 411111******1111"),
        format!("{ids}status, message, character 5: sad: [masked]"),
    ];
    assert_eq!(lines, want);
}

#[test]
fn text_is_told_by_line_and_column() {
    let found = lines(format!("one\nzwei ü {CARD}\r\n\npassword=hunter2 {CARD}").as_bytes());
    assert_eq!(
        found,
        ["in:2:8: pan: 411111******1111", "in:4:10: key: [masked]", "in:4:18: pan: 411111******1111",]
    );
    assert_eq!(lines(b"nothing to see\nhere"), Vec::<String>::new());
    assert_eq!(lines(b""), Vec::<String>::new());
}

#[test]
fn json_lines_are_text() {
    let found = lines(format!("{{\"a\":1}}\n{{\"cvv\":\"123\",\"n\":{CARD}}}\n").as_bytes());
    assert_eq!(found, ["in:2:9: sad: [masked]", "in:2:18: pan: 411111******1111"]);
}

#[test]
fn one_endless_line_is_read_in_windows_and_each_secret_told_once() {
    let mut text = Vec::new();
    let mut places = Vec::new();
    while text.len() < 4 << 20 {
        text.extend(vec![b'x'; 65_000 + places.len()]);
        text.push(b' ');
        places.push(text.len() as u64 + 1);
        text.extend(CARD.as_bytes());
        text.push(b' ');
    }
    let found = lines(&text);
    let want: Vec<String> = places.iter().map(|at| format!("in:1:{at}: pan: 411111******1111")).collect();
    assert_eq!(found, want);
}

#[test]
fn a_key_at_the_end_of_one_window_announces_its_value_in_the_next() {
    for before in [(1 << 20) - 20, (1 << 20) - 3, (1 << 20) + 65_536 - 4] {
        let text = ["x".repeat(before), " password=hunter2 ".into(), "y".repeat(200_000)].concat();
        assert_eq!(lines(text.as_bytes()), [format!("in:1:{}: key: [masked]", before + 11)]);
    }
}

#[test]
fn otlp_is_told_by_span_and_position_in_every_form() {
    let encoded = request().encode_to_vec();
    check_request(&lines(&encoded));
    let json = serde_json::to_string(&request()).unwrap();
    check_request(&lines(json.as_bytes()));
    check_request(&lines(serde_json::to_string_pretty(&request()).unwrap().as_bytes()));
    check_request(&lines(&request().encode_length_delimited_to_vec()));
    let four_bytes = [&u32::try_from(encoded.len()).unwrap().to_be_bytes()[..], &encoded].concat();
    check_request(&lines(&four_bytes));
    for several in [
        encoded.repeat(3),
        request().encode_length_delimited_to_vec().repeat(3),
        four_bytes.repeat(3),
        format!("{json}\n").repeat(3).into_bytes(),
    ] {
        let found = lines(&several);
        assert_eq!(found.len(), 21);
        found.chunks(7).for_each(check_request);
    }
}

#[test]
fn a_damaged_file_is_read_as_text() {
    let mut encoded = request().encode_to_vec();
    encoded.extend(format!("\u{1}\u{2} broken {CARD}").into_bytes());
    let found = lines(&encoded);
    assert!(found.len() > 7 && found.last().unwrap().contains("pan"), "{found:?}");
    let json = serde_json::to_string(&request()).unwrap() + "\nnot json, pwd=hunter2\n";
    let found = lines(json.as_bytes());
    assert_eq!(found.last().unwrap(), "in:2:15: key: [masked]");
}

#[test]
fn json_output_has_one_object_a_line_and_a_summary() {
    let (output, found) = scanned(format!("x {CARD}").as_bytes(), Format::Json);
    let objects: Vec<serde_json::Value> =
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let want =
        serde_json::json!({"source":"in","line":1,"column":3,"rule":"pan","masked":"411111******1111"});
    assert_eq!(objects[0], want);
    assert_eq!(objects[1], serde_json::json!({"found":1,"bytes":18,"spans":0}));
    assert!(found);
    let (output, _) = scanned(&request().encode_to_vec(), Format::Json);
    let first: serde_json::Value = serde_json::from_str(output.lines().nth(1).unwrap()).unwrap();
    assert_eq!(first["span_id"], "cd".repeat(8));
    assert_eq!(first["in"], "name");
}

#[test]
fn what_the_daemon_masked_is_clean() {
    let masking = crate::mask::Masking::new(Masker::standard().into(), Default::default());
    let body = request().encode_to_vec().into();
    let received = crate::receive::ReceivedBatch {
        body,
        transport: crate::outcome::Transport::Grpc,
        received_unix_ns: 0,
        hops: 0,
        origin: None,
    };
    let masked = masking.apply(received).unwrap().batch;
    assert_eq!(lines(masked.bytes()), Vec::<String>::new());
}
