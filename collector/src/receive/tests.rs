use ::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use ::http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use rustix::net::{self, AddressFamily, SendFlags, SocketAddrUnix, SocketType};
use spanmill_proto::grpc::prefix;
use spanmill_proto::local::{HEADER, Header, Kind};
use tokio::sync::mpsc;

use super::*;
use crate::outcome::Rejected;

/// Takes what the test says it takes, and shows it.
#[derive(Clone)]
struct Taker {
    taken: mpsc::UnboundedSender<ReceivedBatch>,
    answer: Result<Accepted, Refusal>,
}

impl Sink for Taker {
    async fn accept(&self, batch: ReceivedBatch) -> Result<Accepted, Refusal> {
        if batch.body.windows(3).any(|part| part == b"bad") {
            return Err(Refusal::Malformed("bad".into()));
        }
        self.taken.send(batch).unwrap();
        self.answer.clone()
    }
}

struct Service {
    otlp: Arc<otlp::Otlp<Taker>>,
    taken: mpsc::UnboundedReceiver<ReceivedBatch>,
}

const OK: Result<Accepted, Refusal> = Ok(Accepted { rejected_spans: 0 });
const REQUEST_MAX: usize = 1000;

fn service(answer: Result<Accepted, Refusal>) -> Service {
    let (sender, taken) = mpsc::unbounded_channel();
    let otlp = otlp::Otlp {
        sink: Taker { taken: sender, answer },
        clock: Clock::manual(77),
        outcomes: Arc::default(),
        budget: budget::Budget::new(1 << 20),
        request_max: REQUEST_MAX,
        tokens: None,
        named_senders: Mutex::default(),
    };
    Service { otlp: Arc::new(otlp), taken }
}

type Answered = Response<(Vec<u8>, ::http::HeaderMap)>;

impl Service {
    async fn ask(&self, request: ::http::request::Builder, body: impl Into<Bytes>) -> Answered {
        let request = request.body(Full::new(body.into())).unwrap();
        let (head, body) = Arc::clone(&self.otlp).serve(request).await.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        Response::from_parts(head, (body.to_bytes().to_vec(), trailers))
    }

    async fn grpc(&self, message: &[u8]) -> Answered {
        self.ask(grpc_request(), framed(message)).await
    }

    async fn http(&self, body: &'static str) -> Answered {
        self.ask(http_request("application/x-protobuf"), body).await
    }
}

fn grpc_request() -> ::http::request::Builder {
    Request::post(grpc::EXPORT).header(CONTENT_TYPE, "application/grpc+proto")
}

fn http_request(content_type: &str) -> ::http::request::Builder {
    Request::post("/v1/traces").header(CONTENT_TYPE, content_type)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&prefix(false, message.len() as u32)[..], message].concat()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_grpc_request_is_handed_on_as_it_is_and_answered_with_status_0() {
    let mut service = service(OK);
    let answer = service.grpc(b"spans").await;
    let (body, trailers) = answer.body();
    assert_eq!((answer.status(), &body[..]), (StatusCode::OK, &[0; 5][..]));
    assert_eq!(trailers["grpc-status"], "0");
    let batch = service.taken.recv().await.unwrap();
    assert_eq!((&batch.body[..], batch.transport), (&b"spans"[..], Transport::Grpc));
    assert_eq!((batch.received_unix_ns, batch.hops), (77, 0));
}

#[tokio::test]
async fn a_spanmill_says_which_part_of_its_log_it_sends_and_is_told_of_what_is_here() {
    let mut service = service(Err(Refusal::Overlaps));
    let name = "000000000000000000000000000000ff/10-900";
    let answer = service.ask(grpc_request().header("spanmill-batch", name), framed(b"spans")).await;
    assert_eq!(answer.headers()["grpc-status"], "10");
    assert_eq!(answer.headers()["spanmill-overlap"], "1");
    let http = http_request("application/x-protobuf").header("spanmill-batch", name);
    let answer = service.ask(http, "spans").await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_eq!(answer.headers()["spanmill-overlap"], "1");
    for _ in 0..2 {
        let origin = service.taken.recv().await.unwrap().origin;
        assert_eq!(origin, Some(Origin { instance: 255, begin: 10, end: 900 }));
    }
}

#[tokio::test]
async fn a_compressed_message_is_inflated_on_both_ways_in() {
    let mut service = service(OK);
    let compressed = gzip(b"spans");
    let body = [&prefix(true, compressed.len() as u32)[..], &compressed].concat();
    service.ask(grpc_request().header("grpc-encoding", "gzip"), body).await;
    assert_eq!(&service.taken.recv().await.unwrap().body[..], b"spans");
    let request = http_request("application/x-protobuf").header(CONTENT_ENCODING, "gzip");
    service.ask(request, compressed).await;
    let batch = service.taken.recv().await.unwrap();
    assert_eq!((&batch.body[..], batch.transport), (&b"spans"[..], Transport::Http));
}

#[tokio::test]
async fn json_is_turned_into_protobuf_and_answered_in_json() {
    let mut service = service(Ok(Accepted { rejected_spans: 2 }));
    let answer = service.ask(http_request("application/json"), r#"{"resourceSpans":[{}]}"#).await;
    let body: serde_json::Value = serde_json::from_slice(&answer.body().0).unwrap();
    assert_eq!(body["partialSuccess"]["rejectedSpans"], "2");
    assert_eq!(&service.taken.recv().await.unwrap().body[..], [0x0a, 0]);
}

#[tokio::test]
async fn spans_that_were_cut_out_are_told_as_partial_success() {
    let service = service(Ok(Accepted { rejected_spans: 3 }));
    let (body, _) = service.grpc(b"spans").await.into_body();
    let wanted = [0x08, 3, 0x12];
    assert!(body.windows(3).any(|part| part == wanted), "{body:?}");
}

#[tokio::test]
async fn a_refusal_has_a_sentence_and_is_counted() {
    let service = service(OK);
    let answer = service.grpc(b"bad").await;
    assert_eq!(answer.headers()["grpc-status"], "3");
    assert_eq!(answer.headers()["grpc-message"], "bad");
    assert_eq!(service.http("bad").await.status(), 400);
    assert_eq!(service.ask(grpc_request(), "xx").await.headers()["grpc-status"], "3");
    assert_eq!(service.otlp.outcomes.rejected_by(Rejected::Malformed), 3);

    let large = "x".repeat(REQUEST_MAX + 1);
    assert_eq!(service.grpc(large.as_bytes()).await.headers()["grpc-status"], "8");
    assert_eq!(service.ask(http_request("application/x-protobuf"), large).await.status(), 413);
    let bomb = gzip(&vec![0; 100_000]);
    let request = http_request("application/x-protobuf").header(CONTENT_ENCODING, "gzip");
    assert_eq!(service.ask(request, bomb).await.status(), 413);
    assert_eq!(service.otlp.outcomes.rejected_by(Rejected::TooLarge), 3);
}

#[tokio::test]
async fn an_overload_says_when_to_come_back_on_both_ways_in() {
    let retry_after = Duration::from_secs(4);
    let service = service(Err(Refusal::Overload { reason: "the journal is full".into(), retry_after }));
    let answer = service.grpc(b"spans").await;
    assert_eq!(answer.headers()["grpc-status"], "14");
    assert!(answer.headers().contains_key("grpc-status-details-bin"));
    let answer = service.http("spans").await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"4".parse().unwrap()));
    assert_eq!(service.otlp.outcomes.rejected_by(Rejected::Overload), 2);
}

#[tokio::test]
async fn metrics_and_logs_are_refused_with_a_sentence() {
    let service = service(OK);
    let path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    let answer =
        service.ask(Request::post(path).header(CONTENT_TYPE, "application/grpc"), framed(b"m")).await;
    assert_eq!(answer.headers()["grpc-status"], "12");
    assert!(answer.headers()["grpc-message"].to_str().unwrap().contains("traces only"));
    let answer = service.ask(Request::post("/v1/logs").header(CONTENT_TYPE, "application/json"), "{}").await;
    assert_eq!(answer.status(), 404);
    assert!(String::from_utf8_lossy(&answer.body().0).contains("traces only"));
    assert_eq!(service.otlp.outcomes.rejected_by(Rejected::WrongSignal), 2);
}

#[tokio::test]
async fn other_methods_types_and_encodings_are_named() {
    let service = service(OK);
    let get = Request::get("/v1/traces").header(CONTENT_TYPE, "application/json");
    assert_eq!(service.ask(get, "").await.status(), 405);
    assert_eq!(service.ask(http_request("text/plain"), "x").await.status(), 415);
    let request = http_request("application/x-protobuf").header(CONTENT_ENCODING, "br");
    assert_eq!(service.ask(request, "x").await.status(), 415);
    let answer = service.ask(grpc_request().header("grpc-encoding", "snappy"), framed(b"x")).await;
    assert_eq!(answer.headers()["grpc-status"], "12");
}

#[tokio::test]
async fn without_its_token_a_request_is_not_read() {
    let mut service = service(OK);
    let tokens = Rotating::new("the tokens", vec![], || Ok::<_, String>(Tokens::parse("alpha")));
    let tokens = Arc::new(tokens.unwrap());
    Arc::get_mut(&mut service.otlp).unwrap().tokens = Some(tokens);
    assert_eq!(service.http("spans").await.status(), 401);
    assert_eq!(service.grpc(b"spans").await.headers()["grpc-status"], "16");
    let request = http_request("application/x-protobuf").header(AUTHORIZATION, "Bearer alpha");
    assert_eq!(service.ask(request, "spans").await.status(), 200);
    assert_eq!(service.otlp.outcomes.rejected_by(Rejected::Unauthorized), 2);
}

#[tokio::test]
async fn a_batch_that_goes_in_a_ring_is_stopped() {
    let mut service = service(OK);
    let request = |hops: &str| http_request("application/x-protobuf").header("spanmill-hop", hops);
    assert_eq!(service.ask(request("4"), "spans").await.status(), 200);
    assert_eq!(service.taken.recv().await.unwrap().hops, 4);
    assert_eq!(service.ask(request("5"), "spans").await.status(), 400);
    assert_eq!(service.otlp.outcomes.rejected_by(Rejected::Loop), 1);
}

/// Sends `payloads` as packets of one connection, after `noise` that is no packet.
fn send(path: &std::path::Path, noise: &[u8], payloads: &[&[u8]]) {
    let socket = net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    net::send(&socket, noise, SendFlags::empty()).unwrap();
    for (sequence, payload) in payloads.iter().enumerate() {
        let header = Header {
            kind: Kind::Spans,
            flags: 0,
            length: payload.len() as u32,
            sequence: sequence as u32,
            sent_unix_ns: 1,
        };
        let mut packet = Vec::with_capacity(HEADER + payload.len());
        packet.extend_from_slice(&header.encode());
        packet.extend_from_slice(payload);
        net::send(&socket, &packet, SendFlags::empty()).unwrap();
    }
}

#[test]
fn packets_of_the_local_socket_arrive_and_bad_ones_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local { path: dir.path().join("sub/spanmill.sock"), mode: 0o600, group: None };
    let socket = local::bind(&local).unwrap();
    let (sender, mut taken) = mpsc::unbounded_channel();
    let outcomes = Arc::<Outcomes>::default();
    let shared = local::LocalSocket {
        sink: Taker { taken: sender, answer: OK },
        clock: Clock::manual(5),
        outcomes: Arc::clone(&outcomes),
    };
    let (stop, stopped) = watch::channel(false);
    let path = local.path.clone();
    let thread = std::thread::spawn(move || local::serve(shared, socket, &path, stopped));

    let large = vec![b'x'; spanmill_proto::local::PAYLOAD_MAX];
    send(&local.path, b"noise", &[b"one", &large, b"bad"]);
    let mut received = Vec::new();
    while received.len() < 3 + large.len() {
        let batch = taken.blocking_recv().unwrap();
        assert_eq!(batch.transport, Transport::Local);
        received.extend_from_slice(&batch.body);
    }
    assert!(received.starts_with(b"one") && received.ends_with(&large));

    let in_use = local::bind(&local).unwrap_err();
    assert!(in_use.to_string().contains("another daemon"), "{in_use}");
    stop.send_replace(true);
    thread.join().unwrap();
    assert!(!local.path.exists());
    assert!(outcomes.rejected_by(Rejected::Malformed) >= 1, "the noise");
}

#[test]
fn a_socket_that_a_killed_daemon_left_behind_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local { path: dir.path().join("spanmill.sock"), mode: 0o600, group: None };
    drop(local::bind(&local).unwrap());
    assert!(local.path.exists());
    local::bind(&local).unwrap();
}
