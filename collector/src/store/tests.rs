//! The store as the daemon runs it: over a feed that a test fills, and over the real roll-up and journal.

mod fold;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::fixture::{NOW_S, opened, store, window};
use super::*;
use crate::rollup::StoredWindow;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a crash leaves: the files as they are now, in a folder of their own.
fn crash(dir: &Path) -> tempfile::TempDir {
    let after = tempfile::tempdir().unwrap();
    for name in ["spanmill.db", "spanmill.db-wal"] {
        fs::copy(dir.join(name), after.path().join(name)).unwrap();
    }
    after
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn windows_and_their_position_are_stored_together_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW_S * 1_000_000_000);
    let (store, feed) = store(dir.path(), &clock).await;
    feed.put([window("bank", NOW_S - 10, 5)], 100);
    store.checkpoint().await;
    feed.put([window("bank", NOW_S - 10, 9), window("other", NOW_S, 1)], 200);
    let crashed = crash(dir.path());
    let (_, restored) = opened(crashed.path(), &clock, 1000).unwrap();
    assert_eq!(restored.position, Some(Position(100)));
    assert_eq!(format!("{:?}", restored.windows), format!("{:?}", [window("bank", NOW_S - 10, 5)]));

    store.stop().await;
    let (_, restored) = opened(dir.path(), &clock, 1000).unwrap();
    assert_eq!(restored.position, Some(Position(200)), "what there is at the end is stored");
    assert_eq!(restored.windows.len(), 2);
}

#[tokio::test]
async fn a_journal_that_is_shorter_or_another_one_is_read_from_where_its_records_are_new() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW_S * 1_000_000_000);
    let (store, feed) = store(dir.path(), &clock).await;
    feed.put([window("bank", NOW_S, 5)], 500);
    store.stop().await;
    let (_, restored) = opened(dir.path(), &clock, 300).unwrap();
    assert_eq!(restored.position, Some(Position(300)), "its end was lost");
    let config = Config { path: dir.path().join("spanmill.db") };
    let (_, restored) = open_for(&config, &clock, 8, Position(40), Position(90)).unwrap();
    assert_eq!((restored.position, restored.windows.len()), (Some(Position(40)), 1));
}

#[tokio::test]
async fn a_new_store_has_the_journal_read_as_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let (_, restored) = opened(dir.path(), &Clock::manual(NOW_S * 1_000_000_000), 300).unwrap();
    assert_eq!((restored.position, restored.windows.len()), (None, 0));
}

#[tokio::test]
async fn what_a_full_disk_did_not_take_is_stored_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW_S * 1_000_000_000);
    let (store, feed) = store(dir.path(), &clock).await;
    let pages = |max: i64| {
        store.write(move |transaction| {
            transaction.pragma_update_and_check(None, "max_page_count", max, |row| row.get::<_, i64>(0))?;
            Ok(())
        })
    };
    pages(1).wait().await.unwrap();
    let windows: Vec<_> = (0..200).map(|i| window("bank", NOW_S - 10 * i, 40)).collect();
    feed.put(windows[..100].to_vec(), 100);
    store.checkpoint().await;
    let full = store.status();
    assert_eq!((full.errors, full.waiting, full.checkpoints), (1, 100, 1));
    assert!(full.last_error.unwrap().contains("full"));
    feed.put(windows[50..].to_vec(), 200);
    store.checkpoint().await;
    assert_eq!((store.status().errors, store.status().waiting), (2, 200));
    let refused = store.annotate("x".repeat(100_000), Vec::new()).wait().await;
    assert!(matches!(refused, Err(Unavailable::Failed(_))), "{refused:?}");

    pages(1 << 30).wait().await.unwrap();
    store.checkpoint().await;
    let status = store.status();
    assert_eq!((status.waiting, status.windows, status.lost, status.last_error), (0, 200, 0, None));
    let range = Range::stored(NOW_S - 1990, NOW_S + 10, 10, NOW_S);
    let calls = store.series("bank", range, |_, sum| sum.counts.calls()).await.unwrap().unwrap();
    assert_eq!(calls, [40; 200]);
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_at_the_start_and_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW_S * 1_000_000_000);
    fs::write(dir.path().join("spanmill.db"), b"SQLite format 3\0 and then nothing that makes sense")
        .unwrap();
    let (store, feed) = store(dir.path(), &clock).await;
    let aside = dir.path().join(format!("spanmill.db.corrupt-{NOW_S}"));
    assert_eq!(store.status().set_aside, std::slice::from_ref(&aside));
    assert!(aside.exists());
    feed.put([window("bank", NOW_S, 5)], 100);
    store.checkpoint().await;
    assert_eq!((store.status().windows, store.status().errors), (1, 0));
}

#[tokio::test]
async fn a_file_that_is_damaged_later_is_set_aside_and_a_restart_reads_the_journal_again() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW_S * 1_000_000_000);
    let (store, feed) = store(dir.path(), &clock).await;
    feed.put((0..500).map(|i| window("bank", NOW_S - 10 * i, 40)), 100);
    store.checkpoint().await;
    // Everything into the file, then garbage over all but its first page.
    let path = dir.path().join("spanmill.db");
    until("everything is in the file", async || {
        let other = Connection::open(&path).unwrap();
        let busy = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        busy.is_ok_and(|busy| busy == 0)
    })
    .await;
    let file = fs::File::options().write(true).open(&path).unwrap();
    let garbage = vec![0x5a; file.metadata().unwrap().len() as usize - 4096];
    file.write_all_at(&garbage, 4096).unwrap();

    let range = Range::stored(NOW_S - 1990, NOW_S + 10, 10, NOW_S);
    until("a query or the writer meets it, and the file is set aside", async || {
        let _ = store.series("bank", range, |_, _| ()).await;
        !store.status().set_aside.is_empty()
    })
    .await;
    feed.put([window("bank", NOW_S, 3)], 200);
    store.checkpoint().await;
    let calls = store.series("bank", range, |_, sum| sum.counts.calls()).await.unwrap().unwrap();
    assert_eq!(calls.iter().sum::<u64>(), 3);

    let (_, restored) = opened(crash(dir.path()).path(), &clock, 1000).unwrap();
    assert_eq!(restored.position, None, "most of the last 15 minutes is in the journal alone");
    clock.advance(Duration::from_secs(17 * 60));
    feed.put([window("bank", NOW_S + 1000, 3)], 300);
    store.checkpoint().await;
    let (_, restored) = opened(crash(dir.path()).path(), &clock, 1000).unwrap();
    assert_eq!(restored.position, Some(Position(300)));
}

#[tokio::test]
async fn a_mute_holds_for_its_time_over_restarts_and_stays_on_record() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW_S * 1_000_000_000);
    let (first, _) = store(dir.path(), &clock).await;
    let hour = Duration::from_secs(3600);
    let mute = |store: &Store, lasts| store.mute("bank".into(), lasts, "maintenance".into(), "anna".into());
    assert!(!first.is_muted("bank"));
    let muted = mute(&first, hour).wait().await.unwrap();
    assert_eq!((muted.until_ms - muted.since_ms, first.is_muted("bank")), (3_600_000, true));
    first.stop().await;

    let (again, _) = store(dir.path(), &clock).await;
    clock.advance(Duration::from_secs(3599));
    assert!(again.is_muted("bank") && !again.is_muted("other"));
    clock.advance(Duration::from_secs(1));
    assert!(!again.is_muted("bank"));
    mute(&again, hour).wait().await.unwrap();
    mute(&again, Duration::from_secs(1)).wait().await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert!(!again.is_muted("bank"), "the newest holds");
    let audit = again.shared.read(|connection| {
        Ok(connection.query_row("SELECT count(*), min(who), min(reason) FROM mute_audit", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?)
    });
    assert_eq!(audit.await.unwrap(), (3, "anna".to_owned(), "maintenance".to_owned()));
}

#[tokio::test]
async fn writes_that_nobody_takes_are_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW_S * 1_000_000_000);
    let (store, _) = store(dir.path(), &clock).await;
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let busy = store.write(move |_| {
        let _ = wait.recv();
        Ok(())
    });
    let mut pending = Vec::new();
    while store.status().refused == 0 {
        pending.push(store.put_notification("webhook".into(), b"{}".to_vec()));
    }
    assert!(pending.len() <= COMMANDS_MAX + 2, "{}", pending.len());
    assert_eq!(pending.pop().unwrap().wait().await, Err(Unavailable::Busy));
    go.send(()).unwrap();
    busy.wait().await.unwrap();
    let ids: Vec<i64> = {
        let mut ids = Vec::new();
        for one in pending {
            ids.push(one.wait().await.unwrap());
        }
        ids
    };
    store.delivered(ids[0]).wait().await.unwrap();
    let left: Vec<i64> = store.undelivered().await.unwrap().iter().map(|one| one.id).collect();
    assert_eq!(left, ids[1..]);
    store.stop().await;
    assert_eq!(store.delivered(1).wait().await, Err(Unavailable::Stopped));
}

#[tokio::test]
async fn a_query_sees_what_was_rolled_up_a_moment_ago() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW_S * 1_000_000_000);
    let (store, feed) = store(dir.path(), &clock).await;
    feed.put([window("bank", NOW_S, 5)], 100);
    until("a query sees the window", async || {
        store.freshen().await;
        let sums = store.sums(NOW_S - 3600, NOW_S + 10, |name, sum| (name.to_owned(), sum.counts.calls()));
        sums.await.unwrap() == [("bank".to_owned(), 5)]
    })
    .await;
}

#[test]
fn the_queries_of_the_documentation_give_answers() {
    let (_dir, mut connection) = super::fixture::database();
    let now_s = Clock::default().unix_ns() / 1_000_000_000 / 60 * 60;
    let transaction = connection.transaction().unwrap();
    let windows: Vec<_> = (1..=50)
        .flat_map(|i| [window("bank", now_s - 10 * i, 20), window("broken", now_s - 10 * i, 2)])
        .collect();
    let mut broken = window("broken", now_s, 0);
    broken.counts.by_outcome[3] = 2;
    Windows::default().write(&transaction, windows.iter().chain([&broken])).unwrap();
    let alert = Alert {
        id: "a".into(),
        provider: "bank".into(),
        kind: "slow".into(),
        scope: "everyone".into(),
        started_ms: (now_s - 60) * 1000,
        detected_ms: (now_s - 50) * 1000,
        resolved_ms: Some(now_s * 1000),
        evidence: "p95 0.80 s".into(),
        exemplars: Vec::new(),
        severity: "page".into(),
        muted: false,
    };
    alerts::put(&transaction, &alert).unwrap();
    let minutes = [super::fixture::breakdown("bank", "h1", now_s - 60, 5)];
    Windows::default().write_breakdowns(&transaction, minutes.iter()).unwrap();
    let (reason, who) = ("maintenance".into(), "anna".into());
    let mute = Mute { provider: "bank".into(), since_ms: 1, until_ms: 2, reason, who };
    mutes::add(&transaction, &mute).unwrap();
    transaction.commit().unwrap();

    let page = include_str!("../../../docs/store.md");
    let queries: Vec<&str> =
        page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(queries.len() >= 8, "{}", queries.len());
    for query in queries {
        let mut query = connection.prepare(query).unwrap();
        let columns = query.column_count();
        let mut rows = query.query([]).unwrap();
        let row = rows.next().unwrap().expect("it finds something");
        for column in 0..columns {
            let value: rusqlite::types::Value = row.get(column).unwrap();
            assert_ne!(value, rusqlite::types::Value::Null, "column {column}");
        }
    }
    let available = "SELECT sum(calls), min(failure_ratio), max(failure_ratio) FROM provider_minutes \
                     WHERE provider = 'broken'";
    let found = connection.query_row(available, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    assert_eq!(found.unwrap(), (102_i64, 0.5, 1.0));
}
