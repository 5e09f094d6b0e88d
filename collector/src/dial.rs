//! Connections that we open: HTTP/1.1 or HTTP/2, with or without TLS, bodies in pieces that are not copied together.
//!
//! Whoever sends decides how long an answer may take and when to try again; here only connecting has a limit.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::tls;

/// A server that is up answers a connection attempt well within this, also across the world and with TLS.
const CONNECT: Duration = Duration::from_secs(5);

/// Data waiting in the HTTP/2 layer, so that a frame is there whenever the peer's window opens.
const SEND_BUFFER: usize = 1 << 20;

/// Largest frame we take. What we send in one frame is the peer's choice, which defaults to 16 KiB.
const FRAME_MAX: u32 = 1 << 20;

/// A peer that vanished without a word is noticed by its silence.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// A connection that ends says why in the same moment, but on a task of its own.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What is spoken to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// With prior knowledge, as gRPC does it.
    Http2,
}

impl Protocol {
    /// As TLS negotiates it.
    pub fn alpn(self) -> &'static str {
        match self {
            Protocol::Http1 => "http/1.1",
            Protocol::Http2 => "h2",
        }
    }
}

/// A server and how to reach it.
#[derive(Debug, Clone)]
pub struct Target {
    pub authority: Authority,
    pub protocol: Protocol,
    /// `None` = without.
    pub tls: Option<Arc<tls::Client>>,
}

impl Target {
    /// The address of `path` there.
    pub fn uri(&self, path: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme =
            Some(if self.tls.is_some() { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).expect("scheme, authority and path are all an address needs")
    }

    /// Opens a connection. The error is a sentence.
    pub async fn connect(&self) -> Result<Connection, String> {
        let opened = timeout(CONNECT, self.open()).await;
        opened.unwrap_or_else(|_| Err(format!("cannot connect within {CONNECT:?}")))
    }

    async fn open(&self) -> Result<Connection, String> {
        let host = self.authority.host().trim_matches(['[', ']']);
        let port = self.authority.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream =
            TcpStream::connect((host, port)).await.map_err(|error| format!("cannot connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        match &self.tls {
            None => self.speak(stream).await,
            Some(tls) => {
                let stream = tls.connect(host, stream).await?;
                let agreed = stream.get_ref().1.alpn_protocol();
                if self.protocol == Protocol::Http2 && agreed != Some(b"h2") {
                    return Err("the server speaks TLS but no HTTP/2 there: is it a gRPC port?".to_owned());
                }
                self.speak(stream).await
            }
        }
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Connection, String> {
        let io = TokioIo::new(stream);
        match self.protocol {
            Protocol::Http1 => {
                let opened = http1::handshake(io).await;
                let (sender, driver) = opened.map_err(|error| format!("no HTTP/1.1: {}", chain(&error)))?;
                Ok(Connection { sender: Sender::Http1(sender), ended: drive(driver) })
            }
            Protocol::Http2 => {
                let opened = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .max_frame_size(FRAME_MAX)
                    .max_send_buf_size(SEND_BUFFER)
                    .keep_alive_interval(PING_INTERVAL)
                    .handshake(io)
                    .await;
                let (sender, driver) = opened.map_err(|error| format!("no HTTP/2: {}", chain(&error)))?;
                Ok(Connection { sender: Sender::Http2(sender), ended: drive(driver) })
            }
        }
    }
}

/// Works for a connection until its last sender is dropped, and tells why it ended before.
fn drive(
    driver: impl Future<Output = hyper::Result<()>> + Send + 'static,
) -> watch::Receiver<Option<String>> {
    let (tell, ended) = watch::channel(None);
    tokio::spawn(async move {
        let reason = driver.await.err().map(|error| chain(&error));
        // Nobody may be left to hear it.
        let _ = tell.send(reason);
    });
    ended
}

/// An open connection. Closed when it is dropped.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    /// Why it ended, once it did. A request that was under way then learns only that it was cut off.
    ended: watch::Receiver<Option<String>>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Pieces>),
    Http2(http2::SendRequest<Pieces>),
}

/// A request that got no answer.
#[derive(Debug)]
pub struct Unanswered {
    pub reason: String,
    /// It may have arrived.
    pub was_sent: bool,
}

impl Connection {
    pub fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// A handle of the same connection for one more request at a time; HTTP/1.1 has no such thing.
    pub fn share(&self) -> Option<Connection> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => {
                Some(Connection { sender: Sender::Http2(sender.clone()), ended: self.ended.clone() })
            }
        }
    }

    /// Sends one request, whose address is a whole one, and waits for the head of its answer.
    pub async fn send(&mut self, request: Request<Pieces>) -> Result<Response<Incoming>, Unanswered> {
        let error = match self.try_send(request).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let ended = timeout(LAST_WORDS, self.ended.wait_for(Option::is_some)).await;
        let ended = ended.ok().and_then(Result::ok).and_then(|reason| reason.clone());
        Err(Unanswered { reason: ended.unwrap_or_else(|| chain(&error)), was_sent: !error.is_canceled() })
    }

    async fn try_send(&mut self, request: Request<Pieces>) -> hyper::Result<Response<Incoming>> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(origin_form(request)).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

/// HTTP/1.1 wants the host in a header and the path alone.
fn origin_form(mut request: Request<Pieces>) -> Request<Pieces> {
    let authority = request.uri().authority().map_or("", Authority::as_str);
    if let Ok(host) = HeaderValue::try_from(authority) {
        request.headers_mut().insert(HOST, host);
    }
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
    request
}

/// An error with its causes: what hyper says by itself is seldom enough.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    // With TLS 1.3 a server that wants a certificate says so only after the handshake.
    if text.contains("CertificateRequired") {
        text.push_str("; the server wants a certificate of ours: set cert_file and key_file");
    }
    text
}

/// A request body in pieces.
#[derive(Debug)]
pub struct Pieces {
    rest: std::vec::IntoIter<Bytes>,
    len: u64,
}

impl From<Vec<Bytes>> for Pieces {
    fn from(pieces: Vec<Bytes>) -> Pieces {
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        Pieces { rest: pieces.into_iter(), len }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.rest.next();
        self.len -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}
