//! Card numbers in every position of a span: none of them is in any byte that leaves the daemon.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValueList,
};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;
use spanmill_proto::wire;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::spans::{attribute, call, hex, int, request, text, trace_id, with};
use spanmill_tests::wait::PATIENCE;

/// Planted numbers; each place gets one of its own, so that a leak says where it came from.
#[derive(Default)]
struct Planted(Vec<(&'static str, String)>);

impl Planted {
    /// A new card number with a valid check digit.
    fn card(&mut self, place: &'static str) -> String {
        let body = format!("4{:014}", 123_400_000_000 + 7_919 * self.0.len());
        let number = format!("{body}{}", check_digit(&body));
        self.0.push((place, number.clone()));
        number
    }

    /// Panics unless `text` has the masked form of what was planted at `place`: it travelled, and was masked.
    #[track_caller]
    fn is_masked_in(&self, text: &str, place: &str) {
        let masked = |number: &str| format!("{}******{}", &number[..6], &number[12..]);
        let mut planted = self.0.iter().filter(|(other, _)| *other == place);
        assert!(planted.any(|(_, number)| text.contains(&masked(number))), "{place} is not masked in {text}");
    }

    /// Panics when one of the numbers is in `bytes`: as digits, written in groups, or as a protobuf number.
    #[track_caller]
    fn are_not_in(&self, what: &str, bytes: &[u8]) {
        let contains = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        for (place, number) in &self.0 {
            let value: u64 = number.parse().expect("a card number is a number");
            let mut varint = Vec::new();
            wire::put_varint(&mut varint, value);
            let spaced = grouped(number, ' ');
            let dashed = grouped(number, '-');
            let forms = [number.as_bytes(), spaced.as_bytes(), dashed.as_bytes(), &varint];
            let double = (value as f64).to_le_bytes();
            assert!(
                !forms.into_iter().chain([&double[..]]).any(contains),
                "{what} has the number of: {place}"
            );
        }
    }
}

pub(super) fn check_digit(body: &str) -> u32 {
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (u32::from(digit - b'0'), at % 2) {
            (digit, 0) => digit / 5 + digit * 2 % 10,
            (digit, _) => digit,
        })
        .sum();
    (10 - sum % 10) % 10
}

fn grouped(number: &str, separator: char) -> String {
    let groups: Vec<&str> = (0..number.len()).step_by(4).map(|at| &number[at..at + 4]).collect();
    groups.join(&separator.to_string())
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn no_planted_card_number_is_in_any_output_byte() {
    let Some(jaeger) = Jaeger::start() else { return };
    let mut daemon = Daemon::builder().forwarding_to(jaeger.otlp()).start();
    let mut planted = Planted::default();
    let trace_id = trace_id();
    let message = encoded(&poisoned(&trace_id, &mut planted), &planted.card("unknown field"));
    daemon.send(message);
    let json = serde_json::to_vec(&poisoned(&trace_id, &mut planted)).expect("OTLP is JSON");
    assert_eq!(daemon.post(&[("content-type", "application/json")], json).status(), 200);
    // What is refused is not quoted either, neither to the sender nor in the log.
    let refusal = malformed(&daemon, &planted.card("malformed JSON"));
    planted.are_not_in("the refusal", refusal.as_bytes());

    let id = hex(&trace_id);
    jaeger.wait_for_spans(&id, 2);
    daemon.wait_for_calls("acme-bank.example", 2, PATIENCE);
    let in_jaeger = jaeger.trace(&id).expect("it was there");
    planted.are_not_in("Jaeger", in_jaeger.as_bytes());
    for place in [
        "span name",
        "attribute text",
        "attribute int",
        "list in a map",
        "event name",
        "event attribute",
        "link attribute",
        "status message",
        "tracestate",
        "resource attribute",
        "scope name",
    ] {
        planted.is_masked_in(&in_jaeger, place);
    }
    for path in [
        "/api/v1/providers?window=60s",
        "/api/v1/providers/acme-bank.example/series",
        "/api/v1/stats",
        &format!("/api/v1/traces/{id}"),
        "/metrics",
        "/readyz",
    ] {
        let answer = daemon.get(path);
        assert_eq!(answer.status(), 200, "{path}");
        planted.are_not_in(path, &answer.bytes().expect("an answer has a body"));
    }
    planted.are_not_in("/api/v1/events", events(&daemon).as_bytes());
    let masked = &daemon.json("/api/v1/stats")["masked"]["pan"];
    assert!(masked.as_u64() >= Some(40), "every place is counted: {masked}");

    daemon.terminate();
    let mut files = 0;
    on_disk(&daemon.data_dir(), &mut |path, bytes| {
        files += 1;
        planted.are_not_in(&path.display().to_string(), bytes);
    });
    assert!(files > 0, "the journal has files");
    planted.are_not_in("the daemon's log", daemon.log().as_bytes());
    // The search itself finds what is there.
    let found = std::panic::catch_unwind(|| {
        let mut planted = Planted::default();
        let number = planted.card("here");
        planted.are_not_in("a text with it", format!("x{number}y").as_bytes());
    });
    assert!(found.is_err());
}

/// A call with a card number in each place that can hold text or a number.
fn poisoned(trace_id: &[u8], planted: &mut Planted) -> ExportTraceServiceRequest {
    let mut card = |place| planted.card(place);
    let span = call(trace_id, 1, "api.acme-bank.example", Duration::from_millis(50));
    let attributes = vec![
        text("payment.note", &format!("card {} declined", card("attribute text"))),
        text("payment.spaced", &grouped(&card("attribute text, spaced"), ' ')),
        text("payment.dashed", &grouped(&card("attribute text, dashed"), '-')),
        text("url.full", &format!("https://api.acme-bank.example/pay?pan={}&x=1", card("query of a URL"))),
        text("http.request.body", &format!("{{\"number\":\"{}\"}}", card("JSON in a text"))),
        int("payment.reference", card("attribute int").parse().expect("a number")),
        attribute("payment.amount", Value::DoubleValue(card("attribute double").parse().expect("a number"))),
        attribute("payment.raw", Value::BytesValue(card("attribute bytes").into_bytes())),
        text(&format!("card.{}", card("attribute key")), "x"),
        attribute("payment.list", list(vec![card("list item")])),
        attribute(
            "payment.map",
            Value::KvlistValue(KeyValueList {
                values: vec![
                    text(&card("map key"), "x"),
                    text("deep", &card("map value")),
                    attribute("deeper", list(vec![card("list in a map")])),
                ],
            }),
        ),
        text("rpc.method", &card("operation")),
        text("error.type", &card("error type")),
    ];
    let span = Span {
        name: format!("POST /cards/{}", card("span name")),
        trace_state: format!("shop={}", card("tracestate")),
        events: vec![Event {
            name: format!("card {} read", card("event name")),
            attributes: vec![
                text("body", &card("event attribute")),
                text(&card("event attribute key"), "x"),
                int("number", card("event attribute int").parse().expect("a number")),
            ],
            ..Event::default()
        }],
        links: vec![Link {
            trace_id: vec![7; 16],
            span_id: vec![7; 8],
            trace_state: format!("shop={}", card("link tracestate")),
            attributes: vec![text("of", &card("link attribute")), text(&card("link attribute key"), "x")],
            ..Link::default()
        }],
        status: Some(Status { message: format!("no such card {}", card("status message")), code: 2 }),
        ..attributes.into_iter().fold(span, with)
    };
    let mut request = request(vec![span]);
    let resource_spans = &mut request.resource_spans[0];
    resource_spans.schema_url = format!("https://schema.example/{}", card("schema URL of the resource"));
    let resource = resource_spans.resource.as_mut().expect("it was made with one");
    resource.attributes.push(text("service.version", &card("resource attribute")));
    resource.attributes.push(text(&card("resource attribute key"), "x"));
    resource.attributes.push(text("host.name", &card("host name")));
    resource.entity_refs.push(EntityRef {
        schema_url: format!("https://schema.example/entity/{}", card("schema URL of an entity")),
        r#type: "service".to_owned(),
        id_keys: vec![card("key of an entity")],
        description_keys: vec![card("description key of an entity")],
    });
    let scope_spans = &mut resource_spans.scope_spans[0];
    scope_spans.schema_url = format!("https://schema.example/{}", card("schema URL of the scope"));
    scope_spans.scope = Some(InstrumentationScope {
        name: card("scope name"),
        version: card("scope version"),
        attributes: vec![text("of", &card("scope attribute"))],
        ..InstrumentationScope::default()
    });
    request
}

fn list(texts: Vec<String>) -> Value {
    let values = texts.into_iter().map(|text| AnyValue { value: Some(Value::StringValue(text)) }).collect();
    Value::ArrayValue(ArrayValue { values })
}

/// The request with an unknown field in its resource that holds `card`: a newer OTLP must not be a hole.
fn encoded(request: &ExportTraceServiceRequest, card: &str) -> Vec<u8> {
    let mut resource_spans = request.resource_spans[0].encode_to_vec();
    wire::put_bytes(&mut resource_spans, 900, card.as_bytes());
    let mut out = Vec::new();
    wire::put_bytes(&mut out, 1, &resource_spans);
    out
}

/// A JSON body with a card number where a number of another kind belongs; gives the answer.
fn malformed(daemon: &Daemon, card: &str) -> String {
    let body = format!(
        "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{\"traceId\":\"{card}\",\"kind\":\"{card}\",\
         \"{card}\":1,\"startTimeUnixNano\":\"x{card}\"}}]}}]}}]}}"
    );
    let answer = daemon.post(&[("content-type", "application/json")], body.into_bytes());
    assert_eq!(answer.status(), 400);
    answer.text().expect("an answer has a body")
}

/// The first boards of the event stream.
pub(super) fn events(daemon: &Daemon) -> String {
    let mut lines = BufReader::new(daemon.get("/api/v1/events")).lines();
    let mut seen = String::new();
    let mut boards = 0;
    while boards < 2 {
        let line = lines.next().expect("the stream goes on").expect("the stream goes on");
        boards += usize::from(line.starts_with("data:") && line.contains("acme-bank.example"));
        seen += &line;
        seen.push('\n');
    }
    seen
}

pub(super) fn on_disk(folder: &Path, visit: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            on_disk(&path, visit);
        } else if path.is_file() {
            visit(&path, &fs::read(&path).expect("the file can be read"));
        }
    }
}
