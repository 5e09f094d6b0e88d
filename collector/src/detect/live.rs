//! The detector on a thread of its own: once a second, right after the second has ended.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::alert::Change;
use super::config::Config;
use super::detector::Detector;
use super::standing::Standing;
use crate::clock::Clock;
use crate::rollup::{Names, Observed};

/// After the full second: what ended in it has by then come from the journal, which is read every 25 ms.
const AFTER: Duration = Duration::from_millis(50);
/// Longest sleep, so that a stop is not waited for.
const REST_MAX: Duration = Duration::from_millis(250);

/// Where calls come from, and who has to know what was decided.
pub trait Surroundings: Send + 'static {
    /// What was seen since this was last asked, and the texts of its names.
    fn observed(&self) -> Observed;
    fn names(&self) -> &dyn Names;
    /// False while the past is still being read: it is no news.
    fn is_ready(&self) -> bool;
    /// Whether somebody has muted this provider.
    fn is_muted(&self, provider: &str) -> bool;
    /// What is said of every provider, each second.
    fn standing(&self, standings: &Arc<Vec<Standing>>);
    /// Alerts that began, changed or ended, as soon as that was decided.
    fn changed(&self, changes: &[Change]);
}

/// All providers, as of the last second.
pub type Standings = watch::Receiver<Arc<Vec<Standing>>>;

/// The running stage.
#[derive(Debug)]
pub struct Live {
    standings: Standings,
    stops: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Starts judging.
pub fn start(config: Config, surroundings: impl Surroundings, clock: Clock) -> io::Result<Live> {
    let (standings, receiver) = watch::channel(Arc::default());
    let stops = Arc::new(AtomicBool::new(false));
    let of_thread = Arc::clone(&stops);
    let thread = thread::Builder::new()
        .name("detect".to_owned())
        .spawn(move || run(Detector::new(config), &surroundings, &clock, &standings, &of_thread))?;
    Ok(Live { standings: receiver, stops, thread: Mutex::new(Some(thread)) })
}

impl Live {
    pub fn standings(&self) -> Standings {
        self.standings.clone()
    }

    pub async fn stop(&self) {
        self.stops.store(true, Ordering::Release);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        thread.thread().unpark();
        if tokio::task::spawn_blocking(move || thread.join()).await.is_ok_and(|joined| joined.is_err()) {
            tracing::error!("the detector's thread had panicked");
        }
    }
}

fn run(
    mut detector: Detector,
    surroundings: &impl Surroundings,
    clock: &Clock,
    standings: &watch::Sender<Arc<Vec<Standing>>>,
    stops: &AtomicBool,
) {
    let mut told_s = 0;
    while !stops.load(Ordering::Acquire) {
        let now_ns = clock.unix_ns();
        let now_s = now_ns.saturating_sub(AFTER.as_nanos() as u64) / 1_000_000_000;
        // A clock that was set back is waited for.
        if now_s > told_s && surroundings.is_ready() {
            told_s = now_s;
            second(&mut detector, surroundings, now_s * 1_000_000_000, standings);
        }
        thread::park_timeout(rest(clock.unix_ns()));
    }
}

/// One second: calls in, changes out.
fn second(
    detector: &mut Detector,
    surroundings: &impl Surroundings,
    now_ns: u64,
    standings: &watch::Sender<Arc<Vec<Standing>>>,
) {
    let mut changes = detector.tick(now_ns, &surroundings.observed(), surroundings.names());
    for change in &mut changes {
        let alert = change.alert_mut();
        alert.muted |= surroundings.is_muted(&alert.provider);
    }
    let all = Arc::new(detector.standings(now_ns, surroundings.names()));
    surroundings.standing(&all);
    standings.send_replace(all);
    if !changes.is_empty() {
        surroundings.changed(&changes);
    }
}

/// Until shortly after the next full second.
fn rest(now_ns: u64) -> Duration {
    let second = Duration::from_secs(1);
    let part = Duration::from_nanos(now_ns % 1_000_000_000);
    ((second + AFTER).saturating_sub(part)).min(REST_MAX)
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
