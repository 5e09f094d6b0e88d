//! CLIENT spans for HTTP clients that are `tower` services: hyper-util's, and those built on it.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::outgoing;
use super::propagate::Propagation;
use crate::context::InSpan;

/// Makes a CLIENT span of each request that goes through. Put it inside a retry layer, so that each try is one.
///
/// ```
/// # use tower_layer::Layer;
/// # fn of<S>(http_client: S) {
/// let client = spanmill::layers::HttpClient::new().layer(http_client);
/// # let _ = client;
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct HttpClient {
    propagation: Propagation,
}

impl HttpClient {
    /// Trace ids go to internal hosts only.
    pub fn new() -> HttpClient {
        HttpClient::default()
    }

    /// Says which hosts get the ids of the trace.
    pub fn propagation(self, propagation: Propagation) -> HttpClient {
        HttpClient { propagation }
    }
}

impl<S> Layer<S> for HttpClient {
    type Service = HttpClientService<S>;

    fn layer(&self, inner: S) -> HttpClientService<S> {
        HttpClientService { inner, propagation: self.propagation.clone() }
    }
}

/// A service whose requests are spans; made by [`HttpClient`].
#[derive(Debug, Clone)]
pub struct HttpClientService<S> {
    inner: S,
    propagation: Propagation,
}

type Failure = Box<dyn Error + Send + Sync>;

impl<S, B, R> Service<Request<B>> for HttpClientService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Failure>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    // Boxed as in tower's own layers: so its causes can be asked for.
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Failure>> + Send>>;

    fn poll_ready(&mut self, task: &mut TaskContext<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(task).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let propagation = &self.propagation;
        let span =
            outgoing::start(&parts.method, &parts.uri, &mut parts.headers, &parts.extensions, propagation);
        let answer = self.inner.call(Request::from_parts(parts, body)).in_span(&span);
        Box::pin(async move {
            match answer.await {
                Ok(response) => {
                    outgoing::answered(span, response.status(), response.version());
                    Ok(response)
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
