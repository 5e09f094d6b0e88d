//! What is normal for a provider, over a restart of all stages.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path as FilePath;

use super::*;
use crate::detect::{Baseline, Detector};

const CONFIG: &str = "[receive.otlp_grpc]\nlisten = \"127.0.0.1:0\"\n\
    [receive.otlp_http]\nlisten = \"127.0.0.1:0\"\n[expose]\nlisten = \"127.0.0.1:0\"\n\
    [[provider]]\nname = \"name-7\"\nhosts = [\"*.bank.example\"]\n";

fn config(dir: &FilePath) -> Result<Config, config::Error> {
    let local = format!("[receive.local]\npath = \"{}\"\n", dir.join("spanmill.sock").display());
    Config::from_text(FilePath::new("spanmill.toml"), &format!("{CONFIG}{local}"), dir.to_owned())
}

/// The store of a daemon that has seen `name-7` for a quarter of an hour, and something that nobody can read.
async fn stored(dir: &FilePath, clock: &Clock) {
    let mut detector = Detector::new(detect::Config::default());
    detect::simulated::calls(&mut detector, clock.unix_ns() / 1_000_000_000 - 1_000, 900, 100.0);
    let mut kept = detector.save(&detect::simulated::Texts);
    kept.push(detect::Saved { provider: "shop".into(), bytes: b"{}".to_vec() });
    let config = config(dir).unwrap();
    let journal = journal::start(config.journal, clock.clone(), Arc::default()).unwrap();
    let (opened, restored) = store::open(&config.store, &journal, clock).unwrap();
    let rollup = rollup::start(config.rollup, &journal, clock.clone(), Some(restored));
    let store = store::start(opened, store::Live::new(&rollup, &journal)).unwrap();
    store.put_baselines(verdicts::kept(kept)).wait().await.unwrap();
    rollup.stop().await;
    store.stop().await;
    journal.close().await;
}

/// One call that has just ended.
fn call(http: SocketAddr, clock: &Clock) {
    let (end, begin) = (clock.unix_ns(), clock.unix_ns() - 100_000_000);
    let body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"00112233445566778899aabbccddeeff",
        "spanId":"{end:016x}","name":"name-8","kind":3,"startTimeUnixNano":"{begin}","endTimeUnixNano":"{end}",
        "attributes":[{{"key":"server.address","value":{{"stringValue":"api.bank.example"}}}}]}}]}}]}}]}}"#
    );
    let mut connection = TcpStream::connect(http).unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close";
    write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

async fn baseline_after_one_call(dir: &FilePath, clock: &Clock) -> Baseline {
    let own_dir = dir.to_owned();
    let pipeline = Pipeline::start(config(dir).unwrap(), clock, move || config(&own_dir)).unwrap();
    let mut standings = pipeline.standings();
    let (http, of_call) = (pipeline.receiver.http, clock.clone());
    tokio::task::spawn_blocking(move || call(http, &of_call)).await.unwrap();
    let of_bank = |all: &Arc<Vec<detect::Standing>>| all.iter().any(|one| &*one.provider == "name-7");
    let seen = tokio::time::timeout(Duration::from_secs(30), standings.wait_for(of_bank)).await;
    let seen = Arc::clone(&seen.expect("it is judged every second").unwrap());
    let alerts = pipeline.store.alerts(store::alerts::State::All).await.unwrap();
    assert!(alerts.is_empty(), "a restart is no news: {alerts:?}");
    pipeline.stop().await;
    seen[0].baseline.expect("it was known before")
}

#[tokio::test]
async fn a_restarted_daemon_knows_what_is_normal_from_the_first_call_on() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::default();
    stored(dir.path(), &clock).await;
    let first = baseline_after_one_call(dir.path(), &clock).await;
    let second = baseline_after_one_call(dir.path(), &clock).await;
    assert!((50_000_000..250_000_000).contains(&first.p95_ns), "{first:?}");
    assert!(first.p95_ns.abs_diff(second.p95_ns) < first.p95_ns / 20, "{first:?} {second:?}");
}
