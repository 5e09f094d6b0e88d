//! One HTTP request that goes out, as a span: what is known at its start and at its end.

use std::error::Error;

use http::header::HeaderMap;
use http::{Extensions, Method, StatusCode, Uri, Version};

use super::propagate::Propagation;
use super::target;
use crate::span::Span;

/// The path of a request with placeholders, `/payments/{id}`, put into its extensions: the name of its operation.
#[derive(Debug, Clone)]
pub struct UrlTemplate(pub &'static str);

/// How often a request was sent before, put into its extensions by who sends it again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResendCount(pub u32);

/// Begins the span of a request and adds the headers of the trace.
pub(super) fn start(
    method: &Method,
    uri: &Uri,
    headers: &mut HeaderMap,
    extensions: &Extensions,
    propagation: &Propagation,
) -> Span {
    let (host, port) = target::peer(uri, headers);
    let (known, original) = known_method(method);
    let template = extensions.get::<UrlTemplate>();
    let shown = if original.is_some() { "HTTP" } else { known };
    let name = template.map_or_else(|| shown.to_string(), |template| format!("{shown} {}", template.0));
    let mut span = Span::builder(&name).client().peer(&host, port).start();
    if !span.is_recording() {
        return span;
    }
    span.tag("http.request.method", known).tag("url.full", target::url_full(uri, &host));
    if let Some(original) = original {
        span.tag("http.request.method_original", original);
    }
    if let Some(template) = template {
        span.tag("url.template", template.0);
    }
    if let Some(ResendCount(count @ 1..)) = extensions.get::<ResendCount>() {
        span.tag("http.request.resend_count", *count);
    }
    propagation.inject(span.context().as_ref(), &host, headers);
    span
}

/// The answer's head has come.
pub(super) fn answered(mut span: Span, status: StatusCode, version: Version) {
    span.tag("http.response.status_code", status.as_u16());
    if let Some(version) = version_name(version) {
        span.tag("network.protocol.version", version);
    }
    if status.is_client_error() || status.is_server_error() {
        span.failed_as(status.as_str(), "");
    }
}

/// There is no answer. The text of an error may hold anything; it is masked like all values.
pub(super) fn failed(mut span: Span, error: &(dyn Error + 'static), kind: &'static str) {
    span.failed_as(kind, &error.to_string());
}

/// `timeout` where some cause of the error says so, else `_OTHER`.
pub(super) fn error_kind(error: &(dyn Error + 'static)) -> &'static str {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::*;
            match error.kind() {
                TimedOut => return "timeout",
                ConnectionRefused | HostUnreachable | NetworkUnreachable | AddrNotAvailable => {
                    return "connect";
                }
                ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => return "connection_reset",
                _ => {}
            }
        }
        cause = error.source();
    }
    "_OTHER"
}

/// The method in the words of the conventions, and as it was where that is another.
pub(super) fn known_method(method: &Method) -> (&'static str, Option<&str>) {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    match KNOWN.iter().find(|known| **known == method.as_str()) {
        Some(known) => (known, None),
        None => ("_OTHER", Some(method.as_str())),
    }
}

pub(super) fn version_name(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}
