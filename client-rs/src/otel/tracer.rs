//! The provider and its tracers: they only know how to begin spans.

use opentelemetry::trace::{SpanBuilder, TraceContextExt};
use opentelemetry::{InstrumentationScope, KeyValue, Value as OtelValue};

use super::convert;
use super::span::Span;
use crate::clock::Moment;
use crate::context::Context;
use crate::fork;
use crate::recorder::{Kind, Record};
use crate::running;

/// Gives out tracers that record by the client that [`init`](crate::init) started.
#[derive(Debug, Clone, Default)]
pub struct TracerProvider {}

impl TracerProvider {
    /// Works before the client is started too; spans are recorded from then on.
    pub fn new() -> TracerProvider {
        TracerProvider::default()
    }
}

impl opentelemetry::trace::TracerProvider for TracerProvider {
    type Tracer = Tracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> Tracer {
        Tracer { scope }
    }
}

/// Begins spans for one library, whose name they carry as `otel.scope.name`.
#[derive(Debug, Clone)]
pub struct Tracer {
    scope: InstrumentationScope,
}

impl opentelemetry::trace::Tracer for Tracer {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &opentelemetry::Context) -> Span {
        let parent = parent_of(parent);
        let Some(engine) = running::engine() else { return Span::nothing(parent.as_ref()) };
        let now = builder.start_time.map_or_else(Moment::now, |at| Moment::at_unix_ns(convert::unix_ns(at)));
        let engine = engine.of_process(fork::pid(Moment::now().tick()));
        let kind = convert::kind(builder.span_kind.as_ref());
        let mut record = Record::start(engine.record_desk(now), &builder.name, kind, parent.as_ref());
        let attributes = builder.attributes.unwrap_or_default();
        let peer = peer(&attributes).filter(|_| kind == Kind::Client);
        if let Some((host, port)) = peer {
            record.peer(engine.page().map(|page| &**page), host, port);
        }
        for attribute in &attributes {
            let is_said =
                peer.is_some() && matches!(attribute.key.as_str(), "server.address" | "server.port");
            if !is_said {
                record.tag(attribute.key.as_str(), convert::value(&attribute.value));
            }
        }
        if !self.scope.name().is_empty() {
            record.tag("otel.scope.name", self.scope.name());
        }
        let mut span = Span::new(engine, record);
        for event in builder.events.into_iter().flatten() {
            opentelemetry::trace::Span::add_event_with_timestamp(
                &mut span,
                event.name,
                event.timestamp,
                event.attributes,
            );
        }
        for link in builder.links.into_iter().flatten() {
            opentelemetry::trace::Span::add_link(&mut span, link.span_context, link.attributes);
        }
        span
    }
}

/// What a span below `given` is the child of: a context that is not the thread's own was handed over on purpose.
fn parent_of(given: &opentelemetry::Context) -> Option<Context> {
    let ours = Context::current();
    let given = given.span();
    let given = given.span_context();
    if given.span_id().to_bytes() == convert::active_id().0 {
        return ours;
    }
    convert::context(given, ours.as_ref())
}

/// `server.address` with its port, where they are known at the start.
fn peer(attributes: &[KeyValue]) -> Option<(&str, Option<u16>)> {
    let find = |key: &str| attributes.iter().find(|attribute| attribute.key.as_str() == key);
    let OtelValue::String(host) = &find("server.address")?.value else { return None };
    let port = match find("server.port").map(|port| &port.value) {
        Some(OtelValue::I64(port)) => u16::try_from(*port).ok(),
        _ => None,
    };
    Some((host.as_str(), port))
}
