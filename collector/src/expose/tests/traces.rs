//! The look-up of a trace.

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData, span};
use prost::Message;

use super::*;

const WANTED: [u8; 16] =
    [0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36];
const PATH: &str = "/api/v1/traces/4bf92f3577b34da6a3ce929d0e0e4736";

fn attribute(key: &str, text: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..Default::default() }
}

fn a_span(trace_id: [u8; 16], number: u8) -> Span {
    let log = span::Event {
        time_unix_nano: 1,
        name: "response".to_owned(),
        attributes: vec![attribute("body", "<script>alert(1)</script>")],
        ..Default::default()
    };
    Span {
        trace_id: trace_id.to_vec(),
        span_id: vec![number; 8],
        name: format!("call {number}"),
        kind: 3,
        start_time_unix_nano: u64::MAX,
        events: vec![log],
        ..Default::default()
    }
}

fn of_service(service: &str, scopes: Vec<(&str, Vec<Span>)>) -> ResourceSpans {
    let scope = |(name, spans): (&str, Vec<Span>)| ScopeSpans {
        scope: Some(InstrumentationScope { name: name.to_owned(), ..Default::default() }),
        spans,
        ..Default::default()
    };
    ResourceSpans {
        resource: Some(Resource {
            attributes: vec![attribute("service.name", service)],
            ..Default::default()
        }),
        scope_spans: scopes.into_iter().map(scope).collect(),
        schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
    }
}

fn batch(resource_spans: Vec<ResourceSpans>, age: Duration) -> MaskedBatch {
    let bytes = TracesData { resource_spans }.encode_to_vec();
    MaskedBatch::restored(bytes.into(), 0, NOW_S * 1_000_000_000 - age.as_nanos() as u64, 0)
}

/// A batch with one span of the trace at [`PATH`].
pub(super) fn known() -> MaskedBatch {
    batch(vec![of_service("shop", vec![("", vec![a_span(WANTED, 1)])])], Duration::from_secs(1))
}

const OTHER: [u8; 16] = [7; 16];

#[tokio::test]
async fn a_trace_comes_as_otlp_json_with_its_own_spans_each_once() {
    let shop = of_service(
        "shop",
        vec![
            ("curl", vec![a_span(OTHER, 1), a_span(WANTED, 2), a_span(WANTED, 3)]),
            ("pdo", vec![a_span(OTHER, 4)]),
            ("redis", vec![a_span(WANTED, 5)]),
        ],
    );
    let other = of_service("other", vec![("curl", vec![a_span(OTHER, 6)])]);
    let bank = of_service("bank", vec![("curl", vec![a_span(WANTED, 7)])]);
    let mut facts = Known::new().await;
    let first = batch(vec![shop, other], Duration::from_secs(20));
    // The sender had no answer and sent it again.
    facts.batches = vec![first.clone(), first, batch(vec![bank], Duration::ZERO)];
    let answer = daemon_with(facts, Some("http://jaeger:16686")).get(PATH).await.json();

    assert_eq!(keys(&answer), ["complete", "jaeger_url", "resourceSpans", "truncated"]);
    assert_eq!(answer["complete"], false);
    assert_eq!(answer["truncated"], false);
    assert_eq!(answer["jaeger_url"], "http://jaeger:16686/trace/4bf92f3577b34da6a3ce929d0e0e4736");
    let span = &answer["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(span["spanId"], "0202020202020202");
    assert_eq!(span["startTimeUnixNano"], u64::MAX.to_string());
    assert_eq!(span["events"][0]["attributes"][0]["value"]["stringValue"], "<script>alert(1)</script>");

    let read_back: TracesData = serde_json::from_value(answer).unwrap();
    let want = TracesData {
        resource_spans: vec![
            of_service(
                "shop",
                vec![
                    ("curl", vec![a_span(WANTED, 2), a_span(WANTED, 3)]),
                    ("redis", vec![a_span(WANTED, 5)]),
                ],
            ),
            of_service("bank", vec![("curl", vec![a_span(WANTED, 7)])]),
        ],
    };
    assert_eq!(read_back, want);
}

#[tokio::test]
async fn a_trace_that_is_not_here_is_said_to_be_in_jaeger() {
    let mut facts = Known::new().await;
    // One whose id stands in a link only.
    let mut mention = a_span(OTHER, 2);
    mention.links.push(span::Link { trace_id: WANTED.to_vec(), ..Default::default() });
    facts.batches = vec![batch(vec![of_service("shop", vec![("curl", vec![mention])])], Duration::ZERO)];
    let with_ui = daemon_with(facts, Some("http://jaeger:16686")).get(PATH).await;
    assert_eq!(with_ui.status, 404);
    assert_eq!(
        with_ui.json(),
        serde_json::json!({
            "error": "trace 4bf92f3577b34da6a3ce929d0e0e4736 is not in this daemon's journal, which reaches back 1 min",
            "hint": "Jaeger would have it at http://jaeger:16686/trace/4bf92f3577b34da6a3ce929d0e0e4736"
        })
    );
    let without_ui = daemon(Known::new().await).get(PATH).await;
    assert_eq!(without_ui.status, 404);
    assert!(without_ui.json()["hint"].as_str().unwrap().contains("jaeger_ui"));
    assert_eq!(daemon(Known::new().await).get("/api/v1/traces/4bf9").await.status, 400);
}

#[tokio::test]
async fn a_trace_without_end_is_cut_off_and_says_so() {
    let mut facts = Known::new().await;
    let many = |from: u32| {
        let numbered = |number: u32| Span { name: number.to_string(), ..a_span(WANTED, 1) };
        let spans = (from..from + 4_000).map(numbered).collect();
        batch(vec![of_service("shop", vec![("curl", spans)])], Duration::ZERO)
    };
    facts.batches = vec![many(0), many(4_000), many(8_000)];
    let answer = daemon(facts).get(PATH).await.json();
    assert_eq!(answer["truncated"], true);
    let spans = |resource: &Value| resource["scopeSpans"][0]["spans"].as_array().unwrap().len();
    assert_eq!(answer["resourceSpans"].as_array().unwrap().iter().map(spans).sum::<usize>(), 10_000);
}

#[tokio::test]
async fn text_that_is_not_utf8_loses_its_span_and_not_the_trace() {
    let mut bytes = TracesData {
        resource_spans: vec![of_service("shop", vec![("curl", vec![a_span(WANTED, 1), a_span(WANTED, 2)])])],
    }
    .encode_to_vec();
    let at = bytes.windows(6).position(|text| text == b"call 1").unwrap();
    bytes[at] = 0xff;
    let mut facts = Known::new().await;
    facts.batches = vec![MaskedBatch::restored(bytes.into(), 2, NOW_S * 1_000_000_000, 0)];
    let answer = daemon(facts).get(PATH).await.json();
    let spans = answer["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0]["name"], "call 2");
}
