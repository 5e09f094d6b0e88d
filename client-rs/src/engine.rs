//! What runs behind the API: takes the spans that ended, and knows what becomes of them.
//!
//! An engine lives until the process ends, also after its guard: spans that are still open point to it, and
//! a pointer without a reference count is what keeps recording cheap. A process starts one, tests a few.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use spanmill_proto::open_calls::SLOTS_RUST;

use crate::board::board;
use crate::clock::{Moment, Tick};
use crate::error::InitError;
use crate::fork;
use crate::open_calls::OpenCalls;
use crate::recorder::{Counters, Desk as RecordDesk, Reason, Record, Rules, Stats, trim};
use crate::running;
use crate::settings::{Exporter, Settings};
use crate::transport::drain::{Desk, Drain};
use crate::transport::packet::Envelope;
use crate::transport::queue::{Pushed, Queue};
use crate::transport::report::hello;

#[derive(Debug)]
pub(crate) struct Engine {
    settings: Settings,
    rules: &'static Rules,
    envelope: Envelope,
    /// What is open at this moment; `None` where the system does not allow it.
    page: Option<Arc<OpenCalls>>,
    queue: Queue,
    counters: Counters,
    sink: Sink,
    pid: u32,
    /// The engine of a forked child, which cannot use this one: its thread is gone, its locks may be taken.
    child: OnceLock<&'static Engine>,
}

#[derive(Debug)]
enum Sink {
    Daemon { desk: Desk, drain: OnceLock<Drain> },
    Capture(Mutex<Vec<Vec<u8>>>),
}

impl Sink {
    fn daemon() -> Sink {
        Sink::Daemon { desk: Desk::default(), drain: OnceLock::new() }
    }
}

impl Engine {
    /// Starts an engine that sends to the daemon.
    pub(crate) fn start(settings: Settings) -> Result<&'static Engine, InitError> {
        settings.check()?;
        let rules = settings.rules()?;
        let own = |key| settings.resource.value(key).unwrap_or_default();
        settings.propagators.install();
        board().introduce(own("host.name"), own("service.name"));
        running::install(|| Engine::launch(settings, rules))
    }

    /// Starts an engine that keeps its spans.
    pub(crate) fn start_capture(settings: Settings) -> Result<&'static Engine, InitError> {
        let rules = settings.rules()?;
        running::install(|| Ok(Engine::build(settings, rules, Sink::Capture(Mutex::default()))))
    }

    fn launch(settings: Settings, rules: &'static Rules) -> Result<&'static Engine, InitError> {
        let engine = Engine::build(settings, rules, Sink::daemon());
        if let Sink::Daemon { drain, .. } = &engine.sink {
            let started = match &engine.settings.exporter {
                #[cfg(feature = "otlp")]
                Exporter::Otlp => crate::otlp::start(engine, &engine.settings.otlp)?,
                Exporter::Local => Drain::start(engine)?,
            };
            drain.get_or_init(|| started);
        }
        Ok(engine)
    }

    fn build(settings: Settings, rules: &'static Rules, sink: Sink) -> &'static Engine {
        let envelope = Envelope::new(&settings.resource.clone().masked(&rules.masker));
        let page = OpenCalls::new(SLOTS_RUST).ok().map(Arc::new);
        let queue = Queue::new(settings.queue_bytes, envelope.block_bytes_max());
        let counters = Counters::default();
        let (pid, child) = (std::process::id(), OnceLock::new());
        Box::leak(Box::new(Engine { settings, rules, envelope, page, queue, counters, sink, pid, child }))
    }

    /// Takes a span that ended.
    pub(crate) fn finish(&'static self, mut record: Box<Record>) {
        let slot = record.take_slot();
        let finished = record.finish();
        let engine = self.of_process(fork::pid(finished.end));
        // A forked child has a page of its own; the slot is one of its parent's.
        if std::ptr::eq(engine, self) {
            self.page.iter().zip(slot).for_each(|(page, slot)| page.close(slot));
        }
        Counters::note(&engine.counters.masked, finished.masked);
        Counters::note(&engine.counters.truncated, finished.truncated);
        let bytes_max = engine.envelope.span_bytes_max();
        if finished.span.len() <= bytes_max {
            engine.push(finished.span, finished.is_precious, finished.end);
        } else {
            Counters::note(&engine.counters.trimmed, 1);
            match trim(finished.span, bytes_max) {
                Some(trimmed) => engine.push(&trimmed, finished.is_precious, finished.end),
                None => engine.counters.drop_spans(Reason::TooLong, 1),
            }
        }
        record.recycle();
    }

    fn push(&self, span: &[u8], is_precious: bool, now: Tick) {
        match &self.sink {
            Sink::Capture(spans) => spans.lock().unwrap_or_else(PoisonError::into_inner).push(span.to_vec()),
            Sink::Daemon { drain, .. } => match self.queue.push(span, is_precious, now) {
                Ok(Pushed::Quietly) => {}
                Ok(Pushed::BlockIsFull { displaced }) => {
                    if displaced > 0 {
                        self.counters.drop_spans(Reason::Displaced, displaced);
                    }
                    if let Some(drain) = drain.get() {
                        drain.wake();
                    }
                }
                Err(reason) => self.counters.drop_spans(reason, 1),
            },
        }
    }

    /// This engine, or in a forked child the child's own.
    pub(crate) fn of_process(&'static self, pid: u32) -> &'static Engine {
        if self.pid == pid {
            return self;
        }
        self.child.get_or_init(|| {
            let settings = self.settings.clone();
            Engine::launch(settings.clone(), self.rules).unwrap_or_else(|_| {
                // No thread to be had: the child counts its spans as closed.
                let engine = Engine::build(settings, self.rules, Sink::daemon());
                engine.queue.close();
                engine
            })
        })
    }

    pub(crate) fn flush(&'static self, timeout: Duration) -> bool {
        let engine = self.of_process(std::process::id());
        match &engine.sink {
            Sink::Daemon { desk, drain } => drain.get().is_none_or(|drain| drain.flush(desk, timeout)),
            Sink::Capture(_) => true,
        }
    }

    /// Stops recording, sends what is there, drops what cannot be sent in time. Spans that are still open
    /// count as closed when they end.
    pub(crate) fn stop(&'static self, timeout: Duration) -> Stats {
        running::retire(self);
        let engine = self.of_process(std::process::id());
        engine.queue.close();
        if let Sink::Daemon { desk, drain: thread } = &engine.sink
            && let Some(drain) = thread.get()
        {
            drain.close(desk, timeout);
        }
        engine.stats()
    }

    pub(crate) fn stats(&'static self) -> Stats {
        let engine = self.of_process(std::process::id());
        let calls_without_slot = engine.page.as_ref().map_or(0, |page| page.overflows());
        let stats = Stats { calls_without_slot, ..engine.counters.read(engine.queue.accepted()) };
        match &engine.sink {
            Sink::Daemon { .. } => stats,
            Sink::Capture(spans) => {
                let captured = spans.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
                Stats { recorded: stats.recorded + captured, sent: captured, ..stats }
            }
        }
    }

    /// What a capturing engine has so far.
    pub(crate) fn captured(&self) -> Vec<Vec<u8>> {
        match &self.sink {
            Sink::Capture(spans) => spans.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Sink::Daemon { .. } => Vec::new(),
        }
    }

    /// What a span of this engine is written with.
    pub(crate) fn record_desk(&self, now: Moment) -> RecordDesk<'_> {
        RecordDesk { rules: self.rules, page: self.page.as_deref(), now }
    }

    pub(crate) fn page(&self) -> Option<&Arc<OpenCalls>> {
        self.page.as_ref()
    }

    /// True as soon as the client is shut down.
    #[cfg(feature = "otlp")]
    pub(crate) fn is_stopped(&self) -> bool {
        self.desk().is_closing()
    }

    /// The payload of a hello packet.
    pub(crate) fn hello(&self) -> Vec<u8> {
        hello(&self.envelope, &self.settings.resource, self.page.as_deref())
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.settings.socket
    }

    pub(crate) fn flush_interval(&self) -> Duration {
        self.settings.flush_interval
    }

    pub(crate) fn hold(&self) -> Duration {
        self.settings.hold
    }

    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What callers ask of the drain thread.
    pub(crate) fn desk(&self) -> &Desk {
        match &self.sink {
            Sink::Daemon { desk, .. } => desk,
            Sink::Capture(_) => unreachable!("a capturing engine has no drain thread"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Kind;

    #[test]
    fn a_forked_child_sends_its_own_spans_and_nothing_of_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::from_env("rust").unwrap().socket(folder.path().join("nobody"));
        let rules = settings.rules().unwrap();
        let parent = Engine::build(settings, rules, Sink::daemon());
        parent.finish(Record::start(
            parent.record_desk(Moment::now()),
            "of the parent",
            Kind::Internal,
            None,
        ));
        let child_pid = parent.pid.wrapping_add(1);
        let child = parent.of_process(child_pid);
        assert!(!std::ptr::eq(child, parent));
        assert!(
            std::ptr::eq(child, parent.of_process(child_pid)),
            "it has one engine, however often it asks"
        );
        child.finish(Record::start(child.record_desk(Moment::now()), "of the child", Kind::Internal, None));
        assert_eq!(child.stats().recorded, 1);
        assert_eq!(child.stop(Duration::ZERO).dropped.by(Reason::NoDaemon), 1, "a thread of its own runs");
        assert_eq!(parent.stats().queued(), 1);
    }
}
