//! OTLP against a receiver on a real socket: what arrives, what is tried again, what is counted.

#![allow(clippy::unwrap_used)] // in what the tests share; see clippy.toml

mod support;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use spanmill::{Guard, Provider, Reason, Span};
use spanmill_proto::v1::pulse_server::{Pulse, PulseServer};
use spanmill_proto::v1::{PulseRequest, PulseResponse};
use support::{PATIENCE, turn, wait_until};
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status, Streaming};

static ACME: Provider = Provider::new("acme-bank");

/// What a receiver answers to its next requests; OK when nothing is left.
type Answers = Arc<Mutex<VecDeque<Result<i64, Status>>>>;

/// A receiver that keeps what it gets.
#[derive(Clone, Default)]
struct Receiver {
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    headers: Arc<Mutex<Vec<tonic::metadata::MetadataMap>>>,
    pulses: Arc<Mutex<Vec<PulseRequest>>>,
    answers: Answers,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Ok(0));
        let rejected_spans = answer?;
        self.headers.lock().unwrap().push(request.metadata().clone());
        self.requests.lock().unwrap().push(request.into_inner());
        let partial_success = ExportTracePartialSuccess { rejected_spans, error_message: String::new() };
        Ok(Response::new(ExportTraceServiceResponse { partial_success: Some(partial_success) }))
    }
}

#[tonic::async_trait]
impl Pulse for Receiver {
    async fn report(
        &self,
        request: Request<Streaming<PulseRequest>>,
    ) -> Result<Response<PulseResponse>, Status> {
        let mut stream = request.into_inner();
        while let Some(pulse) = stream.message().await? {
            self.pulses.lock().unwrap().push(pulse);
        }
        Ok(Response::new(PulseResponse {}))
    }
}

/// A receiver at an address, until it is dropped.
struct Served {
    receiver: Receiver,
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    fn start(answers: impl IntoIterator<Item = Result<i64, Status>>) -> Served {
        let receiver =
            Receiver { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Receiver::default() };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let spans = TraceServiceServer::new(receiver.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd);
        let server = tonic::transport::Server::builder()
            .add_service(spans)
            .add_service(PulseServer::new(receiver.clone()));
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        runtime.spawn(server.serve_with_incoming(incoming));
        Served { receiver, address, _runtime: runtime }
    }

    fn client(&self) -> Guard {
        client(self.address)
    }

    fn names(&self) -> Vec<String> {
        let requests = self.receiver.requests.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        let spans = resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans);
        spans.map(|span| span.name.clone()).collect()
    }
}

fn client(address: SocketAddr) -> Guard {
    let client = spanmill::builder().service("shop").otlp(&format!("http://{address}"));
    client.flush_interval(Duration::from_millis(10)).init().unwrap()
}

#[test]
fn spans_arrive_masked_from_a_program_without_a_runtime() {
    let _turn = turn();
    let served = Served::start([]);
    let guard = served.client();
    let mut call = ACME.call("authorize");
    call.tag("body", "card=4111111111111111");
    call.ok();
    Span::start("step").end();
    assert!(spanmill::flush(PATIENCE));
    assert_eq!(served.names(), ["acme-bank authorize", "step"]);
    let requests = format!("{:?}", served.receiver.requests.lock().unwrap());
    assert!(requests.contains("411111******1111") && requests.contains("shop"));
    let report = guard.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.total()), (2, 0));
}

#[test]
fn a_flush_and_the_end_of_the_client_do_not_need_the_programs_runtime() {
    let _turn = turn();
    let served = Served::start([]);
    let mut sent = 0;
    for mut runtime in
        [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()]
    {
        runtime.enable_all().build().unwrap().block_on(async {
            let guard = served.client();
            Span::start("first").end();
            assert!(spanmill::flush(PATIENCE), "the runtime's thread waits in here");
            Span::start("second").end();
            drop(guard);
        });
        sent += 2;
        assert_eq!(served.names().len(), sent);
    }
}

#[test]
fn what_may_pass_is_sent_again_and_arrives_once() {
    let _turn = turn();
    let served = Served::start([Err(Status::unavailable("starting")), Err(Status::aborted("again"))]);
    let guard = served.client();
    Span::start("patient").end();
    wait_until("it came", || served.names() == ["patient"]);
    let report = guard.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.total()), (1, 0));
}

#[test]
fn what_is_refused_is_counted_and_the_rest_goes_on() {
    let _turn = turn();
    let served = Served::start([Err(Status::invalid_argument("bad")), Ok(1)]);
    let guard = served.client();
    Span::start("poison").end();
    assert!(spanmill::flush(PATIENCE));
    Span::start("partly").end();
    Span::start("refused").end();
    assert!(spanmill::flush(PATIENCE));
    let report = guard.shutdown(PATIENCE);
    assert_eq!(
        (report.sent, report.dropped.by(Reason::Send), report.dropped.by(Reason::Rejected)),
        (1, 1, 1)
    );
}

#[test]
fn without_a_receiver_the_program_ends_and_every_span_is_counted() {
    let _turn = turn();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let guard = client(nobody);
    for _ in 0..100 {
        Span::start("unheard").end();
    }
    let report = guard.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.by(Reason::NoDaemon)), (0, 100));
}

#[test]
fn a_receiver_that_never_answers_does_not_hold_the_program() {
    let _turn = turn();
    let stuck = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let guard = client(stuck.local_addr().unwrap());
    Span::start("stuck").end();
    assert!(!spanmill::flush(Duration::from_millis(50)));
    let report = guard.shutdown(Duration::from_millis(50));
    assert_eq!((report.sent, report.dropped.total()), (0, 1));
}

#[test]
fn a_burst_arrives_whole_or_is_counted() {
    const BURST: usize = 100_000;
    let _turn = turn();
    let served = Served::start([]);
    let guard = served.client();
    for _ in 0..BURST {
        ACME.call("authorize").ok();
    }
    let report = guard.shutdown(PATIENCE);
    assert_eq!(report.sent + report.dropped.total(), BURST as u64);
    assert_eq!(served.names().len() as u64, report.sent);
}

#[test]
fn what_is_open_is_told_each_second() {
    let _turn = turn();
    let served = Served::start([]);
    let _guard = served.client();
    let call = ACME.call("authorize");
    let pulses = || served.receiver.pulses.lock().unwrap().clone();
    let series = |count: fn(&spanmill_proto::v1::PulseSeries) -> u64| -> u64 {
        pulses().iter().flat_map(|pulse| &pulse.series).map(count).sum()
    };
    wait_until("the call shows", || series(|series| series.open) > 0);
    let first = pulses()[0].clone();
    assert!(first.resource.windows(4).any(|bytes| bytes == b"shop"));
    let open = pulses().into_iter().flat_map(|pulse| pulse.series).find(|series| series.open > 0).unwrap();
    assert_eq!(
        (open.provider.as_str(), open.operation.as_str(), open.started),
        ("acme-bank", "authorize", 1)
    );
    assert_eq!((open.age_buckets.iter().sum::<u64>(), open.oldest.len()), (1, 1));
    assert_eq!(open.oldest[0].span_id[..], call.context().unwrap().span_id().0);
    call.ok();
    wait_until("its end shows", || series(|series| series.finished) == 1);
    assert_eq!(series(|series| series.started), 1);
}
