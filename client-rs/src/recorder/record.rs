//! One span while it is open.

use std::cell::RefCell;
use std::time::Duration;

use spanmill_proto::open_calls::{OpenCall, Target};
use spanmill_proto::otlp::{span, status};
use spanmill_proto::wire;

use super::body::{Body, Log};
use super::limits::{NAME_BYTES_MAX, POOLED_BYTES_MAX, POOLED_MAX, Rules};
use super::opening::Opening;
use super::role::{Kind, Outcome};
use crate::clock::{Moment, Tick};
use crate::context::Context;
use crate::id::{SpanId, TraceId};
use crate::open_calls::{OpenCalls, Slot};
use crate::provider::Name;
use crate::value::Value;

thread_local! {
    /// Spans that ended on this thread, for their buffers. The boxes are what is pooled: a handle is moved
    /// through futures and must stay small.
    #[allow(clippy::vec_box)]
    static POOL: RefCell<Vec<Box<Record>>> = const { RefCell::new(Vec::new()) };
}

/// One span while it is open: its ids and its growing bytes.
pub struct Record {
    context: Context,
    parent: Option<SpanId>,
    parent_is_remote: bool,
    kind: Kind,
    start: Moment,
    body: Body,
    failed: bool,
    /// Its place on the open-call page.
    slot: Option<Slot>,
    /// Its end, where somebody else says it.
    end_unix_ns: Option<u64>,
}

/// What a recorder brings to each of its spans.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Desk<'d> {
    pub(crate) rules: &'static Rules,
    pub(crate) page: Option<&'d OpenCalls>,
    /// The moment at which the span begins.
    pub(crate) now: Moment,
}

impl Record {
    /// Begins a span below `parent`, or a new trace. A [`Kind::Client`] span inside an open call is an
    /// attempt of that call: it says so, and carries the provider's name.
    pub(crate) fn start(desk: Desk<'_>, name: &str, kind: Kind, parent: Option<&Context>) -> Box<Record> {
        let mut record = Record::begin(desk, kind, parent);
        record.body.text(span::NAME, name, NAME_BYTES_MAX);
        match kind {
            Kind::Client => {
                if let Some(provider) = record.context.call.clone() {
                    record.provider(&provider);
                    record.body.own_tag("spanmill.attempt", &true.into());
                }
            }
            // What came in is not a part of what we called, even where both run in one thread.
            Kind::Server | Kind::Consumer => record.context.call = None,
            Kind::Internal | Kind::Producer => {}
        }
        record
    }

    /// Begins a call of `provider` below `parent`. Inside an open call of the same provider it is an attempt.
    pub(crate) fn call(
        desk: Desk<'_>,
        provider: &Name,
        operation: &str,
        parent: Option<&Context>,
    ) -> Box<Record> {
        let mut record = Record::begin(desk, Kind::Client, parent);
        let is_attempt = record.context.call.replace(provider.clone()).is_some_and(|open| open == *provider);
        let (context, start_unix_ns) = (&record.context, record.start.unix_ns());
        let slot = Opening::write(&mut record.body, provider, operation, |opening| {
            // An attempt shows as the call around it.
            let page = desk.page.filter(|_| !is_attempt)?;
            page.open(&OpenCall {
                trace_id: context.trace_id.0,
                span_id: context.span_id.0,
                start_unix_ns,
                target: Target::Provider(&opening.shown_provider),
                operation: &opening.shown_operation,
                is_attempt,
            })
        });
        record.slot = slot;
        if is_attempt {
            record.body.own_tag("spanmill.attempt", &true.into());
        }
        record
    }

    /// Says where a request goes, `server.address` and `server.port`, and shows it to the daemon as open unless a
    /// call around it does.
    pub(crate) fn peer(&mut self, page: Option<&OpenCalls>, host: &str, port: Option<u16>) {
        let shown = self.body.own_text(&["server.address"], host);
        if let Some(port) = port {
            self.body.own_tag("server.port", &port.into());
        }
        if self.context.call.is_none() && self.kind == Kind::Client && self.slot.is_none() {
            self.slot = page.and_then(|page| {
                page.open(&OpenCall {
                    trace_id: self.context.trace_id.0,
                    span_id: self.context.span_id.0,
                    start_unix_ns: self.start.unix_ns(),
                    target: Target::Address(&String::from_utf8_lossy(&shown), port.unwrap_or(0)),
                    operation: "",
                    is_attempt: false,
                })
            });
        }
    }

    /// Its place on the page, to be given back; once.
    pub(crate) fn take_slot(&mut self) -> Option<Slot> {
        self.slot.take()
    }

    fn begin(desk: Desk<'_>, kind: Kind, parent: Option<&Context>) -> Box<Record> {
        let start = desk.now;
        let span_id = SpanId::fresh(start.unix_ns());
        let context = match parent {
            Some(parent) => Context { span_id, remote: false, ..parent.clone() },
            None => Context::root(TraceId::fresh(start.unix_ns()), span_id),
        };
        let parent_id = parent.map(|parent| parent.span_id);
        let parent_is_remote = parent.is_some_and(|parent| parent.remote);
        let Some(mut record) = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten() else {
            return Box::new(Record {
                context,
                parent: parent_id,
                parent_is_remote,
                kind,
                start,
                body: Body::new(desk.rules, Vec::new()),
                failed: false,
                slot: None,
                end_unix_ns: None,
            });
        };
        // Field by field: moving a fresh record into its box costs a tenth of the span.
        record.context = context;
        record.parent = parent_id;
        record.parent_is_remote = parent_is_remote;
        record.kind = kind;
        record.start = start;
        record.body.begin(desk.rules);
        record.failed = false;
        record.slot = None;
        record.end_unix_ns = None;
        record
    }

    fn provider(&mut self, name: &Name) {
        // `peer.service` is the old name, by which Jaeger and most dashboards still group.
        self.body.own_text(&["spanmill.provider", "service.peer.name", "peer.service"], name);
    }

    /// How others refer to this span.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Names the span anew: of a field that is there twice, readers of protobuf take the last.
    pub fn rename(&mut self, name: &str) {
        self.body.text(span::NAME, name, NAME_BYTES_MAX);
    }

    /// Adds a tag.
    pub fn tag<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) {
        self.body.tag(key, &value.into());
    }

    /// Adds a log; `write` adds its tags.
    pub fn log(&mut self, name: &str, write: impl for<'b> FnOnce(Log<'b>) -> Log<'b>) {
        let now_ns = self.start.later().unix_ns();
        if let Some(log) = self.body.log(name, now_ns) {
            drop(write(log));
        }
    }

    /// Adds a log that happened at another time than now.
    #[cfg(any(feature = "otel", feature = "tracing"))]
    pub(crate) fn log_at(
        &mut self,
        name: &str,
        unix_ns: u64,
        write: impl for<'b> FnOnce(Log<'b>) -> Log<'b>,
    ) {
        if let Some(log) = self.body.log(name, unix_ns) {
            drop(write(log));
        }
    }

    /// Adds a link to another span.
    #[cfg(feature = "otel")]
    pub(crate) fn link(&mut self, to: &Context, write: impl for<'b> FnOnce(Log<'b>) -> Log<'b>) {
        if let Some(link) = self.body.link(to) {
            drop(write(link));
        }
    }

    /// The span ends so long after it began, whenever that is told.
    pub fn took(&mut self, duration: Duration) {
        self.end_unix_ns = Some(self.start.unix_ns().saturating_add(duration.as_nanos() as u64));
    }

    /// The span ends, and ended, at this time.
    #[cfg(feature = "otel")]
    pub(crate) fn ended_at(&mut self, unix_ns: u64) {
        self.end_unix_ns = Some(unix_ns);
    }

    /// Says how a call ended, without a word on why.
    pub fn outcome(&mut self, outcome: Outcome) {
        self.body.own_word("spanmill.outcome", outcome.name());
    }

    /// Sets the status to OK.
    pub fn succeed(&mut self) {
        let mark = wire::open(&mut self.body.bytes, span::STATUS);
        wire::put_uint(&mut self.body.bytes, status::CODE, status::OK);
        wire::close(&mut self.body.bytes, mark);
    }

    /// Sets the status to ERROR; the first error is kept. `error_type` is one of few values: a class of
    /// errors, never a text.
    pub fn fail(&mut self, error_type: &str, message: &str) {
        if std::mem::replace(&mut self.failed, true) {
            return;
        }
        self.body.own_text(&["error.type"], error_type);
        self.put_error(message);
    }

    /// The same without a class: the daemon reads it from the tags.
    #[cfg(feature = "otel")]
    pub(crate) fn fail_without_type(&mut self, message: &str) {
        if !std::mem::replace(&mut self.failed, true) {
            self.put_error(message);
        }
    }

    fn put_error(&mut self, message: &str) {
        let mark = wire::open(&mut self.body.bytes, span::STATUS);
        let bytes_max = self.body.scrubber.rules().limits.value_bytes_max;
        self.body.text(status::MESSAGE, message, bytes_max);
        wire::put_uint(&mut self.body.bytes, status::CODE, status::ERROR);
        wire::close(&mut self.body.bytes, mark);
    }

    /// Ends the span and writes what is known only now.
    pub(crate) fn finish(&mut self) -> Finished<'_> {
        let end = self.start.later();
        let body = &mut self.body;
        if body.scrubber.truncated > 0 {
            body.own_tag("spanmill.truncated", &body.scrubber.truncated.into());
        }
        let out = &mut body.bytes;
        wire::put_bytes(out, span::TRACE_ID, &self.context.trace_id.0);
        wire::put_bytes(out, span::SPAN_ID, &self.context.span_id.0);
        if let Some(parent) = self.parent {
            wire::put_bytes(out, span::PARENT_SPAN_ID, &parent.0);
        }
        if let Some(state) = self.context.tracestate() {
            wire::put_bytes(out, span::TRACE_STATE, state.as_bytes());
        }
        wire::put_uint(out, span::KIND, self.kind.number());
        wire::put_fixed64(out, span::START_TIME, self.start.unix_ns());
        wire::put_fixed64(out, span::END_TIME, self.end_unix_ns.unwrap_or(end.unix_ns()));
        // Bit 8: whether the parent is remote is known; bit 9: it is.
        let flags = u32::from(self.context.flags) | 1 << 8 | u32::from(self.parent_is_remote) << 9;
        wire::put_tag(out, span::FLAGS, 5);
        out.extend_from_slice(&flags.to_le_bytes());
        for (field, dropped) in [
            (span::DROPPED_ATTRIBUTES_COUNT, body.dropped_tags),
            (span::DROPPED_EVENTS_COUNT, body.dropped_logs),
            (span::DROPPED_LINKS_COUNT, body.dropped_links),
        ] {
            if dropped > 0 {
                wire::put_uint(out, field, u64::from(dropped));
            }
        }
        Finished {
            end: end.tick(),
            is_precious: self.failed,
            span: out,
            masked: body.scrubber.masked,
            truncated: body.scrubber.truncated,
        }
    }

    /// Keeps the buffer for the thread's next span.
    pub(crate) fn recycle(mut self: Box<Record>) {
        if self.body.bytes.capacity() > POOLED_BYTES_MAX {
            self.body.bytes = Vec::new();
        }
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < POOLED_MAX {
                pool.push(self);
            }
        });
    }
}

/// A span that has ended: the content of an OTLP `Span` message, and what was done to it.
pub(crate) struct Finished<'r> {
    pub(crate) end: Tick,
    /// It says that something went wrong: what a full queue must not lose.
    pub(crate) is_precious: bool,
    pub(crate) span: &'r [u8],
    pub(crate) masked: u64,
    pub(crate) truncated: u64,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("context", &self.context).finish_non_exhaustive()
    }
}
