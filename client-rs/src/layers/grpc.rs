//! CLIENT spans for gRPC calls through a tonic channel. How a call ended stands in its trailers, behind the answer, so
//! the span lives as long as the answer's body.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use http::header::HeaderMap;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::outgoing::{self, ResendCount};
use super::propagate::Propagation;
use super::target;
use crate::context::InSpan;
use crate::span::Span;

/// Makes a CLIENT span of each gRPC call.
///
/// ```
/// # fn of(channel: tonic::transport::Channel) {
/// # use tower_layer::Layer;
/// let channel = spanmill::layers::GrpcClient::to("acquiring.acme.example", 443).layer(channel);
/// // let client = AcquiringClient::new(channel);
/// # let _ = channel;
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GrpcClient {
    host: String,
    port: u16,
    propagation: Propagation,
}

impl GrpcClient {
    /// Calls to this address: a channel's requests do not say where they go.
    pub fn to(host: &str, port: u16) -> GrpcClient {
        GrpcClient { host: host.to_string(), port, propagation: Propagation::default() }
    }

    /// Says which hosts get the ids of the trace.
    pub fn propagation(self, propagation: Propagation) -> GrpcClient {
        GrpcClient { propagation, ..self }
    }

    fn start<B>(&self, request: &mut Request<B>) -> Span {
        let (said_host, said_port) = target::peer(request.uri(), request.headers());
        let is_said = !said_host.is_empty();
        let (host, port) =
            if is_said { (said_host, said_port) } else { (self.host.clone(), Some(self.port)) };
        let method = request.uri().path().trim_start_matches('/').to_string();
        let mut span = Span::builder(&method).client().peer(&host, port).start();
        if span.is_recording() {
            span.tag("rpc.system.name", "grpc").tag("rpc.method", &method);
            if let Some(ResendCount(count @ 1..)) = request.extensions().get() {
                span.tag("rpc.resend_count", *count);
            }
            self.propagation.inject(span.context().as_ref(), &host, request.headers_mut());
        }
        span
    }
}

impl<S> Layer<S> for GrpcClient {
    type Service = GrpcClientService<S>;

    fn layer(&self, inner: S) -> GrpcClientService<S> {
        GrpcClientService { inner, settings: self.clone() }
    }
}

/// A channel whose calls are spans; made by [`GrpcClient`].
#[derive(Debug, Clone)]
pub struct GrpcClientService<S> {
    inner: S,
    settings: GrpcClient,
}

type Failure = Box<dyn Error + Send + Sync>;

impl<S, B, R> Service<Request<B>> for GrpcClientService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Failure>,
    S::Future: Send + 'static,
    R: Body + Unpin,
{
    type Response = Response<GrpcBody<R>>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, task: &mut TaskContext<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(task).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let span = self.settings.start(&mut request);
        let answer = self.inner.call(request).in_span(&span);
        Box::pin(async move {
            match answer.await {
                Ok(response) => {
                    // Without a body the status stands in the head.
                    let mut open = Some(span);
                    end(&mut open, response.headers());
                    Ok(response.map(|body| GrpcBody { body, span: open }))
                }
                Err(error) => {
                    let error = error.into();
                    outgoing::failed(span, &*error, outgoing::error_kind(&*error));
                    Err(error)
                }
            }
        })
    }
}

/// Ends the span, if these headers say how the call ended.
fn end(span: &mut Option<Span>, headers: &HeaderMap) {
    let Some(status) = headers.get("grpc-status").and_then(|status| status.to_str().ok()) else { return };
    let Some(mut span) = span.take() else { return };
    let name = name(status);
    span.tag("rpc.status_code", name);
    if name != "OK" {
        let message =
            headers.get("grpc-message").and_then(|message| message.to_str().ok()).unwrap_or_default();
        span.failed_as(name, &spanmill_proto::grpc::decode_message(message));
    }
}

fn name(status: &str) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    status.parse::<usize>().ok().and_then(|number| NAMES.get(number)).copied().unwrap_or("UNKNOWN")
}

/// The body of an answer: its end is the end of the call's span.
#[derive(Debug)]
pub struct GrpcBody<B> {
    body: B,
    span: Option<Span>,
}

impl<B: Body + Unpin> Body for GrpcBody<B>
where
    B::Error: std::fmt::Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(task));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    end(&mut self.span, trailers);
                }
            }
            Some(Err(error)) => {
                if let Some(mut span) = self.span.take() {
                    span.failed_as("_OTHER", &error.to_string());
                }
            }
            None => self.span = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Dropped before its end: who called has given up.
impl<B> Drop for GrpcBody<B> {
    fn drop(&mut self) {
        if let Some(mut span) = self.span.take() {
            span.tag("rpc.status_code", "CANCELLED").failed_as("CANCELLED", "dropped before its end");
        }
    }
}
