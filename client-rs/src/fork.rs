//! Notices that this process is a forked child, which has neither the threads nor the locks of its parent.

use std::cell::Cell;
use std::time::Duration;

use crate::clock::Tick;

/// Asking for the process id is a system call, about as dear as recording a span: so not for each.
const ASK_AGAIN: Duration = Duration::from_millis(1);

thread_local! {
    static ASKED: Cell<Option<(Tick, u32)>> = const { Cell::new(None) };
}

/// The id of this process, at most a millisecond old.
#[inline]
pub(crate) fn pid(now: Tick) -> u32 {
    let asked = ASKED.try_with(Cell::get).ok().flatten();
    match asked {
        Some((at, pid)) if now.since(at) < ASK_AGAIN => pid,
        _ => ask(now),
    }
}

#[cold]
fn ask(now: Tick) -> u32 {
    let pid = std::process::id();
    let _ = ASKED.try_with(|asked| asked.set(Some((now, pid))));
    pid
}
