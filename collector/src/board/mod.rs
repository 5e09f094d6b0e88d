//! Hands verdicts back to the applications of this host: on a board that they map and read in nanoseconds.
//!
//! Where a centre is configured, what it says counts, as one host sees too little to judge a provider; what this
//! daemon has seen itself stands in while the centre is silent. Never waits for a reader, and gives its sign of life
//! only when the detector gives one: a board whose daemon is stuck says nothing.

mod centre;
mod file;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use spanmill_proto::v1::ProviderVerdict;
use tokio::sync::watch;

pub use centre::Centre;

use file::File;

#[derive(Debug, Clone)]
pub struct Config {
    pub path: PathBuf,
    /// Whose verdicts count before our own.
    pub centre: Option<Centre>,
}

/// Everything that is known of every provider, replaced as a whole once a second and when a verdict falls.
pub type Verdicts = watch::Receiver<Arc<Vec<ProviderVerdict>>>;

/// A board file that cannot be made is tried again after this.
const AGAIN: Duration = Duration::from_secs(10);

/// The running stage.
#[derive(Debug)]
pub struct Board {
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Starts the stage on a thread of its own. A board that can't be made is no reason not to start: it is said, and
/// tried again.
pub fn start(config: Config, own: Verdicts) -> io::Result<Board> {
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new()
        .name("board".to_owned())
        .spawn(move || runtime.block_on(run(config, own, stopped)))?;
    Ok(Board { stop, thread: Mutex::new(Some(thread)) })
}

impl Board {
    /// Takes the board away: who has it mapped sees that it is over.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        if tokio::task::spawn_blocking(move || thread.join()).await.is_ok_and(|joined| joined.is_err()) {
            tracing::error!("the thread of the board had panicked");
        }
    }
}

async fn run(config: Config, mut own: Verdicts, mut stopped: watch::Receiver<bool>) {
    let mut centre = config.centre.map(centre::start);
    let mut file = Opening { path: config.path, file: None, tried: None };
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            changed = own.changed() => if changed.is_err() { return },
            () = heard(centre.as_mut()) => {}
        }
        let own = Arc::clone(&own.borrow_and_update());
        let of_centre = centre.as_mut().map(|told| told.borrow_and_update().fresh()).unwrap_or_default();
        if let Some(file) = file.get() {
            file.write(&merged(&own, &of_centre));
        }
    }
}

/// Ends when the centre has said something; never where there is none.
async fn heard(centre: Option<&mut watch::Receiver<centre::Told>>) {
    let Some(centre) = centre else { return std::future::pending().await };
    if centre.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The centre's verdict where it has one, else our own.
fn merged<'v>(
    own: &'v [ProviderVerdict],
    of_centre: &'v BTreeMap<String, ProviderVerdict>,
) -> Vec<&'v ProviderVerdict> {
    let only_own = own.iter().filter(|verdict| !of_centre.contains_key(&verdict.provider));
    of_centre.values().chain(only_own).collect()
}

/// The file, made when that can be done.
struct Opening {
    path: PathBuf,
    file: Option<File>,
    tried: Option<tokio::time::Instant>,
}

impl Opening {
    fn get(&mut self) -> Option<&mut File> {
        if self.file.is_none() && self.tried.is_none_or(|tried| tried.elapsed() >= AGAIN) {
            match File::create(&self.path) {
                Ok(file) => self.file = Some(file),
                // Said once.
                Err(error) if self.tried.is_none() => tracing::warn!(
                    "no verdict board at {}: {error}; applications know no verdict; set [board] path to one that \
                     can be made",
                    self.path.display()
                ),
                Err(_) => {}
            }
            self.tried = Some(tokio::time::Instant::now());
        }
        self.file.as_mut()
    }
}

#[cfg(test)]
mod tests;
