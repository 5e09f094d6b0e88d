//! What the daemon does not take: every refusal has a code that SDKs understand and a sentence for people.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::grpc::{EXPORT_LOGS, EXPORT_METRICS, EXPORT_TRACES, unary};
use spanmill_tests::spans::{call, request, trace_id};
use tonic::Code;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

/// A field of a resource that ends too early.
const CUT_OFF: [u8; 4] = [0x0a, 0x7f, 0x0a, 0x02];

/// The `message` of a `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[track_caller]
fn is_a_sentence(text: &str) {
    let words = text.split_whitespace().count();
    assert!(words >= 4 && text.is_ascii(), "no sentence for people: {text:?}");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn malformed_requests_are_refused_with_a_sentence() {
    let daemon = Daemon::builder().start();

    let answer = daemon.post(&[PROTOBUF], CUT_OFF.to_vec());
    assert_eq!(answer.status(), 400);
    let status = Status::decode(answer.bytes().expect("an answer has a body")).expect("a google.rpc.Status");
    assert_eq!(status.code, Code::InvalidArgument as i32);
    is_a_sentence(&status.message);

    for body in [&b"{\"resourceSpans\": [{"[..], b"[]", b"", b"{\"resourceSpans\": 7}"] {
        let answer = daemon.post(&[JSON], body.to_vec());
        assert_eq!(answer.status(), 400, "{body:?}");
        let answer: serde_json::Value = answer.json().expect("JSON is answered in JSON");
        is_a_sentence(answer["message"].as_str().expect("a status has a message"));
    }

    let answer = daemon.post(&[PROTOBUF, ("content-encoding", "gzip")], b"not gzip at all".to_vec());
    assert_eq!(answer.status(), 400);

    let refused = unary(daemon.grpc(), EXPORT_TRACES, CUT_OFF.to_vec()).expect_err("it is malformed");
    assert_eq!(refused.code(), Code::InvalidArgument);
    is_a_sentence(refused.message());

    let rejected = &daemon.json("/api/v1/stats")["rejected"];
    assert_eq!(rejected["malformed"], 7, "{rejected}");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn requests_above_the_limit_are_refused_also_when_they_only_become_so_inflated() {
    let daemon = Daemon::builder().with("[receive]\nmax_request = \"64KiB\"\n").start();
    let trace_id = trace_id();
    let spans = (0..600).map(|n| call(&trace_id, n, "api.acme-bank.example", Duration::from_millis(9)));
    let message = request(spans.collect()).encode_to_vec();
    assert!(message.len() > 64 << 10);

    assert_eq!(daemon.post(&[PROTOBUF], message.clone()).status(), 413);
    let refused = unary(daemon.grpc(), EXPORT_TRACES, message).expect_err("it is too large");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    is_a_sentence(refused.message());

    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&vec![0; 32 << 20]).expect("memory takes it");
    let bomb = gzip.finish().expect("memory takes it");
    assert!(bomb.len() < 64 << 10);
    assert_eq!(daemon.post(&[PROTOBUF, ("content-encoding", "gzip")], bomb).status(), 413);
    let bomb = zstd::encode_all(&vec![0; 32 << 20][..], 3).expect("memory takes it");
    assert_eq!(daemon.post(&[PROTOBUF, ("content-encoding", "zstd")], bomb).status(), 413);

    let small = request(vec![call(&trace_id, 1, "api.acme-bank.example", Duration::from_millis(9))]);
    daemon.send(small.encode_to_vec());
    let rejected = &daemon.json("/api/v1/stats")["rejected"];
    assert_eq!(rejected["too_large"], 4, "{rejected}");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn metrics_and_logs_are_refused_so_that_sdks_stop_sending_them() {
    let daemon = Daemon::builder().start();
    for path in ["/v1/metrics", "/v1/logs"] {
        let answer = daemon.post_to(path, &[JSON], b"{}".to_vec());
        assert_eq!(answer.status(), 404, "{path}");
        let answer: serde_json::Value = answer.json().expect("JSON is answered in JSON");
        is_a_sentence(answer["message"].as_str().expect("a status has a message"));
    }
    for method in [EXPORT_METRICS, EXPORT_LOGS] {
        let refused = unary(daemon.grpc(), method, Vec::new()).expect_err("traces only");
        assert_eq!(refused.code(), Code::Unimplemented, "{method}");
        is_a_sentence(refused.message());
    }
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn spans_with_invalid_ids_are_cut_out_and_the_others_kept() {
    let daemon = Daemon::builder().start();
    let good = call(&trace_id(), 1, "api.acme-bank.example", Duration::from_millis(9));
    let mut bad = good.clone();
    bad.trace_id = vec![0; 16];
    let answer = daemon.post(&[JSON], serde_json::to_vec(&request(vec![bad, good])).expect("OTLP is JSON"));
    assert_eq!(answer.status(), 200);
    let answer: serde_json::Value = answer.json().expect("JSON is answered in JSON");
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1", "{answer}");
    let stats = daemon.json("/api/v1/stats");
    assert_eq!((&stats["received"], &stats["invalid_spans"]), (&1.into(), &1.into()), "{stats}");
}
