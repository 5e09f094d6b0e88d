//! CLIENT spans for `reqwest`, as a middleware of `reqwest-middleware`.

use http::Extensions;
use reqwest_middleware::reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::outgoing::{self, ResendCount};
use super::propagate::Propagation;
use crate::context::InSpan;

/// Makes a CLIENT span of each request. Behind a retrying middleware each try is one, and says the how-manieth.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
///
/// let client = ClientBuilder::new(reqwest_middleware::reqwest::Client::new())
///     // .with(RetryTransientMiddleware::…)      outside, so that each try is a span
///     .with(spanmill::layers::ReqwestSpans::new())
///     .build();
/// # let _ = client;
/// ```
#[derive(Debug, Clone, Default)]
pub struct ReqwestSpans {
    propagation: Propagation,
}

impl ReqwestSpans {
    /// Trace ids go to internal hosts only.
    pub fn new() -> ReqwestSpans {
        ReqwestSpans::default()
    }

    /// Says which hosts get the ids of the trace.
    pub fn propagation(self, propagation: Propagation) -> ReqwestSpans {
        ReqwestSpans { propagation }
    }
}

/// How often this middleware has seen the request: its extensions are the same in all tries.
#[derive(Clone)]
struct Seen(u32);

#[async_trait::async_trait]
impl Middleware for ReqwestSpans {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let tries = extensions.get::<Seen>().map_or(0, |seen| seen.0);
        extensions.insert(Seen(tries + 1));
        if tries > 0 {
            extensions.insert(ResendCount(tries));
        }
        let method = request.method().clone();
        // A URL that is no URI goes nowhere; reqwest will say so.
        let uri = request.url().as_str().parse().unwrap_or_default();
        let span = outgoing::start(&method, &uri, request.headers_mut(), extensions, &self.propagation);
        match next.run(request, extensions).in_span(&span).await {
            Ok(response) => {
                outgoing::answered(span, response.status(), response.version());
                Ok(response)
            }
            Err(error) => {
                outgoing::failed(span, &error, kind(&error));
                Err(error)
            }
        }
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Reqwest(error) if error.is_timeout() => "timeout",
        Error::Reqwest(error) if error.is_connect() => "connect",
        Error::Reqwest(error) => outgoing::error_kind(error),
        Error::Middleware(_) => "_OTHER",
    }
}
