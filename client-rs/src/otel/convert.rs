//! From OpenTelemetry's words to ours and back.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    SpanContext, SpanId as OtelSpanId, SpanKind, TraceContextExt, TraceFlags, TraceId as OtelTraceId,
    TraceState,
};
use opentelemetry::{Array, Value as OtelValue};

use crate::context::{Carried, Context, Current};
use crate::id::{SpanId, TraceId};
use crate::recorder::Kind;
use crate::value::Value;

pub(super) fn kind(kind: Option<&SpanKind>) -> Kind {
    match kind {
        Some(SpanKind::Client) => Kind::Client,
        Some(SpanKind::Server) => Kind::Server,
        Some(SpanKind::Producer) => Kind::Producer,
        Some(SpanKind::Consumer) => Kind::Consumer,
        Some(SpanKind::Internal) | None => Kind::Internal,
    }
}

pub(super) fn value(value: &OtelValue) -> Value<'_> {
    match value {
        OtelValue::Bool(value) => Value::Bool(*value),
        OtelValue::I64(value) => Value::Int(*value),
        OtelValue::F64(value) => Value::Double(*value),
        OtelValue::String(text) => Value::Text(Cow::Borrowed(text.as_str())),
        OtelValue::Array(Array::Bool(values)) => list(values, |value| Value::Bool(*value)),
        OtelValue::Array(Array::I64(values)) => list(values, |value| Value::Int(*value)),
        OtelValue::Array(Array::F64(values)) => list(values, |value| Value::Double(*value)),
        OtelValue::Array(Array::String(values)) => {
            list(values, |text| Value::Text(Cow::Borrowed(text.as_str())))
        }
        // Kinds of value that are not there yet: as text, which is masked as well.
        other => Value::Text(other.to_string().into()),
    }
}

fn list<'v, T>(values: &'v [T], value: impl Fn(&'v T) -> Value<'v>) -> Value<'v> {
    Value::List(values.iter().map(value).collect())
}

pub(super) fn unix_ns(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

pub(super) fn span_context(context: &Context) -> SpanContext {
    let state = context.tracestate().and_then(|state| state.parse().ok()).unwrap_or(TraceState::NONE);
    SpanContext::new(
        OtelTraceId::from_bytes(context.trace_id.0),
        OtelSpanId::from_bytes(context.span_id.0),
        TraceFlags::new(context.flags),
        context.remote,
        state,
    )
}

/// The other way; `None` for the context of no span. What this crate knows of the same trace beside the ids, the call
/// that is open and the baggage, is taken from `ours`.
pub(super) fn context(theirs: &SpanContext, ours: Option<&Context>) -> Option<Context> {
    if !theirs.is_valid() {
        return None;
    }
    let trace_id = TraceId(theirs.trace_id().to_bytes());
    let ours = ours.filter(|ours| ours.trace_id == trace_id);
    let tracestate = theirs.trace_state().header();
    let mut carried = ours.and_then(|ours| ours.carried.clone());
    if carried.as_ref().map_or("", |carried| carried.tracestate.as_str()) != tracestate {
        let baggage = carried.map(|carried| carried.baggage.clone()).unwrap_or_default();
        carried = Some(Arc::new(Carried { tracestate, baggage }));
    }
    Some(Context {
        trace_id,
        span_id: SpanId(theirs.span_id().to_bytes()),
        flags: theirs.trace_flags().to_u8() & 3,
        remote: theirs.is_remote(),
        call: ours.and_then(|ours| ours.call.clone()),
        carried,
    })
}

/// The id of the span that is active in OpenTelemetry's context of this thread; zeros without one.
pub(crate) fn active_id() -> SpanId {
    opentelemetry::Context::map_current(|current| SpanId(current.span().span_context().span_id().to_bytes()))
}

/// Which of two is the inner one: what this crate has made current, or the span that is active for OpenTelemetry.
pub(crate) fn innermost(own: Option<Current>) -> Option<Current> {
    opentelemetry::Context::map_current(|current| {
        let active = current.span();
        let theirs = active.span_context();
        let id = SpanId(theirs.span_id().to_bytes());
        if own.as_ref().is_some_and(|own| own.beside == id) {
            return own;
        }
        let theirs = context(theirs, own.as_ref().map(|own| &own.context));
        theirs.map(|context| Current { context, beside: id }).or(own)
    })
}
