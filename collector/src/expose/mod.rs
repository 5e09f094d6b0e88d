//! Shows what the other stages know: the JSON API, the event stream, Prometheus metrics, health, and the page.
//!
//! Reads, and writes notes and mutes for people, through the handles in [`Sources`], on a thread of its own: however many look, nothing upstream
//! becomes slower. Never sees an unmasked byte, and answers nobody who reached it by a borrowed host name.

mod alerts;
mod annotations;
mod api;
mod detail;
mod events;
mod exposition;
mod facts;
mod guard;
mod health;
mod metrics;
mod mutes;
mod openapi;
mod page;
mod problem;
mod providers;
mod reload;
mod series;
mod stats;
#[cfg(test)]
mod tests;
mod traces;
mod window;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper_util::service::TowerToHyperService;

use crate::clock::Clock;
use crate::forward::Destination;
use crate::journal::Journal;
use crate::listen::{Limits, Listener, Workers};
use crate::outcome::Outcomes;
use crate::rollup::Rollup;
use crate::store::Store;
use crate::tls;
pub use guard::Admit;
pub use reload::Reload;

/// Browsers open up to six connections each, and every open page keeps one for its events.
const CONNECTIONS_MAX: usize = 256;

/// The `[expose]` table.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    /// `None` = without TLS.
    pub tls: Option<Arc<tls::Server>>,
    /// `http://jaeger:16686`, without a slash at the end: where people look at traces.
    pub jaeger_ui: Option<String>,
    /// Who may write where others than this host can reach the port; `None`: nobody.
    pub writers: Option<Admit>,
}

/// Read handles of every stage.
#[derive(Debug, Clone)]
pub struct Sources {
    pub rollup: Rollup,
    pub store: Store,
    pub journal: Journal,
    pub destinations: Arc<Vec<Destination>>,
    pub outcomes: Arc<Outcomes>,
    pub clock: Clock,
    /// True once the daemon takes nothing new and works off what it has.
    pub draining: Arc<AtomicBool>,
    pub reload: Reload,
}

/// Serves `listener` from now on.
pub fn start(config: &Config, listener: Listener, sources: Sources) -> io::Result<Server> {
    serve(config.clone(), listener, Arc::new(sources))
}

fn serve(config: Config, listener: Listener, facts: Arc<dyn facts::Facts>) -> io::Result<Server> {
    let address = listener.local_addr();
    let listener = listener.with_tls(config.tls.clone());
    let workers = Workers::start("expose", 1)?;
    let api = Arc::new(api::Api::new(config, address, facts, workers.stopping()));
    workers.spawn(events::publish(Arc::clone(&api)));
    let service = TowerToHyperService::new(api::router(api));
    let limits = Limits { connections_max: CONNECTIONS_MAX, ..Limits::default() };
    workers.serve(listener, limits, move |_| service.clone())?;
    Ok(Server { workers, address })
}

/// The running server.
#[derive(Debug)]
pub struct Server {
    workers: Workers,
    address: SocketAddr,
}

impl Server {
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port, ends the event streams, and gives other answers at most `grace` to finish.
    pub async fn stop(self, grace: Duration) {
        self.workers.stop(grace).await;
    }
}
