//! Instrumentation that others wrote, over our recorder; and our masking over OpenTelemetry's SDK.

use std::convert::Infallible;

use http::{Request, Response};
use opentelemetry::trace::{Link, SpanKind, Status, TraceContextExt, Tracer, TracerProvider as _};
use opentelemetry::{Context as OtelContext, KeyValue, StringValue, global};
use opentelemetry_instrumentation_tower::http::server::LayerBuilder;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use spanmill::otel::TracerProvider;
use spanmill::testing::{CapturedValue, capture};
use spanmill::{Context, InSpan, MaskingExporter, Provider, Span};
use tower::{Layer, Service};
use tracing_subscriber::layer::SubscriberExt;

static ACME: Provider = Provider::new("acme-bank");
const PAN: &str = "4111111111111111";

fn has_pan(encoded: &[Vec<u8>]) -> bool {
    encoded.iter().any(|span| span.windows(PAN.len()).any(|bytes| bytes == PAN.as_bytes()))
}

#[test]
fn a_span_by_opentelemetrys_traits_is_recorded_whole_and_masked() {
    let capture = capture();
    let tracer = TracerProvider::new().tracer("some-library");
    let linked = Span::start("linked").context().unwrap();
    let link = opentelemetry::trace::SpanContext::new(
        opentelemetry::TraceId::from_bytes(linked.trace_id().0),
        opentelemetry::SpanId::from_bytes(linked.span_id().0),
        Default::default(),
        false,
        Default::default(),
    );
    let builder = tracer
        .span_builder("charge")
        .with_kind(SpanKind::Client)
        .with_attributes([KeyValue::new("server.address", "api.acme.example"), KeyValue::new("card", PAN)])
        .with_links(vec![Link::new(link, vec![KeyValue::new("card", PAN)], 0)]);
    let mut span = tracer.build(builder);
    {
        use opentelemetry::trace::Span;
        span.add_event("answer", vec![KeyValue::new("body", format!("pan={PAN}")), KeyValue::new("code", 5)]);
        span.set_attribute(KeyValue::new(
            "list",
            opentelemetry::Value::Array(vec![StringValue::from(PAN)].into()),
        ));
        span.set_status(Status::error(format!("no {PAN}")));
        span.end();
        assert!(!span.is_recording());
    }
    let spans = capture.spans();
    let charge = spans.iter().find(|span| span.name == "charge").unwrap();
    assert_eq!((charge.kind, charge.status), (3, 2));
    assert_eq!(charge.tag("server.address"), Some(&"api.acme.example".into()));
    assert_eq!(charge.tag("otel.scope.name"), Some(&"some-library".into()));
    assert_eq!(charge.status_message, "no 411111******1111");
    assert_eq!(charge.logs[0].tag("code"), Some(&CapturedValue::Int(5)));
    assert_eq!(charge.logs[0].tag("body"), Some(&"pan=411111******1111".into()));
    assert!(!has_pan(&capture.encoded()));
}

#[test]
fn both_kinds_of_spans_are_parents_of_each_other() {
    let capture = capture();
    let tracer = TracerProvider::new().tracer("");
    tracer.in_span("theirs", |_| {
        let ours = Span::start("ours");
        let _in_ours = ours.enter();
        tracer.in_span("inner", |_| {
            let call = ACME.call("authorize");
            {
                let _in_call = call.enter();
                tracer.build(tracer.span_builder("attempt").with_kind(SpanKind::Client));
            }
            Span::start("beside").end();
            tracer.build_with_context(tracer.span_builder("root"), &OtelContext::new());
            call.ok();
        });
    });
    let drawn = "root\ntheirs\n  ours\n    inner\n      beside\n      acme-bank authorize\n        attempt\n";
    assert_eq!(capture.tree(), drawn);
}

#[test]
fn in_a_call_that_is_current_their_client_spans_are_attempts() {
    let capture = capture();
    let tracer = TracerProvider::new().tracer("");
    let call = ACME.call("authorize");
    {
        let _in_call = call.enter();
        tracer.build(tracer.span_builder("POST").with_kind(SpanKind::Client));
    }
    call.ok();
    assert_eq!(capture.tree(), "acme-bank authorize\n  POST\n");
    let spans = capture.spans();
    assert_eq!(spans[0].tag("spanmill.attempt"), Some(&CapturedValue::Bool(true)));
    assert_eq!(spans[0].tag("spanmill.provider"), Some(&"acme-bank".into()));
}

#[tokio::test]
async fn opentelemetry_instrumentation_tower_records_through_us() {
    let capture = capture();
    global::set_tracer_provider(TracerProvider::new());
    let layer = LayerBuilder::builder().with_tracing(true).build().unwrap();
    let mut service = layer.layer(tower::service_fn(|_: Request<String>| async {
        ACME.call("authorize").ok();
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let request = Request::post(format!("http://shop.example/pay?card={PAN}")).body(String::new()).unwrap();
    service.call(request).await.unwrap();
    assert_eq!(capture.tree(), "POST\n  acme-bank authorize\n");
    let server = capture.spans().into_iter().find(|span| span.kind == 2).unwrap();
    assert_eq!(server.tag("http.request.method"), Some(&"POST".into()));
    assert_eq!(server.tag("http.response.status_code"), Some(&CapturedValue::Int(200)));
    assert!(!has_pan(&capture.encoded()));
}

#[test]
fn tracing_opentelemetry_records_through_us() {
    let capture = capture();
    let tracer = TracerProvider::new().tracer("tracing");
    let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
    tracing::subscriber::with_default(subscriber, || {
        let _outer = tracing::info_span!("checkout", order = 7).entered();
        let _inner = tracing::info_span!("charge", otel.kind = "client", card = PAN).entered();
        tracing::info!(code = 5, "answered {PAN}");
    });
    assert_eq!(capture.tree(), "checkout\n  charge\n");
    let charge = &capture.spans()[0];
    assert_eq!((charge.kind, charge.logs[0].name.as_str()), (3, "answered 411111******1111"));
    assert!(!has_pan(&capture.encoded()));
}

#[tokio::test]
async fn our_layer_for_tracing_records_spans_events_and_parents() {
    let capture = capture();
    let subscriber = tracing_subscriber::registry().with(spanmill::layer());
    let _default = tracing::subscriber::set_default(subscriber);
    {
        let outer = tracing::info_span!("checkout", order = 7, late = tracing::field::Empty);
        let _in_outer = outer.enter();
        outer.record("late", 2.5);
        let call = ACME.call("authorize");
        async {
            let _span =
                tracing::info_span!("charge", otel.kind = "client", otel.name = "POST", card = PAN).entered();
            tracing::warn!(code = 5, "answered {PAN}");
        }
        .in_span(&call)
        .await;
        call.ok();
        let _root = tracing::info_span!(parent: None, "job").entered();
    }
    assert_eq!(Context::current(), None, "nothing is left behind");
    assert_eq!(capture.tree(), "job\ncheckout\n  acme-bank authorize\n    POST\n");
    let spans = capture.spans();
    let charge = spans.iter().find(|span| span.name == "POST").unwrap();
    assert_eq!(charge.tag("spanmill.attempt"), Some(&CapturedValue::Bool(true)));
    assert_eq!(charge.logs[0].name, "answered 411111******1111");
    assert_eq!(charge.logs[0].tag("level"), Some(&"WARN".into()));
    let outer = spans.iter().find(|span| span.name == "checkout").unwrap();
    assert_eq!(outer.tag("order"), Some(&CapturedValue::Int(7)));
    assert_eq!(outer.tag("late"), Some(&CapturedValue::Double(2.5)));
    assert!(!has_pan(&capture.encoded()));
}

#[test]
fn what_leaves_the_sdk_through_the_masking_exporter_is_masked() {
    let kept = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_resource(
            opentelemetry_sdk::Resource::builder()
                .with_attribute(KeyValue::new("password", "hunter2"))
                .build(),
        )
        .with_simple_exporter(MaskingExporter::new(kept.clone()))
        .build();
    let tracer = provider.tracer("shop");
    tracer.in_span(format!("pay {PAN}"), |context: OtelContext| {
        let span = context.span();
        span.set_attribute(KeyValue::new("url.full", format!("https://api.acme.example/?card={PAN}")));
        span.set_attribute(KeyValue::new("pan", 4_111_111_111_111_111i64));
        span.set_attribute(KeyValue::new("cvv", 123));
        span.set_attribute(KeyValue::new(
            "cards",
            opentelemetry::Value::Array(vec![StringValue::from(PAN), "x".into()].into()),
        ));
        span.set_attribute(KeyValue::new("order", 7));
        span.add_event(format!("sent {PAN}"), vec![KeyValue::new("body", format!("<pan>{PAN}</pan>"))]);
        span.set_status(Status::error(format!("refused {PAN}")));
    });
    provider.force_flush().unwrap();
    let spans = kept.get_finished_spans().unwrap();
    let printed = format!("{spans:?}");
    assert!(!printed.contains(PAN) && !printed.contains("hunter2"), "{printed}");
    assert!(printed.matches("411111******1111").count() >= 6, "{printed}");
    let find =
        |key: &str| spans[0].attributes.iter().find(|attribute| attribute.key.as_str() == key).unwrap();
    assert_eq!(find("cvv").value.to_string(), "[masked]");
    assert_eq!(find("order").value, opentelemetry::Value::I64(7));
}
