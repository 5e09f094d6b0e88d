//! One OTLP/gRPC connection that sends bodies as they are.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use spanmill_proto::grpc::{self, Code, EXPORT};
use tokio::net::TcpStream;

/// Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Sender {
    connection: SendRequest<Full<Bytes>>,
    uri: Uri,
}

impl Sender {
    pub async fn connect(target: &Uri) -> Result<Sender, String> {
        let (Some("http"), Some(authority)) = (target.scheme_str(), target.authority()) else {
            return Err("write http://host:port".to_owned());
        };
        let uri = format!("http://{authority}{EXPORT}").parse().map_err(|error| format!("{error}"))?;
        let address = (authority.host(), authority.port_u16().unwrap_or(4317));
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let opened = handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (connection, driver) = opened.map_err(|error| error.to_string())?;
        tokio::spawn(async { drop(driver.await) });
        Ok(Sender { connection, uri })
    }

    /// Sends one request; `Ok` = the receiver has taken every span of it.
    pub async fn export(mut self, message: Vec<u8>) -> Result<(), String> {
        let mut body = Vec::with_capacity(grpc::PREFIX + message.len());
        body.extend_from_slice(&grpc::prefix(false, message.len() as u32));
        body.extend_from_slice(&message);
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .body(Full::from(body))
            .map_err(|error| error.to_string())?;
        self.connection.ready().await.map_err(|error| error.to_string())?;
        let response = self.connection.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        let status = |name: &str| {
            let trailer = body.trailers().and_then(|trailers| trailers.get(name));
            head.headers.get(name).or(trailer).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        match status("grpc-status").map(|code| Code::parse(&code)) {
            Some(Code::Ok) => Ok(()),
            Some(code) => {
                let message = status("grpc-message").unwrap_or_default();
                Err(format!("{code:?}: {}", grpc::decode_message(&message)))
            }
            None => Err(format!("HTTP status {} and no grpc-status", head.status)),
        }
    }
}
