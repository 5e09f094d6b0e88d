//! The thread that writes: windows with their position every ten seconds, what others ask for in between, and upkeep
//! a few rows at a time. Nobody waits for it but those who ask to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction};
use tokio::sync::oneshot;

use super::feed::Feed;
use super::file::{self, Error};
use super::mutes;
use super::shared::Shared;
use super::upkeep::Upkeep;
use super::windows::{self, Windows};
use crate::clock::Clock;
use crate::journal::Position;
use crate::rollup::{Changed, Dimension, StoredBreakdown, StoredWindow};

/// At most this much is read from the journal again after a crash, in time and in bytes.
const CHECKPOINT: Duration = Duration::from_secs(10);
const CHECKPOINT_BYTES: u64 = 256 << 20;
/// How often the writer looks whether something is due.
const TICK: Duration = Duration::from_secs(1);
/// Windows that wait for a disk that takes no writes: an hour and a half of 70 providers, some 30 MiB. Beyond it the
/// oldest go and are counted; the roll-up has them on the board all the same.
const PENDING_MAX: usize = 40_000;
/// Breakdowns that wait for it: a quarter of an hour of 2,500 keys in use, about as much. They go without a count: what is
/// told of the next minutes is whole again.
const PENDING_BREAKDOWNS_MAX: usize = 40_000;
/// A store that begins anew in a running daemon lacks what was written before. Until the journal's last 15 minutes lie
/// after that moment a restart must read them, so no position is written.
const WITHOUT_POSITION_S: u64 = 16 * 60;

pub type Work = Box<dyn FnOnce(Result<&mut Connection, String>) -> Result<(), Error> + Send>;

pub enum Command {
    Run(Work),
    Checkpoint(oneshot::Sender<()>),
    Stop,
}

pub struct Writer {
    pub path: PathBuf,
    pub clock: Clock,
    pub shared: Arc<Shared>,
    pub feed: Box<dyn Feed>,
    /// `None`: it could not be opened, and is tried again.
    pub connection: Option<Connection>,
    pub windows: Windows,
    /// Windows that are not committed yet, by time.
    pub pending: BTreeMap<(u64, String), StoredWindow>,
    /// The same of breakdowns.
    pub pending_breakdowns: BTreeMap<(u64, String, Dimension, String), StoredBreakdown>,
    /// The last one committed; `None`: none ever was.
    pub position: Option<Position>,
    pub position_from_s: u64,
    /// Windows that begin before it are not written: what is stored of them is more than the roll-up knows.
    pub floor_s: u64,
    pub upkeep: Upkeep,
}

impl Writer {
    pub fn run(mut self, commands: &Receiver<Command>) {
        let mut checked = Instant::now();
        loop {
            let rest = if self.upkeep.has_more() { Duration::ZERO } else { TICK };
            match commands.recv_timeout(rest) {
                Ok(Command::Run(work)) => self.work(work),
                Ok(Command::Checkpoint(done)) => {
                    self.checkpoint();
                    // Whoever asked may have gone.
                    let _ = done.send(());
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.checkpoint();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if checked.elapsed() >= CHECKPOINT || self.is_far_behind() || self.is_new() {
                self.checkpoint();
                checked = Instant::now();
            }
            self.keep_up();
        }
    }

    fn is_far_behind(&self) -> bool {
        self.position
            .is_some_and(|position| self.feed.end().0 - position.0.min(self.feed.end().0) >= CHECKPOINT_BYTES)
    }

    /// The first position is stored at once: until then only the journal's last 15 minutes survive a crash.
    fn is_new(&self) -> bool {
        self.position.is_none() && self.pending.is_empty() && self.feed.is_ready()
    }

    fn work(&mut self, work: Work) {
        if let Err(error) = work(self.connection.as_mut().ok_or_else(|| self.shared.last_error())) {
            self.failed(&error);
        }
    }

    /// Commits what has changed together with the position that it contains.
    fn checkpoint(&mut self) {
        // Without a position the roll-up is still looking for its beginning; a crash now begins there again.
        if self.position.is_none() && !self.feed.is_ready() {
            return;
        }
        // Of before they are fetched: nothing is said to be in them that came too late for it.
        let now_s = self.clock.unix_ns() / 1_000_000_000;
        let Changed { windows, breakdowns, position } = self.feed.changed();
        let lost = self.hold(windows, breakdowns);
        let written = self.pending.len() as u64;
        let result = self.commit(position, now_s);
        if result.is_ok() {
            self.pending.clear();
            self.pending_breakdowns.clear();
            self.position = Some(position);
        }
        self.shared.checkpoint(&result, written, lost, self.pending.len(), &self.path);
        if let Err(error) = result {
            self.windows.forget();
            self.failed(&error);
        }
    }

    /// Keeps what is to be written until it is; how many windows there was no room for, or no use.
    fn hold(&mut self, windows: Vec<StoredWindow>, breakdowns: Vec<StoredBreakdown>) -> u64 {
        let mut lost = 0;
        for window in windows {
            match window.begin_s >= self.floor_s {
                true => drop(self.pending.insert((window.begin_s, window.provider.clone()), window)),
                false => lost += 1,
            }
        }
        for one in breakdowns.into_iter().filter(|one| one.begin_s >= self.floor_s) {
            let key = (one.begin_s, one.provider.clone(), one.by, one.key.clone());
            self.pending_breakdowns.insert(key, one);
        }
        while self.pending.len() > PENDING_MAX {
            self.pending.pop_first();
            lost += 1;
        }
        while self.pending_breakdowns.len() > PENDING_BREAKDOWNS_MAX {
            self.pending_breakdowns.pop_first();
        }
        lost
    }

    fn commit(&mut self, position: Position, now_s: u64) -> Result<(), Error> {
        if self.connection.is_none() {
            let connection = file::open(&self.path)?;
            self.shared.put_mutes(mutes::newest(&connection)?);
            self.connection = Some(connection);
        }
        let Writer { connection: Some(connection), windows, pending, pending_breakdowns, feed, .. } = self
        else {
            return Ok(());
        };
        let transaction = connection.transaction()?;
        windows.write(&transaction, pending.values())?;
        windows.write_breakdowns(&transaction, pending_breakdowns.values())?;
        if now_s >= self.position_from_s {
            windows::checkpoint(&transaction, feed.instance(), position, now_s)?;
        }
        Ok(transaction.commit()?)
    }

    fn keep_up(&mut self) {
        if self.shared.take_damaged() {
            self.set_aside();
        }
        let Some(connection) = self.connection.as_mut().filter(|_| self.feed.is_ready()) else { return };
        match self.upkeep.step(connection, self.clock.unix_ns() / 1_000_000_000) {
            Ok(forgotten) if forgotten.providers => self.windows.forget(),
            Ok(_) => {}
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &Error) {
        self.shared.failed(error);
        if error.is_damage() {
            self.set_aside();
        }
    }

    /// Begins a new file; the damaged one stays beside it.
    fn set_aside(&mut self) {
        let now_s = self.clock.unix_ns() / 1_000_000_000;
        let _no_readers = self.shared.close_readers();
        self.connection = None;
        self.windows.forget();
        self.position_from_s = now_s + WITHOUT_POSITION_S;
        match file::set_aside(&self.path, now_s) {
            Ok(aside) => self.shared.set_aside(&aside),
            Err(error) => self.shared.failed(&error),
        }
        match file::open(&self.path) {
            Ok(connection) => self.connection = Some(connection),
            Err(error) => self.shared.failed(&error),
        }
    }
}

/// Runs `work` in one transaction.
pub fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let transaction = connection.transaction()?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}
