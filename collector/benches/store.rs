//! What the store costs: a commit of the windows that changed, and queries over a day.
//!
//! `cargo bench -p spanmill-collector --bench store`. Figures are of wall time, so the fastest is what counts on a busy
//! machine; the writer is one thread, and what it takes every ten seconds is what it costs.

#![allow(clippy::unwrap_used)] // without its database there is nothing to measure

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use divan::Bencher;
use spanmill_collector::clock::Clock;
use spanmill_collector::journal::{self, Durability, Journal, Position};
use spanmill_collector::rollup::{Changed, Counts, Dimension, Point, StoredBreakdown, StoredWindow, bucket};
use spanmill_collector::store::{self, Feed, Range, Store};
use tokio::runtime::Runtime;

const PROVIDERS: u64 = 70;
/// 40 calls a second of each provider.
const CALLS: u64 = 400;
const NOW_S: u64 = 1_795_378_500;
const DAY_S: u64 = 86_400;

fn main() {
    divan::main();
}

#[derive(Clone, Default)]
struct Windows(Arc<Mutex<Vec<StoredWindow>>>, Arc<Mutex<Vec<StoredBreakdown>>>);

impl Feed for Windows {
    fn changed(&self) -> Changed {
        Changed {
            windows: std::mem::take(&mut self.0.lock().unwrap()),
            breakdowns: std::mem::take(&mut self.1.lock().unwrap()),
            position: Position(1),
        }
    }
    fn is_ready(&self) -> bool {
        true
    }
    fn instance(&self) -> u128 {
        1
    }
    fn end(&self) -> Position {
        Position(1)
    }
}

struct Day {
    runtime: Runtime,
    store: Store,
    windows: Windows,
    _journal: Journal,
    _dir: tempfile::TempDir,
}

/// A day of one provider, and its last two hours of all.
static DAY: LazyLock<Day> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clock = Clock::manual(NOW_S * 1_000_000_000);
    let config = journal::Config {
        dir: dir.path().join("journal"),
        segment_size: 64 << 20,
        max_size: 1 << 30,
        max_age: Duration::from_secs(3600),
        durability: Durability::Process,
        overflow: journal::Overflow::Reject,
    };
    let journal = journal::start(config, clock.clone(), Arc::default()).unwrap();
    let windows = Windows::default();
    let config = store::Config { path: dir.path().join("spanmill.db") };
    let (opened, _) = store::open(&config, &journal, &clock).unwrap();
    let store = store::start(opened, windows.clone()).unwrap();
    for begin_s in (NOW_S - DAY_S..NOW_S).step_by(10) {
        let all = if begin_s >= NOW_S - 7200 { PROVIDERS } else { 1 };
        windows.0.lock().unwrap().extend((0..all).map(|provider| window(provider, begin_s)));
        if begin_s % 600 == 0 {
            runtime.block_on(store.checkpoint());
        }
    }
    runtime.block_on(store.checkpoint());
    Day { runtime, store, windows, _journal: journal, _dir: dir }
});

/// Durations around 200 ms with a long tail, as a bank has them.
fn window(provider: u64, begin_s: u64) -> StoredWindow {
    let mut durations: Vec<u64> = (0..CALLS)
        .map(|n| {
            let seed = (n * 2_654_435_761 + provider * 977 + begin_s * 31) % 10_000;
            100_000_000 + seed * seed * 5
        })
        .collect();
    durations.sort_unstable();
    let mut counts = Counts::default();
    counts.by_outcome[0] = CALLS - 4;
    counts.by_outcome[3] = 4;
    counts.sum_ns = durations.iter().sum();
    counts.max_ns = durations[durations.len() - 1];
    let (other, answered) = durations.split_at(4);
    let buckets = |durations: &[u64]| {
        let mut buckets: Vec<(u16, u64)> = Vec::new();
        for ns in durations {
            match buckets.last_mut() {
                Some((last, count)) if *last == bucket(*ns) => *count += 1,
                _ => buckets.push((bucket(*ns), 1)),
            }
        }
        buckets
    };
    let provider = format!("provider-{provider}");
    StoredWindow { provider, begin_s, counts, answered: buckets(answered), other: buckets(other), late: 0 }
}

/// What happens every ten seconds: a window of each provider, its minute, the position.
#[divan::bench(sample_count = 50)]
fn commit_of_70_providers(bencher: Bencher<'_, '_>) {
    let day = &*DAY;
    let put = || {
        let windows = (0..PROVIDERS).map(|provider| window(provider, NOW_S - 10));
        day.windows.0.lock().unwrap().extend(windows);
    };
    bencher.with_inputs(put).bench_values(|()| day.runtime.block_on(day.store.checkpoint()));
}

/// The same with the minutes of 40 keys of each provider, 10 calls to each.
#[divan::bench(sample_count = 20)]
fn commit_of_70_providers_with_2800_keys(bencher: Bencher<'_, '_>) {
    let day = &*DAY;
    let put = || {
        let windows: Vec<_> = (0..PROVIDERS).map(|provider| window(provider, NOW_S - 10)).collect();
        let keys = windows.iter().flat_map(|window| {
            (0..40).map(move |key| StoredBreakdown {
                provider: window.provider.clone(),
                by: Dimension::ALL[key % 4],
                key: format!("key-{key}"),
                begin_s: NOW_S / 60 * 60,
                counts: window.counts,
                answered: window.answered.iter().step_by(10).copied().collect(),
            })
        });
        day.windows.1.lock().unwrap().extend(keys);
        day.windows.0.lock().unwrap().extend(windows);
    };
    bencher.with_inputs(put).bench_values(|()| day.runtime.block_on(day.store.checkpoint()));
}

#[divan::bench(sample_count = 20)]
fn series_of_24_h_of_one_provider_from_minutes(bencher: Bencher<'_, '_>) {
    let day = &*DAY;
    let range = Range::stored(NOW_S - DAY_S, NOW_S, 300, NOW_S);
    bencher.bench(|| day.runtime.block_on(day.store.series("provider-0", range, Point::of)).unwrap());
}

#[divan::bench(sample_count = 20)]
fn series_of_24_h_of_one_provider_from_10_s(bencher: Bencher<'_, '_>) {
    let day = &*DAY;
    let range = Range::stored(NOW_S - DAY_S, NOW_S, 150, NOW_S);
    let range = Range { step_s: 50, ..range };
    bencher.bench(|| day.runtime.block_on(day.store.series("provider-0", range, Point::of)).unwrap());
}

#[divan::bench(sample_count = 20)]
fn sums_of_2_h_of_70_providers(bencher: Bencher<'_, '_>) {
    let day = &*DAY;
    bencher.bench(|| {
        let sums = day.store.sums(NOW_S - 7200, NOW_S, |_, sum| sum.counts.calls());
        day.runtime.block_on(sums).unwrap()
    });
}
