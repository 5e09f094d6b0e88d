//! OTLP as a client, over gRPC or HTTP: what a request says, and what its answer means.
//!
//! Each request in flight has a connection of its own, taken from those that rest and opened when there is none: so
//! there are as many as there is work for, and one that a proxy or a lost packet slows does not hold up the others.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, TE, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::answer::{self, Accepted, Failure};
use super::batch::Batch;
use super::{Compression, Config};
use crate::clock::Clock;
use crate::dial::{Connection, Pieces, Protocol, Target, Unanswered, chain};

/// An answer holds at most a sentence; more is not read.
const ANSWER_MAX: usize = 64 << 10;

/// One destination's connections, made when needed.
#[derive(Debug)]
pub struct Client {
    target: Target,
    uri: Uri,
    headers: HeaderMap,
    compression: Compression,
    timeout: Duration,
    clock: Clock,
    /// Names the log in `spanmill-batch`.
    instance: u128,
    /// The connection that rested last is used first, so that under little load one is enough.
    resting: Mutex<Vec<Connection>>,
}

impl Client {
    pub fn new(config: &Config, clock: &Clock, instance: u128) -> Client {
        Client {
            target: config.target.clone(),
            uri: config.target.uri(config.path.clone()),
            headers: headers(config),
            compression: config.compression,
            timeout: config.timeout,
            clock: clock.clone(),
            instance,
            resting: Mutex::default(),
        }
    }

    /// Sends one batch and waits for the answer to it.
    pub async fn send(&self, batch: &Batch) -> Result<Accepted, Failure> {
        let mut body = self.body(batch)?;
        while let Some(connection) = self.rested() {
            match self.attempt(connection, self.request(batch, body)).await {
                Ok(answer) => return answer,
                // A server that restarts, or a proxy, closed it while it rested.
                Err(Unanswered { was_sent: false, .. }) => body = self.body(batch)?,
                Err(Unanswered { reason, .. }) => return Err(Failure::unanswered(reason, true)),
            }
        }
        let connection = self.target.connect().await.map_err(|reason| Failure::unanswered(reason, false))?;
        let answer = self.attempt(connection, self.request(batch, body)).await;
        answer.unwrap_or_else(|Unanswered { reason, was_sent }| Err(Failure::unanswered(reason, was_sent)))
    }

    fn rested(&self) -> Option<Connection> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|connection| !connection.is_closed());
        resting.pop()
    }

    fn body(&self, batch: &Batch) -> Result<Pieces, Failure> {
        let body = match self.target.protocol {
            Protocol::Http2 => self.compression.framed(batch),
            Protocol::Http1 => self.compression.plain(batch),
        };
        let body = body.map_err(|error| Failure::unanswered(format!("cannot compress: {error}"), false))?;
        Ok(body.into())
    }

    fn request(&self, batch: &Batch, body: Pieces) -> Request<Pieces> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let name = HeaderValue::try_from(batch.name(self.instance).to_string());
        let name = name.expect("hexadecimal digits, a slash, digits and a hyphen are allowed");
        request.headers_mut().insert(HeaderName::from_static("spanmill-batch"), name);
        let hop = HeaderValue::from(u16::from(batch.hops()) + 1);
        request.headers_mut().insert(HeaderName::from_static("spanmill-hop"), hop);
        request
    }

    /// One request and its whole answer. The connection rests after it, unless something was wrong on the wire.
    async fn attempt(
        &self,
        mut connection: Connection,
        request: Request<Pieces>,
    ) -> Result<Result<Accepted, Failure>, Unanswered> {
        let exchange = async {
            let response = connection.send(request).await?;
            let answer = self.read_answer(response).await;
            answer.map_err(|reason| Unanswered { reason, was_sent: true })
        };
        match timeout(self.timeout, exchange).await {
            Ok(answer) => {
                let answer = answer?;
                self.resting.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                Ok(answer)
            }
            Err(_) => Ok(Err(Failure::TooSlow { reason: format!("no answer within {:?}", self.timeout) })),
        }
    }

    async fn read_answer(&self, response: Response<Incoming>) -> Result<Result<Accepted, Failure>, String> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|error| chain(&*error))?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        let body = body.to_bytes();
        let now_unix_ns = self.clock.unix_ns();
        Ok(match self.target.protocol {
            Protocol::Http1 => answer::read_http(head.status, &head.headers, &body, now_unix_ns),
            Protocol::Http2 if head.headers.contains_key("grpc-status") => {
                answer::read_grpc(head.status, &head.headers, &body, now_unix_ns)
            }
            Protocol::Http2 if !head.status.is_success() => {
                answer::read_grpc(head.status, &head.headers, &[], now_unix_ns)
            }
            Protocol::Http2 => answer::read_grpc(head.status, &trailers, &body, now_unix_ns),
        })
    }
}

/// What each request says.
fn headers(config: &Config) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let encoding = config.compression.name().map(HeaderValue::from_static);
    match config.target.protocol {
        Protocol::Http2 => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            headers.insert(TE, HeaderValue::from_static("trailers"));
            encoding.map(|name| headers.insert("grpc-encoding", name));
        }
        Protocol::Http1 => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
            encoding.map(|name| headers.insert(CONTENT_ENCODING, name));
        }
    }
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("spanmill/", env!("CARGO_PKG_VERSION"))));
    headers.extend(config.headers.iter().cloned());
    headers
}
