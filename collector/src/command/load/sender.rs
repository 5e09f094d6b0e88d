//! One OTLP/gRPC connection that sends bodies as they are.

use http::header::{CONTENT_TYPE, TE};
use http::{Request, Uri};
use http_body_util::BodyExt;
use spanmill_proto::grpc::{self, Code, EXPORT};

use crate::dial::{Connection, Pieces, Protocol, Target, chain};
use crate::tls::{Client, ClientFiles};

pub struct Sender {
    connection: Connection,
    uri: Uri,
}

impl Sender {
    /// `files` are what `https://` trusts.
    pub async fn connect(target: &Uri, files: ClientFiles) -> Result<Sender, String> {
        let wrong = || "write http://host:port or https://host:port".to_owned();
        let authority = target.authority().ok_or_else(wrong)?.clone();
        let protocol = Protocol::Http2;
        let tls = match target.scheme_str() {
            Some("http") => None,
            Some("https") => {
                let client = Client::new("the target", files, protocol.alpn());
                Some(client.map_err(|error| error.to_string())?.into())
            }
            _ => return Err(wrong()),
        };
        let target = Target { authority, protocol, tls };
        let uri = target.uri(http::uri::PathAndQuery::from_static(EXPORT));
        Ok(Sender { connection: target.connect().await?, uri })
    }

    /// One more sender on the same connection.
    pub fn share(&self) -> Sender {
        let connection = self.connection.share().expect("an HTTP/2 connection can be shared");
        Sender { connection, uri: self.uri.clone() }
    }

    /// Sends one request; `Ok` = the receiver has taken every span of it.
    pub async fn export(mut self, message: Vec<u8>) -> Result<(), String> {
        // In one piece, as an SDK sends it.
        let mut body = Vec::with_capacity(grpc::PREFIX + message.len());
        body.extend_from_slice(&grpc::prefix(false, message.len() as u32));
        body.extend_from_slice(&message);
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .body(Pieces::from(vec![body.into()]))
            .map_err(|error| error.to_string())?;
        let response = self.connection.send(request).await.map_err(|unanswered| unanswered.reason)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| chain(&error))?;
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
