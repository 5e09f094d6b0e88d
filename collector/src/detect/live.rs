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
use super::save::Saved;
use super::standing::Standing;
use crate::clock::Clock;
use crate::rollup::{Names, Observed};

/// After the full second: what ended in it has by then come from the journal, which is read every 25 ms.
const AFTER: Duration = Duration::from_millis(50);
/// Longest sleep, so that a stop is not waited for.
const REST_MAX: Duration = Duration::from_millis(250);

/// Every baseline is saved once in as many seconds, a part of them in each: what a crash may cost.
const SAVE_S: u64 = 60;

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
    /// The baselines of before the start; asked once.
    fn saved(&self) -> Vec<Saved>;
    /// Keeps baselines for the next start, without waiting for the disk.
    fn save(&self, baselines: Vec<Saved>);
}

/// All providers, as of the last second.
pub type Standings = watch::Receiver<Arc<Vec<Standing>>>;

/// Gives the running detector other settings.
#[derive(Debug, Clone, Default)]
pub struct Settings(Arc<Mutex<Option<Config>>>);

impl Settings {
    /// From the next second on.
    pub fn reload(&self, config: Config) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(config);
    }

    fn take(&self) -> Option<Config> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The running stage.
#[derive(Debug)]
pub struct Live {
    standings: Standings,
    settings: Settings,
    stops: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Starts judging.
pub fn start(config: Config, surroundings: impl Surroundings, clock: Clock) -> io::Result<Live> {
    let (standings, receiver) = watch::channel(Arc::default());
    let stops = Arc::new(AtomicBool::new(false));
    let settings = Settings::default();
    let judge = Judge {
        detector: Detector::new(config),
        surroundings,
        standings,
        settings: settings.clone(),
        told_s: 0,
    };
    let of_thread = Arc::clone(&stops);
    let thread =
        thread::Builder::new().name("detect".to_owned()).spawn(move || judge.run(&clock, &of_thread))?;
    Ok(Live { standings: receiver, settings, stops, thread: Mutex::new(Some(thread)) })
}

impl Live {
    pub fn standings(&self) -> Standings {
        self.standings.clone()
    }

    pub fn settings(&self) -> Settings {
        self.settings.clone()
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

/// What the thread works with.
struct Judge<S> {
    detector: Detector,
    surroundings: S,
    standings: watch::Sender<Arc<Vec<Standing>>>,
    settings: Settings,
    /// The second that was judged last.
    told_s: u64,
}

impl<S: Surroundings> Judge<S> {
    fn run(mut self, clock: &Clock, stops: &AtomicBool) {
        self.restore();
        while !stops.load(Ordering::Acquire) {
            let now_ns = clock.unix_ns();
            let now_s = now_ns.saturating_sub(AFTER.as_nanos() as u64) / 1_000_000_000;
            // A clock that was set back is waited for.
            if now_s > self.told_s && self.surroundings.is_ready() {
                self.told_s = now_s;
                self.second(now_s);
            }
            thread::park_timeout(rest(clock.unix_ns()));
        }
        self.surroundings.save(self.detector.save(self.surroundings.names()));
    }

    /// What is normal is known from the first call on.
    fn restore(&mut self) {
        let saved = self.surroundings.saved();
        let mut restored = 0;
        for one in &saved {
            match self.detector.restore(one) {
                Ok(()) => restored += 1,
                Err(cause) => {
                    tracing::warn!("the saved baseline of {} is learned anew: {cause}", one.provider);
                }
            }
        }
        if restored > 0 {
            tracing::info!("what is normal is known of {restored} providers");
        }
    }

    /// One second: calls in, changes out.
    fn second(&mut self, now_s: u64) {
        let (now_ns, surroundings) = (now_s * 1_000_000_000, &self.surroundings);
        if let Some(config) = self.settings.take() {
            self.detector.set(config, surroundings.names());
        }
        let mut changes = self.detector.tick(now_ns, &surroundings.observed(), surroundings.names());
        for change in &mut changes {
            let alert = change.alert_mut();
            alert.muted |= surroundings.is_muted(&alert.provider);
        }
        let all = Arc::new(self.detector.standings(now_ns, surroundings.names()));
        surroundings.standing(&all);
        self.standings.send_replace(all);
        if !changes.is_empty() {
            surroundings.changed(&changes);
        }
        // After the verdicts: they are what is waited for.
        let part = (now_s % SAVE_S) as usize;
        let baselines = self.detector.save_part(part, SAVE_S as usize, surroundings.names());
        if !baselines.is_empty() {
            surroundings.save(baselines);
        }
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
