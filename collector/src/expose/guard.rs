//! What holds for every answer: the host check against DNS rebinding, who may write, and the headers that keep
//! browsers strict.
//!
//! A page on the internet can point its own name at 127.0.0.1 and then read this server as its own origin.
//! It cannot change the Host header, so a loopback listener answers loopback names only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::api::Api;
use super::problem::Problem;

pub(super) async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let checked = check_host(api.address, &request)
        .and_then(|()| check_writer(api.address, &api.config.writers, &request));
    let mut response = match checked {
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

/// Says whether a request may write, by its headers.
#[derive(Clone)]
pub struct Admit(Arc<dyn Fn(&HeaderMap) -> bool + Send + Sync>);

impl Admit {
    pub fn new(admit: impl Fn(&HeaderMap) -> bool + Send + Sync + 'static) -> Admit {
        Admit(Arc::new(admit))
    }
}

impl std::fmt::Debug for Admit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admit")
    }
}

/// Whoever is on this host may write where only this host can reach the port; elsewhere a token says who may. A web
/// page of another origin may not, wherever it runs.
fn check_writer(bound: SocketAddr, writers: &Option<Admit>, request: &Request) -> Result<(), Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let refused = |status, error: &str, hint: &str| {
        Err(Problem { status, error: error.to_owned(), hint: hint.to_owned() })
    };
    if !is_same_origin(request) {
        let hint = "send it from the page of this server, or without a browser";
        return refused(StatusCode::FORBIDDEN, "a page of another origin may not write", hint);
    }
    match writers {
        _ if bound.ip().is_loopback() => Ok(()),
        Some(Admit(admit)) if admit(request.headers()) => Ok(()),
        Some(_) => {
            let hint = "send a token of [expose] auth.bearer_tokens_file as 'authorization: Bearer TOKEN'";
            refused(StatusCode::UNAUTHORIZED, "writing needs a token", hint)
        }
        None => {
            let hint = "set [expose] auth.bearer_tokens_file, or bind the port to a loopback address";
            refused(
                StatusCode::FORBIDDEN,
                "nobody may write: this port is open to others and no token is set",
                hint,
            )
        }
    }
}

/// Browsers say on every write where the page is from that makes it.
fn is_same_origin(request: &Request) -> bool {
    let Some(origin) = request.headers().get(ORIGIN) else { return true };
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str().as_bytes()));
    let origin = origin.as_bytes();
    let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    authority.is_some_and(|authority| Some(authority) == host)
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

    #[test]
    fn on_loopback_anybody_writes_but_a_page_of_another_origin() {
        let check = |bound: &str, origin: &str| {
            let mut request = Request::post("/").header(HOST, "localhost:4316");
            if !origin.is_empty() {
                request = request.header(ORIGIN, origin);
            }
            let request = request.body(Body::empty()).unwrap();
            check_writer(bound.parse().unwrap(), &None, &request).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(check("127.0.0.1:4316", ""), Ok(()));
        assert_eq!(check("127.0.0.1:4316", "http://localhost:4316"), Ok(()));
        for origin in
            ["http://evil.example", "null", "http://localhost:81", "http://localhost:4316.evil.example"]
        {
            assert_eq!(check("127.0.0.1:4316", origin), Err(403), "{origin}");
        }
        assert_eq!(check("0.0.0.0:4316", ""), Err(403), "no token is set");
    }

    #[test]
    fn where_others_reach_the_port_a_token_is_needed_to_write_and_none_to_read() {
        let bound = "0.0.0.0:4316".parse().unwrap();
        let writers =
            Some(Admit::new(|headers| headers.get("authorization").is_some_and(|sent| sent == "Bearer a")));
        let check = |method: Method, token: &str| {
            let request =
                Request::builder().method(method).header("authorization", token).body(Body::empty());
            check_writer(bound, &writers, &request.unwrap()).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(check(Method::POST, "Bearer a"), Ok(()));
        assert_eq!(check(Method::POST, "Bearer b"), Err(401));
        assert_eq!(check(Method::DELETE, ""), Err(401));
        assert_eq!((check(Method::GET, ""), check(Method::HEAD, "")), (Ok(()), Ok(())));
    }
}
