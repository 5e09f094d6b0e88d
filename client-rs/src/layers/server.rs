//! SERVER spans for requests that an axum router answers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use axum::extract::MatchedPath;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{outgoing, target};
use crate::context::InSpan;
use crate::span::Span;

/// Makes a SERVER span of each request, below the span that its headers name.
///
/// ```
/// use axum::{Router, routing::post};
///
/// let app: Router = Router::new()
///     .route("/payments/{id}", post(|| async { "ok" }))
///     .layer(spanmill::layers::HttpServer::new());
/// # let _ = app;
/// ```
#[derive(Debug, Clone, Default)]
pub struct HttpServer {
    distrusts: bool,
}

impl HttpServer {
    /// Spans below those of the callers.
    pub fn new() -> HttpServer {
        HttpServer::default()
    }

    /// For a router that strangers can reach: their ids are not ours, so each request begins a trace.
    pub fn untrusted(self) -> HttpServer {
        HttpServer { distrusts: true }
    }

    fn start<B>(&self, request: &Request<B>) -> Span {
        let (known, original) = outgoing::known_method(request.method());
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let shown = if original.is_some() { "HTTP" } else { known };
        let name = route.map_or_else(|| shown.to_string(), |route| format!("{shown} {route}"));
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let caller = crate::extract(header).filter(|_| !self.distrusts);
        let span = Span::builder(&name).server();
        let mut span = match &caller {
            Some(caller) => span.parent(caller).start(),
            None => span.root().start(),
        };
        if span.is_recording() {
            let (host, port) = target::peer(request.uri(), request.headers());
            span.tag("http.request.method", known).tag("url.path", request.uri().path());
            span.tag("url.scheme", request.uri().scheme_str().unwrap_or("http"));
            if let Some(original) = original {
                span.tag("http.request.method_original", original);
            }
            if let Some(route) = route {
                span.tag("http.route", route);
            }
            if !host.is_empty() {
                span.tag("server.address", host);
            }
            if let Some(port) = port {
                span.tag("server.port", port);
            }
            if let Some(version) = outgoing::version_name(request.version()) {
                span.tag("network.protocol.version", version);
            }
        }
        span
    }
}

impl<S> Layer<S> for HttpServer {
    type Service = HttpServerService<S>;

    fn layer(&self, inner: S) -> HttpServerService<S> {
        HttpServerService { inner, settings: self.clone() }
    }
}

/// A service whose requests are spans; made by [`HttpServer`].
#[derive(Debug, Clone)]
pub struct HttpServerService<S> {
    inner: S,
    settings: HttpServer,
}

impl<S, B, R> Service<Request<B>> for HttpServerService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, task: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut span = self.settings.start(&request);
        let answer = self.inner.call(request).in_span(&span);
        Box::pin(async move {
            let answer = answer.await;
            match &answer {
                Ok(response) => {
                    span.tag("http.response.status_code", response.status().as_u16());
                    // What the client did wrong is no failure of the server.
                    if response.status().is_server_error() {
                        span.failed_as(response.status().as_str(), "");
                    }
                }
                Err(_) => {
                    span.failed_as("_OTHER", "the service failed without an answer");
                }
            }
            answer
        })
    }
}
