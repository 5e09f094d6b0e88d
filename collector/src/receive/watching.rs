//! `Providers.Watch`: verdicts for those who cannot map the board, as they fall.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use spanmill_proto::v1::providers_server::Providers;
use spanmill_proto::v1::{ProviderVerdict, WatchRequest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tonic::{Request, Response, Status};

/// Everything that is known of every provider, replaced as a whole: once a second, and when a verdict falls.
pub type Verdicts = watch::Receiver<Arc<Vec<ProviderVerdict>>>;

/// Watchers at once: an agent on each of 1,500 hosts, and some services.
const WATCHERS_MAX: usize = 4_096;
/// Names that one watcher may ask for.
const NAMES_MAX: usize = 1_024;
/// A heartbeat is due so often.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Every provider is told again so often, whether it has changed or not: figures move, verdicts seldom do.
const AGAIN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub struct Watching {
    verdicts: Verdicts,
    stopping: watch::Receiver<bool>,
    places: Arc<Semaphore>,
}

impl Watching {
    pub fn new(verdicts: Verdicts, stopping: watch::Receiver<bool>) -> Watching {
        Watching { verdicts, stopping, places: Arc::new(Semaphore::new(WATCHERS_MAX)) }
    }
}

#[tonic::async_trait]
impl Providers for Watching {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<ProviderVerdict, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let names = request.into_inner().providers;
        if names.len() > NAMES_MAX {
            return Err(Status::invalid_argument(format!("ask for at most {NAMES_MAX} names, or for none")));
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Status::resource_exhausted(format!("{WATCHERS_MAX} watchers are there already")));
        };
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut verdicts = self.verdicts.clone();
        verdicts.mark_changed();
        let watcher = Watcher {
            verdicts,
            stopping: self.stopping.clone(),
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            told: HashMap::new(),
            told_all: Instant::now(),
            waiting: Vec::new(),
            heartbeat,
            _place: place,
        };
        let stream = stream::unfold(watcher, |mut watcher| async {
            let next = watcher.next().await?;
            Some((Ok(next), watcher))
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

struct Watcher {
    verdicts: Verdicts,
    stopping: watch::Receiver<bool>,
    /// Lower case; none = all.
    names: Vec<String>,
    /// What has been told of each provider: its verdict's generation and its scope.
    told: HashMap<String, (u32, i32, String)>,
    told_all: Instant,
    /// What is still to be told, the last one first.
    waiting: Vec<ProviderVerdict>,
    heartbeat: Interval,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next message; `None` ends the stream.
    async fn next(&mut self) -> Option<ProviderVerdict> {
        loop {
            if let Some(verdict) = self.waiting.pop() {
                return Some(verdict);
            }
            tokio::select! {
                biased;
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                changed = self.verdicts.changed() => changed.ok()?,
                _ = self.heartbeat.tick() => return Some(ProviderVerdict::default()),
            }
            self.compare();
        }
    }

    /// Finds what is new.
    fn compare(&mut self) {
        let now = Arc::clone(&self.verdicts.borrow_and_update());
        let all = self.told_all.elapsed() >= AGAIN;
        if all {
            self.told_all = Instant::now();
        }
        for verdict in now.iter() {
            if !self.is_wanted(verdict) {
                continue;
            }
            let what = (verdict.generation, verdict.verdict, verdict.scope_key.clone());
            if all || self.told.get(&verdict.provider) != Some(&what) {
                self.told.insert(verdict.provider.clone(), what);
                self.waiting.push(verdict.clone());
            }
        }
        let there: HashSet<_> = now.iter().map(|one| &one.provider).collect();
        let gone = self.told.extract_if(|provider, _| !there.contains(provider));
        let removed = |(provider, _)| ProviderVerdict { provider, removed: true, ..Default::default() };
        self.waiting.extend(gone.map(removed));
    }

    fn is_wanted(&self, verdict: &ProviderVerdict) -> bool {
        self.names.is_empty()
            || self.names.contains(&verdict.provider)
            || verdict.aliases.iter().any(|alias| self.names.contains(&alias.to_ascii_lowercase()))
    }
}
