//! The masking stage on requests in odd shapes: fields in any order, repeated, split, unknown, padded.
//!
//! It must take what prost takes, and whoever decodes what it gives on must not find a planted secret, however the
//! parts of a message were spread over the bytes.

#[path = "../../proto/tests/against_prost/choices.rs"]
mod choices;
#[path = "../../proto/tests/against_prost/schema.rs"]
mod schema;

use std::sync::{Arc, LazyLock};

use choices::{Choices, request};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use spanmill_collector::mask::{Masked, Masking};
use spanmill_collector::outcome::{Outcomes, Transport};
use spanmill_collector::receive::ReceivedBatch;
use spanmill_mask::Masker;
use spanmill_proto::otlp;

const CARD: &str = "4111111111111111";
const SECRET: &str = "correct horse battery";
const PLANTED: [&str; 4] = [CARD, SECRET, "password", "cvv"];

fn mask(message: &[u8]) -> Option<Masked> {
    static MASKER: LazyLock<Arc<Masker>> = LazyLock::new(|| Arc::new(Masker::standard()));
    let masking = Masking::new(Arc::clone(&MASKER), Arc::new(Outcomes::default()));
    let body = message.to_vec().into();
    masking
        .apply(ReceivedBatch { body, transport: Transport::Http, received_unix_ns: 1, hops: 0, origin: None })
        .ok()
}

/// Each attribute of a request, of whatever part of it.
fn attributes(request: &ExportTraceServiceRequest) -> Vec<&KeyValue> {
    let mut found = Vec::new();
    for resource in &request.resource_spans {
        found.extend(resource.resource.iter().flat_map(|resource| &resource.attributes));
        for scope in &resource.scope_spans {
            found.extend(scope.scope.iter().flat_map(|scope| &scope.attributes));
            for span in &scope.spans {
                found.extend(&span.attributes);
                found.extend(span.events.iter().flat_map(|event| &event.attributes));
                found.extend(span.links.iter().flat_map(|link| &link.attributes));
            }
        }
    }
    found
}

/// Attributes inside the value of another.
fn nested(value: &AnyValue) -> Vec<&KeyValue> {
    match &value.value {
        Some(Value::KvlistValue(list)) => {
            let deeper = list.values.iter().filter_map(|inner| inner.value.as_ref()).flat_map(nested);
            list.values.iter().chain(deeper).collect()
        }
        Some(Value::ArrayValue(list)) => list.values.iter().flat_map(nested).collect(),
        _ => Vec::new(),
    }
}

fn secrets_under_sensitive_keys(request: &ExportTraceServiceRequest) -> usize {
    let top = attributes(request);
    let inner = top.iter().filter_map(|attribute| attribute.value.as_ref()).flat_map(nested);
    let sensitive =
        inner.chain(top.iter().copied()).filter(|one| ["password", "cvv"].contains(&one.key.as_str()));
    sensitive.filter(|attribute| attribute.value.as_ref().is_some_and(holds_secret)).count()
}

/// Whether a text in the value is the secret. Keys of a map in it are names, also under a sensitive key.
fn holds_secret(value: &AnyValue) -> bool {
    match &value.value {
        Some(Value::StringValue(text)) => text.contains(SECRET),
        Some(Value::ArrayValue(list)) => list.values.iter().any(holds_secret),
        Some(Value::KvlistValue(list)) => {
            list.values.iter().filter_map(|inner| inner.value.as_ref()).any(holds_secret)
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

    #[test]
    fn no_shape_of_a_request_smuggles_a_secret_past_masking(decisions in vec(any::<u8>(), 0..4_000)) {
        let message = request(&mut Choices::planting(&PLANTED, &decisions));
        let before = ExportTraceServiceRequest::decode(&message[..]);
        let Some(masked) = mask(&message) else {
            prop_assert!(before.is_err(), "only masking refuses: {message:02x?}");
            return Ok(());
        };
        let bytes = masked.batch.bytes();
        prop_assert_eq!(otlp::count_spans(bytes), Ok(masked.batch.spans()));
        prop_assert!(!String::from_utf8_lossy(bytes).contains(CARD), "a card number: {bytes:02x?}");
        let after = ExportTraceServiceRequest::decode(bytes.clone());
        prop_assert!(before.is_err() || after.is_ok(), "{after:?}: {bytes:02x?} of {message:02x?}");
        let Ok(after) = after else { return Ok(()) };
        prop_assert_eq!(secrets_under_sensitive_keys(&after), 0, "{:?} of {:02x?}", after, message);
    }
}

#[test]
fn the_generator_plants_what_masking_must_find() {
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let (mut cards, mut secrets) = (0, 0);
    for _ in 0..1_000 {
        let decisions = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as u8
        });
        let decisions: Vec<u8> = decisions.take(4_000).collect();
        let message = request(&mut Choices::planting(&PLANTED, &decisions));
        let Ok(request) = ExportTraceServiceRequest::decode(&message[..]) else { continue };
        cards += usize::from(format!("{request:?}").contains(CARD));
        secrets += secrets_under_sensitive_keys(&request);
    }
    assert!(cards > 200 && secrets > 10, "{cards} requests with a card number, {secrets} secrets");
}
