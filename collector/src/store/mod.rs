//! Keeps on disk what outlives the process: windows of every provider with the journal's position that they contain,
//! alerts, annotations, mutes, and what the detector has learned.
//!
//! One thread writes, short queries read; nobody else waits for the disk. It never changes a figure: a row is what the
//! roll-up said last of that window, and a minute is the sum of its rows.

pub mod alerts;
pub mod annotations;
mod breakdowns;
pub mod detector;
mod feed;
mod file;
#[cfg(test)]
pub mod fixture;
mod hdr;
mod mutes;
pub mod outbox;
mod query;
mod row;
mod shared;
mod upkeep;
mod windows;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, Transaction};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::journal::{Journal, Position};
use crate::rollup::{BreakdownTable, Dimension, Restored, Sum};
use alerts::Alert;
use annotations::Annotation;
pub use feed::{Feed, Live};
pub use file::Error;
pub use mutes::Mute;
pub use query::Range;
use shared::Shared;
pub use shared::Status;
use windows::Windows;
use writer::{Command, Writer};

/// Writes that wait for the writer, which is away for milliseconds at a time. Beyond it they are refused.
const COMMANDS_MAX: usize = 1_024;
/// A query that wants to see what is newest has it committed first, at most this often.
const FRESH: Duration = Duration::from_secs(1);
/// Without a store the roll-up reads the last 15 minutes of the journal: windows that begin later than this are whole.
const UNSTORED_S: u64 = 14 * 60;
/// How long such a query waits for that before it takes what is there.
const FRESH_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub struct Config {
    /// The database; made when missing.
    pub path: PathBuf,
}

/// Why a read or a write did not come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("the store is busy")]
    Busy,
    #[error("the daemon is stopping")]
    Stopped,
    #[error("the store cannot be used: {0}")]
    Failed(String),
}

/// A store that is open and does not run yet: the roll-up begins with what is in it.
#[derive(Debug)]
pub struct Opened {
    path: PathBuf,
    clock: Clock,
    /// `None`: the disk did not let it be opened yet.
    connection: Option<Connection>,
    windows: Windows,
    mutes: Vec<Mute>,
    baselines: Vec<detector::Baseline>,
    set_aside: Vec<PathBuf>,
    position: Option<Position>,
    /// What is stored of windows before it is whole already.
    floor_s: u64,
}

/// Opens the database, or begins a new one where it is damaged, and reads what the roll-up begins with.
pub fn open(config: &Config, journal: &Journal, clock: &Clock) -> Result<(Opened, Restored), Error> {
    let end = *journal.end().borrow();
    open_for(config, clock, journal.instance(), journal.first(), end)
}

fn open_for(
    config: &Config,
    clock: &Clock,
    instance: u128,
    first: Position,
    end: Position,
) -> Result<(Opened, Restored), Error> {
    let now_s = clock.unix_ns() / 1_000_000_000;
    let mut set_aside = Vec::new();
    let read = || {
        let connection = file::open(&config.path)?;
        let mut windows = Windows::default();
        let restored = windows.restore(&connection, now_s)?;
        let known = (mutes::newest(&connection)?, detector::baselines(&connection)?);
        Ok((connection, windows, restored, known))
    };
    let result = match read() {
        Err(error) if Error::is_damage(&error) => {
            let aside = file::set_aside(&config.path, now_s)?;
            tracing::error!(
                "store: the file is damaged ({error}); it is {} now, and a new one begins",
                aside.display()
            );
            set_aside.push(aside);
            read()
        }
        result => result,
    };
    let (path, clock) = (config.path.clone(), clock.clone());
    let (connection, windows, stored, (mutes, baselines)) = match result {
        Err(error) if error.is_disk() => {
            tracing::error!("store: {}: {error}; beginning without it, and trying again", path.display());
            let opened = Opened {
                path,
                clock,
                connection: None,
                windows: Windows::default(),
                mutes: Vec::new(),
                baselines: Vec::new(),
                set_aside,
                position: None,
                floor_s: now_s - now_s.min(UNSTORED_S),
            };
            return Ok((opened, Restored::default()));
        }
        result => result?,
    };
    let restored = stored.map_or_else(Restored::default, |(of, stored)| {
        // Another journal has none of what the windows hold. One that lost its end in a power cut has not all of it;
        // what comes now is after both.
        let position = stored.position.map(|position| if of == instance { position.min(end) } else { first });
        Restored { position, ..stored }
    });
    let (connection, position) = (Some(connection), restored.position);
    let opened =
        Opened { path, clock, connection, windows, mutes, baselines, set_aside, position, floor_s: 0 };
    Ok((opened, restored))
}

impl Opened {
    /// What is normal for each provider, as it was kept last.
    pub fn take_baselines(&mut self) -> Vec<detector::Baseline> {
        std::mem::take(&mut self.baselines)
    }
}

/// Starts the writer: from now on it fetches what `feed` has, in the daemon the roll-up's windows ([`Live`]).
pub fn start(opened: Opened, feed: impl Feed) -> io::Result<Store> {
    let Opened { path, clock, connection, windows, mutes, set_aside, position, floor_s, .. } = opened;
    let shared = Arc::new(Shared::new(&path, set_aside));
    shared.put_mutes(mutes);
    let (commands, queue) = sync_channel(COMMANDS_MAX);
    let writer = Writer {
        path,
        clock: clock.clone(),
        shared: Arc::clone(&shared),
        feed: Box::new(feed),
        connection,
        windows,
        pending: BTreeMap::new(),
        pending_breakdowns: BTreeMap::new(),
        position,
        position_from_s: 0,
        floor_s,
        upkeep: Default::default(),
    };
    let handle = thread::Builder::new().name("store".to_owned()).spawn(move || writer.run(&queue))?;
    let thread = Arc::new(Thread { commands, handle: Mutex::new(Some(handle)) });
    Ok(Store { shared, thread, clock })
}

/// The store. Cheap to clone; when the last one goes, the writer commits once more and ends.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
    thread: Arc<Thread>,
    clock: Clock,
}

#[derive(Debug)]
struct Thread {
    commands: SyncSender<Command>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

/// The answer to a write, for whoever wants to wait for it.
#[derive(Debug)]
pub struct Pending<T>(oneshot::Receiver<Result<T, Unavailable>>);

impl<T> Pending<T> {
    pub async fn wait(self) -> Result<T, Unavailable> {
        self.0.await.unwrap_or(Err(Unavailable::Stopped))
    }

    /// For threads; never inside the runtime.
    pub fn wait_blocking(self) -> Result<T, Unavailable> {
        self.0.blocking_recv().unwrap_or(Err(Unavailable::Stopped))
    }
}

impl Store {
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Commits what there is and ends the writer.
    pub async fn stop(&self) {
        let thread = Arc::clone(&self.thread);
        let ended = tokio::task::spawn_blocking(move || thread.end()).await;
        ended.expect("ending the thread cannot panic: its own panic is caught");
    }

    /// Commits what the roll-up has now, if that was not just done. Queries after it see it.
    pub async fn freshen(&self) {
        if self.shared.age() < FRESH {
            return;
        }
        let _ = tokio::time::timeout(FRESH_PATIENCE, self.checkpoint()).await;
    }

    /// Commits what the roll-up has now.
    pub async fn checkpoint(&self) {
        let (done, is_done) = oneshot::channel();
        if self.thread.commands.try_send(Command::Checkpoint(done)).is_ok() {
            let _ = is_done.await;
        }
    }

    /// One provider in steps; `None`: nothing is stored of it.
    pub async fn series<T: Send + 'static>(
        &self,
        provider: &str,
        range: Range,
        point: impl FnMut(u64, &Sum) -> T + Send + 'static,
    ) -> Result<Option<Vec<T>>, Unavailable> {
        let provider = provider.to_owned();
        self.shared.read(move |connection| query::series(connection, &provider, range, point)).await
    }

    /// One provider by one dimension over whole minutes; `None`: nothing is stored of it.
    pub async fn breakdown(
        &self,
        provider: &str,
        by: Dimension,
        from_s: u64,
        to_s: u64,
    ) -> Result<Option<BreakdownTable>, Unavailable> {
        let provider = provider.to_owned();
        self.shared.read(move |connection| breakdowns::table(connection, &provider, by, from_s, to_s)).await
    }

    /// Every provider over one stretch of time, in `each`'s words.
    pub async fn sums<T: Send + 'static>(
        &self,
        from_s: u64,
        to_s: u64,
        mut each: impl FnMut(&str, &Sum) -> T + Send + 'static,
    ) -> Result<Vec<T>, Unavailable> {
        let now_s = self.clock.unix_ns() / 1_000_000_000;
        let query = move |connection: &Connection| {
            let mut found = Vec::new();
            query::sums(connection, from_s, to_s, now_s, |name, sum| found.push(each(name, sum)))?;
            Ok(found)
        };
        self.shared.read(query).await
    }

    /// Notes something down, as of now.
    pub fn annotate(&self, text: String, tags: Vec<String>) -> Pending<Annotation> {
        let at_ms = self.clock.unix_ns() / 1_000_000;
        self.write(move |transaction| annotations::add(transaction, at_ms, &text, &tags))
    }

    pub async fn annotations(&self, from_s: u64, to_s: u64) -> Result<Vec<Annotation>, Unavailable> {
        self.shared.read(move |connection| annotations::between(connection, from_s, to_s)).await
    }

    /// Mutes a provider from now on, and says so in the record.
    pub fn mute(&self, provider: String, lasts: Duration, reason: String, who: String) -> Pending<Mute> {
        let since_ms = self.clock.unix_ns() / 1_000_000;
        let until_ms = since_ms.saturating_add(lasts.as_millis() as u64);
        let mute = Mute { provider, since_ms, until_ms, reason, who };
        let shared = Arc::clone(&self.shared);
        let added = mute.clone();
        let write = move |transaction: &Transaction<'_>| {
            mutes::add(transaction, &added)?;
            Ok(added)
        };
        self.write_then(write, move |mute| {
            tracing::info!(
                "{} muted {} until {}: {}",
                mute.who,
                mute.provider,
                crate::rollup::rfc3339(mute.until_ms * 1_000_000),
                mute.reason
            );
            shared.put_mutes(vec![mute.clone()]);
        })
    }

    /// Whether somebody has muted a provider, as of now. Asks no disk.
    pub fn is_muted(&self, provider: &str) -> bool {
        self.shared.is_muted(provider, self.clock.unix_ns() / 1_000_000)
    }

    /// Writes an alert, or what has changed of it.
    pub fn put_alert(&self, alert: Alert) -> Pending<()> {
        self.write(move |transaction| alerts::put(transaction, &alert))
    }

    pub async fn alerts(&self, state: alerts::State) -> Result<Vec<Alert>, Unavailable> {
        self.shared.read(move |connection| alerts::newest(connection, state)).await
    }

    pub async fn alerts_of(&self, provider: &str, from_s: u64, to_s: u64) -> Result<Vec<Alert>, Unavailable> {
        let provider = provider.to_owned();
        self.shared.read(move |connection| alerts::of_provider(connection, &provider, from_s, to_s)).await
    }

    /// Replaces what is normal for these providers.
    pub fn put_baselines(&self, baselines: Vec<detector::Baseline>) -> Pending<()> {
        let now_ms = self.clock.unix_ns() / 1_000_000;
        self.write(move |transaction| detector::put_baselines(transaction, &baselines, now_ms))
    }

    pub async fn baselines(&self) -> Result<Vec<detector::Baseline>, Unavailable> {
        self.shared.read(detector::baselines).await
    }

    /// Appends to the detector's input of each provider's hour: provider, first second of the hour, bytes.
    pub fn append_input(&self, parts: Vec<(String, u64, Vec<u8>)>) -> Pending<()> {
        self.write(move |transaction| {
            parts.iter().try_for_each(|(provider, hour_s, bytes)| {
                detector::append(transaction, provider, *hour_s, bytes)
            })
        })
    }

    /// What was appended to one provider's hour.
    pub async fn input(&self, provider: &str, hour_s: u64) -> Result<Vec<u8>, Unavailable> {
        let provider = provider.to_owned();
        self.shared.read(move |connection| detector::hour(connection, &provider, hour_s)).await
    }

    /// Keeps a notification until it is delivered, over restarts; its number.
    pub fn put_notification(&self, target: String, body: Vec<u8>) -> Pending<i64> {
        let now_ms = self.clock.unix_ns() / 1_000_000;
        self.write(move |transaction| outbox::put(transaction, &target, &body, now_ms))
    }

    pub fn delivered(&self, id: i64) -> Pending<()> {
        self.write(move |transaction| outbox::delivered(transaction, id))
    }

    pub async fn undelivered(&self) -> Result<Vec<outbox::Notification>, Unavailable> {
        self.shared.read(outbox::waiting).await
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        self.write_then(work, |_| {})
    }

    /// Queues one transaction, and what is to be done once it is committed.
    fn write_then<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error> + Send + 'static,
        committed: impl FnOnce(&T) + Send + 'static,
    ) -> Pending<T> {
        let (answer, pending) = oneshot::channel();
        let work = move |connection: Result<&mut Connection, String>| {
            let result = match connection {
                Ok(connection) => writer::transact(connection, work),
                Err(why) => {
                    let _ = answer.send(Err(Unavailable::Failed(why)));
                    return Ok(());
                }
            };
            // Whoever asked may not wait for the answer.
            match result {
                Ok(value) => {
                    committed(&value);
                    let _ = answer.send(Ok(value));
                    Ok(())
                }
                Err(error) => {
                    let _ = answer.send(Err(Unavailable::Failed(error.to_string())));
                    Err(error)
                }
            }
        };
        match self.thread.commands.try_send(Command::Run(Box::new(work))) {
            Ok(()) => Pending(pending),
            Err(full) => {
                self.shared.refused();
                let why = match full {
                    TrySendError::Full(_) => Unavailable::Busy,
                    TrySendError::Disconnected(_) => Unavailable::Stopped,
                };
                let (answer, pending) = oneshot::channel();
                let _ = answer.send(Err(why));
                Pending(pending)
            }
        }
    }
}

impl Thread {
    fn end(&self) {
        // An error: the writer has ended already.
        let _ = self.commands.send(Command::Stop);
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle
            && handle.join().is_err()
        {
            tracing::error!("the store's thread panicked");
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;
