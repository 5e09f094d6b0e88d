use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use prost::Message;
use spanmill_mask::{Config, UserRule};
use spanmill_proto::wire;

use super::splice::{Edit, splice};
use super::*;
use crate::outcome::Transport;

const CARD: &str = "4111111111111111";
const MASKED: &str = "411111******1111";

fn text(value: impl Into<String>) -> any_value::Value {
    any_value::Value::StringValue(value.into())
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn span() -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], kind: 3, name: "pay".into(), ..Default::default() }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = ScopeSpans { spans, ..Default::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans: vec![scope_spans], ..Default::default() }],
    }
}

fn masking() -> (Masking, Arc<Outcomes>) {
    let outcomes = Arc::new(Outcomes::default());
    (Masking::new(Arc::new(Masker::standard()), Arc::clone(&outcomes)), outcomes)
}

fn apply(body: impl Into<Bytes>) -> Result<Masked, Malformed> {
    let body = body.into();
    masking().0.apply(ReceivedBatch {
        body,
        transport: Transport::Grpc,
        received_unix_ns: 1,
        hops: 0,
        origin: None,
    })
}

fn decoded(masked: &Masked) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(masked.batch.bytes().clone()).unwrap()
}

/// A card number in each place of a request that holds text or a number.
fn planted_everywhere() -> ExportTraceServiceRequest {
    let planted = || format!("before {CARD} after");
    let list = KeyValueList { values: vec![attribute("inner", text(planted()))] };
    let array = ArrayValue { values: vec![AnyValue { value: Some(text(planted())) }] };
    let attributes = vec![
        attribute("text", text(planted())),
        attribute("bytes", any_value::Value::BytesValue(planted().into_bytes())),
        attribute("int", any_value::Value::IntValue(CARD.parse().unwrap())),
        attribute("double", any_value::Value::DoubleValue(CARD.parse().unwrap())),
        attribute("array", any_value::Value::ArrayValue(array)),
        attribute("list", any_value::Value::KvlistValue(list)),
        attribute(&planted(), text("key")),
        attribute("password", text("hunter2 correct horse")),
    ];
    let event = Event { name: planted(), attributes: attributes.clone(), ..Default::default() };
    let link = Link {
        trace_id: vec![3; 16],
        span_id: vec![4; 8],
        trace_state: format!("a={CARD}"),
        attributes: attributes.clone(),
        ..Default::default()
    };
    let span = Span {
        name: planted(),
        trace_state: format!("a={CARD}"),
        attributes: attributes.clone(),
        events: vec![event],
        links: vec![link],
        status: Some(Status { message: planted(), code: 2 }),
        ..span()
    };
    let scope = InstrumentationScope {
        name: planted(),
        version: planted(),
        attributes: attributes.clone(),
        ..Default::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans: vec![span], schema_url: planted() }],
            schema_url: planted(),
        }],
    }
}

#[test]
fn a_card_number_in_any_place_of_a_request_is_masked() {
    let masked = apply(planted_everywhere().encode_to_vec()).unwrap();
    let request = decoded(&masked);
    let shown = format!("{request:?}");
    assert!(!shown.contains(CARD), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let bytes = masked.batch.bytes();
    assert!(!bytes.windows(CARD.len()).any(|window| window == CARD.as_bytes()));
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.name, format!("before {MASKED} after"));
    let int = span.attributes.iter().find(|attribute| attribute.key == "int").unwrap();
    assert_eq!(int.value.as_ref().unwrap().value, Some(text(MASKED)), "a masked number becomes text");
}

#[test]
fn a_request_without_a_secret_passes_byte_for_byte() {
    let mut clean = request(vec![span(), span()]);
    let resource = Resource { attributes: vec![attribute("n", text("1"))], ..Default::default() };
    clean.resource_spans[0].resource = Some(resource);
    let mut body = clean.encode_to_vec();
    // What a newer OTLP might add, and a length that is not minimal.
    wire::put_bytes(&mut body, 77, b"unknown");
    body.extend_from_slice(&[0x0a, 0x80, 0x00]);
    let body = Bytes::from(body);
    let masked = apply(body.clone()).unwrap();
    assert_eq!(masked.batch.bytes().as_ptr(), body.as_ptr(), "not even copied");
    assert_eq!((masked.batch.spans(), masked.rejected_spans), (2, 0));
}

#[test]
fn a_secret_in_a_field_of_a_newer_otlp_is_masked_without_moving_a_byte() {
    let mut body = request(vec![span()]).encode_to_vec();
    wire::put_bytes(&mut body, 77, format!("new {CARD}").as_bytes());
    let masked = apply(body.clone()).unwrap();
    assert_eq!(masked.batch.bytes().len(), body.len());
    assert!(masked.batch.bytes().ends_with(format!("new {MASKED}").as_bytes()));
}

#[test]
fn spans_with_invalid_ids_are_cut_out_and_counted() {
    let planted = vec![attribute("text", text(CARD))];
    let no_trace = Span { trace_id: vec![0; 16], attributes: planted.clone(), ..span() };
    let no_span = Span { span_id: vec![], ..span() };
    let good = Span { name: "good".into(), attributes: planted, ..span() };
    let masked = apply(request(vec![no_trace, good, no_span]).encode_to_vec()).unwrap();
    assert_eq!((masked.batch.spans(), masked.rejected_spans), (1, 2));
    let spans = &decoded(&masked).resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].name, "good");
    assert_eq!(spans[0].attributes[0].value.as_ref().unwrap().value, Some(text(MASKED)));
}

#[test]
fn hits_are_counted_by_rule() {
    let (masking, outcomes) = masking();
    let body = planted_everywhere().encode_to_vec().into();
    masking
        .apply(ReceivedBatch { body, transport: Transport::Http, received_unix_ns: 1, hops: 0, origin: None })
        .unwrap();
    let hits = outcomes.masked_by_rule();
    assert!(hits.iter().any(|(rule, hits)| rule == "pan" && *hits >= 30), "{hits:?}");
}

#[test]
fn hits_of_own_rules_stay_with_their_names_over_a_reload() {
    let (masking, outcomes) = masking();
    let reload = |names: &[&str]| {
        let rules =
            names.iter().map(|name| UserRule { name: (*name).into(), pattern: format!("{name}-[0-9]+") });
        let config = Config { rules: rules.collect(), ..Config::default() };
        masking.reload(Arc::new(Masker::new(config).unwrap()));
        let span = Span { attributes: vec![attribute("note", text("aa-1 bb-2 bb-3"))], ..span() };
        let body = request(vec![span]).encode_to_vec().into();
        let batch =
            ReceivedBatch { body, transport: Transport::Http, received_unix_ns: 1, hops: 0, origin: None };
        masking.apply(batch).unwrap();
        let hits = outcomes.masked_by_rule().into_iter().filter(|(rule, _)| rule.starts_with("user:"));
        hits.map(|(rule, hits)| format!("{rule} {hits}")).collect::<Vec<_>>()
    };
    assert_eq!(reload(&["aa"]), ["user:aa 1"]);
    assert_eq!(reload(&["bb"]), ["user:aa 1", "user:bb 2"]);
    assert_eq!(reload(&["bb", "aa"]), ["user:aa 2", "user:bb 4"]);
}

#[test]
fn values_nested_too_deep_are_refused() {
    let nested = |depth: usize| {
        let mut value = text("x");
        for _ in 0..depth {
            let values = vec![AnyValue { value: Some(value) }];
            value = any_value::Value::ArrayValue(ArrayValue { values });
        }
        request(vec![Span { attributes: vec![attribute("deep", value)], ..span() }]).encode_to_vec()
    };
    assert!(apply(nested(20)).is_ok());
    assert_eq!(apply(nested(40)).unwrap_err(), Malformed::TooDeep);
}

#[test]
fn what_is_not_a_request_is_refused() {
    assert!(apply(Bytes::from_static(b"not protobuf at all")).is_err());
    let mut wrong_type = Vec::new();
    wire::put_uint(&mut wrong_type, 1, 5);
    assert_eq!(apply(wrong_type).unwrap_err(), Malformed::UnexpectedWireType(1));
    assert_eq!(apply(Bytes::new()).unwrap().batch.spans(), 0);
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(CARD.to_owned()),
        Just(format!("card {CARD}.")),
        Just("5500 0000 0000 0004".to_owned()),
        "[a-z =/]{0,200}",
    ]
}

fn any_value_tree() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any_text().prop_map(text),
        any::<i64>().prop_map(any_value::Value::IntValue),
        Just(any_value::Value::IntValue(4_111_111_111_111_111)),
        any::<bool>().prop_map(any_value::Value::BoolValue),
    ]
    .prop_map(|value| AnyValue { value: Some(value) });
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|values| AnyValue {
                value: Some(any_value::Value::ArrayValue(ArrayValue { values }))
            }),
            proptest::collection::vec(("[a-z]{1,5}", inner), 0..4).prop_map(|values| {
                let values = values
                    .into_iter()
                    .map(|(key, value)| KeyValue { key, value: Some(value), ..Default::default() })
                    .collect();
                AnyValue { value: Some(any_value::Value::KvlistValue(KeyValueList { values })) }
            }),
        ]
    })
}

fn any_request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let attributes = proptest::collection::vec((any_text(), any_value_tree()), 0..6).prop_map(|values| {
        let value = |(key, value)| KeyValue { key, value: Some(value), ..Default::default() };
        values.into_iter().map(value).collect::<Vec<_>>()
    });
    let spans = (any_text(), attributes, any::<bool>()).prop_map(|(name, attributes, valid)| Span {
        name,
        attributes,
        trace_id: vec![u8::from(valid); 16],
        ..span()
    });
    proptest::collection::vec(spans, 0..6).prop_map(request)
}

/// The same rules, the slow way: on decoded objects.
fn mask_value(masker: &Masker, key: spanmill_mask::Key, value: &mut AnyValue) {
    let report = &mut Report::default();
    match &mut value.value {
        Some(any_value::Value::StringValue(string)) => mask_string(masker, key, string),
        Some(any_value::Value::IntValue(int)) => {
            if let Some(masked) = masker.int(key, *int, report) {
                value.value = Some(text(masked));
            }
        }
        Some(any_value::Value::ArrayValue(array)) => {
            array.values.iter_mut().for_each(|inner| mask_value(masker, key, inner));
        }
        Some(any_value::Value::KvlistValue(list)) => {
            list.values.iter_mut().for_each(|inner| mask_attribute(masker, key, inner));
        }
        _ => {}
    }
}

fn mask_attribute(masker: &Masker, outer: spanmill_mask::Key, attribute: &mut KeyValue) {
    let key = match masker.key(attribute.key.as_bytes()) {
        spanmill_mask::Key::Plain => outer,
        key => key,
    };
    mask_string(masker, spanmill_mask::Key::Plain, &mut attribute.key);
    if let Some(value) = &mut attribute.value {
        mask_value(masker, key, value);
    }
}

fn mask_string(masker: &Masker, key: spanmill_mask::Key, string: &mut String) {
    if let Some(masked) = masker.text(key, string.as_bytes(), &mut Report::default()) {
        *string = String::from_utf8(masked).unwrap();
    }
}

fn masked_as_objects(mut request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    let (masker, plain) = (Masker::standard(), spanmill_mask::Key::Plain);
    for scope_spans in &mut request.resource_spans[0].scope_spans {
        scope_spans.spans.retain(|span| span.trace_id != [0; 16]);
        for span in &mut scope_spans.spans {
            mask_string(&masker, plain, &mut span.name);
            span.attributes.iter_mut().for_each(|attribute| mask_attribute(&masker, plain, attribute));
        }
    }
    request
}

proptest! {
    #[test]
    fn masking_bytes_is_masking_objects(request in any_request()) {
        let masked = apply(request.encode_to_vec()).unwrap();
        prop_assert_eq!(decoded(&masked), masked_as_objects(request));
    }

    #[test]
    fn masking_twice_is_masking_once(request in any_request()) {
        let once = apply(request.encode_to_vec()).unwrap();
        let twice = apply(once.batch.bytes().clone()).unwrap();
        prop_assert_eq!(once.batch.bytes(), twice.batch.bytes());
    }

    #[test]
    fn garbage_is_answered_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(apply(body));
    }

    #[test]
    fn flipped_bytes_are_answered_without_a_panic(
        request in any_request(), flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let mut body = request.encode_to_vec();
        if !body.is_empty() {
            for (index, byte) in flips {
                let at = index.index(body.len());
                body[at] = byte;
            }
            if let Ok(masked) = apply(body) {
                // What was accepted must still be readable after splicing: UTF-8 aside, as prost reads it.
                prop_assert!(spanmill_proto::otlp::count_spans(masked.batch.bytes()).is_ok());
            }
        }
    }
}

#[test]
fn an_edit_of_equal_length_only_overwrites() {
    // A length that is not minimal stays as it is when the content keeps its size.
    let mut span_bytes = span().encode_to_vec();
    let name_at = span_bytes.windows(3).position(|window| window == b"pay").unwrap();
    let body = {
        let mut scope = vec![0x12, 0x80 | span_bytes.len() as u8, 0x00];
        scope.append(&mut span_bytes);
        let mut resource = Vec::new();
        wire::put_bytes(&mut resource, 2, &scope);
        let mut body = Vec::new();
        wire::put_bytes(&mut body, 1, &resource);
        body
    };
    let at = body.windows(3).position(|window| window == b"pay").unwrap();
    assert!(at > name_at);
    let edit = |bytes: &[u8]| Edit { start: at - 1, end: at + 3, bytes: bytes.to_vec() };
    let same = splice(&body, &[edit(b"\x03***")]).unwrap();
    assert_eq!(same.len(), body.len());
    let shorter = splice(&body, &[edit(b"\x01*")]).unwrap();
    assert_eq!(shorter.len(), body.len() - 3, "two bytes of the name, one of the length that was too long");
    assert_eq!(
        ExportTraceServiceRequest::decode(&shorter[..]).unwrap().resource_spans[0].scope_spans[0].spans[0]
            .name,
        "*"
    );
}
