//! The moment at which all extensions have started: classes of all of them are known, and what
//! `disable_functions` names is gone. PHP has one callback for it, so those that were there are called first.

use std::sync::OnceLock;

use crate::hooks;

type Callback = unsafe extern "C" fn() -> i32;

unsafe extern "C" {
    static mut zend_post_startup_cb: Option<Callback>;
}

static BEFORE: OnceLock<Option<Callback>> = OnceLock::new();

/// Asks to be called at that moment.
pub fn follow() {
    // SAFETY: modules start one after the other, on the process's only thread.
    unsafe {
        let before = zend_post_startup_cb;
        BEFORE.get_or_init(|| before);
        zend_post_startup_cb = Some(started);
    }
}

unsafe extern "C" fn started() -> i32 {
    let result = match BEFORE.get() {
        // SAFETY: it is called when and as PHP would have called it.
        Some(Some(before)) => unsafe { before() },
        _ => crate::SUCCESS,
    };
    hooks::swap::guarded(hooks::install);
    result
}
