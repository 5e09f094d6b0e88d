//! Counts once a second, and the calls that are made of them.

use std::collections::BTreeSet;

use spanmill_proto::v1::{OpenCall, PulseSeries};

use super::*;

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = 1_800_000_000 * SECOND;

fn told(open: u64, started: u64, finished: u64, age_buckets: &[u64]) -> PulseSeries {
    PulseSeries {
        provider: "acme".to_owned(),
        operation: "pay".to_owned(),
        open,
        started,
        finished,
        age_buckets: age_buckets.to_vec(),
        ..PulseSeries::default()
    }
}

fn request(sequence: u64, series: Vec<PulseSeries>) -> PulseRequest {
    PulseRequest {
        stream_id: 9,
        sequence,
        sent_unix_ns: NOW,
        resource: Bytes::from_static(b"\x0a\x00"),
        series,
    }
}

fn pulses(clock: &Clock) -> (Pulses, Arc<Outcomes>) {
    let outcomes = Arc::<Outcomes>::default();
    (Pulses::new(clock.clone(), Arc::clone(&outcomes), watch::channel(false).1), outcomes)
}

/// The ages of all open calls in whole seconds, and their ids.
fn open(pulses: &Pulses, now_ns: u64) -> Vec<(u64, [u8; 8])> {
    let calls = pulses.in_flight().unwrap().into_iter().flat_map(|process| process.calls);
    let mut calls: Vec<_> =
        calls.map(|call| ((now_ns - call.started_unix_ns) / SECOND, call.span_id)).collect();
    calls.sort_unstable();
    calls
}

#[test]
fn calls_that_hang_grow_old_and_stay_the_same_calls() {
    let clock = Clock::manual(NOW);
    let (pulses, outcomes) = pulses(&clock);
    let place = pulses.begin().unwrap();
    let mut ids = BTreeSet::new();
    // Ten begin each second, and none ends: the buckets as a client would count them.
    for second in 1..=30_u64 {
        let ages = (0..second).map(|age_s| age_s * 1_000 + 500);
        let mut buckets = vec![0; 11];
        let bounds = [100, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000];
        for age_ms in ages {
            buckets[bounds.partition_point(|bound| *bound < age_ms)] += 10;
        }
        place.hear(request(second, vec![told(10 * second, 10, 0, &buckets)]));
        let now = open(&pulses, clock.unix_ns());
        assert_eq!(now.len() as u64, 10 * second);
        ids.extend(now.iter().map(|(_, id)| *id));
        clock.advance(std::time::Duration::from_secs(1));
    }
    assert_eq!(ids.len(), 300, "a call is judged once, so it keeps its id");
    let oldest = open(&pulses, clock.unix_ns()).last().unwrap().0;
    assert!((28..=31).contains(&oldest), "{oldest}");
    assert_eq!(outcomes.pulse_totals(), (0, 0));
}

#[test]
fn the_oldest_have_their_own_ids_by_our_clock() {
    let clock = Clock::manual(NOW);
    let (pulses, _) = pulses(&clock);
    let place = pulses.begin().unwrap();
    let mut series = told(3, 3, 0, &[0, 0, 0, 0, 1, 0, 2]);
    // The sender's clock is an hour behind.
    let sent = NOW - 3_600 * SECOND;
    series.oldest = [(9, 1_u8), (8, 2)]
        .map(|(age_s, id)| OpenCall {
            trace_id: vec![id; 16].into(),
            span_id: vec![id; 8].into(),
            start_unix_ns: sent - age_s * SECOND,
        })
        .to_vec();
    place.hear(PulseRequest { sent_unix_ns: sent, ..request(1, vec![series]) });
    let now = open(&pulses, NOW);
    assert_eq!(now.iter().map(|(age_s, _)| *age_s).collect::<Vec<_>>(), [1, 8, 9]);
    assert_eq!((now[1].1, now[2].1), ([2; 8], [1; 8]));
}

#[test]
fn what_does_not_add_up_is_counted_and_the_count_is_believed() {
    let clock = Clock::manual(NOW);
    let (pulses, outcomes) = pulses(&clock);
    let place = pulses.begin().unwrap();
    place.hear(request(1, vec![told(5, 5, 0, &[5])]));
    place.hear(request(2, vec![told(6, 3, 2, &[6])]));
    assert_eq!(outcomes.pulse_totals(), (0, 0));
    place.hear(request(3, vec![told(4, 0, 0, &[4])]));
    assert_eq!(outcomes.pulse_totals(), (1, 0));
    assert_eq!(open(&pulses, NOW).len(), 4);
    // After a gap there is nothing to compare with.
    place.hear(request(7, vec![PulseSeries { lost: 2, ..told(1, 0, 0, &[1]) }]));
    assert_eq!(outcomes.pulse_totals(), (1, 2));
    place.hear(request(8, vec![told(0, 0, 1, &[])]));
    assert!(open(&pulses, NOW).is_empty());
}

#[test]
fn a_stream_that_is_silent_or_over_is_not_believed() {
    let clock = Clock::manual(NOW);
    let (pulses, _) = pulses(&clock);
    assert!(pulses.in_flight().is_none());
    let place = pulses.begin().unwrap();
    place.hear(request(1, vec![told(5, 5, 0, &[5])]));
    assert_eq!(open(&pulses, NOW).len(), 5);
    clock.advance(std::time::Duration::from_secs(16));
    assert!(pulses.in_flight().unwrap().is_empty());
    drop(place);
    assert!(pulses.in_flight().is_none());
}

#[test]
fn a_client_that_lies_is_bounded() {
    let clock = Clock::manual(NOW);
    let (pulses, outcomes) = pulses(&clock);
    let place = pulses.begin().unwrap();
    let mut series: Vec<_> = (0..2_000)
        .map(|n| PulseSeries { operation: format!("{n}"), ..told(u64::MAX, 1, 0, &[u64::MAX; 40]) })
        .collect();
    series[0].oldest = vec![OpenCall::default(); 5_000];
    series[1].operation = "é".repeat(5_000);
    place.hear(request(1, series));
    assert_eq!(open(&pulses, NOW).len(), CALLS_MAX);
    assert_eq!(outcomes.pulse_totals().1, 2_000 - SERIES_MAX as u64);
}
