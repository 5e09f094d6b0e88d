//! The loop of one destination: follows the journal, keeps a few requests in flight, and decides what follows from
//! each answer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::answer::{Accepted, Failure};
use super::batch::{Batch, Gather, Part};
use super::client::Client;
use super::pace::Pace;
use super::poison::Poison;
use super::progress::{Place, Progress};
use super::{Config, Shared};
use crate::clock::Clock;
use crate::journal::checkpoint::Checkpoint;
use crate::journal::disk::Directory;
use crate::journal::{Journal, Reader, Record};

/// Requests at a time: enough to fill a connection whose answers take a while, few enough to bound the memory
/// to five times `request_max`.
const IN_FLIGHT_MAX: usize = 4;

/// How long a small batch waits for company.
const LINGER: Duration = Duration::from_millis(150);

/// How often a waiting batch looks for company: rarely against the cost of a wake-up, often against the speed with
/// which the journal's memory of recent records is replaced.
const POLL: Duration = Duration::from_millis(20);

/// Everything that matters wakes the loop by itself; this is for what nobody thought of.
const IDLE: Duration = Duration::from_secs(10);

/// What a destination finds too large, or does not take in time, although it is smaller than this fails for another
/// reason, such as its load, and waits.
const TOO_LARGE_MIN: usize = 64 << 10;

/// After each request that was taken the next ones may be larger by at least this, whatever made them small.
const GROWTH_MIN: usize = 1 << 10;

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
    progress: Progress,
    reader: Reader,
    records: Vec<Record>,
    gather: Gather,
    gathering_since: Option<Instant>,
    /// Batches to send again, lowest first.
    again: VecDeque<Batch>,
    in_flight: FuturesUnordered<InFlight>,
    pace: Pace,
    /// Largest request at present; halved when the destination finds one too large.
    size_max: usize,
    refused_in_a_row: u32,
    rejection_told: Option<Instant>,
    draining_until: Option<Instant>,
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
        let client = Client::new(&config, &clock, stored.instance);
        Driver {
            client: Arc::new(client),
            poison: Poison::new(&config.poison_dir),
            clock,
            progress: Progress::new(&config.name, &journal, disk, stored),
            reader: journal.reader(stored.position).with_spans_before(stored.spans_before),
            records: Vec::new(),
            gather: Gather::default(),
            gathering_since: None,
            again: VecDeque::new(),
            in_flight: FuturesUnordered::new(),
            pace: Pace::new(Instant::now()),
            size_max: config.request_max,
            refused_in_a_row: 0,
            rejection_told: None,
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
            self.progress.store(self.current());
            if self.is_finished() {
                break;
            }
            let wants_more = self.may_launch() && self.gather.bytes() == 0 && self.draining_until.is_none();
            let wake_at = self.wake_at();
            tokio::select! {
                Some((batch, result)) = self.in_flight.next() => self.settle(batch, result),
                _ = end.changed(), if wants_more => {}
                () = self.progress.stored() => {}
                () = sleep_until(wake_at) => {}
                stopped = stop.changed(), if self.draining_until.is_none() => {
                    let until = if stopped.is_ok() { *stop.borrow() } else { None };
                    self.draining_until = Some(until.unwrap_or_else(Instant::now));
                }
            }
        }
        self.progress.finish(self.current()).await;
        self.publish();
    }

    fn may_launch(&self) -> bool {
        // While it fails, one request at a time tries whether it is back.
        let allowed = if self.pace.is_failing() { 1 } else { IN_FLIGHT_MAX };
        self.in_flight.len() < allowed && Instant::now() >= self.pace.resume_at()
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
        self.progress.begin(&batch);
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
                self.progress.end(&batch);
                match batch.shrink() {
                    Ok(smaller) => self.send_instead(smaller),
                    Err(single) => self.refused(&single, "it says that it has a part of this one span"),
                }
            }
            Err(Failure::TooLarge { reason, may_be_load }) => {
                let smallest = if may_be_load { TOO_LARGE_MIN } else { 1 };
                if batch.bytes() < smallest {
                    self.send_again(batch);
                    return self.failed(&reason, None);
                }
                self.size_max = (batch.bytes() / 2).max(smallest).min(self.size_max);
                self.progress.end(&batch);
                match batch.shrink() {
                    Ok(smaller) => self.send_instead(smaller),
                    Err(single) => self.refused(&single, &reason),
                }
            }
            Err(Failure::Never { reason }) => {
                self.refused_in_a_row += 1;
                self.progress.end(&batch);
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
        self.progress.end(&batch);
        match batch.shrink() {
            Ok(smaller) => self.send_instead(smaller),
            Err(single) => self.send_instead([single]),
        }
    }

    fn accepted(&mut self, batch: &Batch, accepted: &Accepted) {
        self.progress.end(batch);
        self.refused_in_a_row = 0;
        // Slowly: each time that is too much costs a request.
        self.size_max = (self.size_max + self.size_max / 64 + GROWTH_MIN).min(self.config.request_max);
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
        if self.pace.is_down() {
            let Config { name, endpoint, .. } = &self.config;
            tracing::info!("destination {name} at {endpoint} takes spans again");
        }
        self.pace.succeeded();
    }

    /// The destination will never take it: kept aside, counted, and the queue moves on.
    fn refused(&mut self, batch: &Batch, reason: &str) {
        let name = batch.name(self.journal.instance());
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
            self.progress.begin(&batch);
            self.send_again(batch);
        }
    }

    fn failed(&mut self, reason: &str, after: Option<Duration>) {
        self.shared.update(|figures| figures.last_error = Some(reason.to_owned()));
        let was_down = self.pace.is_down();
        self.pace.failed(Instant::now(), after);
        if self.pace.is_down() && !was_down {
            let Config { name, endpoint, .. } = &self.config;
            tracing::warn!(
                "destination {name} at {endpoint} takes no spans: {reason}; they wait in the journal and are sent \
                 when it is back; check that it runs and that forward.{name}.endpoint and protocol are those of its OTLP receiver"
            );
        }
    }

    /// The lowest that is not settled; everything before it is.
    fn lowest(&self) -> Option<Place> {
        let waiting = || {
            let Part { position, spans_before, received_unix_ns, .. } = *self.gather.first()?;
            Some(Place { position, spans_before, received_unix_ns })
        };
        self.progress.lowest().or_else(waiting)
    }

    fn current(&self) -> Checkpoint {
        let stored = self.progress.checkpoint();
        let spans_read = || self.reader.spans_before().unwrap_or(stored.spans_before);
        let (position, spans_before) = match self.lowest() {
            Some(place) => (place.position, place.spans_before),
            None => (self.reader.position(), spans_read()),
        };
        Checkpoint { position, spans_before, ..stored }
    }

    fn publish(&self) {
        let oldest_unix_ns = self.lowest().map(|place| place.received_unix_ns);
        let skipped = self.reader.skipped();
        self.shared.update(|figures| {
            figures.oldest_unix_ns = oldest_unix_ns;
            figures.skipped = skipped;
        });
    }

    fn is_finished(&self) -> bool {
        let Some(until) = self.draining_until else { return false };
        // A destination that fails now has the rest after the next start.
        let nothing_left = self.pace.is_failing() || (self.again.is_empty() && self.gather.bytes() == 0);
        Instant::now() >= until || (self.in_flight.is_empty() && nothing_left)
    }

    /// When there is something to do though nothing happened.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let mut wake_at = self.progress.wake_at(self.current()).unwrap_or(now + IDLE);
        let can_send = self.in_flight.is_empty() || !self.pace.is_failing();
        if self.pace.resume_at() > now && can_send {
            wake_at = wake_at.min(self.pace.resume_at());
        } else if let Some(since) = self.gathering_since
            && self.may_launch()
        {
            wake_at = wake_at.min((since + LINGER).min(now + POLL));
        }
        self.draining_until.map_or(wake_at, |until| wake_at.min(until))
    }
}
