//! Sends what the journal holds to Jaeger or another spanmill, at least once, and remembers how far it came.
//!
//! Batches are merged by putting their bytes one after the other. Never drops what a retry could deliver,
//! and never sends to one of the daemon's own listeners (the configuration refuses that).

mod answer;
mod batch;
mod client;
mod driver;
mod encode;
#[cfg(test)]
mod fixture;
mod name;
mod pace;
mod poison;
mod progress;
mod resume;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::dial::Target;
use crate::journal::disk::Directory;
use crate::journal::{Journal, Skipped};
use driver::Driver;
pub use encode::Compression;
pub use resume::tell_of_absent;

/// One `[forward.NAME]` table.
#[derive(Debug, Clone)]
pub struct Config {
    /// `jaeger` in `[forward.jaeger]`: the key in `/api/v1/stats` and the name of the checkpoint.
    pub name: String,
    /// Where it is, and how to get there.
    pub target: Target,
    pub path: http::uri::PathAndQuery,
    /// As the operator wrote it, for the log.
    pub endpoint: String,
    /// Sent with each request, e.g. a tenant or a token.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    pub compression: Compression,
    /// Directory of the checkpoint.
    pub dir: PathBuf,
    /// Directory of what it refuses.
    pub poison_dir: PathBuf,
    /// Largest request; receivers take 4 MiB by default, so ours stay below.
    pub request_max: usize,
    /// How long a request may take before it counts as failed and is sent again.
    pub timeout: Duration,
}

/// Starts one destination, on a thread of its own.
///
/// It goes on from its checkpoint. A destination that has none is new and starts with what comes from now on, so it
/// is started before anything is received. Everything that the journal still has is sent when the checkpoint is
/// damaged or of another journal: twice is better than never.
pub fn start(config: Config, journal: &Journal, clock: Clock) -> Destination {
    let disk = Directory::at(&config.dir);
    let checkpoint = resume::resume(&disk, &config.name, journal);
    journal.passed(&config.name, checkpoint.position);
    let shared = Arc::new(Shared::default());
    let (stop, stopped) = watch::channel(None);
    let destination = Destination {
        name: config.name.clone(),
        recovered: journal.spans() - checkpoint.spans_before,
        started_at: checkpoint.spans_before,
        journal: journal.clone(),
        clock: clock.clone(),
        shared: Arc::clone(&shared),
        stop,
        thread: Mutex::new(None),
    };
    let name = format!("fwd-{}", config.name);
    let driver = Driver::new(config, journal.clone(), clock, shared, disk, checkpoint);
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a process that cannot open an epoll descriptor at its start cannot work");
    let body = move || {
        runtime.block_on(driver.run(stopped));
        // A name look-up that hangs must not hold up the end.
        runtime.shutdown_background();
    };
    let thread = thread::Builder::new().name(name).spawn(body);
    let thread = thread.expect("a process that cannot start a thread at its start cannot work");
    destination.thread.lock().expect("nobody else has it yet").replace(thread);
    destination
}

/// The read and stop handle of one destination.
#[derive(Debug)]
pub struct Destination {
    name: String,
    /// Spans that waited at the start.
    recovered: u64,
    /// Spans in the log before the first that this process sends.
    started_at: u64,
    journal: Journal,
    clock: Clock,
    shared: Arc<Shared>,
    stop: watch::Sender<Option<Instant>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Destination {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn status(&self) -> Status {
        let figures = self.shared.figures();
        let mut status = Status {
            recovered: self.recovered,
            forwarded: figures.forwarded,
            duplicates: figures.duplicates,
            rejected_by_destination: figures.rejected,
            kept_aside: figures.kept_aside,
            last_error: figures.last_error,
            ..Status::default()
        };
        for (reason, spans) in [("expired", figures.skipped.deleted), ("corrupt", figures.skipped.corrupt)] {
            if spans > 0 {
                status.dropped.insert(reason, spans);
            }
        }
        let settled = status.forwarded
            + status.not_for_forwarding
            + status.rejected_by_destination
            + status.dropped.values().sum::<u64>();
        status.queued = (self.journal.spans() - self.started_at).saturating_sub(settled);
        let age_ns = figures.oldest_unix_ns.map_or(0, |oldest| self.clock.unix_ns().saturating_sub(oldest));
        status.lag_s = if status.queued > 0 { age_ns as f64 / 1e9 } else { 0.0 };
        status
    }

    /// Sends what there is, for at most `within`, and stores how far it came. What is left waits in the journal; a
    /// destination that does not answer is not waited for.
    pub async fn stop(&self, within: Duration) {
        self.stop.send_replace(Some(Instant::now() + within));
        // It is closed when the thread has dropped its end, which is the last thing it does.
        self.stop.closed().await;
        self.join();
    }

    fn join(&self) {
        let thread = self.thread.lock().map(|mut thread| thread.take());
        if let Ok(Some(thread)) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread of destination {} panicked", self.name);
        }
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        self.stop.send_if_modified(|until| {
            let is_running = until.is_none();
            until.get_or_insert_with(Instant::now);
            is_running
        });
        self.join();
    }
}

/// What the thread tells the handle.
#[derive(Debug, Default)]
struct Shared {
    figures: Mutex<Figures>,
}

#[derive(Debug, Clone, Default)]
struct Figures {
    forwarded: u64,
    duplicates: u64,
    rejected: u64,
    kept_aside: u64,
    skipped: Skipped,
    /// When the oldest unsettled batch was received.
    oldest_unix_ns: Option<u64>,
    last_error: Option<String>,
}

impl Shared {
    fn figures(&self) -> Figures {
        self.figures.lock().expect("nothing panics while it holds the figures").clone()
    }

    fn update(&self, change: impl FnOnce(&mut Figures)) {
        change(&mut self.figures.lock().expect("nothing panics while it holds the figures"));
    }
}

/// The sums of one destination: received + recovered = forwarded + not_for_forwarding
/// + rejected_by_destination + dropped + queued; duplicates are apart.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Status {
    /// Spans that waited in the journal when the process started.
    pub recovered: u64,
    /// Spans that the destination acknowledged.
    pub forwarded: u64,
    /// Spans of requests that were sent more than once.
    pub duplicates: u64,
    pub not_for_forwarding: u64,
    pub rejected_by_destination: u64,
    /// Of these, spans in files of the poison directory; the oldest may have made room since.
    pub kept_aside: u64,
    pub dropped: std::collections::BTreeMap<&'static str, u64>,
    /// Spans in the journal that are not acknowledged yet.
    pub queued: u64,
    /// Age of the oldest of them.
    pub lag_s: f64,
    /// Why the last attempt failed; empty when it did not.
    pub last_error: Option<String>,
}

#[cfg(test)]
mod tests;
