//! The state of one PHP thread: its recorder, and the stack of spans that are open.
//!
//! The stack owns the spans; PHP objects hold their numbers only. So what a fatal error, `exit` or an
//! exception leaves open can be closed at the end of the request, whatever becomes of the objects.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use ext_php_rs::zend::{ModuleGlobal, ModuleGlobals};
use spanmill::Context;
use spanmill::recorder::{Outcome, Record, Recorder, Stats};

use crate::settings;

/// Spans that are open at the same time; deeper code is recursive, and its inner spans say nothing new.
const OPEN_MAX: usize = 1000;
/// In a long-running script spans wait at most so long for company, if spans go on ending.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

pub static GLOBALS: ModuleGlobals<Globals> = ModuleGlobals::new();

/// True after a panic: a bug in here switches the tracing off and leaves the application alone.
static IS_BROKEN: AtomicBool = AtomicBool::new(false);

/// What PHP keeps for each of its threads.
#[derive(Default)]
pub struct Globals {
    session: RefCell<Option<Session>>,
}

impl ModuleGlobal for Globals {}

/// The number of an open span. 0 is none: the span was not recorded.
pub type Number = u64;

/// The recorder of a thread and its open spans, outermost first.
pub struct Session {
    recorder: Recorder,
    open: Vec<Open>,
    last_number: Number,
    service: Option<String>,
    over_limit: u64,
}

struct Open {
    number: Number,
    context: Context,
    /// `None` in a forked child, where the span is its parent's; still the parent of spans below.
    record: Option<Box<Record>>,
    is_call: bool,
}

/// Runs `work` on this thread's session. Does nothing when the extension is switched off; never panics.
pub fn with<R: Default>(work: impl FnOnce(&mut Session) -> R) -> R {
    let Some(settings) = settings::process().filter(|_| !IS_BROKEN.load(Relaxed)) else {
        return R::default();
    };
    let Ok(mut session) = GLOBALS.get().session.try_borrow_mut() else { return R::default() };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        if session.is_none() {
            *session = Recorder::new(settings).ok().map(Session::new);
        }
        session.as_mut().map(work).unwrap_or_default()
    }));
    outcome.unwrap_or_else(|_| {
        IS_BROKEN.store(true, Relaxed);
        R::default()
    })
}

/// A panic is caught by [`with`] and ends the tracing; its text may hold what nobody has masked, so it goes
/// nowhere. phpinfo() says that it happened.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// True when a bug switched the tracing off.
pub fn is_broken() -> bool {
    IS_BROKEN.load(Relaxed)
}

impl Session {
    fn new(recorder: Recorder) -> Session {
        Session { recorder, open: Vec::new(), last_number: 0, service: None, over_limit: 0 }
    }

    /// At the start of a request.
    pub fn begin_request(&mut self) {
        let service = settings::service();
        if service != self.service {
            if let Some(name) = &service {
                self.recorder.set_service(name);
            }
            self.service = service;
        }
    }

    /// At the end of a request: closes what is open and sends what there is, without waiting.
    pub fn end_request(&mut self) {
        self.notice_fork();
        while let Some(open) = self.open.pop() {
            self.finish(open, |record, is_call| {
                if is_call {
                    record.outcome(Outcome::Cancelled);
                }
                record.fail("aborted", "the request ended before the span");
            });
        }
        self.recorder.flush();
    }

    /// Begins a span below the innermost open one.
    pub fn start(
        &mut self,
        is_call: bool,
        make: impl FnOnce(&Recorder, Option<&Context>) -> Box<Record>,
    ) -> Number {
        self.notice_fork();
        if self.open.len() >= OPEN_MAX {
            self.over_limit += 1;
            return 0;
        }
        let record = make(&self.recorder, self.open.last().map(|open| &open.context));
        self.last_number += 1;
        let context = record.context().clone();
        self.open.push(Open { number: self.last_number, context, record: Some(record), is_call });
        self.last_number
    }

    /// The innermost open span.
    pub fn current(&self) -> Option<Number> {
        self.open.last().map(|open| open.number)
    }

    /// How others refer to the innermost open span.
    pub fn context(&self) -> Option<&Context> {
        self.open.last().map(|open| &open.context)
    }

    /// An open span, to be added to.
    pub fn record(&mut self, number: Number) -> Option<&mut Record> {
        self.open.iter_mut().rev().find(|open| open.number == number)?.record.as_deref_mut()
    }

    /// Ends a span, if it is still open; `describe` says how.
    pub fn end(&mut self, number: Number, describe: impl FnOnce(&mut Record)) {
        if let Some(at) = self.open.iter().rposition(|open| open.number == number) {
            let open = self.open.remove(at);
            self.finish(open, |record, _| describe(record));
            if self.recorder.waiting().is_some_and(|waiting| waiting >= FLUSH_AFTER) {
                self.recorder.flush();
            }
        }
    }

    /// Sends what is recorded, without waiting; true when nothing is left.
    pub fn flush(&mut self) -> bool {
        self.recorder.flush()
    }

    /// The recorder's counters, and spans that were not recorded because too many were open.
    pub fn stats(&self) -> (Stats, u64) {
        (self.recorder.stats(), self.over_limit)
    }

    /// True while the daemon is connected.
    pub fn is_connected(&self) -> bool {
        self.recorder.is_connected()
    }

    fn finish(&mut self, open: Open, describe: impl FnOnce(&mut Record, bool)) {
        if let Some(mut record) = open.record {
            describe(&mut record, open.is_call);
            self.recorder.finish(record);
        }
    }

    /// In a forked child the open spans are its parent's: they stay as parents and are not sent again.
    fn notice_fork(&mut self) {
        if self.recorder.is_inherited() {
            self.open.iter_mut().for_each(|open| open.record = None);
            self.recorder.flush();
        }
    }
}
