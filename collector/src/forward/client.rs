//! OTLP over gRPC as a client: one HTTP/2 connection, our own framing, bodies that are never copied together.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, TE, USER_AGENT};
use http::{HeaderMap, Request, Response, Uri};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use spanmill_proto::grpc::EXPORT;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::answer::{self, Accepted, Failure};
use super::batch::Batch;

/// A destination that is up answers a connection attempt well within this, also across the world.
const CONNECT: Duration = Duration::from_secs(5);

/// Data waiting in the HTTP/2 layer, so that a frame is there whenever the peer's window opens.
const SEND_BUFFER: usize = 1 << 20;

/// Largest frame we take. What we send in one frame is the peer's choice, which defaults to 16 KiB.
const FRAME_MAX: u32 = 1 << 20;

/// An answer holds at most a sentence; more is not read.
const ANSWER_MAX: usize = 64 << 10;

/// A peer that vanished without a word is noticed by its silence.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// One destination's connection, made when needed.
#[derive(Debug)]
pub struct Client {
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
    /// Names the log in `spanmill-batch`.
    instance: u128,
    connection: Mutex<Option<SendRequest<Pieces>>>,
}

impl Client {
    pub fn new(
        endpoint: &Uri,
        own_headers: &[(HeaderName, HeaderValue)],
        timeout: Duration,
        instance: u128,
    ) -> Client {
        let mut parts = endpoint.clone().into_parts();
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static(EXPORT));
        // Without an authority there is nothing to connect to, and that is what the first attempt says.
        let uri = Uri::from_parts(parts).unwrap_or_default();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("spanmill/", env!("CARGO_PKG_VERSION"))));
        headers.extend(own_headers.iter().cloned());
        Client { uri, headers, timeout, instance, connection: Mutex::new(None) }
    }

    /// Sends one batch and waits for the answer to it.
    pub async fn send(&self, batch: &Batch) -> Result<Accepted, Failure> {
        let connection = self.connection().await.map_err(|reason| Failure::unanswered(reason, false))?;
        let sent = timeout(self.timeout, exchange(connection, self.request(batch))).await;
        let failure = match sent {
            Ok(Ok(answer)) => return answer,
            Ok(Err(failure)) => failure,
            Err(_) => Failure::unanswered(format!("no answer within {:?}", self.timeout), true),
        };
        // Whatever went wrong on the wire, the next attempt starts on a new connection.
        *self.connection.lock().await = None;
        Err(failure)
    }

    async fn connection(&self) -> Result<SendRequest<Pieces>, String> {
        let mut held = self.connection.lock().await;
        if let Some(open) = held.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let opened = timeout(CONNECT, connect(&self.uri)).await;
        let opened = opened.map_err(|_| format!("cannot connect within {CONNECT:?}"))??;
        Ok(held.insert(opened).clone())
    }

    fn request(&self, batch: &Batch) -> Request<Pieces> {
        let mut request = Request::new(Pieces(batch.body().into_iter()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let name = HeaderValue::try_from(batch.name(self.instance).to_string());
        let name = name.expect("hexadecimal digits, a slash, digits and a hyphen are allowed");
        request.headers_mut().insert(HeaderName::from_static("spanmill-batch"), name);
        let hop = HeaderValue::from(u16::from(batch.hops()) + 1);
        request.headers_mut().insert(HeaderName::from_static("spanmill-hop"), hop);
        request
    }
}

/// Opens a connection. TLS belongs between the stream and the handshake.
async fn connect(uri: &Uri) -> Result<SendRequest<Pieces>, String> {
    if uri.scheme_str() != Some("http") {
        return Err(format!("cannot connect to {uri}: only http:// is supported"));
    }
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let address = (host, uri.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(address).await.map_err(|error| format!("cannot connect: {error}"))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let handshake = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_frame_size(FRAME_MAX)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_INTERVAL)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = handshake.map_err(|error| format!("no HTTP/2: {}", chain(&error)))?;
    // It ends when the last sender is dropped; what went wrong with it shows in the requests.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

/// One request and its whole answer. The outer error is the wire's, the inner the destination's.
async fn exchange(
    mut connection: SendRequest<Pieces>,
    request: Request<Pieces>,
) -> Result<Result<Accepted, Failure>, Failure> {
    let sent = async {
        connection.ready().await?;
        connection.send_request(request).await
    };
    let response = sent.await.map_err(|error| Failure::unanswered(chain(&error), !error.is_canceled()))?;
    read_answer(response).await.map_err(|reason| Failure::unanswered(reason, true))
}

async fn read_answer(response: Response<Incoming>) -> Result<Result<Accepted, Failure>, String> {
    let (head, body) = response.into_parts();
    if !head.status.is_success() || head.headers.contains_key("grpc-status") {
        return Ok(answer::read(head.status, &head.headers, &[]));
    }
    let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|error| chain(&*error))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    Ok(answer::read(head.status, &trailers, &body.to_bytes()))
}

/// An error with its causes: what hyper says by itself is seldom enough.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A request body in pieces.
#[derive(Debug)]
struct Pieces(std::vec::IntoIter<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.len() == 0
    }
}
