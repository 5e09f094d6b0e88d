//! One request of either OTLP listener, from its headers to its answer.
//!
//! Both listeners serve both protocols, told apart by content type and path: an exporter that is pointed at the
//! other port works, instead of failing in a way that nobody can read.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use spanmill_proto::grpc::PREFIX;

use super::answer::Answer;
use super::body::{self, BodyError};
use super::budget::{Budget, Lease};
use super::http::Format;
use super::inflate::{self, Encoding};
use super::origin::{self, Origin};
use super::response::Failure;
use super::tokens::Tokens;
use super::{Accepted, ReceivedBatch, Sink, grpc, json};
use crate::clock::Clock;
use crate::outcome::{Outcomes, Rejected, Transport};
use crate::rotate::Rotating;

/// A body that takes longer to arrive is given up: a slow sender must not hold its share of the budget.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Daemons a batch may have passed; more means a ring.
const HOPS_MAX: u8 = 4;

/// Senders of metrics and logs that are named in the log, once each; beyond it they are only counted.
const NAMED_SENDERS_MAX: usize = 1024;

/// The service of one listener.
#[derive(Debug)]
pub struct Otlp<S> {
    pub sink: S,
    pub clock: Clock,
    pub outcomes: Arc<Outcomes>,
    pub budget: Budget,
    /// Largest request, inflated.
    pub request_max: usize,
    pub tokens: Option<Arc<Rotating<Tokens>>>,
    pub named_senders: Mutex<HashSet<IpAddr>>,
}

/// An answer that only a spanmill is given is marked: its code alone could come from anybody's server.
fn marked(mut response: Response<Answer>, failure: &Failure) -> Response<Answer> {
    if failure.reason == Rejected::Overlap {
        response.headers_mut().insert(origin::OVERLAP, HeaderValue::from_static("1"));
    }
    response
}

/// How a request came here, as its headers say.
struct Way {
    hops: u8,
    origin: Option<Origin>,
}

impl<S: Sink> Otlp<S> {
    /// Answers one request. Refusals are answers, too.
    pub async fn serve<B>(self: Arc<Self>, request: Request<B>) -> Response<Answer>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let content_type = request.headers().get(CONTENT_TYPE);
        if content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
            match self.grpc(request).await {
                Ok(accepted) => grpc::accepted(accepted),
                Err(failure) => {
                    self.outcomes.rejected(failure.reason);
                    marked(grpc::refused(&failure), &failure)
                }
            }
        } else {
            // Whoever sends something else is answered in JSON: it can be read.
            let format = Format::parse(content_type).unwrap_or(Format::Json);
            match self.http(request).await {
                Ok(accepted) => super::http::accepted(format, accepted),
                Err(failure) => {
                    self.outcomes.rejected(failure.reason);
                    marked(super::http::refused(format, failure.http, &failure), &failure)
                }
            }
        }
    }

    async fn grpc<B>(&self, request: Request<B>) -> Result<Accepted, Failure>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if request.uri().path() != grpc::EXPORT {
            let path = request.uri().path().trim_start_matches('/').to_owned();
            return Err(self.wrong_signal(&request, &format!("spanmill takes traces only, not {path}")));
        }
        let way = self.admit(request.headers())?;
        let encoding = request.headers().get("grpc-encoding");
        let encoding = Encoding::parse(encoding).ok_or_else(|| Failure {
            http: 415,
            ..Failure::wrong_signal("grpc-encoding: use identity, gzip or zstd".into())
        })?;
        let mut lease = self.budget.lease();
        let body = self.collect(request, self.request_max + PREFIX, &mut lease).await?;
        let (compressed, message) = grpc::message(&body).map_err(Failure::malformed)?;
        let encoding = if compressed { encoding } else { Encoding::Identity };
        let message = inflate::inflate(message, encoding, self.request_max, &mut lease)?;
        self.hand_on(message, Transport::Grpc, way, lease).await
    }

    async fn http<B>(&self, request: Request<B>) -> Result<Accepted, Failure>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        match request.uri().path() {
            super::http::TRACES => {}
            path => {
                let message = format!("spanmill takes traces only, at {}; not {path}", super::http::TRACES);
                return Err(self.wrong_signal(&request, &message));
            }
        }
        if request.method() != Method::POST {
            return Err(Failure { http: 405, ..Failure::malformed("use POST".into()) });
        }
        let way = self.admit(request.headers())?;
        let format = Format::parse(request.headers().get(CONTENT_TYPE))
            .map_err(|message| Failure { http: 415, ..Failure::malformed(message) })?;
        let encoding = Encoding::parse(request.headers().get(CONTENT_ENCODING)).ok_or_else(|| Failure {
            http: 415,
            ..Failure::malformed("content-encoding: use gzip, zstd or none".into())
        })?;
        let mut lease = self.budget.lease();
        let body = self.collect(request, self.request_max, &mut lease).await?;
        let message = inflate::inflate(body, encoding, self.request_max, &mut lease)?;
        let message = match format {
            Format::Protobuf => message,
            Format::Json => json::to_protobuf(&message).map_err(Failure::malformed)?,
        };
        self.hand_on(message, Transport::Http, way, lease).await
    }

    /// Checks the token and the number of hops before a byte of the body is read.
    fn admit(&self, headers: &HeaderMap) -> Result<Way, Failure> {
        if self.tokens.as_ref().is_some_and(|tokens| !tokens.current().admit(headers)) {
            return Err(Failure::unauthorized());
        }
        let hops = headers.get("spanmill-hop").and_then(|value| value.to_str().ok()?.parse().ok());
        match hops.unwrap_or(0) {
            hops if hops > HOPS_MAX => Err(Failure::looped(hops)),
            hops => Ok(Way { hops, origin: Origin::of(headers) }),
        }
    }

    async fn collect<B>(&self, request: Request<B>, limit: usize, lease: &mut Lease) -> Result<Bytes, Failure>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let length = request.headers().get(CONTENT_LENGTH);
        let expected = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = body::collect(request.into_body(), expected, limit, lease);
        match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(body) => Ok(body?),
            Err(_) => Err(Failure { http: 408, ..BodyError::Cut.into() }),
        }
    }

    async fn hand_on(
        &self,
        body: Bytes,
        transport: Transport,
        way: Way,
        lease: Lease,
    ) -> Result<Accepted, Failure> {
        let received_unix_ns = self.clock.unix_ns();
        let Way { hops, origin } = way;
        let batch = ReceivedBatch { body, transport, received_unix_ns, hops, origin };
        let accepted = self.sink.accept(batch).await;
        drop(lease);
        Ok(accepted?)
    }

    /// SDKs send metrics and logs to the same address: each sender is named in the log once.
    fn wrong_signal<B>(&self, request: &Request<B>, message: &str) -> Failure {
        if let Some(peer) = request.extensions().get::<SocketAddr>() {
            let mut named = self.named_senders.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if named.len() < NAMED_SENDERS_MAX && named.insert(peer.ip()) {
                tracing::info!(sender = %peer.ip(), "{message}; said once per sender");
            }
        }
        Failure::wrong_signal(message.to_owned())
    }
}
