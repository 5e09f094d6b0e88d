//! The one place where the stages are wired; it reads like the picture in ARCHITECTURE.md.
//!
//! ```text
//! receive → mask → journal ┬→ rollup ┬→ store ┬→ expose
//!                          │         └────────┘
//!                          └→ forward
//! ```

mod in_flight;
mod verdicts;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{broadcast, watch};

use crate::board::{self, Board};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::detect;
use crate::expose::{self, Reload, Sources};
use crate::forward::{self, Destination};
use crate::journal::{self, Journal, Refused};
use crate::listen;
use crate::mask::{Masked, MaskedBatch, Masking};
use crate::notify::{self, Notifier};
use crate::outcome::{Lost, Outcomes, Transport};
use crate::receive::{self, Accepted, OpenCall, Process, ReceivedBatch, Refusal, Sink, Source};
use crate::rollup::{self, Rollup};
use crate::store::{self, Store};

/// Senders are asked to come back after this when the journal can't take their batch.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Alerts that the page's event stream may lag behind: they are few, and the next board shows what holds.
const ALERTS_LAG_MAX: usize = 256;
/// A call that has waited for so long is a timeout when its process dies, where nobody knows better.
const OVERDUE_NS: u64 = 10_000_000_000;
/// Of the 10 s that a stop may take: requests in flight, then what the destinations still take.
const STOP_RECEIVE: Duration = Duration::from_secs(3);
const STOP_FORWARD: Duration = Duration::from_secs(4);
const STOP_EXPOSE: Duration = Duration::from_secs(1);

/// Why the daemon can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the journal in {dir} can't be opened: {cause}")]
    Journal { dir: String, cause: io::Error },
    #[error(transparent)]
    Receive(#[from] receive::StartError),
    #[error(transparent)]
    Listen(#[from] listen::BindError),
    #[error("the store can't be opened: {0}")]
    Store(#[from] store::Error),
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// The running daemon.
pub struct Pipeline {
    receiver: receive::Receiver,
    journal: Journal,
    rollup: Rollup,
    store: Store,
    detector: detect::Live,
    notifier: Notifier,
    board: Board,
    destinations: Arc<Vec<Destination>>,
    server: expose::Server,
    page_scheme: &'static str,
    draining: Arc<AtomicBool>,
    reload: Reload,
}

impl Pipeline {
    /// Starts every stage, the last one first, so that the first batch finds all of them running. `again` reads
    /// the configuration anew, for a reload.
    pub fn start(
        config: Config,
        clock: &Clock,
        again: impl Fn() -> Result<Config, config::Error> + Send + Sync + 'static,
    ) -> Result<Pipeline, StartError> {
        let outcomes = Arc::new(Outcomes::default());
        let draining = Arc::new(AtomicBool::new(false));
        let masking = Masking::new(config.mask, Arc::clone(&outcomes));
        let page = listen::bind(config.expose.listen)?;
        let page_scheme = if config.expose.tls.is_some() { "https" } else { "http" };

        let journal_dir = config.journal.dir.clone();
        let dir = journal_dir.display().to_string();
        let journal = journal::start(config.journal, clock.clone(), Arc::clone(&outcomes))
            .map_err(|cause| StartError::Journal { dir, cause })?;
        let (mut opened, restored) = store::open(&config.store, &journal, clock)?;
        let saved = verdicts::saved(opened.take_baselines());
        let cards = verdicts::Cards::new(&config.rollup.registry);
        let rollup = rollup::start(config.rollup, &journal, clock.clone(), Some(restored));
        let store = store::start(opened, store::Live::new(&rollup, &journal))?;
        let is_muted = {
            let (cards, store) = (cards.clone(), store.clone());
            Box::new(move |provider: &str| verdicts::is_muted(&cards, &store, provider))
        };
        let notifier = notify::start(config.notify, clock.clone(), is_muted)?;
        let (alerts, _) = broadcast::channel(ALERTS_LAG_MAX);
        let (verdicts, watched) = watch::channel(Arc::default());
        let told = verdicts::Told {
            rollup: rollup.clone(),
            store: store.clone(),
            notifier: notifier.clone(),
            cards: cards.clone(),
            saved: Mutex::new(saved),
            firing: Mutex::default(),
            alerts: alerts.clone(),
            verdicts,
        };
        let detector = detect::start(config.detect, told, clock.clone())?;
        let changing = Changing {
            masking: masking.clone(),
            rollup: rollup.clone(),
            cards,
            detector: detector.settings(),
        };
        let reload = reloading(changing, again);
        let board = board::start(config.board, watched.clone())?;
        let names: Vec<_> = config.forward.iter().map(|config| config.name.as_str()).collect();
        forward::tell_of_absent(&journal_dir, &names, &journal);
        let destinations = config.forward.into_iter();
        let destinations = destinations.map(|config| forward::start(config, &journal, clock.clone()));
        let destinations = Arc::new(destinations.collect::<Vec<_>>());
        let sources = Sources {
            rollup: rollup.clone(),
            store: store.clone(),
            journal: journal.clone(),
            destinations: Arc::clone(&destinations),
            outcomes: Arc::clone(&outcomes),
            clock: clock.clone(),
            draining: Arc::clone(&draining),
            standings: detector.standings(),
            alerts,
            notifier: notifier.clone(),
            reload: reload.clone(),
        };
        let server = expose::start(&config.expose, page, sources)?;
        let path = Path {
            masking,
            journal: journal.clone(),
            rollup: rollup.clone(),
            standings: detector.standings(),
            outcomes: Arc::clone(&outcomes),
        };
        let receiver = receive::start(config.receive, &path, clock, &outcomes, watched)?;
        Ok(Pipeline {
            receiver,
            journal,
            rollup,
            store,
            detector,
            notifier,
            board,
            destinations,
            server,
            page_scheme,
            draining,
            reload,
        })
    }

    /// Says where everything is.
    pub fn announce(&self) {
        let (grpc, http, page) = (self.receiver.grpc, self.receiver.http, self.server.local_addr());
        tracing::info!(
            "OTLP/gRPC on {grpc}, OTLP/HTTP on {http}, local socket {}",
            self.receiver.socket.display()
        );
        for destination in self.destinations.iter() {
            tracing::info!("forwarding to {}", destination.name());
        }
        if self.destinations.is_empty() {
            tracing::info!("forwarding to nobody: the configuration has no [forward.NAME]");
        }
        tracing::info!("page and API on {}://{page}/", self.page_scheme);
    }

    /// Where the page listens.
    pub fn page(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// What is said of every provider, each second.
    pub fn standings(&self) -> detect::Standings {
        self.detector.standings()
    }

    /// What a reload takes; the copy that SIGHUP uses.
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// Stops in the order of the data, within 10 s: nothing new comes in, what was accepted is synced, the
    /// destinations get what they still take, and the page stays until the end.
    pub async fn stop(self) {
        self.draining.store(true, Ordering::Relaxed);
        self.receiver.stop(STOP_RECEIVE).await;
        self.journal.close().await;
        join_all(self.destinations.iter().map(|destination| destination.stop(STOP_FORWARD))).await;
        self.detector.stop().await;
        self.notifier.stop().await;
        self.board.stop().await;
        self.rollup.stop().await;
        self.store.stop().await;
        self.server.stop(STOP_EXPOSE).await;
    }
}

/// What follows the configuration while the daemon runs.
struct Changing {
    masking: Masking,
    rollup: Rollup,
    cards: verdicts::Cards,
    detector: detect::Settings,
}

/// Registry, masking rules and the detector's settings can be had anew while the daemon runs. The whole file is
/// checked before any of it is taken, so a bad one changes nothing.
fn reloading(
    changing: Changing,
    again: impl Fn() -> Result<Config, config::Error> + Send + Sync + 'static,
) -> Reload {
    Reload::new(move || match again() {
        Ok(config) => {
            let providers = config.rollup.registry.providers.len();
            changing.masking.reload(config.mask);
            changing.cards.reload(&config.rollup.registry);
            changing.rollup.reload(config.rollup.registry);
            changing.detector.reload(config.detect);
            tracing::info!(
                "reloaded {providers} providers, the masking rules and [detect]; all else takes a restart"
            );
            Ok(())
        }
        Err(error) => {
            tracing::error!("not reloaded, the old configuration stays: {error}");
            Err(error.to_string())
        }
    })
}

/// The path of a batch while its sender waits.
#[derive(Clone)]
struct Path {
    masking: Masking,
    journal: Journal,
    rollup: Rollup,
    standings: detect::Standings,
    outcomes: Arc<Outcomes>,
}

impl Sink for Path {
    async fn accept(&self, batch: ReceivedBatch) -> Result<Accepted, Refusal> {
        let Masked { batch, notices, rejected_spans } = self.masking.apply(batch).map_err(|malformed| {
            Refusal::Malformed(format!("the body is not an OTLP trace export request: {malformed}"))
        })?;
        if let Some(notices) = notices {
            self.rollup.notices(&notices);
        }
        if batch.spans() > 0 {
            self.keep(self.rollup.recognised(batch)).await?;
        }
        self.outcomes.invalid_spans(u64::from(rejected_spans));
        Ok(Accepted { rejected_spans })
    }

    fn in_flight(&self, source: Source, processes: Vec<Process>, _now_unix_ns: u64) {
        let source = match source {
            Source::Pages => rollup::Source::Pages,
            Source::Pulses => rollup::Source::Pulse,
        };
        let calls = in_flight::calls(&processes, &|text| self.masking.text(text));
        self.rollup.open_calls(source, &calls);
    }

    fn is_overdue(&self, call: &OpenCall, now_unix_ns: u64) -> bool {
        let age_ns = now_unix_ns.saturating_sub(call.started_unix_ns);
        age_ns >= verdicts::tail_ns(&self.standings.borrow(), call, &self.rollup).unwrap_or(OVERDUE_NS)
    }
}

impl Path {
    /// Appends the batch. What cannot be kept is rolled up all the same, so that the verdicts go on; whoever waits
    /// for an answer brings it again, on the local socket it is lost.
    async fn keep(&self, batch: MaskedBatch) -> Result<(), Refusal> {
        let spans = u64::from(batch.spans());
        let refused = match self.journal.append(batch.clone()).await {
            Ok(_) => return Ok(()),
            Err(refused) => refused,
        };
        let lost = match refused {
            Refused::Known => {
                self.outcomes.known(spans);
                return Ok(());
            }
            Refused::Overlaps => return Err(Refusal::Overlaps),
            Refused::Full { .. } => Some(Lost::JournalFull),
            Refused::Disk(_) => Some(Lost::JournalUnwritable),
            // The other copy has its own answer, and a stopping daemon judges nothing any more.
            Refused::BeingWritten | Refused::Closed => None,
        };
        match (lost, batch.came_by()) {
            (Some(reason), Some(Transport::Local)) => {
                self.rollup.roll_up_unkept(&batch);
                self.outcomes.lost(reason, spans);
            }
            (Some(_), _) => self.rollup.roll_up_refused(&batch),
            (None, _) => {}
        }
        Err(Refusal::Overload { reason: refused.to_string(), retry_after: RETRY_AFTER })
    }
}

#[cfg(test)]
mod baseline_tests;
#[cfg(test)]
mod keep_tests;
#[cfg(test)]
mod reload_tests;
