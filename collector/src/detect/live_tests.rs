//! The thread against surroundings that a test sets by hand.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::*;
use crate::detect::simulated::{self, Texts};
use crate::detect::{Kind, ProviderConfig, Verdict};
use crate::rollup::outcome::Outcome;
use crate::rollup::{Finished, Labels, Name, Open};

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = 1_800_000_000 * SECOND;
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls of name-2 that have been open since [`NOW`], and others that have ended.
#[derive(Clone, Default)]
struct Fixed {
    open: Arc<AtomicU64>,
    finished: Arc<Mutex<Vec<Finished>>>,
    muted: bool,
    changes: Arc<Mutex<Vec<Change>>>,
    /// The store: what the detector finds at its start, and what it keeps.
    baselines: Arc<Mutex<Vec<Saved>>>,
}

impl Surroundings for Fixed {
    fn observed(&self) -> Observed {
        let labels = Labels { provider: Name(2), ..Labels::default() };
        let open = |n: u64| Open { labels, started_unix_ns: NOW, trace_id: [1; 16], span_id: n + 1 };
        let open = (0..self.open.load(Ordering::Relaxed)).map(open).collect();
        let finished = std::mem::take(&mut *self.finished.lock().unwrap());
        Observed { open: Some(open), finished, ..Observed::default() }
    }

    fn names(&self) -> &dyn Names {
        &Texts
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn is_muted(&self, _: &str) -> bool {
        self.muted
    }

    fn standing(&self, _: &Arc<Vec<Standing>>) {}

    fn changed(&self, changes: &[Change]) {
        self.changes.lock().unwrap().extend(changes.iter().cloned());
    }

    fn saved(&self) -> Vec<Saved> {
        std::mem::take(&mut self.baselines.lock().unwrap())
    }

    fn save(&self, baselines: Vec<Saved>) {
        self.baselines.lock().unwrap().extend(baselines);
    }
}

/// Moves the clock on until `look` finds what it looks for.
fn until<T>(live: &Live, clock: &Clock, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it does not come");
        clock.advance(Duration::from_millis(200));
        live.thread.lock().unwrap().as_ref().unwrap().thread().unpark();
        thread::yield_now();
    }
}

fn end(live: &Live) {
    live.stops.store(true, Ordering::Release);
    live.thread.lock().unwrap().take().unwrap().join().unwrap();
}

/// Its clients wait for 3 s.
fn impatient() -> Config {
    let settings = ProviderConfig { timeout: Some(Duration::from_secs(3)), ..ProviderConfig::default() };
    Config { providers: [("name-2".to_owned(), settings)].into(), ..Config::default() }
}

/// Runs with five hanging calls for as long as it takes to have an alert.
fn first_change(muted: bool) -> (Change, Vec<Standing>) {
    let clock = Clock::manual(NOW);
    let fixed = Fixed { open: Arc::new(AtomicU64::new(5)), muted, ..Fixed::default() };
    let live = start(impatient(), fixed.clone(), clock.clone()).unwrap();
    let change = until(&live, &clock, || fixed.changes.lock().unwrap().first().cloned());
    let standings = live.standings().borrow().to_vec();
    end(&live);
    (change, standings)
}

#[test]
fn calls_past_the_timeout_of_their_provider_become_an_alert_and_a_standing() {
    let (change, standings) = first_change(false);
    let Change::Firing(alert) = &change else { panic!("{change:?}") };
    assert_eq!((&*alert.provider, alert.kind, alert.muted), ("name-2", Kind::Hung, false));
    assert!(alert.detected_unix_ns >= NOW + 3 * SECOND && alert.evidence.contains('5'), "{alert:?}");
    let [standing] = &standings[..] else { panic!("{standings:?}") };
    assert_eq!((standing.verdict, standing.evidence.as_ref()), (Verdict::Hung, Some(&alert.evidence)));
    assert!(standing.generation > 0 && standing.since_unix_ns >= NOW + 3 * SECOND);
}

#[test]
fn an_alert_of_a_muted_provider_says_so() {
    let (change, _) = first_change(true);
    assert!(change.alert().muted);
}

#[test]
fn other_settings_hold_from_the_next_second_on() {
    let clock = Clock::manual(NOW);
    let fixed = Fixed { open: Arc::new(AtomicU64::new(5)), ..Fixed::default() };
    let live = start(Config::default(), fixed.clone(), clock.clone()).unwrap();
    until(&live, &clock, || (clock.unix_ns() > NOW + 20 * SECOND).then_some(()));
    assert_eq!(*fixed.changes.lock().unwrap(), [], "nobody has said how long its clients wait");
    live.settings().reload(impatient());
    let change = until(&live, &clock, || fixed.changes.lock().unwrap().first().cloned());
    assert_eq!(change.alert().kind, Kind::Hung);
    end(&live);
}

#[test]
fn what_is_normal_is_known_after_a_restart_whatever_else_the_store_holds() {
    let mut before = Detector::new(Config::default());
    let second = simulated::calls(&mut before, NOW / SECOND - 900, 900, 100.0);
    let mut saved = before.save(&Texts);
    saved.push(Saved { provider: "name-5".into(), bytes: b"of another program".to_vec() });
    let clock = Clock::manual(second * SECOND);
    let fixed = Fixed { baselines: Arc::new(Mutex::new(saved)), ..Fixed::default() };
    fixed.finished.lock().unwrap().push(simulated::call(second, 0, 100.0, Outcome::Ok));
    let live = start(Config::default(), fixed.clone(), clock.clone()).unwrap();
    let baseline = |live: &Live| live.standings().borrow().first().map(|one| (one.verdict, one.baseline));
    let (verdict, restored) = until(&live, &clock, || baseline(&live));
    assert!(verdict == Verdict::Ok && restored.is_some(), "it was not learned anew: {restored:?}");
    // Nobody ended it in time: what was saved within a minute is what there is.
    until(&live, &clock, || (!fixed.baselines.lock().unwrap().is_empty()).then_some(()));
    end(&live);
    assert_eq!(*fixed.changes.lock().unwrap(), []);
    let mut third = Detector::new(Config::default());
    let kept = fixed.baselines.lock().unwrap().clone();
    assert!(kept.len() >= 2 && kept.iter().all(|one| &*one.provider == "name-7"), "also at its end");
    third.restore(kept.last().unwrap()).unwrap();
}
