//! The loop of one destination: follows the journal, keeps a few requests in flight, and knows what is done.
//!
//! A batch stays in `unsettled` until the destination took it or refused it for good; the checkpoint is the lowest
//! position in there. Whatever else happens, the batch is sent again.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::answer::{Accepted, Failure};
use super::batch::{Batch, Gather};
use super::client::Client;
use super::poison::Poison;
use super::retry::{Backoff, random};
use super::{Config, Shared};
use crate::clock::Clock;
use crate::journal::checkpoint::Checkpoint;
use crate::journal::disk::Directory;
use crate::journal::{Journal, Position, Reader, Record};

/// Requests at a time: enough to fill a connection whose answers take a while, few enough to bound the memory
/// to five times `request_max`.
const IN_FLIGHT_MAX: usize = 4;

/// How long a small batch waits for company.
const LINGER: Duration = Duration::from_millis(150);

/// How often a waiting batch looks for company: rarely against the cost of a wake-up, often against the speed with
/// which the journal's memory of recent records is replaced.
const POLL: Duration = Duration::from_millis(20);

/// At most this much is sent a second time after a crash.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// Everything that matters wakes the loop by itself; this is for what nobody thought of.
const IDLE: Duration = Duration::from_secs(10);

/// What a destination finds too large, or does not take in time, although it is smaller than this fails for another
/// reason, such as its load, and waits.
const TOO_LARGE_MIN: usize = 64 << 10;

/// A destination that refused this many requests in a row will refuse their parts too, so that they are not tried.
/// More than it takes to find one bad record among 1,024.
const REFUSED_MAX: u32 = 24;

/// Rejections may come with each request; the log hears of them this often.
const REJECTIONS_TOLD: Duration = Duration::from_secs(60);

type InFlight = Pin<Box<dyn Future<Output = (Batch, Result<Accepted, Failure>)> + Send>>;

pub struct Driver {
    config: Config,
    journal: Journal,
    clock: Clock,
    shared: Arc<Shared>,
    client: Arc<Client>,
    poison: Poison,
    disk: Arc<Directory>,
    reader: Reader,
    records: Vec<Record>,
    gather: Gather,
    gathering_since: Option<Instant>,
    /// Batches to send again, lowest first.
    again: VecDeque<Batch>,
    in_flight: FuturesUnordered<InFlight>,
    unsettled: BTreeMap<Position, Unsettled>,
    backoff: Backoff,
    /// Nothing is sent before; set by failures.
    resume_at: Instant,
    /// The destination asked not to be sent anything before, whatever else it takes meanwhile.
    asked_until: Instant,
    /// Largest request at present; halved when the destination finds one too large.
    size_max: usize,
    refused_in_a_row: u32,
    rejection_told: Option<Instant>,
    stored: Checkpoint,
    storing: Option<JoinHandle<Option<Checkpoint>>>,
    checkpoint_at: Instant,
    draining_until: Option<Instant>,
}

/// Batches, or pieces of one record, that begin at the same position.
#[derive(Debug, Clone, Copy)]
struct Unsettled {
    count: usize,
    spans_before: u64,
    received_unix_ns: u64,
}

impl Driver {
    /// `stored` is the checkpoint to go on from.
    pub fn new(
        config: Config,
        journal: Journal,
        clock: Clock,
        shared: Arc<Shared>,
        disk: Directory,
        stored: Checkpoint,
    ) -> Self {
        let client = Client::new(&config, stored.instance);
        let now = Instant::now();
        Driver {
            client: Arc::new(client),
            poison: Poison::new(&config.poison_dir),
            clock,
            disk: Arc::new(disk),
            reader: journal.reader(stored.position).with_spans_before(stored.spans_before),
            records: Vec::new(),
            gather: Gather::default(),
            gathering_since: None,
            again: VecDeque::new(),
            in_flight: FuturesUnordered::new(),
            unsettled: BTreeMap::new(),
            backoff: Backoff::default(),
            resume_at: now,
            asked_until: now,
            size_max: config.request_max,
            refused_in_a_row: 0,
            rejection_told: None,
            stored,
            storing: None,
            checkpoint_at: now + CHECKPOINT,
            draining_until: None,
            config,
            journal,
            shared,
        }
    }

    /// Runs until `stop` holds an instant: until then what is there is still sent.
    pub async fn run(mut self, mut stop: watch::Receiver<Option<Instant>>) {
        let mut end = self.journal.end();
        loop {
            end.mark_unchanged();
            self.launch();
            self.publish();
            self.checkpoint();
            if self.is_finished() {
                break;
            }
            let wants_more = self.may_launch() && self.gather.bytes() == 0 && self.draining_until.is_none();
            let wake_at = self.wake_at();
            tokio::select! {
                Some((batch, result)) = self.in_flight.next() => self.settle(batch, result),
                _ = end.changed(), if wants_more => {}
                stored = finished(&mut self.storing), if self.storing.is_some() => self.stored(stored),
                () = sleep_until(wake_at) => {}
                stopped = stop.changed(), if self.draining_until.is_none() => {
                    let until = if stopped.is_ok() { *stop.borrow() } else { None };
                    self.draining_until = Some(until.unwrap_or_else(Instant::now));
                }
            }
        }
        self.store_last().await;
    }

    fn may_launch(&self) -> bool {
        // While it fails, one request at a time tries whether it is back.
        let allowed = if self.backoff.is_failing() { 1 } else { IN_FLIGHT_MAX };
        self.in_flight.len() < allowed && Instant::now() >= self.resume_at
    }

    fn launch(&mut self) {
        while self.may_launch()
            && let Some(batch) = self.next_batch()
        {
            let client = Arc::clone(&self.client);
            self.in_flight.push(Box::pin(async move {
                let result = client.send(&batch).await;
                (batch, result)
            }));
        }
    }

    fn next_batch(&mut self) -> Option<Batch> {
        if let Some(batch) = self.again.pop_front() {
            return Some(batch);
        }
        self.read();
        let lingered = self.gathering_since.is_some_and(|since| since.elapsed() >= LINGER);
        if !self.gather.is_full(self.size_max) && !lingered && self.draining_until.is_none() {
            return None;
        }
        let batch = self.gather.take(self.size_max)?;
        // What is left behind has waited as long.
        self.gathering_since = self.gathering_since.filter(|_| self.gather.bytes() > 0);
        self.unsettle(&batch);
        Some(batch)
    }

    fn read(&mut self) {
        if self.gather.is_full(self.size_max) {
            return;
        }
        let wanted = self.size_max - self.gather.bytes();
        if let Err(error) = self.reader.read(wanted, &mut self.records) {
            self.failed(&format!("the journal cannot be read: {error}"), None);
        }
        for record in self.records.drain(..) {
            self.gather.push(&record, self.config.request_max);
        }
        if self.gather.bytes() > 0 && self.gathering_since.is_none() {
            self.gathering_since = Some(Instant::now());
        }
    }

    fn unsettle(&mut self, batch: &Batch) {
        let first = batch.first();
        let new = Unsettled {
            count: 0,
            spans_before: first.spans_before,
            received_unix_ns: first.received_unix_ns,
        };
        self.unsettled.entry(first.position).or_insert(new).count += 1;
    }

    fn resettle(&mut self, batch: &Batch) {
        let position = batch.first().position;
        let entry = self.unsettled.get_mut(&position).expect("a batch is unsettled until it is settled");
        entry.count -= 1;
        if entry.count == 0 {
            self.unsettled.remove(&position);
        }
    }

    fn settle(&mut self, mut batch: Batch, result: Result<Accepted, Failure>) {
        match result {
            Ok(accepted) => self.accepted(&batch, &accepted),
            Err(Failure::Later { reason, after, maybe_taken }) => {
                batch.is_duplicate |= maybe_taken;
                self.send_again(batch);
                self.failed(&reason, after);
            }
            Err(Failure::TooSlow { reason }) => {
                batch.is_duplicate = true;
                self.too_slow(batch);
                self.failed(&reason, None);
            }
            Err(Failure::PartlyKnown) => {
                self.resettle(&batch);
                match batch.shrink() {
                    Ok(smaller) => self.send_instead(smaller),
                    Err(single) => self.refused(&single, "it says that it has a part of this one span"),
                }
            }
            Err(Failure::TooLarge { reason }) if batch.bytes() < TOO_LARGE_MIN => {
                self.send_again(batch);
                self.failed(&reason, None);
            }
            Err(Failure::TooLarge { reason }) => {
                self.size_max = (batch.bytes() / 2).clamp(TOO_LARGE_MIN, self.size_max);
                self.resettle(&batch);
                match batch.shrink() {
                    Ok(smaller) => self.send_instead(smaller),
                    Err(single) => self.refused(&single, &reason),
                }
            }
            Err(Failure::Never { reason }) => {
                self.refused_in_a_row += 1;
                self.resettle(&batch);
                let tried = if self.refused_in_a_row > REFUSED_MAX { Err(batch) } else { batch.halve() };
                match tried {
                    Ok(halves) => self.send_instead(halves),
                    Err(batch) => self.refused(&batch, &reason),
                }
            }
        }
    }

    /// A slow destination takes smaller requests sooner, and in time.
    fn too_slow(&mut self, batch: Batch) {
        if batch.bytes() < 2 * TOO_LARGE_MIN {
            return self.send_again(batch);
        }
        self.size_max = (batch.bytes() / 2).min(self.size_max);
        self.resettle(&batch);
        match batch.shrink() {
            Ok(smaller) => self.send_instead(smaller),
            Err(single) => self.send_instead([single]),
        }
    }

    fn accepted(&mut self, batch: &Batch, accepted: &Accepted) {
        self.resettle(batch);
        self.refused_in_a_row = 0;
        // Slowly: each time that is too much costs a request.
        self.size_max = (self.size_max + self.size_max / 64).min(self.config.request_max);
        let rejected = accepted.rejected_spans.min(batch.spans());
        self.shared.update(|figures| {
            figures.forwarded += batch.spans() - rejected;
            figures.rejected += rejected;
            figures.duplicates += if batch.is_duplicate { batch.spans() } else { 0 };
            figures.last_error = None;
        });
        if rejected > 0 {
            self.note_rejected(rejected, &accepted.message);
        }
        if self.backoff.is_down() {
            let Config { name, endpoint, .. } = &self.config;
            tracing::info!("destination {name} at {endpoint} takes spans again");
        }
        self.backoff.succeeded();
        self.resume_at = self.asked_until.max(Instant::now());
    }

    /// The destination will never take it: kept aside, counted, and the queue moves on.
    fn refused(&mut self, batch: &Batch, reason: &str) {
        let name = batch.name(self.stored.instance);
        let kept = self.poison.keep(batch, name, reason, self.clock.unix_ns());
        self.shared.update(|figures| {
            figures.rejected += batch.spans();
            figures.kept_aside += if kept.is_ok() { batch.spans() } else { 0 };
            figures.last_error = Some(reason.to_owned());
        });
        let where_it_is = match kept {
            Ok(path) => format!("kept in {}", path.display()),
            Err(error) => format!("they cannot be kept in {}: {error}", self.config.poison_dir.display()),
        };
        self.note_rejected(batch.spans(), &format!("{reason}; {where_it_is}"));
    }

    fn note_rejected(&mut self, spans: u64, reason: &str) {
        if self.rejection_told.is_none_or(|told| told.elapsed() >= REJECTIONS_TOLD) {
            self.rejection_told = Some(Instant::now());
            let Config { name, endpoint, .. } = &self.config;
            tracing::warn!(
                "destination {name} at {endpoint} rejected {spans} spans for good: {reason}; said at most once a \
                 minute, counted in rejected_by_destination"
            );
        }
    }

    fn send_again(&mut self, batch: Batch) {
        let position = batch.first().position;
        let at = self.again.partition_point(|other| other.first().position <= position);
        self.again.insert(at, batch);
    }

    fn send_instead(&mut self, batches: impl IntoIterator<Item = Batch>) {
        for batch in batches {
            self.unsettle(&batch);
            self.send_again(batch);
        }
    }

    /// Backs off. What else was in flight and failed for the same reason does not count again.
    fn failed(&mut self, reason: &str, after: Option<Duration>) {
        self.shared.update(|figures| figures.last_error = Some(reason.to_owned()));
        let now = Instant::now();
        let was_down = self.backoff.is_down();
        if now >= self.resume_at {
            self.resume_at = now + self.backoff.failed();
        }
        if let Some(after) = after {
            self.asked_until = self.asked_until.max(now + after + after.mul_f64(random() / 10.0));
            self.resume_at = self.asked_until;
        }
        if self.backoff.is_down() && !was_down {
            let Config { name, endpoint, .. } = &self.config;
            tracing::warn!(
                "destination {name} at {endpoint} takes no spans: {reason}; they wait in the journal and are sent \
                 when it is back; check that it runs and that forward.{name}.endpoint and protocol are those of its OTLP receiver"
            );
        }
    }

    /// Everything before it is settled.
    fn lowest(&self) -> (Position, u64, Option<u64>) {
        let in_flight =
            self.unsettled.first_key_value().map(|(at, one)| (*at, one.spans_before, one.received_unix_ns));
        let waiting =
            || self.gather.first().map(|part| (part.position, part.spans_before, part.received_unix_ns));
        match in_flight.or_else(waiting) {
            Some((position, spans_before, received)) => (position, spans_before, Some(received)),
            None => {
                (self.reader.position(), self.reader.spans_before().unwrap_or(self.stored.spans_before), None)
            }
        }
    }

    fn publish(&self) {
        let (_, _, oldest_unix_ns) = self.lowest();
        let skipped = self.reader.skipped();
        self.shared.update(|figures| {
            figures.oldest_unix_ns = oldest_unix_ns;
            figures.skipped = skipped;
        });
    }

    fn current(&self) -> Checkpoint {
        let (position, spans_before, _) = self.lowest();
        Checkpoint { position, spans_before, ..self.stored }
    }

    /// Stores how far we are, on another thread: a sync may take long on a busy disk.
    fn checkpoint(&mut self) {
        let now = Instant::now();
        let checkpoint = self.current();
        if self.storing.is_some() || now < self.checkpoint_at || checkpoint == self.stored {
            return;
        }
        self.checkpoint_at = now + CHECKPOINT;
        let (disk, name) = (Arc::clone(&self.disk), self.config.name.clone());
        self.storing = Some(tokio::task::spawn_blocking(move || store(&disk, &name, checkpoint)));
    }

    /// Only now may the journal delete what lies before.
    fn stored(&mut self, stored: Option<Checkpoint>) {
        self.storing = None;
        if let Some(checkpoint) = stored {
            self.stored = checkpoint;
            self.journal.passed(&self.config.name, checkpoint.position);
        }
    }

    async fn store_last(&mut self) {
        if self.storing.is_some() {
            let stored = finished(&mut self.storing).await;
            self.stored(stored);
        }
        let checkpoint = self.current();
        self.stored(store(&self.disk, &self.config.name, checkpoint));
        self.publish();
    }

    fn is_finished(&self) -> bool {
        let Some(until) = self.draining_until else { return false };
        // A destination that fails now has the rest after the next start.
        let nothing_left = self.backoff.is_failing() || (self.again.is_empty() && self.gather.bytes() == 0);
        Instant::now() >= until || (self.in_flight.is_empty() && nothing_left)
    }

    /// When there is something to do though nothing happened.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let mut wake_at = now + IDLE;
        if self.storing.is_none() && self.current() != self.stored {
            wake_at = self.checkpoint_at;
        }
        let can_send = self.in_flight.is_empty() || !self.backoff.is_failing();
        if self.resume_at > now && can_send {
            wake_at = wake_at.min(self.resume_at);
        } else if let Some(since) = self.gathering_since
            && self.may_launch()
        {
            wake_at = wake_at.min((since + LINGER).min(now + POLL));
        }
        self.draining_until.map_or(wake_at, |until| wake_at.min(until))
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

async fn finished(storing: &mut Option<JoinHandle<Option<Checkpoint>>>) -> Option<Checkpoint> {
    match storing {
        Some(handle) => handle.await.ok().flatten(),
        None => None,
    }
}
