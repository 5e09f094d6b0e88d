//! One HTTP POST to a receiver, on a connection of its own: calls are rare, and an idle one may be dead.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use ring::hmac;
use rustls_native_certs::load_native_certs;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::channel::{Answer, Call};
use super::{Target, TargetKind};

/// From the connection to the answer's head. Receivers of alerts queue them and answer at once.
const TIMEOUT: Duration = Duration::from_secs(10);
/// `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`
const SIGNATURE: HeaderName = HeaderName::from_static("spanmill-signature");

#[derive(Debug)]
pub struct Poster {
    tls: Option<TlsConnectorOfSystem>,
}

struct TlsConnectorOfSystem(TlsConnector);

impl std::fmt::Debug for TlsConnectorOfSystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsConnector")
    }
}

impl Poster {
    /// Reads the system's certificates where a target needs them.
    pub fn new(targets: &[Target]) -> std::io::Result<Poster> {
        let needs_tls = targets.iter().any(|target| target.url.scheme_str() == Some("https"));
        Ok(Poster { tls: if needs_tls { Some(connector()?) } else { None } })
    }

    /// Makes one call; the error says why nobody answered.
    pub async fn post(&self, target: &Target, call: Call, now_ns: u64) -> Result<Answer, String> {
        let mut request = Request::post(path(&target.url));
        let headers = request.headers_mut().expect("a path out of an address is one");
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("spanmill/", env!("CARGO_PKG_VERSION"))));
        let authority = target.url.authority().map_or("", |authority| authority.as_str());
        headers.insert(HOST, HeaderValue::try_from(authority).map_err(|error| error.to_string())?);
        headers.extend(call.headers);
        headers.extend(target.headers.iter().cloned());
        if let TargetKind::Webhook { secret_file: Some(file) } = &target.kind {
            headers.insert(SIGNATURE, signature(&secret(file)?, &call.body, now_ns / 1_000_000_000));
        }
        let request = request.body(Full::new(call.body)).expect("every part of it is valid");
        match tokio::time::timeout(TIMEOUT, self.exchange(&target.url, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {TIMEOUT:?}")),
        }
    }

    async fn exchange(&self, url: &Uri, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_tls = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await.map_err(|error| format!("connect: {error}"))?;
        match &self.tls {
            Some(TlsConnectorOfSystem(tls)) if is_tls => {
                let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
                let stream = tls.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
                send(stream, request).await
            }
            _ => send(stream, request).await,
        }
    }
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let mut answer = pin!(sender.send_request(request));
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It ends by itself where the receiver closes it, and the answer may have come just before.
        _ = connection => answer.await,
    };
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(judge(answer.status(), answer.headers().contains_key(RETRY_AFTER)))
}

/// A call that cannot be understood will not be understood tomorrow; all else may be put right, also a wrong
/// address or secret.
fn judge(status: StatusCode, come_back: bool) -> Answer {
    let never = [
        StatusCode::BAD_REQUEST,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY,
    ];
    match status {
        status if status.is_success() => Answer::Taken,
        status if never.contains(&status) && !come_back => Answer::Refused(format!("HTTP {status}")),
        status => Answer::Failed(format!("HTTP {status}")),
    }
}

fn path(url: &Uri) -> &str {
    url.path_and_query().map_or("/", |path| path.as_str())
}

/// Read for each call, so that a secret is changed by changing the file.
fn secret(file: &Path) -> Result<Vec<u8>, String> {
    let text = std::fs::read(file).map_err(|error| format!("secret_file {}: {error}", file.display()))?;
    let secret = text.trim_ascii();
    if secret.is_empty() {
        return Err(format!("secret_file {} is empty", file.display()));
    }
    Ok(secret.to_vec())
}

fn signature(secret: &[u8], body: &[u8], unix_s: u64) -> HeaderValue {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    context.update(format!("{unix_s}.").as_bytes());
    context.update(body);
    let hex: String = context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(format!("t={unix_s},v1={hex}")).expect("digits and hex are ASCII")
}

fn connector() -> std::io::Result<TlsConnectorOfSystem> {
    let mut roots = RootCertStore::empty();
    let found = load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map_or(String::new(), |error| format!(": {error}"));
        let message = format!("https needs the system's certificates; install ca-certificates{why}");
        return Err(std::io::Error::other(message));
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnectorOfSystem(TlsConnector::from(Arc::new(config))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_openssl_makes_of_time_and_body() {
        // printf '1795378503.{"version":1}' | openssl dgst -sha256 -hmac secret
        let want = "t=1795378503,v1=14afc2741cce1f01af91b39c792f9da25efc70519c6d8ffc9621a3545f8fa353";
        assert_eq!(signature(b"secret", br#"{"version":1}"#, 1_795_378_503), want);
    }

    #[test]
    fn only_what_can_never_be_understood_is_given_up() {
        let judge = |status: u16, come_back| judge(StatusCode::from_u16(status).unwrap(), come_back);
        assert_eq!((judge(200, false), judge(204, false)), (Answer::Taken, Answer::Taken));
        for status in [400, 413, 415, 422] {
            assert!(matches!(judge(status, false), Answer::Refused(_)), "{status}");
        }
        for (status, come_back) in
            [(301, false), (401, false), (404, false), (429, false), (503, true), (400, true)]
        {
            assert!(matches!(judge(status, come_back), Answer::Failed(_)), "{status}");
        }
    }
}
