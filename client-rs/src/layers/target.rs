//! Where a request goes, read from its URI, and the URI as it may be seen.

use http::Uri;
use http::header::{HOST, HeaderMap};

/// Host and port; the port of the scheme where none is named.
pub(super) fn peer(uri: &Uri, headers: &HeaderMap) -> (String, Option<u16>) {
    let named = |text: &str| text.parse::<http::uri::Authority>().ok();
    let authority = uri.authority().cloned().or_else(|| headers.get(HOST)?.to_str().ok().and_then(named));
    let port = match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    match authority {
        Some(authority) => (authority.host().to_string(), authority.port_u16().or(port)),
        None => (String::new(), port),
    }
}

/// `url.full` without credentials. Signatures in the query are removed where all values are masked.
pub(super) fn url_full(uri: &Uri, host: &str) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let port = uri.authority().and_then(|authority| authority.port_u16());
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    format!("{scheme}://{host}{port}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_part_of_what_is_seen() {
        let uri: Uri = "https://user:pw@api.acme.example:8443/pay?id=7".parse().unwrap();
        let (host, port) = peer(&uri, &HeaderMap::new());
        assert_eq!((host.as_str(), port), ("api.acme.example", Some(8443)));
        assert_eq!(url_full(&uri, &host), "https://api.acme.example:8443/pay?id=7");
    }

    #[test]
    fn the_host_header_stands_in_for_the_authority() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "billing:8080".parse().unwrap());
        assert_eq!(peer(&"/pay".parse().unwrap(), &headers), ("billing".to_string(), Some(8080)));
        assert_eq!(peer(&"http://a/".parse().unwrap(), &headers), ("a".to_string(), Some(80)));
    }
}
