//! `Spanmill\Tracer`: spans, the current one, and the extension's counters.

#![allow(clippy::needless_pass_by_value)] // a callable is an argument by value or none
#![allow(elided_lifetimes_in_paths)] // the macro writes the type of an argument again, with its lifetime

use ext_php_rs::boxed::ZBox;
use ext_php_rs::flags::ClassFlags;
use ext_php_rs::prelude::*;
use ext_php_rs::types::{ZendCallable, ZendHashTable, Zval};
use ext_php_rs::zend::{ExecutorGlobals, ce};
use spanmill::Reason;
use spanmill::recorder::Kind;

use crate::context::{self, Context};
use crate::session::{self, Place};
use crate::span::{self, Span};
use crate::tags;

/// Static methods only.
#[php_class]
#[php(name = "Spanmill\\Tracer", flags = ClassFlags::Final)]
pub struct Tracer;

#[php_impl]
impl Tracer {
    /// Begins a span below the current one, or below one of another process, and makes it current.
    #[php(optional = tags)]
    pub fn start(
        name: &str,
        tags: Option<&ZendHashTable>,
        kind: Option<i64>,
        parent: Option<&Context>,
    ) -> Span {
        let parent = parent.map(|parent| &parent.0);
        Span::owning(session::with(|session| {
            let number = session.start(Place::Inner, |recorder, current| {
                recorder.start(name, span::kind(kind), parent.or(current))
            });
            if let Some(record) = session.record(number) {
                tags::tag_all(record, tags);
            }
            number
        }))
    }

    /// Runs one job of a worker: a span that is the first of a new trace, or below `parent`. Spans that the job
    /// leaves open are closed, and all is sent. What the job returns is returned, what it throws is thrown.
    #[php(optional = tags)]
    pub fn unit(
        name: &str,
        work: ZendCallable,
        tags: Option<&ZendHashTable>,
        parent: Option<&Context>,
    ) -> PhpResult<Zval> {
        let parent = parent.map(|parent| &parent.0);
        let number = session::with(|session| {
            let number =
                session.start(Place::Inner, |recorder, _| recorder.start(name, Kind::Consumer, parent));
            if let Some(record) = session.record(number) {
                tags::tag_all(record, tags);
            }
            number
        });
        let returned = work.try_call(vec![]);
        // Only looked at: the engine throws what is in flight when this method returns. `exit` is in flight too,
        // under a class of the engine's own.
        let thrown = ExecutorGlobals::pending_exception_class();
        session::with(|session| {
            session.end_unit(number, |record| {
                if let Some(class) = thrown.as_deref().filter(|class| !session::EXITS.contains(class)) {
                    record.fail(class, "");
                }
            });
        });
        match returned {
            Ok(value) => Ok(value),
            Err(_) if ExecutorGlobals::has_exception() => Ok(Zval::null()),
            Err(error) => Err(error.to_string().into()),
        }
    }

    /// The innermost span or call that is open, as a span.
    pub fn current() -> Option<Span> {
        session::with(|session| session.current()).map(Span::borrowing)
    }

    /// The W3C `traceparent` of the current span, for a request to a service of your own.
    pub fn traceparent() -> Option<String> {
        session::with(|session| session.context().map(spanmill::Context::traceparent))
    }

    /// Adds the headers of the current span to an array of headers, for a request to a service of your own.
    pub fn inject(headers: &mut Zval) {
        let header = session::with(|session| session.context().map(spanmill::Context::traceparent));
        if let (Some(header), Some(headers)) = (header, headers.dereference_mut().array_mut()) {
            context::write_header(headers, spanmill::TRACEPARENT, &header);
        }
    }

    /// The context that came with a request or a message; null if none did. Takes an array of headers, or
    /// `$_SERVER`.
    pub fn extract(headers: &ZendHashTable) -> Option<Context> {
        context::of_headers(headers).map(Context)
    }

    /// The id of the current trace in 32 hex digits; empty when no span is open.
    pub fn trace_id() -> String {
        session::with(|session| session.context().map(|context| context.trace_id().to_string()))
            .unwrap_or_default()
    }

    /// Adds a tag to the current span.
    pub fn tag(key: &str, value: &Zval) {
        session::with(|session| {
            if let Some(record) = session.current().and_then(|number| session.record(number)) {
                tags::tag(record, key, value);
            }
        });
    }

    /// Adds a log to the current span.
    #[php(optional = fields)]
    pub fn log(name: &str, fields: Option<&ZendHashTable>) {
        session::with(|session| {
            if let Some(record) = session.current().and_then(|number| session.record(number)) {
                tags::log(record, name, fields);
            }
        });
    }

    /// Sends what has ended, without waiting; true when nothing is left. The end of a request does the same.
    pub fn flush() -> bool {
        session::with(|session| session.flush())
    }

    /// What became of this process's spans.
    pub fn stats() -> PhpResult<ZBox<ZendHashTable>> {
        let (stats, over_limit) = session::with(|session| session.stats());
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut dropped = ZendHashTable::new();
        for reason in Reason::ALL {
            dropped.insert(reason.name(), number(stats.dropped.by(reason)))?;
        }
        let mut out = ZendHashTable::new();
        out.insert("recorded", number(stats.recorded))?;
        out.insert("sent", number(stats.sent))?;
        out.insert("queued", number(stats.queued()))?;
        out.insert("dropped", dropped)?;
        out.insert("over_limit", number(over_limit))?;
        out.insert("trimmed", number(stats.trimmed))?;
        out.insert("truncated", number(stats.truncated))?;
        out.insert("masked", number(stats.masked))?;
        Ok(out)
    }
}

/// The class and the text of an error: a Throwable, or a text of unknown class.
pub fn describe(error: &Zval) -> (String, String) {
    let error = error.dereference();
    let Some(object) = error.object() else {
        return ("_OTHER".into(), error.string().unwrap_or_default());
    };
    let class = object.get_class_name().unwrap_or_default();
    // `getMessage` is final: it runs no user code. While another exception is in flight nothing may be called.
    let may_ask = object.instance_of(ce::throwable()) && !ExecutorGlobals::has_exception();
    let message = may_ask.then(|| object.try_call_method("getMessage", vec![]).ok()).flatten();
    (class, message.and_then(|message| message.string()).unwrap_or_default())
}
