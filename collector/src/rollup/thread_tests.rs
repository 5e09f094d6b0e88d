use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::fixture::{NOW_S, SECOND, batch, config, span};
use super::super::{Restored, Rollup, start};
use crate::clock::Clock;
use crate::journal::{self, Durability, Journal, Overflow};
use crate::outcome::Outcomes;

const NOW: u64 = NOW_S * SECOND;

fn journal(dir: &tempfile::TempDir, clock: &Clock) -> Journal {
    let config = journal::Config {
        dir: dir.path().to_owned(),
        segment_size: 1 << 20,
        max_size: 1 << 30,
        max_age: Duration::from_secs(86_400),
        durability: Durability::Process,
        overflow: Overflow::Reject,
    };
    journal::start(config, clock.clone(), Arc::new(Outcomes::default())).unwrap()
}

fn rollup(journal: &Journal, clock: &Clock) -> Rollup {
    start(config(Vec::new()), journal, clock.clone(), None)
}

/// Appends `batches` batches of 100 calls that ended and arrived `age_s` ago.
async fn append(journal: &Journal, age_s: u64, batches: usize) {
    let at = NOW - age_s * SECOND;
    let mut call = span(&format!("spanmill.provider=bank, filler={}", "x".repeat(500)));
    (call.start_time_unix_nano, call.end_time_unix_nano) = (at - SECOND, at);
    let batch = batch("", vec![call; 100], at);
    for _ in 0..batches {
        journal.append(batch.clone()).await.unwrap();
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

fn calls(rollup: &Rollup) -> u64 {
    rollup.window(Duration::from_secs(900)).providers.iter().map(|figures| figures.count).sum()
}

#[tokio::test]
async fn it_starts_with_the_last_15_minutes_and_then_follows() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW);
    let journal = journal(&dir, &clock);
    // More than is read on without looking closer, so that the beginning is searched for.
    append(&journal, 2000, 150).await;
    append(&journal, 600, 2).await;
    let rollup = rollup(&journal, &clock);
    wait_until("the roll-up is ready", || rollup.is_ready());
    assert_eq!(calls(&rollup), 200);
    assert_eq!(rollup.stats().spans, 0, "what an earlier process read is not counted again");
    let figures = rollup.board().borrow().providers[0].clone();
    assert_eq!((figures.name.as_str(), figures.count), ("bank", 0));

    append(&journal, 0, 1).await;
    wait_until("a new call is rolled up", || calls(&rollup) == 300);
    assert_eq!(rollup.stats().rolled_up, 100);
    assert_eq!(rollup.totals()[0].calls[0].2, 100);
    let series = rollup.series("bank", NOW_S, NOW_S + 1, 1).unwrap();
    assert_eq!(series.points[0].count, 100);
    assert!(rollup.series("nobody", NOW_S, NOW_S + 1, 1).is_none());
}

#[tokio::test]
async fn the_board_comes_once_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW);
    let journal = journal(&dir, &clock);
    let rollup = rollup(&journal, &clock);
    let mut board = rollup.board();
    wait_until("the roll-up is ready", || rollup.is_ready());
    board.mark_unchanged();
    append(&journal, 0, 1).await;
    wait_until("a new call is rolled up", || calls(&rollup) == 100);
    assert!(!board.has_changed().unwrap(), "the second is not over");
    clock.advance(Duration::from_secs(1));
    tokio::time::timeout(Duration::from_secs(20), board.changed()).await.unwrap().unwrap();
    let board = board.borrow();
    assert_eq!((board.at_unix_ns, board.window_s), (NOW + SECOND, 60));
    assert_eq!(board.providers[0].count, 100);
}

#[tokio::test]
async fn it_stops_and_stays_readable() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW);
    let journal = journal(&dir, &clock);
    let rollup = rollup(&journal, &clock);
    append(&journal, 0, 1).await;
    wait_until("a call is rolled up", || calls(&rollup) == 100);
    rollup.stop().await;
    rollup.stop().await;
    append(&journal, 0, 1).await;
    assert_eq!(calls(&rollup), 100);
}

#[tokio::test]
async fn after_a_restart_each_record_is_in_the_sums_once() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW);
    let journal = journal(&dir, &clock);
    let first = rollup(&journal, &clock);
    wait_until("the roll-up is ready", || first.is_ready());
    append(&journal, 0, 3).await;
    wait_until("the calls are rolled up", || calls(&first) == 300);
    let stored = first.changed();
    assert_eq!(stored.position, *journal.end().borrow());
    append(&journal, 0, 2).await;
    first.stop().await;

    // The machine was down for an hour; what came in before counts in its own time.
    clock.advance(Duration::from_secs(3600));
    let restored =
        Restored { windows: stored.windows, position: Some(stored.position), ..Restored::default() };
    let second = start(config(Vec::new()), &journal, clock.clone(), Some(restored));
    wait_until("the roll-up is ready again", || second.is_ready());
    let changed = second.changed();
    assert_eq!(changed.windows.iter().map(|window| window.counts.calls()).sum::<u64>(), 500);
    assert_eq!((changed.position, changed.windows.len()), (*journal.end().borrow(), 1));
    assert_eq!((calls(&second), second.stats().too_late), (0, 0));
}

#[tokio::test]
async fn what_was_refused_before_the_checkpoint_and_kept_after_it_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW + 20 * SECOND);
    let journal = journal(&dir, &clock);
    let mut call = span("spanmill.provider=bank");
    (call.start_time_unix_nano, call.end_time_unix_nano) = (NOW, NOW + SECOND);
    // Rolled up by the process before: the first is in what that stored at NOW + 10 s, in a window that begins
    // earlier; the second came too late for it.
    for (count, at_s) in [(100, 9), (10, 12)] {
        let batch = batch("", vec![call.clone(); count], NOW + 15 * SECOND);
        journal.append(batch.rolled_up_at(Some(NOW + at_s * SECOND))).await.unwrap();
    }
    let restored = Restored { position: Some(journal.first()), at_s: NOW_S + 10, ..Restored::default() };
    let rollup = start(config(Vec::new()), &journal, clock.clone(), Some(restored));
    wait_until("the roll-up is ready", || rollup.is_ready());
    assert_eq!(calls(&rollup), 10);
}

#[tokio::test]
async fn a_position_of_another_journal_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW);
    let journal = journal(&dir, &clock);
    append(&journal, 0, 1).await;
    let position = Some(crate::journal::Position(u64::MAX));
    let restored = Restored { position, ..Restored::default() };
    let rollup = start(config(Vec::new()), &journal, clock.clone(), Some(restored));
    wait_until("the roll-up is ready", || rollup.is_ready());
    assert_eq!(calls(&rollup), 100);
}
