//! Turns the journal's records into latency and outcome figures per external provider.
//!
//! One thread follows the journal in order, so the figures are the fold over its records, each once. Never
//! waits for a destination, and never makes a label of a path, a query, a body or a raw span name.

mod board;
mod breakdown;
mod cache;
mod counts;
mod detail;
mod dimension;
pub mod environment;
mod event;
mod exemplar;
mod failure;
mod figures;
#[cfg(test)]
pub mod fixture;
mod flight;
pub mod fold;
mod heatmap;
mod heavy;
pub mod host;
mod inbox;
mod key;
mod latency;
pub mod name;
mod names;
mod observed;
mod open;
mod operations;
pub mod outcome;
mod pending;
mod provider;
mod providers;
mod refused;
pub mod registry;
mod scan;
mod settled;
mod skew;
mod slots;
pub mod span;
mod spans;
mod thread;
mod totals;
pub mod unmapped;
mod weight;
mod window;

pub use counts::Counts;
pub use detail::{BreakdownTable, Exemplar, Part, Row, UnmappedPeer};
pub use dimension::Dimension;
pub use event::Event;
pub use exemplar::Kind;
pub use figures::{Baseline, Board, Conversion, Figures, Point, Series, Verdict, rfc3339};
pub use flight::AGES_S;
pub use heatmap::{Column, Heatmap};
pub use latency::{BUCKETS, DURATION_MAX_NS, Merged, bucket, middle_ns};
pub use names::Texts;
pub use observed::{Finished, Labels, Name, Names, Observed, Open};
pub use open::{OpenCall, OpenPeer, Source};
pub use settled::{Changed, Restored, STORED_S, StoredBreakdown, StoredWindow};
pub use totals::{BUCKETS_S, Durations, Totals, TotalsExemplar};
pub use window::Sum;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::journal::Journal;
use crate::mask::MaskedBatch;
use fold::Fold;
use inbox::Inbox;
use refused::Refused;

#[derive(Debug, Clone)]
pub struct Config {
    pub registry: registry::Config,
    /// Providers shown at most; those of the registry have reserved places.
    pub providers_max: usize,
    /// Operations per provider at most.
    pub operations_max: usize,
    /// Values of `deployment.environment.name` that count as production (no `@env` suffix).
    pub production: Vec<String>,
}

/// Starts the roll-up on a thread of its own: first what was stored and what the journal holds since then, or
/// without a store what it holds of the last 15 minutes, then live.
pub fn start(config: Config, journal: &Journal, clock: Clock, restored: Option<Restored>) -> Rollup {
    let (board, _) = watch::channel(Arc::default());
    let mut fold = Fold::new(config, clock.unix_ns());
    let texts = fold.texts();
    let position = restored.as_ref().and_then(|restored| restored.position);
    let stored_s = restored.as_ref().map_or(0, |restored| restored.at_s);
    if let Some(restored) = restored {
        fold.restore(restored);
    }
    let shared = Arc::new(Shared {
        fold: Mutex::new(fold),
        texts,
        board,
        inbox: Inbox::default(),
        refused: Refused::default(),
        clock,
        is_ready: AtomicBool::new(false),
        stops: AtomicBool::new(false),
    });
    let thread =
        thread::Thread::spawn(journal.clone(), Arc::clone(&shared), position, stored_s * 1_000_000_000);
    Rollup { shared, thread: Arc::new(thread) }
}

/// What the thread and the handles share.
#[derive(Debug)]
struct Shared {
    fold: Mutex<Fold>,
    texts: Arc<Texts>,
    board: watch::Sender<Arc<Board>>,
    inbox: Inbox,
    refused: Refused,
    clock: Clock,
    is_ready: AtomicBool,
    stops: AtomicBool,
}

impl Shared {
    fn fold(&self) -> MutexGuard<'_, Fold> {
        self.fold.lock().expect("the roll-up does not panic, so its lock is never poisoned")
    }
}

/// The read handle. Cheap to clone; when the last one goes, the thread ends.
#[derive(Debug, Clone)]
pub struct Rollup {
    shared: Arc<Shared>,
    thread: Arc<thread::Thread>,
}

impl Rollup {
    /// Ends the thread. What was rolled up stays readable.
    pub async fn stop(&self) {
        let thread = Arc::clone(&self.thread);
        let ended = tokio::task::spawn_blocking(move || thread.end()).await;
        ended.expect("ending the thread cannot panic: its own panic is caught");
    }

    /// False while the journal of before the start is still being read.
    pub fn is_ready(&self) -> bool {
        self.shared.is_ready.load(Ordering::Acquire)
    }

    /// The trailing 60 s, computed once a second and shared by all readers.
    pub fn board(&self) -> watch::Receiver<Arc<Board>> {
        self.shared.board.subscribe()
    }

    /// The trailing `window`, up to 15 min, computed for this call.
    pub fn window(&self, window: Duration) -> Board {
        let now_ns = self.shared.clock.unix_ns();
        self.shared.fold().board(now_ns, window)
    }

    /// One provider over time; `None` = no such provider. Times in unix seconds, `to_s` excluded, `step_s` a
    /// multiple of 1 s. Reaches back 15 min.
    pub fn series(&self, name: &str, from_s: u64, to_s: u64, step_s: u64) -> Option<Series> {
        let now_ns = self.shared.clock.unix_ns();
        self.shared.fold().series(now_ns, name, from_s, to_s, step_s)
    }

    /// One provider by operation, host, service or endpoint over the trailing `window`, up to 15 min.
    pub fn breakdown(&self, name: &str, by: Dimension, window: Duration) -> Option<BreakdownTable> {
        let now_ns = self.shared.clock.unix_ns();
        self.shared.fold().breakdown(now_ns, name, by, window.as_secs())
    }

    /// The heaviest sources of one provider's failures over the last minute, at most 16, whatever their number.
    pub fn heaviest(&self, name: &str, by: Dimension) -> Option<Vec<(Name, u64)>> {
        self.shared.fold().heaviest(name, by)
    }

    /// Calls of one provider to look at, out of the trailing `window`.
    pub fn exemplars(&self, name: &str, kind: Kind, window: Duration) -> Option<Vec<Exemplar>> {
        let now_ns = self.shared.clock.unix_ns();
        self.shared.fold().exemplars(now_ns, name, kind, window.as_secs())
    }

    /// One provider's durations over time; the range as for [`Rollup::series`].
    pub fn heatmap(&self, name: &str, from_s: u64, to_s: u64, step_s: u64) -> Option<Heatmap> {
        let now_ns = self.shared.clock.unix_ns();
        self.shared.fold().heatmap(now_ns, name, from_s, to_s, step_s)
    }

    /// Peers that no rule names, by their calls in the last quarter of an hour or two.
    pub fn unmapped(&self) -> Vec<UnmappedPeer> {
        self.shared.fold().unmapped()
    }

    /// Hosts whose clock is off, and by how many seconds; ahead is positive.
    pub fn skews(&self) -> Vec<(String, f64)> {
        self.shared.fold().skews()
    }

    /// Other rules from now on.
    pub fn reload(&self, registry: registry::Config) {
        self.shared.fold().reload(registry);
    }

    /// Cumulative counters since the start of the process, per provider, operation and outcome, for `/metrics`.
    pub fn totals(&self) -> Vec<Totals> {
        let now_ns = self.shared.clock.unix_ns();
        self.shared.fold().totals(now_ns)
    }

    /// What has finished since this was last asked, for one detector that asks once a second.
    pub fn observed(&self) -> Observed {
        self.shared.fold().observed()
    }

    /// Takes the notices of a batch that spans have begun, and nothing else of it.
    pub fn notices(&self, batch: &MaskedBatch) {
        self.shared.fold().notices(batch);
    }

    /// Takes all that `source` says is open now; it says so once a second, and is not believed after 5 s of silence.
    pub fn open_calls(&self, source: Source, calls: &[OpenCall]) {
        let now_ns = self.shared.clock.unix_ns();
        self.shared.fold().open_calls(source, now_ns, calls);
    }

    /// The windows of 10 s that have changed since this was last asked, for one store that asks every 10 s. What
    /// it is told once it is not told again, so it keeps what it could not write.
    pub fn changed(&self) -> Changed {
        self.shared.fold().changed()
    }

    /// What became of the spans, for `/api/v1/stats`.
    pub fn stats(&self) -> Stats {
        let (unkept, overflowed) = self.shared.inbox.spans();
        Stats { unkept, overflowed, ..self.shared.fold().stats() }
    }

    /// Rolls up a batch that is not in the journal and never will be.
    pub fn roll_up_unkept(&self, batch: &MaskedBatch) {
        self.shared.inbox.offer(batch);
    }

    /// Rolls up a batch that its sender was told to bring again; once, however often it is refused.
    pub fn roll_up_refused(&self, batch: &MaskedBatch) {
        if batch.rolled_up_unix_ns().is_none() && self.shared.inbox.offer(batch) {
            self.shared.refused.remember(batch, self.shared.clock.unix_ns());
        }
    }

    /// The batch, marked if it was refused before and is in the figures already.
    pub fn recognised(&self, batch: MaskedBatch) -> MaskedBatch {
        let at = self.shared.refused.rolled_up_unix_ns(&batch, self.shared.clock.unix_ns());
        if at.is_some() { batch.rolled_up_at(at) } else { batch }
    }
}

impl Names for Rollup {
    fn text(&self, name: Name) -> Arc<str> {
        self.shared.texts.text(name)
    }
}

/// What the roll-up did with the spans it was given, since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Spans that were read, from the journal and beside it.
    pub spans: u64,
    /// Of those, spans that were not in the journal when they came: it was full or could not be written.
    pub unkept: u64,
    /// Spans that were not in the journal and, because too many of them came at once, are not in the figures.
    pub overflowed: u64,
    /// Of those, calls and attempts counted to a provider.
    pub rolled_up: u64,
    /// Of those, calls and attempts that ended more than 30 s before they arrived.
    pub late: u64,
    /// Calls and attempts that ended more than 15 min before they arrived: counted here, still forwarded.
    pub too_late: u64,
    /// Calls and attempts whose end lay after their arrival by more than 2 s; counted by the clock put right.
    pub from_the_future: u64,
    /// Calls that ended before they began; counted with a duration of 0.
    pub backwards: u64,
    /// Spans whose explicit provider and registry rule for the host disagree.
    pub name_conflicts: u64,
    /// Spans that the journal no longer had, or had damaged, when the roll-up came to them.
    pub missed: u64,
    /// Batches that could not be read to their end. The mask stage lets none through, so any is a defect.
    pub unreadable_batches: u64,
    /// Windows of 10 s that left memory before a store had asked for them.
    pub unsaved_windows: u64,
    /// Notices that a call has begun; they are neither kept nor forwarded.
    pub notices: u64,
    /// Open calls and notices beyond the bounds, and those whose span did not come within 10 min.
    pub open_calls_lost: u64,
    /// Providers without a table that gave their place to a busier one.
    pub providers_replaced: u64,
}
