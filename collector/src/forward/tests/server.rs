//! A small OTLP receiver that does what a test tells it to: gRPC and HTTP, with or without TLS.

use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use spanmill_proto::{grpc, otlp, wire};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::split;
use crate::tls;

/// What the server does with one request.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    Take,
    /// Takes all but so many spans.
    TakePartly(u64),
    Status(grpc::Code),
    /// An OTLP/HTTP answer, or that of a proxy.
    Http(u16),
    /// UNAVAILABLE or 429, and to come back after so many seconds.
    Later(u64),
    /// A part of it was taken before.
    Overlap,
    /// Takes it, answers, and closes the connection: GOAWAY.
    TakeAndLeave,
    /// Takes it and closes the connection instead of answering.
    TakeAndDie,
    /// Closes the connection.
    Die,
    /// Never answers.
    Hang,
}

type Script = Box<dyn FnMut(&HeaderMap, &[u8]) -> Reply + Send>;

pub struct Server {
    pub address: SocketAddr,
    state: Arc<State>,
    accepting: AbortHandle,
}

struct State {
    script: Mutex<Script>,
    /// Requests that it took.
    taken: Mutex<Vec<(HeaderMap, Bytes)>>,
    requests: Mutex<usize>,
    connections: Mutex<usize>,
}

impl Server {
    pub async fn start(mut script: impl FnMut(&[u8]) -> Reply + Send + 'static) -> Server {
        Server::start_reading_headers(move |_, body| script(body)).await
    }

    pub async fn start_reading_headers(
        script: impl FnMut(&HeaderMap, &[u8]) -> Reply + Send + 'static,
    ) -> Server {
        Server::start_on("127.0.0.1:0".parse().unwrap(), None, Box::new(script)).await
    }

    pub async fn start_at(address: SocketAddr) -> Server {
        Server::start_on(address, None, Box::new(|_, _| Reply::Take)).await
    }

    pub async fn start_with_tls(files: tls::ServerFiles) -> Server {
        let tls = tls::Server::new("the test's server", files).unwrap();
        Server::start_on("127.0.0.1:0".parse().unwrap(), Some(tls), Box::new(|_, _| Reply::Take)).await
    }

    async fn start_on(address: SocketAddr, tls: Option<tls::Server>, script: Script) -> Server {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Mutex::new(script),
            taken: Mutex::default(),
            requests: Mutex::default(),
            connections: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, tls, Arc::clone(&state))).abort_handle();
        Server { address, state, accepting }
    }

    /// The requests that it took, headers and OTLP bytes, in order of arrival.
    pub fn taken(&self) -> Vec<(HeaderMap, Bytes)> {
        self.state.taken.lock().unwrap().clone()
    }

    /// The records that it took, in order of arrival.
    pub fn records(&self) -> Vec<Vec<u8>> {
        self.taken().iter().flat_map(|(_, body)| split(body)).collect()
    }

    pub fn requests(&self) -> usize {
        *self.state.requests.lock().unwrap()
    }

    pub fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }

    pub fn now_replies(&self, mut script: impl FnMut(&[u8]) -> Reply + Send + 'static) {
        *self.state.script.lock().unwrap() = Box::new(move |_, body| script(body));
    }
}

impl Drop for Server {
    /// Dies with all its connections.
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<tls::Server>, state: Arc<State>) {
    let tls = tls.map(Arc::new);
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        let (state, tls) = (Arc::clone(&state), tls.clone());
        *state.connections.lock().unwrap() += 1;
        connections.spawn(async move {
            match tls {
                None => serve_connection(stream, state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream, peer).await {
                        serve_connection(stream, state).await;
                    }
                }
            }
        });
    }
}

/// How a connection ends before its time.
enum End {
    Now,
    Politely,
}

async fn serve_connection(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, state: Arc<State>) {
    let (end, mut ended) = mpsc::channel(1);
    let service = service_fn(move |request| serve(request, Arc::clone(&state), end.clone()));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().max_frame_size(1 << 20);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        _ = connection.as_mut() => {}
        end = ended.recv() => if matches!(end, Some(End::Politely)) {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

type Answer = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

async fn serve(
    request: Request<Incoming>,
    state: Arc<State>,
    end: mpsc::Sender<End>,
) -> Result<Response<Answer>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let is_grpc = head.headers["content-type"] == "application/grpc";
    let body = if is_grpc {
        assert_eq!(head.uri.path(), grpc::EXPORT);
        let (is_compressed, length) = grpc::parse_prefix(body[..5].try_into().unwrap());
        assert_eq!(length, body.len() as u32 - 5);
        assert_eq!(is_compressed, head.headers.contains_key("grpc-encoding"));
        inflate(head.headers.get("grpc-encoding"), body.slice(5..))
    } else {
        assert_eq!(
            (head.uri.path(), &head.headers["content-type"]),
            ("/v1/traces", &"application/x-protobuf".parse().unwrap())
        );
        assert!(head.headers.contains_key("host"));
        inflate(head.headers.get("content-encoding"), body)
    };
    *state.requests.lock().unwrap() += 1;
    let reply = (state.script.lock().unwrap())(&head.headers, &body);
    let take = || state.taken.lock().unwrap().push((head.headers.clone(), body.clone()));
    let (mut message, mut code, mut status) = (Vec::new(), grpc::Code::Ok, 200);
    let mut extra: Option<(&'static str, String)> = None;
    match reply {
        Reply::Take => take(),
        Reply::TakePartly(rejected) => {
            take();
            let mut inner = Vec::new();
            wire::put_uint(&mut inner, otlp::response::REJECTED_SPANS, rejected);
            wire::put_bytes(&mut message, otlp::response::PARTIAL_SUCCESS, &inner);
        }
        Reply::Status(refused) => code = refused,
        Reply::Http(refused) => status = refused,
        Reply::Later(seconds) => {
            (code, status) = (grpc::Code::Unavailable, if is_grpc { 200 } else { 429 });
            extra = Some(("retry-after", seconds.to_string()));
        }
        Reply::Overlap => {
            (code, status) = (grpc::Code::Aborted, if is_grpc { 200 } else { 409 });
            extra = Some(("spanmill-overlap", "1".to_owned()));
        }
        Reply::TakeAndLeave => {
            take();
            end.send(End::Politely).await.unwrap();
        }
        Reply::TakeAndDie => {
            take();
            end.send(End::Now).await.unwrap();
            std::future::pending::<()>().await;
        }
        Reply::Die => {
            end.send(End::Now).await.unwrap();
            std::future::pending::<()>().await;
        }
        Reply::Hang => std::future::pending().await,
    }
    let extra = extra.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    Ok(if is_grpc && status == 200 {
        over_grpc(&message, code, extra)
    } else {
        over_http(message, status, extra)
    })
}

fn inflate(encoding: Option<&http::HeaderValue>, body: Bytes) -> Bytes {
    let mut out = Vec::new();
    match encoding.map(|encoding| encoding.to_str().unwrap()) {
        None => return body,
        Some("gzip") => flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut out).unwrap(),
        Some("zstd") => zstd::Decoder::new(&body[..]).unwrap().read_to_end(&mut out).unwrap(),
        Some(other) => panic!("{other}"),
    };
    out.into()
}

fn over_grpc(
    message: &[u8],
    code: grpc::Code,
    extra: Option<(HeaderName, http::HeaderValue)>,
) -> Response<Answer> {
    let mut answer = grpc::prefix(false, message.len() as u32).to_vec();
    answer.extend(message);
    let mut trailers: HeaderMap =
        [("grpc-status".parse().unwrap(), u16::from(code as u8).into())].into_iter().collect();
    trailers.extend(extra);
    response(vec![Ok(Frame::data(answer.into())), Ok(Frame::trailers(trailers))])
}

fn over_http(
    message: Vec<u8>,
    status: u16,
    extra: Option<(HeaderName, http::HeaderValue)>,
) -> Response<Answer> {
    let mut response = response(vec![Ok(Frame::data(message.into()))]);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().extend(extra);
    response
}

fn response(frames: Vec<Result<Frame<Bytes>, Infallible>>) -> Response<Answer> {
    Response::new(StreamBody::new(futures_util::stream::iter(frames)))
}
