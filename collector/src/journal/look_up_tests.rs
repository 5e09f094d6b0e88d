use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use spanmill_proto::otlp::{request, resource_spans, scope_spans, span};
use spanmill_proto::wire;
use tempfile::TempDir;

use super::super::{Config, Durability, Journal, Overflow, start, tail};
use crate::clock::Clock;
use crate::mask::MaskedBatch;

const NOW: u64 = 1_795_378_503_000_000_000;

fn open(dir: &Path) -> Journal {
    let config = Config {
        dir: dir.to_owned(),
        segment_size: 16 << 10,
        max_size: 1 << 30,
        max_age: Duration::from_secs(3600),
        durability: Durability::Process,
        overflow: Overflow::Reject,
    };
    start(config, Clock::manual(NOW), std::sync::Arc::default()).unwrap()
}

fn id(number: usize) -> [u8; 16] {
    let mut id = [0xee; 16];
    id[8..].copy_from_slice(&(number as u64).to_be_bytes());
    id
}

/// A request with a span of each trace; the id stands last where `is_odd` says so, as in no SDK that we know.
fn batch(traces: &[usize], is_odd: bool) -> MaskedBatch {
    let mut out = Vec::new();
    let resource = wire::open(&mut out, request::RESOURCE_SPANS);
    let scope = wire::open(&mut out, resource_spans::SCOPE_SPANS);
    for trace in traces {
        let span = wire::open(&mut out, scope_spans::SPANS);
        if is_odd {
            wire::put_bytes(&mut out, span::NAME, &[b'n'; 300]);
        }
        wire::put_bytes(&mut out, span::TRACE_ID, &id(*trace));
        if !is_odd {
            wire::put_bytes(&mut out, span::NAME, &[b'n'; 300]);
        }
        wire::close(&mut out, span);
    }
    wire::close(&mut out, scope);
    wire::close(&mut out, resource);
    MaskedBatch::restored(out.into(), traces.len() as u32, NOW, 0)
}

/// Numbers of the records that a look-up shows, by their place among all records.
fn found(journal: &Journal, trace: usize, starts: &[u64]) -> Vec<usize> {
    let mut found = Vec::new();
    let how = journal.find(&id(trace), &mut |record| {
        found.push(starts.binary_search(&record.position.0).expect("a record begins there"));
        true
    });
    assert_eq!(how.unwrap().not_searched, 0);
    found
}

/// Record i holds traces i and i + 1, every tenth also trace 100,000.
async fn fill(journal: &Journal, from: usize, to: usize) -> Vec<u64> {
    let mut starts = Vec::new();
    for i in from..to {
        let mut traces = vec![i, i + 1];
        traces.extend((i % 10 == 0).then_some(100_000));
        starts.push(journal.append(batch(&traces, i % 7 == 0)).await.unwrap().0);
    }
    starts
}

fn assert_all_found(journal: &Journal, starts: &[u64]) {
    for trace in 1..starts.len() {
        assert_eq!(found(journal, trace, starts), [trace - 1, trace], "trace {trace}");
    }
    let expected: Vec<usize> = (0..starts.len()).step_by(10).collect();
    assert_eq!(found(journal, 100_000, starts), expected);
    assert!(found(journal, 99_999, starts).is_empty());
}

fn indexes(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".traces")).collect();
    names.sort();
    names
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::yield_now();
    }
}

/// All segments but the one that is written to have their file.
fn until_indexed(journal: &Journal, dir: &Path) {
    until("every complete segment has its index", || {
        let state = journal.shared.state();
        let (complete, end) = (state.segments.len() - 1, state.end);
        drop(state);
        let index = journal.shared.index();
        indexes(dir).len() >= complete && index.missing.is_empty() && index.position == end
    });
}

#[tokio::test]
async fn a_trace_is_found_wherever_its_spans_are_and_nothing_else_is_read() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path());
    let starts = fill(&journal, 0, 200).await;
    assert_all_found(&journal, &starts);
    until_indexed(&journal, dir.path());
    journal.shared.state().tail = tail::Tail::default();
    assert_all_found(&journal, &starts);
    assert!(indexes(dir.path()).len() > 5);
    // And while it goes on.
    let mut starts = starts;
    starts.extend(fill(&journal, 200, 250).await);
    assert_all_found(&journal, &starts);
}

#[tokio::test]
async fn an_index_that_is_missing_or_damaged_is_made_anew_and_a_stray_one_is_removed() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path());
    let mut starts = fill(&journal, 0, 100).await;
    until_indexed(&journal, dir.path());
    let before = indexes(dir.path());
    journal.close().await;
    drop(journal);
    let whole = fs::read(dir.path().join(&before[2])).unwrap();
    fs::remove_file(dir.path().join(&before[0])).unwrap();
    for (name, at) in [(&before[1], 20), (&before[2], whole.len() - 3)] {
        let mut damaged = fs::read(dir.path().join(name)).unwrap();
        damaged[at] ^= 1;
        fs::write(dir.path().join(name), damaged).unwrap();
    }
    let stray = "00000000009999999999.traces";
    fs::write(dir.path().join("00000000000000000000.traces.new"), b"half").unwrap();
    fs::write(dir.path().join(stray), b"of a segment that is gone").unwrap();

    let journal = open(dir.path());
    assert_all_found(&journal, &starts);
    starts.extend(fill(&journal, 100, 150).await);
    assert_all_found(&journal, &starts);
    until("the stray files are gone", || {
        fs::read_dir(dir.path()).unwrap().all(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name != stray && name != "00000000000000000000.traces.new"
        })
    });
    until_indexed(&journal, dir.path());
    assert_eq!(fs::read(dir.path().join(&before[2])).unwrap(), whole);
    assert_all_found(&journal, &starts);
}

#[tokio::test]
async fn a_segment_that_is_gone_takes_its_records_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path());
    let starts = fill(&journal, 0, 100).await;
    until_indexed(&journal, dir.path());
    fs::remove_file(dir.path().join(indexes(dir.path())[0].replace(".traces", ".segment"))).unwrap();
    assert_eq!(found(&journal, 100_000, &starts), [30, 40, 50, 60, 70, 80, 90]);
}

#[tokio::test]
async fn a_look_up_ends_when_enough_is_found() {
    let dir = TempDir::new().unwrap();
    let journal = open(dir.path());
    fill(&journal, 0, 100).await;
    for _ in 0..2 {
        let mut left = 3;
        journal
            .find(&id(100_000), &mut |_| {
                left -= 1;
                left > 0
            })
            .unwrap();
        assert_eq!(left, 0);
        until_indexed(&journal, dir.path());
    }
}
