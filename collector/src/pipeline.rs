//! The one place where the stages are wired; it reads like the picture in ARCHITECTURE.md.
//!
//! ```text
//! receive → mask → journal ┬→ rollup ┬→ store ┬→ expose
//!                          │         └────────┘
//!                          └→ forward
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::expose::{self, Reload, Sources};
use crate::forward::{self, Destination};
use crate::journal::{self, Journal, Refused};
use crate::listen;
use crate::mask::{Masked, MaskedBatch, Masking};
use crate::outcome::{Lost, Outcomes, Transport};
use crate::receive::{self, Accepted, ReceivedBatch, Refusal, Sink};
use crate::rollup::{self, Rollup};
use crate::store::{self, Store};

/// Senders are asked to come back after this when the journal can't take their batch.
const RETRY_AFTER: Duration = Duration::from_secs(1);
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
        let names: Vec<_> = config.forward.iter().map(|config| config.name.as_str()).collect();
        forward::tell_of_absent(&journal_dir, &names, &journal);
        let (opened, restored) = store::open(&config.store, &journal, clock)?;
        let rollup = rollup::start(config.rollup, &journal, clock.clone(), Some(restored));
        let store = store::start(opened, store::Live::new(&rollup, &journal))?;
        let reload = reloading(&masking, &rollup, again);
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
            reload: reload.clone(),
        };
        let server = expose::start(&config.expose, page, sources)?;
        let path = Path {
            masking,
            journal: journal.clone(),
            rollup: rollup.clone(),
            outcomes: Arc::clone(&outcomes),
        };
        let receiver = receive::start(config.receive, &path, clock, &outcomes)?;
        Ok(Pipeline { receiver, journal, rollup, store, destinations, server, page_scheme, draining, reload })
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
        self.rollup.stop().await;
        self.store.stop().await;
        self.server.stop(STOP_EXPOSE).await;
    }
}

/// Registry and masking rules can be had anew while the daemon runs. The whole file is checked before any of it
/// is taken, so a bad one changes nothing.
fn reloading(
    masking: &Masking,
    rollup: &Rollup,
    again: impl Fn() -> Result<Config, config::Error> + Send + Sync + 'static,
) -> Reload {
    let (masking, rollup) = (masking.clone(), rollup.clone());
    Reload::new(move || match again() {
        Ok(config) => {
            let providers = config.rollup.registry.providers.len();
            masking.reload(config.mask);
            rollup.reload(config.rollup.registry);
            tracing::info!("reloaded {providers} providers and the masking rules; all else takes a restart");
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
mod keep_tests;
#[cfg(test)]
mod reload_tests;
