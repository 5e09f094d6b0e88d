//! What the writer and the handles share: how the store is, who is muted, and connections to read with.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Unavailable;
use super::file::{self, Error};
use super::mutes::Mute;

/// Queries at a time: each may keep a core busy, and there are better things to do with the others.
const READERS_MAX: usize = 2;
/// A query that has not begun by then is refused.
const READER_PATIENCE: Duration = Duration::from_secs(5);

/// What `/api/v1/stats` says of the store.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Status {
    /// Bytes on disk.
    pub bytes: u64,
    /// Windows of 10 s written since the start; one that has changed is written again.
    pub windows: u64,
    /// Windows of 10 s that wait for the next commit because the last one failed.
    pub waiting: u64,
    /// Windows of 10 s that waited for too long.
    pub lost: u64,
    /// Commits of windows since the start.
    pub checkpoints: u64,
    /// Since the last commit, or since the start.
    pub lag_s: f64,
    /// Failed reads and writes since the start.
    pub errors: u64,
    /// Writes refused because too many waited already.
    pub refused: u64,
    /// Where damaged files were put since the start.
    pub set_aside: Vec<PathBuf>,
    /// Why the last commit failed; null once one succeeds.
    pub last_error: Option<String>,
}

/// No generation: they are counted from zero.
const NONE: u64 = u64::MAX;

#[derive(Debug)]
pub struct Shared {
    path: PathBuf,
    status: Mutex<Status>,
    committed: Mutex<Instant>,
    /// The newest of each provider.
    mutes: RwLock<HashMap<String, Mute>>,
    /// The generation of the file in which a reader has found damage, or [`NONE`].
    damaged: AtomicU64,
    /// Changes when the file is another one; connections of before are of no use.
    generation: AtomicU64,
    idle: Mutex<Vec<(u64, Connection)>>,
    readers: Arc<Semaphore>,
}

impl Shared {
    pub fn new(path: &Path, set_aside: Vec<PathBuf>) -> Shared {
        Shared {
            path: path.to_owned(),
            status: Mutex::new(Status { bytes: file::bytes(path), set_aside, ..Status::default() }),
            committed: Mutex::new(Instant::now()),
            mutes: RwLock::default(),
            damaged: AtomicU64::new(NONE),
            generation: AtomicU64::new(0),
            idle: Mutex::default(),
            readers: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }

    pub fn status(&self) -> Status {
        Status { lag_s: self.age().as_secs_f64(), ..self.lock().clone() }
    }

    /// Time since the last commit.
    pub fn age(&self) -> Duration {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    pub fn last_error(&self) -> String {
        self.lock().last_error.clone().unwrap_or_else(|| "it is not open".to_owned())
    }

    /// Each replaces what held for its provider.
    pub fn put_mutes(&self, mutes: Vec<Mute>) {
        let mut held = self.mutes.write().unwrap_or_else(PoisonError::into_inner);
        held.extend(mutes.into_iter().map(|mute| (mute.provider.clone(), mute)));
    }

    pub fn is_muted(&self, provider: &str, now_ms: u64) -> bool {
        let mutes = self.mutes.read().unwrap_or_else(PoisonError::into_inner);
        mutes.get(provider).is_some_and(|mute| (mute.since_ms..mute.until_ms).contains(&now_ms))
    }

    pub fn refused(&self) {
        self.lock().refused += 1;
    }

    pub fn checkpoint(
        &self,
        result: &Result<(), Error>,
        written: u64,
        lost: u64,
        waiting: usize,
        path: &Path,
    ) {
        let mut status = self.lock();
        status.lost += lost;
        status.waiting = waiting as u64;
        status.bytes = file::bytes(path);
        if result.is_ok() {
            status.windows += written;
            status.checkpoints += 1;
            if status.last_error.take().is_some() {
                tracing::info!("store: {} can be written again", path.display());
            }
            *self.committed.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// Counts an error; the log has the first of each kind until a commit succeeds.
    pub fn failed(&self, error: &Error) {
        let mut status = self.lock();
        status.errors += 1;
        let said = error.to_string();
        if status.last_error.as_ref() != Some(&said) {
            tracing::error!(
                "store: {}: {said}; the daemon goes on without it and tries again",
                self.path.display()
            );
            status.last_error = Some(said);
        }
    }

    pub fn set_aside(&self, aside: &Path) {
        tracing::error!("store: the file was damaged; it is {} now, and a new one begins", aside.display());
        self.lock().set_aside.push(aside.to_owned());
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Waits until no query runs and closes what they used: the file is about to be another one.
    pub fn close_readers(&self) -> Option<OwnedSemaphorePermit> {
        let deadline = Instant::now() + READER_PATIENCE;
        loop {
            let all = Arc::clone(&self.readers).try_acquire_many_owned(READERS_MAX as u32).ok();
            if all.is_some() || Instant::now() > deadline {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return all;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// True once when a reader has found damage in the present file. What one found in a file that has been set
    /// aside since, by the writer who met it too, says nothing of the new one.
    pub fn take_damaged(&self) -> bool {
        self.damaged.swap(NONE, Ordering::AcqRel) == self.generation.load(Ordering::Acquire)
    }

    /// Runs a query on a connection of its own, off the runtime. It sees the last commit, and nobody waits for it.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let permit = tokio::time::timeout(READER_PATIENCE, Arc::clone(&self.readers).acquire_owned()).await;
        let permit = permit.map_err(|_| Unavailable::Busy)?.map_err(|_| Unavailable::Stopped)?;
        let shared = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || {
            // Held until the query has ended, also where nobody waits for it any more.
            let _permit = permit;
            shared.query(query)
        })
        .await;
        answer.map_err(|_| Unavailable::Failed("the query panicked".to_owned()))?
    }

    fn query<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Unavailable> {
        let generation = self.generation.load(Ordering::Acquire);
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|(of, _)| *of == generation);
            idle.pop()
        };
        let connection = match idle {
            Some((_, connection)) => connection,
            None => file::open_to_read(&self.path).map_err(|error| self.unreadable(&error, generation))?,
        };
        let value = query(&connection).map_err(|error| self.unreadable(&error, generation))?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((generation, connection));
        Ok(value)
    }

    fn unreadable(&self, error: &Error, generation: u64) -> Unavailable {
        self.lock().errors += 1;
        if error.is_damage() {
            self.damaged.store(generation, Ordering::Release);
        }
        Unavailable::Failed(error.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::hdr::Foreign;
    use super::*;

    #[test]
    fn what_a_reader_found_in_a_file_that_is_set_aside_is_not_held_against_the_new_one() {
        let (dir, _connection) = fixture::database();
        let shared = Shared::new(&dir.path().join("spanmill.db"), Vec::new());
        let meet_damage = || assert!(shared.query(|_| Err::<(), _>(Foreign.into())).is_err());
        meet_damage();
        assert_eq!((shared.take_damaged(), shared.take_damaged()), (true, false), "told once");

        meet_damage();
        shared.set_aside(Path::new("aside"));
        assert!(!shared.take_damaged(), "the writer had met it too");

        let _ = shared.query(|_| {
            shared.set_aside(Path::new("aside"));
            Err::<(), _>(Foreign.into())
        });
        assert!(!shared.take_damaged(), "a query that was too long for the writer to wait for");
        meet_damage();
        assert!(shared.take_damaged());
    }
}
