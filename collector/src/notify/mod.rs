//! Tells the world of alerts: webhooks and Alertmanager, in order, until they have been taken.
//!
//! What is to be delivered survives a restart in one small file. Never judges, never waits for a receiver in
//! anybody else's thread, and never shows a receiver's address or secret: both may be the key to it.

mod alertmanager;
mod channel;
mod deliver;
mod desk;
mod notice;
mod outbox;
mod post;
mod retry;
#[cfg(test)]
mod tests;
mod webhook;

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};
use tokio::sync::Notify;

pub use channel::Status;
pub use notice::{Notice, Severity};

use crate::clock::Clock;
use crate::dial;
use desk::Desk;

#[derive(Debug, Clone)]
pub struct Config {
    /// Where undelivered alerts are kept.
    pub file: PathBuf,
    pub targets: Vec<Target>,
    /// The page, without a slash at the end: alerts link to `{page}/p/{provider}`.
    pub page: String,
    /// Names this daemon to the receivers.
    pub instance: String,
}

/// Says whether alerts of a provider are held back now.
pub type IsMuted = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// One receiver.
#[derive(Debug, Clone)]
pub struct Target {
    /// The `notifier` label in metrics, e.g. `webhook-1`.
    pub name: String,
    pub kind: TargetKind,
    pub server: dial::Target,
    pub path: PathAndQuery,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub severity_min: Severity,
}

#[derive(Debug, Clone)]
pub enum TargetKind {
    /// The file with the key of its signatures, read anew for each call; `None` = not signed.
    Webhook {
        secret_file: Option<PathBuf>,
    },
    Alertmanager,
}

/// Starts the stage on a thread of its own, with what an earlier process has not delivered. Alerts that begin while
/// `is_muted` says so are told only when it does not any more, if they are still firing then.
pub fn start(config: Config, clock: Clock, is_muted: IsMuted) -> io::Result<Notifier> {
    let shared = Arc::new(Shared {
        desk: Mutex::new(Desk::new(&config, outbox::load(&config.file), is_muted)),
        config,
        clock,
        wake: Notify::new(),
        stops: AtomicBool::new(false),
    });
    let of_thread = Arc::clone(&shared);
    let thread =
        std::thread::Builder::new().name("notify".to_owned()).spawn(move || deliver::run(&of_thread))?;
    Ok(Notifier { shared, thread: Arc::new(Mutex::new(Some(thread))) })
}

/// What the thread and the handles share.
#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    config: Config,
    clock: Clock,
    wake: Notify,
    stops: AtomicBool,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handle of the stage. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notifier {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Notifier {
    /// Takes an alert that has begun, changed or been resolved. Does not wait for any receiver.
    pub fn tell(&self, notice: &Notice) {
        self.shared.desk().tell(notice, self.shared.clock.unix_ns());
        self.shared.wake.notify_waiters();
    }

    /// Only these alerts are firing: what this stage still takes for firing is told as resolved, and given back. For
    /// some time after the start, when the detector may have forgotten what it had seen last.
    pub fn only_firing(&self, ids: &HashSet<String>) -> Vec<Notice> {
        let ended = self.shared.desk().only_firing(ids, self.shared.clock.unix_ns());
        self.shared.wake.notify_waiters();
        ended
    }

    /// One per target, in the order of the configuration.
    pub fn status(&self) -> Vec<Status> {
        self.shared.desk().status()
    }

    /// Alerts that began and ended while their provider was muted.
    pub fn suppressed(&self) -> u64 {
        self.shared.desk().suppressed()
    }

    /// Saves what is not delivered and ends the thread; calls under way are given up and made again by the next
    /// process.
    pub async fn stop(&self) {
        self.shared.stops.store(true, Ordering::Release);
        self.shared.wake.notify_waiters();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        if tokio::task::spawn_blocking(move || thread.join()).await.is_ok_and(|joined| joined.is_err()) {
            tracing::error!("the thread of the notifiers had panicked");
        }
    }
}
