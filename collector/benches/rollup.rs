//! The roll-up's cost: of a span (to reach: 0.2 µs), of a board each second, of a long window.
//!
//! `cargo bench -p spanmill-collector --bench rollup`. Requests of 512 spans of about 560 bytes with ten
//! attributes and one event, 40 % of them CLIENT, to 24 providers.

use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event};
use prost::Message;
use spanmill_collector::mask::{MaskedBatch, Masking};
use spanmill_collector::outcome::{Outcomes, Transport};
use spanmill_collector::receive::ReceivedBatch;
use spanmill_collector::rollup::{self, Config, fold::Fold, outcome::Outcome, registry};

const NOW_NS: u64 = 1_795_378_503_000_000_000;
const SPANS: u64 = 512;
const PROVIDERS: u64 = 24;

fn main() {
    divan::main();
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

fn int(key: &str, value: i64) -> KeyValue {
    pair(key, Value::IntValue(value))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Spreads `i`, so that neighbours have nothing in common: the constant of Knuth's multiplicative hash.
fn spread(i: u64) -> u64 {
    i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn span(i: u64, now_ns: u64) -> Span {
    let is_client = i % 5 < 2;
    let provider = spread(i) % PROVIDERS;
    // 20 ms to about 3 s, most of them short.
    let duration_ns = 20_000_000 + 3_000_000_000 / (1 + spread(i * 7) % 200) + spread(i) % 1_000_000;
    let end_ns = now_ns - spread(i * 3) % 2_000_000_000;
    let attributes = vec![
        text("http.request.method", "POST"),
        text("server.address", format!("api.provider-{provider:02}.example")),
        int("server.port", 443),
        text("url.full", format!("https://api.provider-{provider:02}.example/v1/payments/{:08x}", spread(i))),
        text("url.template", "/v1/payments/{id}"),
        int("http.response.status_code", if i.is_multiple_of(50) { 503 } else { 200 }),
        text("network.protocol.version", "1.1"),
        text("user_agent.original", "shop/4.2 (php 8.4; curl 8.9)"),
        text("payment.scheme", "visa"),
        int("thread.id", (i % 64) as i64),
    ];
    let event = Event {
        time_unix_nano: end_ns,
        name: "response".to_owned(),
        attributes: vec![text("code", "00"), text("body.size", "1824")],
        ..Event::default()
    };
    Span {
        trace_id: ((u128::from(spread(i)) << 64) | u128::from(i + 1)).to_be_bytes().to_vec(),
        span_id: (spread(i) | 1).to_be_bytes().to_vec(),
        parent_span_id: (spread(i + 1) | 1).to_be_bytes().to_vec(),
        name: "POST /v1/payments/{id}".to_owned(),
        kind: if is_client { 3 } else { 1 + (i % 2) as i32 },
        start_time_unix_nano: end_ns - duration_ns,
        end_time_unix_nano: end_ns,
        attributes,
        events: vec![event],
        ..Span::default()
    }
}

fn batch(first: u64, now_ns: u64) -> MaskedBatch {
    let spans = (first..first + SPANS).map(|i| span(i, now_ns)).collect();
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    text("service.name", "shop"),
                    text("host.name", "h7"),
                    text("deployment.environment.name", "production"),
                ],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    };
    let masker = spanmill_mask::Masker::standard();
    let masking = Masking::new(Arc::new(masker), Arc::new(Outcomes::default()));
    let received = ReceivedBatch {
        body: request.encode_to_vec().into(),
        transport: Transport::Grpc,
        received_unix_ns: now_ns,
        hops: 0,
        origin: None,
    };
    masking.apply(received).expect("prost writes well-formed requests").batch
}

fn fold() -> Fold {
    let table = |i: u64| registry::Provider {
        name: format!("provider-{i:02}"),
        hosts: vec![format!("*.provider-{i:02}.example")],
        ..registry::Provider::default()
    };
    let providers = (0..PROVIDERS).map(table).collect();
    Fold::new(Config { registry: registry::Config { providers }, ..config() }, 0)
}

fn config() -> Config {
    Config {
        registry: registry::Config::default(),
        providers_max: 512,
        operations_max: 32,
        production: vec!["production".to_owned()],
    }
}

/// One second's worth of 51,200 spans before each tick, as a daemon with that load has. The bytes are those of
/// eight batches, for what has just arrived is in the processor's cache.
#[divan::bench(sample_count = 200, sample_size = 1)]
fn add_a_span(bencher: Bencher<'_, '_>) {
    let batches: Vec<MaskedBatch> = (0..8).map(|i| batch(i * SPANS, NOW_NS)).collect();
    let bytes: usize = batches.iter().map(|batch| batch.bytes().len()).sum();
    assert!((500..620).contains(&(bytes / (8 * SPANS as usize))), "{bytes}");
    let mut fold = fold();
    bencher.counter(ItemsCount::new(100 * SPANS)).bench_local(|| {
        batches.iter().cycle().take(100).for_each(|batch| fold.add(black_box(batch)));
        fold.tick(NOW_NS + 1_000_000_000);
        black_box(fold.observed());
    });
    assert_eq!(fold.stats().rolled_up * 5 / fold.stats().spans, 2);
}

/// All 15 minutes of 24 providers filled, some 200 calls a second in all.
fn full() -> Fold {
    let mut fold = fold();
    for second in 0..900 {
        fold.add(&batch(second * SPANS, NOW_NS - second * 1_000_000_000));
    }
    fold.tick(NOW_NS);
    fold
}

#[divan::bench]
fn board_of_60_s(bencher: Bencher<'_, '_>) {
    let mut fold = full();
    bencher.bench_local(|| black_box(fold.board(NOW_NS, Duration::from_secs(60))));
}

/// What the figures of each second cost at the most providers that there are by default: 12 calls a second each.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn tick_and_board_of_500_providers(bencher: Bencher<'_, '_>) {
    let mut fold = Fold::new(Config { providers_max: 512, ..config() }, 0);
    for second in 0..120 {
        for i in 0..6_000 {
            let provider = format!("provider-{:03}", i % 500);
            fold.record(&rollup::Event {
                provider: &provider,
                operation: ["authorize", "refund", "status"][i % 3],
                service: "shop",
                host: ["h1", "h2", "h3", "h4", "h5", "h6", "h7"][i % 7],
                endpoint: "192.0.2.1:443",
                outcome: if i % 50 == 0 { Outcome::Timeout } else { Outcome::Ok },
                end_unix_ns: NOW_NS - second * 1_000_000_000,
                duration_ns: 20_000_000 + spread(i as u64) % 500_000_000,
                received_unix_ns: NOW_NS - second * 1_000_000_000,
                trace_id: [1; 16],
                span_id: i as u64,
            });
        }
    }
    fold.tick(NOW_NS);
    bencher.bench_local(|| {
        fold.tick(NOW_NS);
        black_box(fold.board(NOW_NS, Duration::from_secs(60)))
    });
}

#[divan::bench]
fn board_of_15_min(bencher: Bencher<'_, '_>) {
    let mut fold = full();
    bencher.bench_local(|| black_box(fold.board(NOW_NS, Duration::from_secs(900))));
}

#[divan::bench]
fn series_of_15_min_in_seconds(bencher: Bencher<'_, '_>) {
    let mut fold = full();
    let (now_s, name) = (NOW_NS / 1_000_000_000, "provider-07");
    bencher.bench_local(|| black_box(fold.series(NOW_NS, name, now_s - 900, now_s, 1)));
}
