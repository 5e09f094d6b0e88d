//! Which engine runs: one per process, found by each thread at the price of one atomic load.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::engine::Engine;
use crate::error::InitError;

static RUNNING: RwLock<Option<&'static Engine>> = RwLock::new(None);
/// The engine that was started last, running or not: its counters still tell of spans that end late.
static LATEST: RwLock<Option<&'static Engine>> = RwLock::new(None);
/// Counts the changes of `RUNNING`, so that threads may keep a copy.
static CHANGES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
    static KNOWN: Cell<(u64, Option<&'static Engine>)> = const { Cell::new((0, None)) };
}

/// The engine that runs, if any.
#[inline]
pub(crate) fn engine() -> Option<&'static Engine> {
    let changes = CHANGES.load(Ordering::Acquire);
    match KNOWN.try_with(Cell::get) {
        Ok((known, engine)) if known == changes => engine,
        _ => look_up(changes),
    }
}

#[cold]
fn look_up(changes: u64) -> Option<&'static Engine> {
    if SILENT.try_with(Cell::get).unwrap_or(true) {
        return None;
    }
    let engine = *RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    let _ = KNOWN.try_with(|known| known.set((changes, engine)));
    engine
}

/// This thread records nothing from now on, whatever runs: the exporter must not trace itself.
#[cfg(feature = "otlp")]
pub(crate) fn silence() {
    let _ = SILENT.try_with(|silent| silent.set(true));
}

/// The engine that was started last, if any.
pub(crate) fn latest() -> Option<&'static Engine> {
    *LATEST.read().unwrap_or_else(PoisonError::into_inner)
}

/// Makes an engine and lets it run, unless another runs.
pub(crate) fn install(
    make: impl FnOnce() -> Result<&'static Engine, InitError>,
) -> Result<&'static Engine, InitError> {
    let mut running = RUNNING.write().unwrap_or_else(PoisonError::into_inner);
    if running.is_some() {
        return Err(InitError::AlreadyRunning);
    }
    let engine = make()?;
    *running = Some(engine);
    *LATEST.write().unwrap_or_else(PoisonError::into_inner) = Some(engine);
    CHANGES.fetch_add(1, Ordering::Release);
    Ok(engine)
}

/// The engine runs no longer, if it is the one that does.
pub(crate) fn retire(engine: &'static Engine) {
    let mut running = RUNNING.write().unwrap_or_else(PoisonError::into_inner);
    if running.is_some_and(|running| std::ptr::eq(running, engine)) {
        *running = None;
        CHANGES.fetch_add(1, Ordering::Release);
    }
}
