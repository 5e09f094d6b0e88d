//! `GET /api/v1/traces/{trace_id}`: the spans of one trace that the journal still holds, as OTLP JSON.
//!
//! The journal's index says which records to read, and only spans that carry the id are decoded. It reads files, so
//! it runs beside the server's thread, and few at a time.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde::Serialize;
use spanmill_proto::otlp::{self, SpanAt};
use spanmill_proto::wire::{Field, Malformed};
use tokio::sync::Semaphore;

use super::api::Api;
use super::facts::Facts;
use super::problem::Problem;
use crate::journal::{Found, Record};

/// Look-ups at once, and how long one may wait for its turn: the journal's disk is there for writing first.
const AT_ONCE: usize = 2;
const TURN_MAX: Duration = Duration::from_secs(5);
/// Of one trace; nobody reads more, and a trace id that a broken client uses for ever must not fill memory.
const SPANS_MAX: usize = 10_000;
const SPAN_BYTES_MAX: usize = 8 << 20;

/// The turns of look-ups.
#[derive(Debug)]
pub(super) struct LookUps(Arc<Semaphore>);

impl Default for LookUps {
    fn default() -> LookUps {
        LookUps(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    resource_spans: Vec<ResourceSpans>,
    /// Other daemons may have spans of this trace, and older ones may have left the journal.
    complete: bool,
    /// True where there were more spans than an answer holds.
    truncated: bool,
    #[serde(rename = "jaeger_url")]
    jaeger_url: Option<String>,
}

pub(super) async fn find(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(text) = id?;
    let id = trace_id(&text)?;
    let turn = tokio::time::timeout(TURN_MAX, Arc::clone(&api.look_ups.0).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        let error = format!("{AT_ONCE} other traces are being looked for");
        return Err(Problem::unavailable(error, "try again in a few seconds"));
    };
    let text = text.to_ascii_lowercase();
    let looked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        answer(&api, id, &text)
    });
    let json =
        looked.await.unwrap_or_else(|_| Err(Problem::unavailable("the look-up failed", "see the log")))?;
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

fn answer(api: &Api, id: [u8; 16], text: &str) -> Result<Vec<u8>, Problem> {
    let (trace, found) = look_up(&*api.facts, id).map_err(|error| {
        Problem::unavailable(format!("the journal cannot be read: {error}"), "see the daemon's log")
    })?;
    let jaeger_url = api.config.jaeger_ui.as_ref().map(|base| format!("{base}/trace/{text}"));
    if trace.resource_spans.is_empty() {
        if found.not_searched > 0 {
            let error = format!("trace {text} was not found yet: the index of the journal is being made");
            return Err(Problem::unavailable(error, "try again in a minute"));
        }
        let back_min = (api.facts.journal().oldest_s / 60.0).ceil();
        let error =
            format!("trace {text} is not in this daemon's journal, which reaches back {back_min} min");
        let hint = match jaeger_url {
            Some(url) => format!("Jaeger would have it at {url}"),
            None => "Jaeger would have it; set [expose] jaeger_ui to get the address here".to_owned(),
        };
        return Err(Problem::not_found(error, hint));
    }
    let Trace { resource_spans, truncated, .. } = trace;
    let answer = Answer { resource_spans, complete: false, truncated, jaeger_url };
    Ok(serde_json::to_vec(&answer).expect("OTLP messages with string keys always encode"))
}

fn trace_id(text: &str) -> Result<[u8; 16], Problem> {
    let wrong = || {
        let error = format!("'{text}' is not a trace id");
        Problem::bad_request(error, "use its 32 hex digits, e.g. 4bf92f3577b34da6a3ce929d0e0e4736")
    };
    let digits: &[u8; 32] = text.as_bytes().try_into().map_err(|_| wrong())?;
    let digit = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8).ok_or_else(wrong);
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(id)
}

fn look_up(facts: &dyn Facts, id: [u8; 16]) -> io::Result<(Trace, Found)> {
    let mut trace = Trace::new(id);
    let found = facts.find(&id, &mut |Record { batch, .. }| {
        trace.take(batch.bytes());
        !trace.truncated
    })?;
    Ok((trace, found))
}

/// What was found of one trace, each span once.
struct Trace {
    id: [u8; 16],
    resource_spans: Vec<ResourceSpans>,
    /// The bytes of each span: one that was sent again is the same in every byte.
    seen: HashSet<Vec<u8>>,
    bytes: usize,
    truncated: bool,
}

impl Trace {
    fn new(id: [u8; 16]) -> Trace {
        Trace { id, resource_spans: Vec::new(), seen: HashSet::new(), bytes: 0, truncated: false }
    }

    /// Takes the spans of this trace out of a request, with the resource and the scope around them.
    fn take(&mut self, request: &[u8]) {
        let mut around = None;
        let walked = otlp::for_each_span(request, |at| {
            if self.truncated || !self.is_new(&at.span)? {
                return Ok(());
            }
            let Ok(span) = Span::decode(at.span.bytes()?) else {
                // Text that is not UTF-8: it is forwarded as it is, but JSON cannot hold it.
                return Ok(());
            };
            self.open(&mut around, &at)?;
            let scopes = self.resource_spans.last_mut().map(|resource| &mut resource.scope_spans);
            if let Some(scope) = scopes.and_then(|scopes| scopes.last_mut()) {
                scope.spans.push(span);
            }
            Ok(())
        });
        if let Err(error) = walked {
            tracing::error!(%error, "a batch in the journal is not a request");
        }
    }

    /// True for a span of this trace that is not there yet.
    fn is_new(&mut self, span: &Field<'_>) -> Result<bool, Malformed> {
        let mut id: &[u8] = &[];
        let mut fields = span.message()?;
        while let Some(field) = fields.next()? {
            if field.number == otlp::span::TRACE_ID {
                id = field.bytes()?;
            }
        }
        let bytes = span.bytes()?;
        if id != self.id || !self.seen.insert(bytes.to_vec()) {
            return Ok(false);
        }
        self.bytes += bytes.len();
        self.truncated = self.seen.len() > SPANS_MAX || self.bytes > SPAN_BYTES_MAX;
        Ok(!self.truncated)
    }

    /// Makes the resource and the scope around `at` the last ones, unless they are.
    fn open(&mut self, around: &mut Option<(usize, usize)>, at: &SpanAt<'_>) -> Result<(), Malformed> {
        let here = (at.resource_spans.start, at.scope_spans.start);
        if around.map(|(resource, _)| resource) != Some(here.0) {
            self.resource_spans.push(resource_of(&at.resource_spans)?);
        }
        if *around != Some(here) {
            let scope = scope_of(&at.scope_spans)?;
            if let Some(resource) = self.resource_spans.last_mut() {
                resource.scope_spans.push(scope);
            }
        }
        *around = Some(here);
        Ok(())
    }
}

/// The resource without its spans. Parts that are sent in pieces are merged, as protobuf wants it.
fn resource_of(message: &Field<'_>) -> Result<ResourceSpans, Malformed> {
    let mut out = ResourceSpans::default();
    let mut fields = message.message()?;
    while let Some(field) = fields.next()? {
        match field.number {
            otlp::resource_spans::RESOURCE => {
                // What cannot be decoded stays empty: the spans are what was asked for.
                let _ = out.resource.get_or_insert_default().merge(field.bytes()?);
            }
            otlp::resource_spans::SCHEMA_URL => out.schema_url = text(&field)?,
            _ => {}
        }
    }
    Ok(out)
}

fn scope_of(message: &Field<'_>) -> Result<ScopeSpans, Malformed> {
    let mut out = ScopeSpans::default();
    let mut fields = message.message()?;
    while let Some(field) = fields.next()? {
        match field.number {
            otlp::scope_spans::SCOPE => {
                let _ = out.scope.get_or_insert_default().merge(field.bytes()?);
            }
            otlp::scope_spans::SCHEMA_URL => out.schema_url = text(&field)?,
            _ => {}
        }
    }
    Ok(out)
}

fn text(field: &Field<'_>) -> Result<String, Malformed> {
    Ok(String::from_utf8_lossy(field.bytes()?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn a_trace_id_is_32_hex_digits() {
        let id = trace_id("4bf92f3577b34da6A3CE929D0E0E4736").unwrap();
        assert_eq!(id[..3], [0x4b, 0xf9, 0x2f]);
        assert_eq!(id[15], 0x36);
        for wrong in
            ["", "4bf92f3577b34da6", "4bf92f3577b34da6a3ce929d0e0e473g", "../../../../../../etc/passwd/..x"]
        {
            assert_eq!(trace_id(wrong).unwrap_err().error, format!("'{wrong}' is not a trace id"));
        }
    }
}
