//! The writer thread: takes all that is queued, writes it in one go, and answers those who wait.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::disk::Lock;
use super::log::{Log, Pending};
use super::origins::Claim;
use super::{Position, Refused};
use crate::clock::Clock;
use crate::mask::MaskedBatch;
use crate::outcome::Outcomes;

/// Bytes that may wait for the writer; an append that finds it full waits, which is the back-pressure. Two large
/// requests of 16 MiB, or half a second of a disk that takes 64 MB/s.
const QUEUE_BYTES_MAX: usize = 32 << 20;

/// How often old segments are looked for when nothing is written.
const IDLE: Duration = Duration::from_secs(1);

/// One append that waits.
#[derive(Debug)]
pub struct Entry {
    pub batch: MaskedBatch,
    pub body_crc: u32,
    pub answer: oneshot::Sender<Result<Position, Refused>>,
    /// Its room in the queue, given back when it is written.
    pub room: OwnedSemaphorePermit,
    /// Keeps other copies of it out until it is written.
    pub claim: Option<Claim>,
}

impl Pending for Entry {
    fn batch(&self) -> &MaskedBatch {
        &self.batch
    }

    fn body_crc(&self) -> u32 {
        self.body_crc
    }
}

/// Where appends wait for the writer.
#[derive(Debug)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Entry>,
    /// A destination has passed something, so there may be segments to delete.
    retain: bool,
    closed: bool,
}

impl Queue {
    pub fn new() -> Queue {
        Queue {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
        }
    }

    /// Waits until there is room for `bytes`.
    pub async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
        // What is larger than the queue takes all of it and travels alone.
        let bytes = bytes.min(QUEUE_BYTES_MAX) as u32;
        Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| Refused::Closed)
    }

    pub fn push(&self, entry: Entry) -> Result<(), Refused> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Refused::Closed);
        }
        waiting.entries.push(entry);
        if waiting.entries.len() == 1 {
            self.wake.notify_one();
        }
        Ok(())
    }

    pub fn ask_to_retain(&self) {
        self.lock().retain = true;
        self.wake.notify_one();
    }

    /// What is queued is still written; what comes later is refused.
    pub fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics while it holds the journal's queue")
    }

    /// Swaps what is queued into the empty `group`, or waits a while for it. False when there will be no more.
    fn take(&self, group: &mut Vec<Entry>) -> bool {
        let is_idle =
            |waiting: &mut Waiting| waiting.entries.is_empty() && !waiting.retain && !waiting.closed;
        let (mut waiting, _) = self
            .wake
            .wait_timeout_while(self.lock(), IDLE, is_idle)
            .expect("nothing panics while it holds the journal's queue");
        waiting.retain = false;
        std::mem::swap(&mut waiting.entries, group);
        !(waiting.closed && group.is_empty())
    }
}

/// Closes the queue when the thread ends, however it ends, so that nobody waits for it in vain.
struct Ending {
    queue: Arc<Queue>,
    done: watch::Sender<bool>,
    lock: Option<Lock>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.queue.close();
        self.lock = None;
        self.done.send_replace(true);
    }
}

/// The body of the writer thread. `done` turns true when everything is written and the directory is free again.
pub fn run(
    mut log: Log,
    queue: Arc<Queue>,
    clock: &Clock,
    outcomes: &Outcomes,
    lock: Option<Lock>,
    done: watch::Sender<bool>,
) {
    let ending = Ending { queue, done, lock };
    let mut group = Vec::new();
    let mut healthy = true;
    while ending.queue.take(&mut group) {
        if !group.is_empty() {
            let written = write(&mut log, &mut group, clock.unix_ns(), outcomes);
            healthy = note(healthy, written.err().as_ref());
        } else if !healthy {
            healthy = note(healthy, log.probe(clock.unix_ns()).err().as_ref());
        }
        log.retain(clock.unix_ns());
    }
    log.close_segment();
}

/// Writes the group, part by part where it spans segments, and answers each of its appends.
fn write(log: &mut Log, group: &mut Vec<Entry>, now_unix_ns: u64, outcomes: &Outcomes) -> io::Result<()> {
    while !group.is_empty() {
        match write_some(log, group, now_unix_ns) {
            Ok((mut position, count)) => {
                for entry in group.drain(..count) {
                    let next = Position(position.0 + entry.record_len());
                    // Counted here and not by who asked: a sender that hangs up now has its spans in the log.
                    if let Some(transport) = entry.batch.came_by() {
                        outcomes.received(transport, u64::from(entry.batch.spans()));
                    }
                    entry.reply(Ok(position));
                    position = next;
                }
            }
            Err(error) => {
                for entry in group.drain(..) {
                    entry.reply(Err(Refused::Disk(error.kind())));
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Writes; on a full disk once more after what is only kept for look-up has made room.
fn write_some(log: &mut Log, group: &[Entry], now_unix_ns: u64) -> io::Result<(Position, usize)> {
    match log.write(group, now_unix_ns) {
        Err(error) if error.kind() == io::ErrorKind::StorageFull && log.make_room(now_unix_ns) => {
            log.write(group, now_unix_ns)
        }
        result => result,
    }
}

impl Entry {
    fn reply(self, result: Result<Position, Refused>) {
        drop(self.room);
        drop(self.claim);
        // Whoever asked may have gone; the batch is kept all the same.
        let _ = self.answer.send(result);
    }
}

/// Logs once when writing begins to fail and once when it works again.
fn note(was_healthy: bool, error: Option<&io::Error>) -> bool {
    match error {
        Some(error) if was_healthy => tracing::error!(
            "the journal cannot be written: {error}; batches are refused until it can; check the disk's space and health"
        ),
        None if !was_healthy => tracing::info!("the journal can be written again"),
        _ => {}
    }
    error.is_none()
}
