//! The demo: a simulated shop and eight simulated providers over real sockets, with one incident after another.
//!
//! Nothing is faked past the providers' behaviour: the shop makes real HTTP calls, they are recorded by the Rust
//! client, travel over the local socket, and the daemon that shows them is the one that `spanmill run` starts.

mod incident;
mod provider;
mod random;
mod shop;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use provider::PROFILES;
pub use random::Random;

use incident::Script;
use provider::Provider;
use shop::Shop;

/// What the shop's simulation runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Same seed, same sequence of choices.
    pub seed: u64,
    /// Checkouts begun per second.
    pub rate: f64,
}

/// How long the client may take to hand over what it still holds.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The simulated providers, running.
#[derive(Debug, Clone)]
pub struct Providers(Arc<Vec<Provider>>);

impl Providers {
    /// Starts all of [`PROFILES`] in tasks of the current runtime.
    pub async fn start(seed: u64) -> io::Result<Providers> {
        let mut providers = Vec::with_capacity(PROFILES.len());
        for (index, profile) in PROFILES.iter().enumerate() {
            providers.push(Provider::start(profile, seed + index as u64).await?);
        }
        Ok(Providers(Arc::new(providers)))
    }

    /// Each provider's name and where it listens.
    pub fn addresses(&self) -> impl Iterator<Item = (&'static str, &[SocketAddr])> {
        self.0.iter().map(|provider| (provider.profile.name, provider.addresses.as_slice()))
    }
}

/// Runs shop and script until `stop` ends, reporting to the daemon that listens on `socket`.
///
/// `tell` is given each line of the script as it happens. Runs on the caller's current-thread runtime.
pub async fn simulate(
    config: Config,
    Providers(providers): Providers,
    socket: &Path,
    tell: impl Fn(&str),
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let client = spanmill::builder().service("shop").attribute("host.name", "demo-1").socket(socket).init();
    let client = client.map_err(io::Error::other)?;
    let shop = Shop::new(Arc::clone(&providers), config.seed, config.rate);
    let script = Script::new(Arc::clone(&providers));
    tokio::select! {
        () = shop.run() => {}
        () = script.run(tell) => {}
        () = stop => {}
    }
    client.shutdown(FLUSH_TIMEOUT);
    Ok(())
}
