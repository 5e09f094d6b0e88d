//! Functions and methods of the application that the operator names in `spanmill.hook_user`: a span each.
//!
//! The engine's observer makes every call of a PHP function dearer, so it is asked for only when there is a name.

use std::cell::RefCell;

use ext_php_rs::ffi;
use ext_php_rs::zend::ExecuteData;
use ext_php_rs::zend::ExecutorGlobals;
use spanmill::recorder::Kind;

use super::swap::guarded;
use crate::session::{self, Number, Place};
use crate::settings;

// `Zend/zend_observer.h`, which the bindings leave out.
type Begin = unsafe extern "C" fn(*mut ExecuteData);
type End = unsafe extern "C" fn(*mut ExecuteData, *mut ffi::zval);

#[repr(C)]
struct Handlers {
    begin: Option<Begin>,
    end: Option<End>,
}

unsafe extern "C" {
    fn zend_observer_fcall_register(decide: unsafe extern "C" fn(*mut ExecuteData) -> Handlers);
}

thread_local! {
    /// Observed calls that run: the frame and its span.
    static RUNNING: RefCell<Vec<(usize, Number)>> = const { RefCell::new(Vec::new()) };
}

/// While modules start: later the engine does not ask any more.
pub fn follow() {
    if settings::user_functions().is_some_and(|names| !names.is_empty()) {
        // SAFETY: modules are starting; the callback has the engine's type and lives as long as the process.
        unsafe { zend_observer_fcall_register(decide) };
    }
}

/// The session has ended the spans; the frames are gone.
pub fn end_request() {
    RUNNING.with_borrow_mut(Vec::clear);
}

/// Asked once for each function of a request: whether it is observed.
unsafe extern "C" fn decide(frame: *mut ExecuteData) -> Handlers {
    let is_wanted = guarded(|| {
        // SAFETY: the engine gives the frame of a call that begins.
        let name = unsafe { name(frame) };
        name.is_some_and(|name| {
            settings::user_functions().is_some_and(|names| names.has(&name.to_ascii_lowercase()))
        })
    });
    if is_wanted {
        Handlers { begin: Some(begin), end: Some(end) }
    } else {
        Handlers { begin: None, end: None }
    }
}

unsafe extern "C" fn begin(frame: *mut ExecuteData) {
    guarded(|| {
        // SAFETY: as above.
        let Some(name) = (unsafe { name(frame) }) else { return };
        let number = session::with(|session| {
            session.start(Place::Inner, |recorder, parent| recorder.start(&name, Kind::Internal, parent))
        });
        RUNNING.with_borrow_mut(|running| running.push((frame as usize, number)));
    });
}

/// Called for exceptions and fatal errors as well.
unsafe extern "C" fn end(frame: *mut ExecuteData, _returned: *mut ffi::zval) {
    guarded(|| {
        let number = RUNNING.with_borrow_mut(|running| {
            let at = running.iter().rposition(|(of, _)| *of == frame as usize)?;
            let (_, number) = running[at];
            running.truncate(at);
            Some(number)
        });
        let Some(number) = number else { return };
        let thrown = ExecutorGlobals::pending_exception_class();
        session::with(|session| {
            session.end(number, |record| {
                if let Some(class) = thrown.as_deref().filter(|class| !session::EXITS.contains(class)) {
                    record.fail(class, "");
                }
            });
        });
    });
}

/// `function` or `Class::method`, in the application's spelling.
///
/// # Safety
/// `frame` must be that of a call.
unsafe fn name(frame: *mut ExecuteData) -> Option<String> {
    // SAFETY: a frame has a function, whose first fields are the same for all kinds; names are strings of the
    // engine's.
    unsafe {
        let common = (*frame).func.as_ref()?.common;
        let function = common.function_name.as_ref()?.as_str().ok()?;
        Some(match common.scope.as_ref().and_then(|scope| scope.name()) {
            Some(class) => format!("{class}::{function}"),
            None => function.to_owned(),
        })
    }
}
