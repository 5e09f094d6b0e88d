//! Every way in that OTLP/HTTP has: protobuf and JSON, plain, gzip and zstd.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::{Jaeger, attribute, spans_of};
use spanmill_tests::spans::{call, hex, int, request, trace_id, with};
use spanmill_tests::wait::PATIENCE;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

#[test]
#[ignore = "end to end: tests/run e2e"]
fn protobuf_and_json_arrive_alike_plain_and_compressed() {
    let Some(jaeger) = Jaeger::start() else { return };
    let daemon = Daemon::builder().forwarding_to(jaeger.otlp()).start();
    let trace_id = trace_id();
    let mut sent = 0;
    for content_type in [PROTOBUF, JSON] {
        for encoding in ["identity", "gzip", "zstd"] {
            let span = call(&trace_id, sent, "api.acme-bank.example", Duration::from_millis(80));
            let request = request(vec![with(span, int("payment.code", 1_000 + sent as i64))]);
            let plain = match content_type {
                JSON => serde_json::to_vec(&request).expect("OTLP is JSON"),
                _ => request.encode_to_vec(),
            };
            let headers = [("content-type", content_type), ("content-encoding", encoding)];
            let answer = daemon.post(&headers, compressed(encoding, &plain));
            assert_eq!(answer.status(), 200, "{content_type} {encoding}");
            assert_eq!(answer.headers()["content-type"], content_type);
            sent += 1;
        }
    }
    let provider = daemon.wait_for_calls("acme-bank.example", sent, PATIENCE);
    assert_eq!(provider["ok"], sent, "{provider}");

    let id = hex(&trace_id);
    let in_jaeger = jaeger.wait_for_spans(&id, sent as usize);
    let here = spans_of(&daemon.json(&format!("/api/v1/traces/{id}")));
    for spans in [in_jaeger, here] {
        let mut codes: Vec<_> = spans.iter().filter_map(|span| attribute(span, "payment.code")).collect();
        codes.sort_unstable();
        assert_eq!(codes, ["1000", "1001", "1002", "1003", "1004", "1005"], "{spans:?}");
    }
}

fn compressed(encoding: &str, plain: &[u8]) -> Vec<u8> {
    match encoding {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory takes it")
        }
        "zstd" => zstd::encode_all(plain, 1).expect("memory takes it"),
        _ => plain.to_vec(),
    }
}
