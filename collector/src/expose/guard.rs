//! What holds for every answer: the host check against DNS rebinding, and the headers that keep browsers strict.
//!
//! A page on the internet can point its own name at 127.0.0.1 and then read this server as its own origin.
//! It cannot change the Host header, so a loopback listener answers loopback names only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderValue, StatusCode};

use super::api::Api;
use super::problem::Problem;

pub(super) async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let mut response = match check_host(api.address, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let defaults: [(HeaderName, &'static str); 5] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (CACHE_CONTROL, "no-store"),
        // The page brings its own; everything else is data and may load nothing.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in defaults {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn check_host(bound: SocketAddr, request: &Request) -> Result<(), Problem> {
    if !bound.ip().is_loopback() {
        return Ok(());
    }
    let in_header =
        request.headers().get_all(HOST).iter().map(|host| Authority::try_from(host.as_bytes()).ok());
    let in_uri = request.uri().authority().cloned().map(Some);
    let mut named = in_header.chain(in_uri).peekable();
    if named.peek().is_some() && named.all(|host| host.is_some_and(|host| is_loopback(bound, host.host()))) {
        return Ok(());
    }
    Err(Problem {
        status: StatusCode::MISDIRECTED_REQUEST,
        error: "this server answers to loopback names only".to_owned(),
        hint: format!("open http://{bound}, or set [expose] listen to an address that others may reach"),
    })
}

fn is_loopback(bound: SocketAddr, host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host == "127.0.0.1"
        || host == "[::1]"
        || bare.parse().is_ok_and(|ip: std::net::IpAddr| ip == bound.ip())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_loopback_listener_answers_loopback_names_only() {
        let check = |bound: &str, host: &str, want: bool| {
            let request = Request::get("/").header(HOST, host).body(Body::empty()).unwrap();
            assert_eq!(check_host(bound.parse().unwrap(), &request).is_ok(), want, "{host} on {bound}");
        };
        for host in
            ["localhost", "LOCALHOST:4316", "127.0.0.1", "127.0.0.1:4316", "[::1]:4316", "localhost:80"]
        {
            check("127.0.0.1:4316", host, true);
            check("[::1]:4316", host, true);
        }
        for host in [
            "evil.example",
            "evil.example:4316",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "a b",
        ] {
            check("127.0.0.1:4316", host, false);
        }
        check("127.0.0.1:4316", "127.0.0.2:4316", false);
        check("127.0.0.2:4316", "127.0.0.2:4316", true);
        check("0.0.0.0:4316", "spanmill.example", true);
    }

    #[test]
    fn a_request_must_name_its_host_and_cannot_name_two() {
        let bound = "127.0.0.1:4316".parse().unwrap();
        let none = Request::get("/").body(Body::empty()).unwrap();
        assert!(check_host(bound, &none).is_err());
        let http2 = Request::get("http://localhost:4316/").body(Body::empty()).unwrap();
        assert!(check_host(bound, &http2).is_ok());
        let two = Request::get("http://evil.example/").header(HOST, "localhost").body(Body::empty()).unwrap();
        assert!(check_host(bound, &two).is_err());
    }
}
