//! A span as OpenTelemetry sees it.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, Status};

use super::convert;
use crate::context::Context;
use crate::engine::Engine;
use crate::recorder::{Log, Record};

/// A span of this crate behind OpenTelemetry's trait. Ends when it is ended or dropped, whichever comes first.
#[derive(Debug)]
pub struct Span {
    context: SpanContext,
    open: Option<(&'static Engine, Box<Record>)>,
}

impl Span {
    pub(super) fn new(engine: &'static Engine, record: Box<Record>) -> Span {
        Span { context: convert::span_context(record.context()), open: Some((engine, record)) }
    }

    /// A span that is not recorded hands its parent's context on.
    pub(super) fn nothing(parent: Option<&Context>) -> Span {
        Span { context: parent.map_or(SpanContext::NONE, convert::span_context), open: None }
    }

    fn record(&mut self) -> Option<&mut Record> {
        self.open.as_mut().map(|(_, record)| &mut **record)
    }

    fn finish(&mut self, unix_ns: Option<u64>) {
        if let Some((engine, mut record)) = self.open.take() {
            if let Some(unix_ns) = unix_ns {
                record.ended_at(unix_ns);
            }
            engine.finish(record);
        }
    }
}

fn tagged<'l>(log: Log<'l>, attributes: &[KeyValue]) -> Log<'l> {
    attributes
        .iter()
        .fold(log, |log, attribute| log.tag(attribute.key.as_str(), convert::value(&attribute.value)))
}

impl opentelemetry::trace::Span for Span {
    fn add_event_with_timestamp<T>(&mut self, name: T, timestamp: SystemTime, attributes: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
        if let Some(record) = self.record() {
            record.log_at(&name.into(), convert::unix_ns(timestamp), |log| tagged(log, &attributes));
        }
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.open.is_some()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        if let Some(record) = self.record() {
            record.tag(attribute.key.as_str(), convert::value(&attribute.value));
        }
    }

    fn set_status(&mut self, status: Status) {
        let Some(record) = self.record() else { return };
        match status {
            Status::Ok => record.succeed(),
            Status::Error { description } => record.fail_without_type(&description),
            Status::Unset => {}
        }
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        if let Some(record) = self.record() {
            record.rename(&new_name.into());
        }
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        let Some(to) = convert::context(&span_context, None) else { return };
        if let Some(record) = self.record() {
            record.link(&to, |link| tagged(link, &attributes));
        }
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        self.finish(Some(convert::unix_ns(timestamp)));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.finish(None);
    }
}
