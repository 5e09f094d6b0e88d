//! Spans and events of the crate `tracing`, recorded by this client.

use std::cell::RefCell;
use std::fmt;

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record as Values};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::context::{self, Context, Current};
use crate::recorder::Kind;
use crate::span::Span;
use crate::value::Value;

/// Records what `tracing` instruments: its spans become spans, its events their logs.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt;
/// use tracing_subscriber::util::SubscriberInitExt;
///
/// tracing_subscriber::registry().with(spanmill::layer()).init();
/// ```
///
/// The fields `otel.name` and `otel.kind` (`client`, `server`, …) name a span and say its kind, as they do for
/// `tracing-opentelemetry`; `otel.status_code = "error"` fails it. Use a filter beside the layer: what is not filtered
/// is recorded. Calls and spans of this crate that begin inside such a span are its children, and the other way round.
pub fn layer() -> TracingLayer {
    TracingLayer {}
}

/// The layer for `tracing-subscriber`; made by [`layer`].
#[derive(Debug, Clone)]
pub struct TracingLayer {}

thread_local! {
    /// What was current before each span that this thread is in.
    static BEFORE: RefCell<Vec<(Id, Option<Current>)>> = const { RefCell::new(Vec::new()) };
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for TracingLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: LayerContext<'_, S>) {
        let Some(place) = context.span(id) else { return };
        let mut shape = Shape { name: None, kind: Kind::Internal };
        attributes.record(&mut shape);
        let name = shape.name.as_deref().unwrap_or(attributes.metadata().name());
        let parent = context.span(id).and_then(|span| span.parent());
        let parent = parent.and_then(|parent| parent.extensions().get::<Span>().and_then(Span::context));
        let builder = Span::builder(name).kind(shape.kind);
        let mut span = match (&parent, attributes.is_root()) {
            // Deeper than the parent that `tracing` knows: a span or a call of this crate is open inside it.
            (Some(parent), false) => builder.parent(&inner(parent)).start(),
            (None, false) => builder.start(),
            (_, true) => builder.root().start(),
        };
        attributes.record(&mut Tags(&mut span));
        place.extensions_mut().insert(span);
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, context: LayerContext<'_, S>) {
        let Some(place) = context.span(id) else { return };
        if let Some(span) = place.extensions_mut().get_mut::<Span>() {
            values.record(&mut Tags(span));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        let Some(place) = context.event_span(event) else { return };
        let mut extensions = place.extensions_mut();
        let Some(span) = extensions.get_mut::<Span>().filter(|span| span.is_recording()) else { return };
        let mut told = Told::default();
        event.record(&mut told);
        let level = event.metadata().level().as_str();
        let name = told.message.as_deref().unwrap_or(event.metadata().name());
        span.log(name, |log| {
            let log = log.tag("level", level);
            told.tags.iter().fold(log, |log, (key, value)| log.tag(key, value.clone()))
        });
    }

    fn on_enter(&self, id: &Id, context: LayerContext<'_, S>) {
        let own = context.span(id).and_then(|place| place.extensions().get::<Span>().and_then(Span::context));
        if let Some(own) = own {
            let before = context::swap(Some(Current::new(own)));
            let _ = BEFORE.try_with(|stack| stack.borrow_mut().push((id.clone(), before)));
        }
    }

    fn on_exit(&self, id: &Id, _: LayerContext<'_, S>) {
        let before = BEFORE.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            // Guards may be dropped out of order; then only the outermost puts back what was there.
            let at = stack.iter().rposition(|(entered, _)| entered == id)?;
            let is_top = at + 1 == stack.len();
            let (_, before) = stack.remove(at);
            is_top.then_some(before)
        });
        if let Some(before) = before.ok().flatten() {
            context::swap(before);
        }
    }

    fn on_close(&self, id: Id, context: LayerContext<'_, S>) {
        if let Some(place) = context.span(&id) {
            // Dropped here, the span ends here.
            drop(place.extensions_mut().remove::<Span>());
        }
    }
}

/// The current context where it is below `parent`, else the parent.
fn inner(parent: &Context) -> Context {
    Context::current().filter(|current| current.trace_id == parent.trace_id).unwrap_or_else(|| parent.clone())
}

/// The fields that say what kind of span it is.
struct Shape {
    name: Option<String>,
    kind: Kind,
}

impl Visit for Shape {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "otel.name" => self.name = Some(value.to_string()),
            "otel.kind" => {
                self.kind = match value.to_ascii_lowercase().as_str() {
                    "client" => Kind::Client,
                    "server" => Kind::Server,
                    "producer" => Kind::Producer,
                    "consumer" => Kind::Consumer,
                    _ => Kind::Internal,
                };
            }
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "otel.name" | "otel.kind") {
            // `%value` comes this way.
            self.record_str(field, format!("{value:?}").trim_matches('"'));
        }
    }
}

/// Fields as tags of a span.
struct Tags<'s>(&'s mut Span);

impl Tags<'_> {
    fn tag<'v>(&mut self, field: &Field, value: impl Into<Value<'v>>) {
        if !matches!(field.name(), "otel.name" | "otel.kind") {
            self.0.tag(field.name(), value);
        }
    }
}

impl Visit for Tags<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.tag(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.tag(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.tag(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.tag(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "otel.status_code" if value.eq_ignore_ascii_case("error") => {
                self.0.failed_as("_OTHER", "");
            }
            _ => self.tag(field, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.0.is_recording() {
            self.tag(field, format!("{value:?}"));
        }
    }
}

/// Fields of an event.
#[derive(Default)]
struct Told {
    message: Option<String>,
    tags: Vec<(&'static str, Value<'static>)>,
}

impl Visit for Told {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.tags.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.tags.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.tags.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.tags.push((field.name(), value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.tags.push((field.name(), value.to_string().into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = Some(format!("{value:?}")),
            name => self.tags.push((name, format!("{value:?}").into())),
        }
    }
}
