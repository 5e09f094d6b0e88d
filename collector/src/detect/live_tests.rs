//! The thread against surroundings that a test sets by hand.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::*;
use crate::detect::{Kind, ProviderConfig, Verdict};
use crate::rollup::{Labels, Name, Open};

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = 1_800_000_000 * SECOND;
const PATIENCE: Duration = Duration::from_secs(30);

struct Texts;

impl Names for Texts {
    fn text(&self, name: Name) -> Arc<str> {
        if name.0 == 2 { "acme".into() } else { "".into() }
    }
}

/// Calls of acme that have been open since [`NOW`].
struct Fixed {
    open: Arc<AtomicU64>,
    muted: bool,
    changes: Arc<Mutex<Vec<Change>>>,
}

impl Surroundings for Fixed {
    fn observed(&self) -> Observed {
        let labels = Labels { provider: Name(2), ..Labels::default() };
        let open = |n: u64| Open { labels, started_unix_ns: NOW, trace_id: [1; 16], span_id: n + 1 };
        let open = (0..self.open.load(Ordering::Relaxed)).map(open).collect();
        Observed { open: Some(open), ..Observed::default() }
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
}

/// Runs with five hanging calls for as long as it takes to have an alert.
fn first_change(muted: bool) -> (Change, Vec<Standing>) {
    let settings = ProviderConfig { timeout: Some(Duration::from_secs(3)), ..ProviderConfig::default() };
    let config = Config { providers: [("acme".to_owned(), settings)].into(), ..Config::default() };
    let clock = Clock::manual(NOW);
    let changes = Arc::<Mutex<Vec<Change>>>::default();
    let fixed = Fixed { open: Arc::new(AtomicU64::new(5)), muted, changes: Arc::clone(&changes) };
    let live = start(config, fixed, clock.clone()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let change = loop {
        assert!(Instant::now() < deadline, "no alert");
        clock.advance(Duration::from_millis(200));
        if let Some(change) = changes.lock().unwrap().first() {
            break change.clone();
        }
        live.thread.lock().unwrap().as_ref().unwrap().thread().unpark();
        thread::yield_now();
    };
    let standings = live.standings().borrow().to_vec();
    live.stops.store(true, Ordering::Release);
    live.thread.lock().unwrap().take().unwrap().join().unwrap();
    (change, standings)
}

#[test]
fn calls_past_the_timeout_of_their_provider_become_an_alert_and_a_standing() {
    let (change, standings) = first_change(false);
    let Change::Firing(alert) = &change else { panic!("{change:?}") };
    assert_eq!((&*alert.provider, alert.kind, alert.muted), ("acme", Kind::Hung, false));
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
