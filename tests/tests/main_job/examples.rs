//! The examples of the Rust client, as programs: their calls are on the board and their traces in Jaeger; and an
//! application that has nothing but the official SDK and our masking.

use std::process::Command;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanmill::MaskingExporter;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::program::{self, Program};
use spanmill_tests::spans::hex;
use spanmill_tests::wait::{self, PATIENCE};

const CARD: &str = "4111111111111111";

/// An example that `tests/run e2e` has built.
fn example(name: &str, daemon: &Daemon) -> Command {
    let executable = program::built(&format!("examples/{name}"));
    let mut command = Command::new(executable.expect("`cargo build --examples` has made it"));
    command.env("SPANMILL_SOCKET", daemon.socket());
    command
}

fn run(name: &str, daemon: &Daemon) -> String {
    let output = example(name, daemon).output().expect("the example starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" 0 dropped"), "{name}: {said}");
    said
}

/// Waits until a trace of the service has a log of this name in Jaeger, masked.
fn wait_for_log(jaeger: &Jaeger, service: &str, log: &str) {
    let text = wait::until(&format!("a log '{log}' of {service} in Jaeger"), PATIENCE, || {
        let traces = jaeger.traces_of(service);
        let texts: Vec<_> = traces.iter().filter_map(|trace| jaeger.trace(trace)).collect();
        let wanted = format!("\"name\":\"{log}\"");
        texts.iter().find(|text| text.replace(": ", ":").contains(&wanted)).cloned().ok_or(texts.len())
    });
    assert!(!text.contains(CARD), "{service} shows a card");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn the_calls_of_every_example_are_on_the_board_and_their_logs_in_jaeger() {
    let Some(jaeger) = Jaeger::start() else { return };
    let daemon = Daemon::builder().forwarding_to(jaeger.otlp()).start();

    run("basic", &daemon);
    let acme = daemon.wait_for_calls("acme-bank", 3, PATIENCE);
    for (key, count) in [("count", 3), ("ok", 1), ("declined", 1), ("timeout", 1), ("attempts", 3)] {
        assert_eq!(acme[key], count, "{key} of {acme}");
    }
    wait_for_log(&jaeger, "shop", "response");

    // Two payments of two tries each.
    run("outgoing_http", &daemon);
    let acme = daemon.wait_for_calls("acme-bank", 5, PATIENCE);
    assert_eq!((&acme["count"], &acme["attempts"]), (&5.into(), &7.into()), "{acme}");
    wait_for_log(&jaeger, "checkout", "response");

    run("queue_worker", &daemon);
    let sms = daemon.wait_for_calls("sms-gateway", 3, PATIENCE);
    assert_eq!((&sms["ok"], &sms["count"]), (&2.into(), &3.into()), "{sms}");
    wait_for_log(&jaeger, "notifier", "accepted");

    run("routing_by_verdict", &daemon);
    daemon.wait_for_calls("acme-bank", 25, PATIENCE);
    wait_for_log(&jaeger, "router", "routed");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_service_that_is_told_to_stop_sends_what_it_has_first() {
    let daemon = Daemon::builder().start();
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let mut command = example("axum_service", &daemon);
    // Longer than the test: only the end of the service sends.
    command.env("SPANMILL_FLUSH_INTERVAL", "60000");
    let mut service = Program::start("axum_service", command, dir.path());
    let url = wait::until("it says where it listens", PATIENCE, || {
        service.output().lines().next().map(str::to_owned).ok_or("nothing yet")
    });
    let client = reqwest::blocking::Client::new();
    for (id, status) in [(7, 200), (8, 402)] {
        let answer = client.post(format!("{url}/payments/{id}")).send().expect("the service answers");
        assert_eq!(answer.status(), status);
        assert!(!answer.text().expect("it is text").contains(CARD));
    }
    drop(client);
    assert!(service.terminate(Duration::from_secs(10)).success(), "{}", service.output());
    let acme = daemon.wait_for_calls("acme-bank", 2, PATIENCE);
    assert_eq!((&acme["ok"], &acme["declined"]), (&1.into(), &1.into()), "{acme}");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn an_application_with_the_official_sdk_and_our_exporter_shows_no_card_to_jaeger() {
    let Some(jaeger) = Jaeger::start() else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let exporter = runtime.block_on(async {
        let builder = SpanExporter::builder().with_tonic();
        builder.with_endpoint(format!("http://{}", jaeger.otlp())).build().expect("an exporter")
    });
    // Straight to Jaeger: no daemon on the way that would mask as well.
    let sdk = SdkTracerProvider::builder()
        .with_resource(Resource::builder_empty().with_service_name("sdk-only").build())
        .with_batch_exporter(MaskingExporter::new(exporter))
        .build();
    let trace_id = sdk.tracer("shop").in_span(format!("pay {CARD}"), |context| {
        let span = context.span();
        span.set_attribute(KeyValue::new("url.full", format!("https://api.acme.example/?card={CARD}")));
        span.add_event("response", vec![KeyValue::new("body", format!("<pan>{CARD}</pan>"))]);
        hex(&span.span_context().trace_id().to_bytes())
    });
    sdk.force_flush().expect("Jaeger acknowledges the span");
    jaeger.wait_for_spans(&trace_id, 1);
    let text = jaeger.trace(&trace_id).expect("it was there");
    assert!(!text.contains(CARD) && text.matches("411111******1111").count() >= 3, "{text}");
}
