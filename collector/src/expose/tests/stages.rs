//! The server over the real journal and the real roll-up.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::expose::{Reload, Sources, start};
use crate::journal::{Durability, Journal, Overflow};
use crate::rollup::registry;
use crate::store;

fn sources(dir: &TempDir) -> (Journal, Sources) {
    let clock = Clock::default();
    let config = journal::Config {
        dir: dir.path().to_owned(),
        segment_size: 1 << 20,
        max_size: 1 << 30,
        max_age: Duration::from_secs(3600),
        durability: Durability::Process,
        overflow: Overflow::Reject,
    };
    let journal = journal::start(config, clock.clone(), Arc::default()).unwrap();
    let config = rollup::Config {
        registry: registry::Config::default(),
        providers_max: 8,
        operations_max: 8,
        production: Vec::new(),
    };
    let stored = store::Config { path: dir.path().join("spanmill.db") };
    let (opened, restored) = store::open(&stored, &journal, &clock).unwrap();
    let rollup = rollup::start(config, &journal, clock.clone(), Some(restored));
    let store = store::start(opened, store::Live::new(&rollup, &journal)).unwrap();
    let sources = Sources {
        rollup,
        store,
        journal: journal.clone(),
        destinations: Arc::default(),
        outcomes: Arc::default(),
        clock,
        draining: Arc::default(),
        reload: Reload::new(|| Ok(())),
    };
    (journal, sources)
}

/// A call to acme-bank that has just ended.
fn call(now_unix_ns: u64) -> MaskedBatch {
    let provider = any_value::Value::StringValue("acme-bank".to_owned());
    let span = Span {
        trace_id: vec![0xab; 16],
        span_id: vec![1; 8],
        kind: 3,
        start_time_unix_nano: now_unix_ns - 250_000_000,
        end_time_unix_nano: now_unix_ns,
        attributes: vec![KeyValue {
            key: "spanmill.provider".to_owned(),
            value: Some(AnyValue { value: Some(provider) }),
            ..Default::default()
        }],
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    let bytes = TracesData { resource_spans }.encode_to_vec();
    MaskedBatch::restored(bytes.into(), 1, now_unix_ns, 0)
}

#[tokio::test]
async fn a_kept_span_shows_in_every_answer() {
    let dir = TempDir::new().unwrap();
    let (journal, sources) = sources(&dir);
    let now_unix_ns = sources.clock.unix_ns();
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let config = Config { listen: address, tls: None, jaeger_ui: None, writers: None };
    let server = start(&config, listen::bind(address).unwrap(), sources).unwrap();
    let get = async |path: &str| get_from(server.local_addr(), path).await;

    soon("readiness", async { while get("/readyz").await.status != 200 {} }).await;
    let mut events = begin_at(server.local_addr(), Method::GET, "/api/v1/events", &[]).await.into_body();
    journal.append(call(now_unix_ns)).await.unwrap();

    soon("an event with the provider", async {
        let mut seen = Vec::new();
        while !seen.windows(9).any(|text| text == b"acme-bank") {
            seen = events.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
        }
    })
    .await;
    let board = get("/api/v1/providers?window=60s").await.json();
    assert_eq!(board["providers"][0]["name"], "acme-bank");
    assert_eq!(board["providers"][0]["ok"], 1);
    let series = get("/api/v1/providers/acme-bank/series").await.json();
    let points = series["points"].as_array().unwrap();
    assert_eq!(points.iter().map(|point| point["count"].as_u64().unwrap()).sum::<u64>(), 1);
    assert_eq!(get("/api/v1/stats").await.json()["rolled_up"], 1);
    let trace = get(&format!("/api/v1/traces/{}", "ab".repeat(16))).await.json();
    assert_eq!(trace["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"], "0101010101010101");
    let metrics = String::from_utf8(get("/metrics").await.body.to_vec()).unwrap();
    let calls = "spanmill_provider_calls_total{provider=\"acme-bank\",operation=";
    assert!(metrics.lines().any(|line| line.starts_with(calls) && line.ends_with("outcome=\"ok\"} 1")));
    super::exposition::parse(&metrics, false);
    soon("stop", server.stop(PATIENCE)).await;
}
