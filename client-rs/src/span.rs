//! Spans of our own work: a request that came in, a job, a step.

use std::fmt::Display;

use crate::clock::Moment;
use crate::context::{Context, Entered, HasContext};
use crate::engine::Engine;
use crate::fork;
use crate::recorder::{Kind, Log, Record};
use crate::running;
use crate::value::Value;

/// A piece of work of this process. Ends when it is dropped.
///
/// ```
/// use spanmill::{InSpan, Span};
///
/// # async fn load() {}
/// # async fn handler() {
/// let mut span = Span::builder("POST /checkout").server().start();   // below the current context, or a new trace
/// span.tag("cart.items", 3);
/// load().in_span(&span).await;                                       // what starts in there is a child
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    engine: Option<&'static Engine>,
    record: Option<Box<Record>>,
}

impl Span {
    /// Begins a step inside the process, below the current context.
    pub fn start(name: &str) -> Span {
        Span::builder(name).start()
    }

    /// Begins a span of another kind, or below another parent.
    pub fn builder(name: &str) -> SpanBuilder<'_> {
        SpanBuilder { name, kind: Kind::Internal, parent: Parent::Current, peer: None }
    }

    /// Adds a tag.
    pub fn tag<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Span {
        if let Some(record) = &mut self.record {
            record.tag(key, value);
        }
        self
    }

    /// Adds a log: something that happened during the span, with tags of its own. The closure does not run
    /// when nothing is recorded.
    pub fn log(&mut self, name: &str, write: impl for<'b> FnOnce(Log<'b>) -> Log<'b>) -> &mut Span {
        if let Some(record) = &mut self.record {
            record.log(name, write);
        }
        self
    }

    /// Says that the work failed. The type of the error becomes `error.type`, its text the status.
    pub fn failed<E: Display + ?Sized>(&mut self, error: &E) -> &mut Span {
        if let Some(record) = &mut self.record {
            record.fail(error_type::<E>(), &error.to_string());
        }
        self
    }

    /// The same with a class of our own choice, one of few: `timeout`, `connect`, `503`.
    pub fn failed_as(&mut self, error_type: &str, message: &str) -> &mut Span {
        if let Some(record) = &mut self.record {
            record.fail(error_type, message);
        }
        self
    }

    /// False when what is said of the span goes nowhere: a reason not to work it out.
    pub fn is_recording(&self) -> bool {
        self.record.is_some()
    }

    /// How others refer to this span; `None` when nothing is recorded.
    pub fn context(&self) -> Option<Context> {
        self.record.as_ref().map(|record| record.context().clone())
    }

    /// Makes the span current on this thread until the guard is dropped. Futures use
    /// [`InSpan::in_span`](crate::InSpan::in_span).
    #[must_use = "the span is current only as long as the guard lives"]
    pub fn enter(&self) -> Entered {
        self.record.as_ref().map_or_else(Entered::nothing, |record| record.context().enter())
    }

    /// Ends the span; the same as dropping it.
    pub fn end(self) {}
}

impl Drop for Span {
    fn drop(&mut self) {
        if let (Some(engine), Some(record)) = (self.engine, self.record.take()) {
            engine.finish(record);
        }
    }
}

impl HasContext for Span {
    fn to_context(&self) -> Option<Context> {
        self.context()
    }
}

/// A span to be; made by [`Span::builder`].
#[derive(Debug, Clone)]
#[must_use = "call start()"]
pub struct SpanBuilder<'s> {
    name: &'s str,
    kind: Kind,
    parent: Parent,
    peer: Option<(&'s str, Option<u16>)>,
}

#[derive(Debug, Clone)]
enum Parent {
    Current,
    Given(Context),
    None,
}

impl<'s> SpanBuilder<'s> {
    /// The kind of span; [`Kind::Internal`] unless it is said.
    pub fn kind(self, kind: Kind) -> Self {
        SpanBuilder { kind, ..self }
    }

    /// A request that came in.
    pub fn server(self) -> Self {
        self.kind(Kind::Server)
    }

    /// A request that goes out. Inside an open [`Call`](crate::Call) it is an attempt of that call.
    pub fn client(self) -> Self {
        self.kind(Kind::Client)
    }

    /// Where a request goes: `server.address` and `server.port`. A client span that says so at once shows to the daemon
    /// as open, unless a [`Call`](crate::Call) around it does.
    pub fn peer(self, host: &'s str, port: Option<u16>) -> Self {
        SpanBuilder { peer: Some((host, port)), ..self }
    }

    /// A message that was taken from a queue, or a job.
    pub fn consumer(self) -> Self {
        self.kind(Kind::Consumer)
    }

    /// Below this context instead of the current one; see [`extract`](crate::extract).
    pub fn parent(self, parent: &Context) -> Self {
        SpanBuilder { parent: Parent::Given(parent.clone()), ..self }
    }

    /// The first span of a new trace, whatever is current.
    pub fn root(self) -> Self {
        SpanBuilder { parent: Parent::None, ..self }
    }

    /// Begins the span.
    pub fn start(self) -> Span {
        let Some(engine) = running::engine() else { return Span { engine: None, record: None } };
        let parent = match self.parent {
            Parent::Current => Context::current(),
            Parent::Given(parent) => Some(parent),
            Parent::None => None,
        };
        let now = Moment::now();
        let engine = engine.of_process(fork::pid(now.tick()));
        let mut record = Record::start(engine.record_desk(now), self.name, self.kind, parent.as_ref());
        if let Some((host, port)) = self.peer {
            record.peer(engine.page().map(|page| &**page), host, port);
        }
        Span { engine: Some(engine), record: Some(record) }
    }
}

/// The class of an error, without the data that may stand in its text; `_OTHER` where the type says nothing.
pub(crate) fn error_type<E: ?Sized>() -> &'static str {
    let name = std::any::type_name::<E>().trim_start_matches('&');
    match name {
        "str" | "alloc::string::String" => "_OTHER",
        _ if name.starts_with("dyn ") || name.contains("dyn core::error::Error") => "_OTHER",
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_type_of_its_own_is_other() {
        assert_eq!(error_type::<str>(), "_OTHER");
        assert_eq!(error_type::<&str>(), "_OTHER");
        assert_eq!(error_type::<dyn std::error::Error>(), "_OTHER");
        assert_eq!(error_type::<Box<dyn std::error::Error + Send + Sync>>(), "_OTHER");
        assert_eq!(error_type::<std::fmt::Error>(), "core::fmt::Error");
    }
}
