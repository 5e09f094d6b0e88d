//! How far a destination came: what is under way, and the checkpoint, which is the lowest position among that.
//!
//! A batch is under way until the destination took it or refused it for good; whatever else happens, it is sent again.

use std::collections::BTreeMap;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::batch::Batch;
use crate::journal::checkpoint::Checkpoint;
use crate::journal::disk::Directory;
use crate::journal::{Journal, Position};

/// At most this much is sent a second time after a crash.
const CHECKPOINT: Duration = Duration::from_secs(1);

pub struct Progress {
    name: String,
    journal: Journal,
    disk: Arc<Directory>,
    under_way: BTreeMap<Position, UnderWay>,
    stored: Checkpoint,
    storing: Option<JoinHandle<Option<Checkpoint>>>,
    /// The next one is not stored before.
    due_at: Instant,
}

/// Batches, or pieces of one record, that begin at the same position.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    count: usize,
    spans_before: u64,
    received_unix_ns: u64,
}

/// Where something lies that is not settled.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub position: Position,
    pub spans_before: u64,
    pub received_unix_ns: u64,
}

impl Progress {
    /// `stored` is the checkpoint to go on from.
    pub fn new(name: &str, journal: &Journal, disk: Directory, stored: Checkpoint) -> Progress {
        Progress {
            name: name.to_owned(),
            journal: journal.clone(),
            disk: Arc::new(disk),
            under_way: BTreeMap::new(),
            stored,
            storing: None,
            due_at: Instant::now() + CHECKPOINT,
        }
    }

    /// What is stored at present.
    pub fn checkpoint(&self) -> Checkpoint {
        self.stored
    }

    pub fn begin(&mut self, batch: &Batch) {
        let first = batch.first();
        let new =
            UnderWay { count: 0, spans_before: first.spans_before, received_unix_ns: first.received_unix_ns };
        self.under_way.entry(first.position).or_insert(new).count += 1;
    }

    pub fn end(&mut self, batch: &Batch) {
        let position = batch.first().position;
        let entry = self.under_way.get_mut(&position).expect("a batch is under way until it is settled");
        entry.count -= 1;
        if entry.count == 0 {
            self.under_way.remove(&position);
        }
    }

    /// The lowest that is under way.
    pub fn lowest(&self) -> Option<Place> {
        let (position, first) = self.under_way.first_key_value()?;
        let UnderWay { spans_before, received_unix_ns, .. } = *first;
        Some(Place { position: *position, spans_before, received_unix_ns })
    }

    /// Stores how far we are if it is time, on another thread: a sync may take long on a busy disk.
    pub fn store(&mut self, current: Checkpoint) {
        let now = Instant::now();
        if self.storing.is_some() || now < self.due_at || current == self.stored {
            return;
        }
        self.due_at = now + CHECKPOINT;
        let (disk, name) = (Arc::clone(&self.disk), self.name.clone());
        self.storing = Some(tokio::task::spawn_blocking(move || store(&disk, &name, current)));
    }

    /// When there is something to store, if so.
    pub fn wake_at(&self, current: Checkpoint) -> Option<Instant> {
        (self.storing.is_none() && current != self.stored).then_some(self.due_at)
    }

    /// Returns when what is being stored is, and never while nothing is. May be given up and called again.
    pub async fn stored(&mut self) {
        let Some(storing) = &mut self.storing else { return future::pending().await };
        let stored = storing.await.ok().flatten();
        self.storing = None;
        self.passed(stored);
    }

    /// Stores the last one before the end.
    pub async fn finish(&mut self, current: Checkpoint) {
        if self.storing.is_some() {
            self.stored().await;
        }
        let stored = store(&self.disk, &self.name, current);
        self.passed(stored);
    }

    /// Only now may the journal delete what lies before.
    fn passed(&mut self, stored: Option<Checkpoint>) {
        if let Some(checkpoint) = stored {
            self.stored = checkpoint;
            self.journal.passed(&self.name, checkpoint.position);
        }
    }
}

/// Stores the checkpoint and gives it back, or says that it could not.
fn store(disk: &Directory, name: &str, checkpoint: Checkpoint) -> Option<Checkpoint> {
    match checkpoint.store(disk, name) {
        Ok(()) => Some(checkpoint),
        Err(error) => {
            tracing::warn!(
                "cannot store how far destination {name} came: {error}; what was sent since is sent again after a \
                 restart, and the journal keeps it; check the disk's space and health"
            );
            None
        }
    }
}
