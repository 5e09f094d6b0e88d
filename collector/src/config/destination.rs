//! `[forward.NAME]`: an address that is not our own, what is spoken there, and whom we trust.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri};
use spanmill_proto::grpc;

use super::file::{self, Forward};
use super::place::{Error, Source};
use super::tls;
use crate::dial::{Protocol, Target};
use crate::forward::{Compression, Config};

/// Receivers take 4 MiB by default; the rest is room for framing and for what they count differently.
const REQUEST_MAX: usize = 3_584 << 10;
/// A destination that has not answered by then is asked again.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Where OTLP/HTTP receivers take traces.
const TRACES: &str = "/v1/traces";

pub fn resolve(
    name: String,
    file: Forward,
    data_dir: &Path,
    listeners: &[SocketAddr],
    source: &Source,
) -> Result<Config, Error> {
    let span = file.endpoint.span();
    let wrong = |message: &str| source.error(span.clone(), message);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        return Err(wrong("the NAME of a [forward.NAME] names files, too: 1 to 64 of a-z A-Z 0-9 _ -"));
    }
    let endpoint = file.endpoint.get_ref().trim_end_matches('/').to_owned();
    let uri: Uri = endpoint
        .parse()
        .map_err(|_| wrong("not an address; write http://host:port, e.g. \"http://127.0.0.1:14317\""))?;
    let is_secure = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong("write http://host:port, or https://host:port for TLS")),
    };
    let Some(authority) = uri.authority().filter(|authority| !authority.as_str().contains('@')) else {
        return Err(wrong("write http://host:port; a user and a password belong into headers"));
    };
    let (protocol, path) = match file.protocol {
        file::Protocol::Grpc if uri.path() != "/" || uri.query().is_some() => {
            return Err(wrong("gRPC has no path; write http://host:port alone"));
        }
        file::Protocol::Grpc => (Protocol::Http2, PathAndQuery::from_static(grpc::EXPORT)),
        file::Protocol::Http if uri.path() == "/" => (Protocol::Http1, PathAndQuery::from_static(TRACES)),
        file::Protocol::Http => {
            let path = uri.path_and_query().cloned();
            (Protocol::Http1, path.expect("an address with a path has a path"))
        }
    };
    let port = match (uri.port_u16(), is_secure) {
        (Some(port), _) => port,
        (None, true) => 443,
        (None, false) => {
            return Err(wrong(
                "the port is missing; OTLP receivers take gRPC on 4317, HTTP on 4318 by default",
            ));
        }
    };
    let host = authority.host();
    if let Some(own) = listeners.iter().find(|own| own.port() == port && is_own(host, own)) {
        return Err(wrong(&format!(
            "this is the daemon's own listener {own}: it would send to itself; give the destination's address"
        )));
    }
    let compression = match file.compression {
        Some(file::Compression::None) => Compression::None,
        Some(file::Compression::Gzip) => Compression::Gzip,
        Some(file::Compression::Zstd) => Compression::Zstd,
        // Not every receiver understands it, but our own does, and the network between hosts is dearer than CPU.
        None if file.kind == file::Kind::Spanmill && !is_loopback(host) => Compression::Zstd,
        None => Compression::None,
    };
    let tls = match (is_secure, tls::any(&file.tls)) {
        (true, _) => {
            let what = format!("forward.{name}");
            Some(tls::trust(&what, file.tls, protocol.alpn(), span.clone(), source)?)
        }
        (false, Some(key)) => return Err(source.error(key, "only used with TLS: write https:// in endpoint")),
        (false, None) => None,
    };
    Ok(Config {
        target: Target { authority: authority.clone(), protocol, tls },
        path,
        endpoint,
        headers: headers(file.headers, source)?,
        compression,
        dir: data_dir.join("journal"),
        poison_dir: data_dir.join("poison").join(&name),
        request_max: REQUEST_MAX,
        timeout: TIMEOUT,
        name,
    })
}

fn headers(
    file: std::collections::BTreeMap<String, toml::Spanned<String>>,
    source: &Source,
) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let parse = |(name, value): (String, toml::Spanned<String>)| {
        let parsed = HeaderValue::try_from(value.get_ref()).ok().map(|mut parsed| {
            parsed.set_sensitive(true);
            parsed
        });
        match (name.parse::<HeaderName>().ok(), parsed) {
            (Some(name), Some(parsed)) => Ok((name, parsed)),
            _ => Err(source.error(value.span(), "not a header that HTTP allows; use visible ASCII")),
        }
    };
    file.into_iter().map(parse).collect()
}

/// Whether `host` can lead to a listener bound to `own`.
fn is_own(host: &str, own: &SocketAddr) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if let Ok(ip) = host.parse::<std::net::IpAddr>() {
        let reaches_all = own.ip().is_unspecified() && ip.is_loopback();
        return ip == own.ip() || ip.is_unspecified() || reaches_all;
    }
    let this_host = rustix::system::uname();
    let this_host = this_host.nodename().to_string_lossy().to_ascii_lowercase();
    (is_loopback(&host) && (own.ip().is_loopback() || own.ip().is_unspecified()))
        || (host == this_host && !own.ip().is_loopback())
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
