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
use spanmill::recorder::{Kind, Outcome, Record, Recorder, Stats};

use crate::{sapi, settings};

/// Spans that are open at the same time; deeper code is recursive, and its inner spans say nothing new.
const OPEN_MAX: usize = 1000;
/// In a long-running script spans wait at most so long for company, if spans go on ending.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// Classes of what is in flight when a script exits, which is no error.
pub const EXITS: [&str; 2] = ["UnwindExit", "GracefulExit"];

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
    /// The span of the web request; 0 = none.
    root: Number,
    /// The daemon has been looked for since the request began, or the last job.
    is_introduced: bool,
}

struct Open {
    number: Number,
    context: Context,
    /// `None` in a forked child, where the span is its parent's; still the parent of spans below.
    record: Option<Box<Record>>,
    place: Place,
}

/// What a span is to those that begin while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Their parent.
    Inner,
    /// Their parent, and they are its attempts.
    Call,
    /// Nothing: it runs beside them, like the transfers of curl_multi.
    Beside,
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
        break_off();
        R::default()
    })
}

/// A panic is caught by [`with`] and ends the tracing; its text may hold what nobody has masked, so it goes
/// nowhere. phpinfo() says that it happened.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// A panic was caught outside of [`with`].
pub fn break_off() {
    IS_BROKEN.store(true, Relaxed);
}

/// Breaks where the tests want it, to show that nothing else does. Only in a debug build.
pub fn break_for_test(place: &str) {
    if cfg!(debug_assertions) {
        let is_wanted = std::env::var_os("SPANMILL_TEST_PANIC").is_some_and(|wanted| wanted == place);
        assert!(!is_wanted, "a test wants it");
    }
}

/// True when there is something to record for.
pub fn is_on() -> bool {
    settings::process().is_some() && !IS_BROKEN.load(Relaxed)
}

/// True when a bug switched the tracing off.
pub fn is_broken() -> bool {
    IS_BROKEN.load(Relaxed)
}

impl Session {
    fn new(recorder: Recorder) -> Session {
        Session {
            recorder,
            open: Vec::new(),
            last_number: 0,
            service: None,
            over_limit: 0,
            root: 0,
            is_introduced: false,
        }
    }

    /// At the start of a request.
    pub fn begin_request(&mut self) {
        break_for_test("begin_request");
        let service = settings::service();
        if service != self.service {
            if let Some(name) = &service {
                self.recorder.set_service(name);
            }
            self.service = service;
        }
        if let Some(request) = sapi::Request::current().filter(|_| settings::has_root_span()) {
            self.root = self.begin_root(&request);
        }
    }

    fn begin_root(&mut self, request: &sapi::Request) -> Number {
        let parent = request.traceparent.as_deref().and_then(Context::from_traceparent);
        let name = request.span_name();
        let number =
            self.start(Place::Inner, |recorder, _| recorder.start(&name, Kind::Server, parent.as_ref()));
        if let Some(record) = self.record(number) {
            record.tag("http.request.method", request.method.as_str());
            record.tag("url.path", request.path.as_str());
        }
        number
    }

    fn end_root(&mut self) {
        let error = sapi::fatal_error();
        let root = std::mem::take(&mut self.root);
        self.end(root, |record| {
            let status = sapi::response_status();
            if status > 0 {
                record.tag("http.response.status_code", status);
            }
            match error {
                Some(message) => record.fail("fatal", &message),
                None if status >= 500 => record.fail("http_5xx", ""),
                None => {}
            }
        });
    }

    /// At the end of a request: closes what is open and sends what there is, without waiting.
    pub fn end_request(&mut self) {
        break_for_test("end_request");
        self.notice_fork();
        // The root, if there is one, is the outermost.
        self.abort_from(usize::from(self.root > 0), "the request ended before the span");
        if self.root > 0 {
            self.end_root();
        }
        self.is_introduced = false;
        self.recorder.flush();
    }

    /// Begins a span below the innermost open one.
    pub fn start(
        &mut self,
        place: Place,
        make: impl FnOnce(&Recorder, Option<&Context>) -> Box<Record>,
    ) -> Number {
        break_for_test("start");
        self.notice_fork();
        // Before the first call blocks, so that the daemon sees it while it does.
        if !std::mem::replace(&mut self.is_introduced, true) {
            self.recorder.connect();
        }
        if self.open.len() >= OPEN_MAX {
            self.over_limit += 1;
            return 0;
        }
        let record = make(&self.recorder, self.innermost().map(|open| &open.context));
        self.last_number += 1;
        let context = record.context().clone();
        self.open.push(Open { number: self.last_number, context, record: Some(record), place });
        self.last_number
    }

    fn innermost(&self) -> Option<&Open> {
        self.open.iter().rev().find(|open| open.place != Place::Beside)
    }

    /// Says where the request of a span goes, before it goes.
    pub fn peer(&mut self, number: Number, host: &str, port: Option<u16>) {
        let open = self.open.iter_mut().rev().find(|open| open.number == number);
        if let Some(record) = open.and_then(|open| open.record.as_deref_mut()) {
            self.recorder.peer(record, host, port);
        }
    }

    /// The innermost open span.
    pub fn current(&self) -> Option<Number> {
        self.innermost().map(|open| open.number)
    }

    /// How others refer to the innermost open span.
    pub fn context(&self) -> Option<&Context> {
        self.innermost().map(|open| &open.context)
    }

    /// The `traceparent` that names an open span as the parent.
    pub fn traceparent(&self, number: Number) -> Option<String> {
        self.open.iter().rev().find(|open| open.number == number).map(|open| open.context.traceparent())
    }

    /// An open span, to be added to.
    pub fn record(&mut self, number: Number) -> Option<&mut Record> {
        self.open.iter_mut().rev().find(|open| open.number == number)?.record.as_deref_mut()
    }

    /// Ends a span, if it is still open; `describe` says how.
    pub fn end(&mut self, number: Number, describe: impl FnOnce(&mut Record)) {
        break_for_test("end");
        if let Some(at) = self.open.iter().rposition(|open| open.number == number) {
            let open = self.open.remove(at);
            self.finish(open, |record, _| describe(record));
            if self.recorder.waiting().is_some_and(|waiting| waiting >= FLUSH_AFTER) {
                self.recorder.flush();
            }
        }
    }

    /// Ends the span of a job with all that is open below it, and sends.
    pub fn end_unit(&mut self, number: Number, describe: impl FnOnce(&mut Record)) {
        if let Some(at) = self.open.iter().rposition(|open| open.number == number) {
            self.abort_from(at + 1, "the job ended before the span");
            self.end(number, describe);
        }
        self.is_introduced = false;
        self.recorder.flush();
    }

    /// Closes the spans from a place in the stack on, the innermost first.
    fn abort_from(&mut self, first: usize, why: &str) {
        while self.open.len() > first {
            let Some(open) = self.open.pop() else { return };
            self.finish(open, |record, place| {
                if place == Place::Call {
                    record.outcome(Outcome::Cancelled);
                }
                record.fail("aborted", why);
            });
        }
    }

    /// Drops a span that turned out to be none.
    pub fn forget(&mut self, number: Number) {
        self.open.retain(|open| open.number != number);
    }

    /// Sends what is recorded, without waiting; true when nothing is left.
    pub fn flush(&mut self) -> bool {
        break_for_test("flush");
        self.recorder.flush()
    }

    /// Masks one more pattern; `Err` says why it cannot.
    pub fn mask_also(&mut self, pattern: &str) -> Result<(), String> {
        self.recorder.mask_also(pattern).map_err(|error| error.to_string())
    }

    /// The recorder's counters, and spans that were not recorded because too many were open.
    pub fn stats(&self) -> (Stats, u64) {
        (self.recorder.stats(), self.over_limit)
    }

    /// True while the daemon is connected.
    pub fn is_connected(&self) -> bool {
        self.recorder.is_connected()
    }

    fn finish(&mut self, open: Open, describe: impl FnOnce(&mut Record, Place)) {
        if let Some(mut record) = open.record {
            describe(&mut record, open.place);
            self.recorder.finish(record);
        }
    }

    /// In a forked child the open spans are its parent's: they stay as parents and are not sent again.
    pub fn notice_fork(&mut self) {
        if self.recorder.is_inherited() {
            self.open.iter_mut().for_each(|open| open.record = None);
            self.recorder.flush();
        }
    }
}
