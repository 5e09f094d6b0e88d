//! What is stored is the fold over the journal's records, each once, wherever the daemon was killed.

use std::collections::BTreeMap;

use super::*;
use crate::journal::{self, Durability};
use crate::rollup::fixture::{SECOND, batch, span};
use crate::rollup::{self, Rollup, bucket, registry};
use proptest::prelude::*;

/// What may happen to a daemon.
#[derive(Debug, Clone)]
enum Event {
    /// Calls in one batch: provider, seconds since their end, milliseconds they took, whether they failed.
    Calls(Vec<(u8, u64, u64, bool)>),
    /// Time passes.
    Seconds(u64),
    Checkpoint,
    /// kill -9, and a start some seconds later.
    Kill(u64),
    /// SIGTERM, and a start some seconds later.
    Stop(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let age = prop_oneof![4 => 0u64..8, 1 => 8u64..120, 1 => 120u64..880];
    let call = (0u8..3, age, 1u64..90_000, any::<bool>());
    prop_oneof![
        6 => proptest::collection::vec(call, 1..6).prop_map(Event::Calls),
        3 => (1u64..40).prop_map(Event::Seconds),
        3 => Just(Event::Checkpoint),
        2 => prop_oneof![0u64..5, 0u64..5000].prop_map(Event::Kill),
        1 => prop_oneof![0u64..5, 0u64..5000].prop_map(Event::Stop),
    ]
}

/// Calls and failed ones of a provider's window, with the buckets of both.
type Windows = BTreeMap<(String, u64), BTreeMap<(bool, u16), u64>>;

struct Daemon {
    journal: Journal,
    clock: Clock,
    dir: tempfile::TempDir,
    rollup: Rollup,
    store: Store,
}

fn running(journal: &Journal, clock: &Clock, dir: &Path) -> (Rollup, Store) {
    let config = Config { path: dir.join("spanmill.db") };
    let (opened, restored) = open(&config, journal, clock).unwrap();
    let config = rollup::Config {
        registry: registry::Config::default(),
        providers_max: 8,
        operations_max: 8,
        production: Vec::new(),
    };
    let rollup = rollup::start(config, journal, clock.clone(), Some(restored));
    let store = super::super::start(opened, Live::new(&rollup, journal)).unwrap();
    (rollup, store)
}

impl Daemon {
    async fn start() -> (tempfile::TempDir, Daemon) {
        let home = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW_S * SECOND);
        let config = journal::Config {
            dir: home.path().join("journal"),
            segment_size: 1 << 20,
            max_size: 1 << 30,
            max_age: Duration::from_secs(30 * 86_400),
            durability: Durability::Process,
            overflow: journal::Overflow::Reject,
        };
        let journal = journal::start(config, clock.clone(), Arc::default()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (rollup, store) = running(&journal, &clock, dir.path());
        until("the first position is stored", async || {
            store.checkpoint().await;
            store.status().checkpoints > 0
        })
        .await;
        (home, Daemon { journal, clock, dir, rollup, store })
    }

    async fn happens(&mut self, event: &Event, want: &mut Windows) {
        match event {
            Event::Calls(calls) => self.append(calls, want).await,
            Event::Seconds(seconds) => self.clock.advance(Duration::from_secs(*seconds)),
            Event::Checkpoint => self.store.checkpoint().await,
            Event::Kill(seconds) => {
                let crashed = crash(self.dir.path());
                self.restart(crashed, *seconds).await;
            }
            Event::Stop(seconds) => {
                self.rollup.stop().await;
                self.store.stop().await;
                let copy = tempfile::tempdir().unwrap();
                fs::copy(self.dir.path().join("spanmill.db"), copy.path().join("spanmill.db")).unwrap();
                self.restart(copy, *seconds).await;
            }
        }
    }

    async fn restart(&mut self, files: tempfile::TempDir, seconds: u64) {
        self.rollup.stop().await;
        self.store.stop().await;
        self.clock.advance(Duration::from_secs(seconds));
        (self.rollup, self.store) = running(&self.journal, &self.clock, files.path());
        self.dir = files;
        // As `/readyz` has it: nothing new comes before.
        until("the roll-up is ready", async || self.rollup.is_ready()).await;
    }

    async fn append(&self, calls: &[(u8, u64, u64, bool)], want: &mut Windows) {
        let now_ns = self.clock.unix_ns();
        let spans = calls.iter().map(|&(provider, age_s, ms, failed)| {
            let end_ns = now_ns - age_s * SECOND;
            let name = format!("bank-{provider}");
            let outcome = if failed { "failed" } else { "ok" };
            let mut call = span(&format!("spanmill.provider={name}, spanmill.outcome={outcome}"));
            (call.start_time_unix_nano, call.end_time_unix_nano) = (end_ns - ms * 1_000_000, end_ns);
            let window = want.entry((name, end_ns / SECOND / 10 * 10)).or_default();
            *window.entry((failed, bucket(ms * 1_000_000))).or_default() += 1;
            call
        });
        let batch = batch("", spans.collect(), now_ns);
        self.journal.append(batch).await.unwrap();
    }

    /// What is stored once everything is.
    async fn stored(&self) -> Windows {
        let end = *self.journal.end().borrow();
        until("everything is rolled up and stored", async || {
            self.store.checkpoint().await;
            let query = "SELECT position FROM checkpoint";
            let position = self
                .store
                .shared
                .read(|connection| Ok(connection.query_row(query, [], |row| row.get::<_, i64>(0))?));
            position.await.is_ok_and(|position| position as u64 == end.0)
        })
        .await;
        let read = |connection: &Connection| super::super::windows::Windows::default().since(connection, 0);
        let windows = self.store.shared.read(read).await.unwrap();
        let histogram = |window: &StoredWindow| {
            let answered = window.answered.iter().map(|&(bucket, calls)| ((false, bucket), calls));
            let other = window.other.iter().map(|&(bucket, calls)| ((true, bucket), calls));
            answered.chain(other).collect::<BTreeMap<_, _>>()
        };
        for window in &windows {
            let in_histograms: u64 = histogram(window).values().sum();
            assert_eq!(window.counts.calls(), in_histograms, "{window:?}");
        }
        windows.iter().map(|window| ((window.provider.clone(), window.begin_s), histogram(window))).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn stored_windows_are_the_fold_over_the_journal_wherever_the_daemon_was_killed(
        events in proptest::collection::vec(event(), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_home, mut daemon) = Daemon::start().await;
            let mut want = Windows::new();
            for event in &events {
                daemon.happens(event, &mut want).await;
            }
            let found = daemon.stored().await;
            prop_assert_eq!(found, want);
            Ok(())
        })?;
    }
}
