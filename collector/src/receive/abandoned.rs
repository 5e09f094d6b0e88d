//! Spans for calls whose process died before they ended: nobody else will ever send them.
//!
//! They go the way of every span, so the figures stay the fold over the journal, and the trace shows the call in
//! which a worker was killed.

use bytes::Bytes;
use spanmill_proto::otlp::{
    any_value, key_value, kind, request, resource_spans, scope, scope_spans, span, status,
};
use spanmill_proto::wire;

use super::in_flight::{OpenCall, Process, Target};

/// An `ExportTraceServiceRequest` of the calls of a dead process. `is_overdue` says which of them had waited for so
/// long that they are timeouts; the others were cancelled by the death.
pub fn request(process: &Process, ended_unix_ns: u64, is_overdue: impl Fn(&OpenCall) -> bool) -> Bytes {
    let mut out = Vec::new();
    let of_resource = wire::open(&mut out, request::RESOURCE_SPANS);
    wire::put_bytes(&mut out, resource_spans::RESOURCE, &process.resource);
    let of_scope = wire::open(&mut out, resource_spans::SCOPE_SPANS);
    let about = wire::open(&mut out, scope_spans::SCOPE);
    wire::put_bytes(&mut out, scope::NAME, b"spanmill.abandoned");
    wire::close(&mut out, about);
    for call in &process.calls {
        put_span(&mut out, call, ended_unix_ns, is_overdue(call));
    }
    wire::close(&mut out, of_scope);
    wire::close(&mut out, of_resource);
    out.into()
}

fn put_span(out: &mut Vec<u8>, call: &OpenCall, ended_unix_ns: u64, is_overdue: bool) {
    let name: &[u8] = if call.operation.is_empty() { b"call" } else { call.operation.as_bytes() };
    let mark = wire::open(out, scope_spans::SPANS);
    wire::put_bytes(out, span::TRACE_ID, &call.trace_id);
    wire::put_bytes(out, span::SPAN_ID, &call.span_id);
    wire::put_bytes(out, span::NAME, name);
    wire::put_uint(out, span::KIND, kind::CLIENT);
    wire::put_fixed64(out, span::START_TIME, call.started_unix_ns);
    wire::put_fixed64(out, span::END_TIME, ended_unix_ns.max(call.started_unix_ns));
    match &call.target {
        Target::Provider(name) => put_text(out, "spanmill.provider", name),
        Target::Address(host, port) => {
            put_text(out, "server.address", host);
            if *port > 0 {
                put_value(out, "server.port", |out| {
                    wire::put_uint(out, any_value::INT, u64::from(*port));
                });
            }
        }
    }
    if !call.operation.is_empty() {
        put_text(out, "spanmill.operation", &call.operation);
    }
    put_text(out, "spanmill.outcome", if is_overdue { "timeout" } else { "cancelled" });
    for (key, holds) in [("spanmill.abandoned", true), ("spanmill.attempt", call.is_attempt)] {
        if holds {
            put_value(out, key, |out| wire::put_uint(out, any_value::BOOL, 1));
        }
    }
    let of_status = wire::open(out, span::STATUS);
    wire::put_bytes(out, status::MESSAGE, b"the process ended while the call was open");
    wire::put_uint(out, status::CODE, status::ERROR);
    wire::close(out, of_status);
    wire::close(out, mark);
}

fn put_text(out: &mut Vec<u8>, key: &str, value: &str) {
    put_value(out, key, |out| wire::put_bytes(out, any_value::STRING, value.as_bytes()));
}

fn put_value(out: &mut Vec<u8>, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    let attribute = wire::open(out, span::ATTRIBUTES);
    wire::put_bytes(out, key_value::KEY, key.as_bytes());
    let mark = wire::open(out, key_value::VALUE);
    value(out);
    wire::close(out, mark);
    wire::close(out, attribute);
}
