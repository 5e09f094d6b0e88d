//! The layers on real sockets: what a request and its answer look like as spans.

#![allow(clippy::unwrap_used)] // in what the tests share; see clippy.toml

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::http::{Request, Response, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use reqwest_middleware::ClientBuilder;
use spanmill::layers::{
    GrpcClient, HttpClient, HttpServer, Propagation, ReqwestSpans, ResendCount, UrlTemplate,
};
use spanmill::testing::{CapturedSpan, capture};
use spanmill::{InSpan, Provider};
use tower_layer::Layer;
use tower_service::Service;

static ACME: Provider = Provider::new("acme-bank");

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn bank() -> Router {
    Router::new()
        .route("/payments/{id}", post(|| async { "<ok/>" }))
        .route("/down", post(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .layer(HttpServer::new())
}

fn client() -> reqwest_middleware::ClientWithMiddleware {
    ClientBuilder::new(reqwest_middleware::reqwest::Client::new()).with(ReqwestSpans::new()).build()
}

fn tag(span: &CapturedSpan, key: &str) -> String {
    span.tag(key).map_or("-".to_string(), |value| match value {
        spanmill::testing::CapturedValue::Text(text) => text.clone(),
        spanmill::testing::CapturedValue::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

#[tokio::test]
async fn a_request_inside_a_call_is_its_attempt_and_reaches_the_server() {
    let capture = capture();
    let address = serve(bank()).await;
    let call = ACME.call("authorize");
    let url = format!("http://user:secret@{address}/payments/7?card=4111111111111111");
    let answer = client().post(url).send().in_span(&call).await.unwrap();
    assert_eq!(answer.status(), 200);
    call.ok();
    assert_eq!(capture.tree(), "acme-bank authorize\n  POST\n    POST /payments/{id}\n");
    let spans = capture.spans();
    let attempt = spans.iter().find(|span| span.name == "POST").unwrap();
    assert_eq!(tag(attempt, "spanmill.provider"), "acme-bank");
    assert_eq!(tag(attempt, "url.full"), format!("http://{address}/payments/7?card=411111******1111"));
    assert_eq!(tag(attempt, "server.port"), address.port().to_string());
    assert_eq!((tag(attempt, "http.response.status_code"), attempt.status), ("200".to_string(), 0));
    assert_eq!(
        (tag(attempt, "network.protocol.version"), tag(attempt, "error.type")),
        ("1.1".into(), "-".into())
    );
    let server = spans.iter().find(|span| span.kind == 2).unwrap();
    assert_eq!(
        (tag(server, "http.route"), tag(server, "url.path")),
        ("/payments/{id}".into(), "/payments/7".into())
    );
    let all = capture.encoded().concat();
    assert!(!all.windows(6).any(|bytes| bytes == b"secret"));
}

#[tokio::test]
async fn answers_that_fail_and_hosts_that_are_absent_say_so() {
    let capture = capture();
    let address = serve(bank()).await;
    client().post(format!("http://{address}/down")).send().await.unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(client().post(format!("http://{nobody}/")).send().await.is_err());
    let spans = capture.spans();
    let seen: Vec<_> = spans.iter().map(|span| (span.kind, tag(span, "error.type"), span.status)).collect();
    assert_eq!(seen, [(2, "503".into(), 2), (3, "503".into(), 2), (3, "connect".into(), 2)]);
}

#[tokio::test]
async fn strangers_do_not_learn_our_trace_ids() {
    let _capture = capture();
    let seen = |host: &str, propagation: Propagation| {
        let service = tower::service_fn(|request: Request<()>| async move {
            let has_ids = request.headers().contains_key("traceparent");
            Ok::<_, Infallible>(Response::new(has_ids))
        });
        let mut client = HttpClient::new().propagation(propagation).layer(service);
        let request = Request::post(format!("http://{host}/")).body(()).unwrap();
        async move { client.call(request).await.unwrap().into_body() }
    };
    assert!(seen("billing.service.consul", Propagation::Internal).await);
    assert!(!seen("api.acme.example", Propagation::Internal).await);
    assert!(seen("api.acme.example", Propagation::Everyone).await);
}

#[tokio::test]
async fn the_operation_and_the_retries_are_those_of_the_extensions() {
    let capture = capture();
    let service = tower::service_fn(|_: Request<()>| async {
        Err::<Response<()>, _>(std::io::Error::from(std::io::ErrorKind::TimedOut))
    });
    let mut client = HttpClient::new().layer(service);
    let request = Request::post("https://api.acme.example/payments/7");
    let request =
        request.extension(UrlTemplate("/payments/{id}")).extension(ResendCount(2)).body(()).unwrap();
    assert!(client.call(request).await.is_err());
    let span = &capture.spans()[0];
    assert_eq!(
        (span.name.as_str(), tag(span, "url.template")),
        ("POST /payments/{id}", "/payments/{id}".into())
    );
    assert_eq!(
        (tag(span, "http.request.resend_count"), tag(span, "error.type")),
        ("2".into(), "timeout".into())
    );
    assert_eq!(
        (tag(span, "server.address"), tag(span, "server.port")),
        ("api.acme.example".into(), "443".into())
    );
}

/// Sends again what was refused, as retrying middlewares do.
struct Again;

#[async_trait::async_trait]
impl reqwest_middleware::Middleware for Again {
    async fn handle(
        &self,
        request: reqwest_middleware::reqwest::Request,
        extensions: &mut http::Extensions,
        next: reqwest_middleware::Next<'_>,
    ) -> reqwest_middleware::Result<reqwest_middleware::reqwest::Response> {
        let again = request.try_clone().unwrap();
        let answer = next.clone().run(request, extensions).await?;
        if answer.status().is_success() { Ok(answer) } else { next.run(again, extensions).await }
    }
}

#[tokio::test]
async fn each_try_of_a_retried_request_is_a_span_with_its_number() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let capture = capture();
    let flaky = post(|| async {
        match CALLS.fetch_add(1, Ordering::Relaxed) {
            0 => StatusCode::BAD_GATEWAY,
            _ => StatusCode::OK,
        }
    });
    let address = serve(Router::new().route("/flaky", flaky)).await;
    let client = ClientBuilder::new(reqwest_middleware::reqwest::Client::new());
    let client = client.with(Again).with(ReqwestSpans::new()).build();
    let call = ACME.call("authorize");
    client.post(format!("http://{address}/flaky")).send().in_span(&call).await.unwrap();
    call.ok();
    let spans = capture.spans();
    let seen: Vec<_> = spans[..2]
        .iter()
        .map(|span| (tag(span, "http.response.status_code"), tag(span, "http.request.resend_count")))
        .collect();
    assert_eq!(seen, [("502".into(), "-".into()), ("200".into(), "1".into())]);
    assert!(spans[..2].iter().all(|span| tag(span, "spanmill.attempt") == "Bool(true)"));
}

struct Acquirer;

#[tonic::async_trait]
impl TraceService for Acquirer {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        assert!(request.metadata().contains_key("traceparent"));
        match request.into_inner().resource_spans.len() {
            0 => Ok(tonic::Response::new(ExportTraceServiceResponse::default())),
            _ => Err(tonic::Status::unavailable("acquirer is away: card 4111111111111111")),
        }
    }
}

#[tokio::test]
async fn a_grpc_call_is_a_span_that_knows_its_status() {
    let capture = capture();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(Acquirer));
    tokio::spawn(server.serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener)));
    let channel = tonic::transport::Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let channel = GrpcClient::to("127.0.0.1", address.port()).layer(channel);
    let mut client = TraceServiceClient::new(channel);
    client.export(ExportTraceServiceRequest::default()).await.unwrap();
    let bad = ExportTraceServiceRequest { resource_spans: vec![Default::default()] };
    assert!(client.export(bad).await.is_err());
    let spans = capture.spans();
    let method = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
    assert!(spans.iter().all(|span| span.name == method && tag(span, "rpc.method") == method));
    let seen: Vec<_> = spans.iter().map(|span| (tag(span, "rpc.status_code"), span.status)).collect();
    assert_eq!(seen, [("OK".into(), 0), ("UNAVAILABLE".into(), 2)]);
    assert_eq!(spans[1].status_message, "acquirer is away: card 411111******1111");
    assert_eq!(tag(&spans[1], "server.port"), address.port().to_string());
}
