use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;

use super::super::event::Event;
use super::super::fixture::{NOW_S, SECOND, batch, config, span};
use super::super::observed::{Name, Names};
use super::super::outcome::Outcome;
use super::*;

const NOW: u64 = NOW_S * SECOND;

/// A table as the store has it: one row for each provider and window, written over.
type Table = BTreeMap<(String, u64), String>;

fn save(table: &mut Table, changed: &Changed) {
    for window in &changed.windows {
        table.insert((window.provider.clone(), window.begin_s), format!("{window:?}"));
    }
}

/// A call that ended at `end_s` and arrived `after_s` later.
fn arrived(end_s: u64, after_s: u64, attributes: &str) -> crate::mask::MaskedBatch {
    let end_time_unix_nano = end_s * SECOND;
    let start_time_unix_nano = end_time_unix_nano - (20 + end_s % 7) * 1_000_000;
    let span = Span { start_time_unix_nano, end_time_unix_nano, ..span(attributes) };
    batch("service.name=shop, host.name=h7", vec![span], end_time_unix_nano + after_s * SECOND)
}

fn bank(end_s: u64) -> crate::mask::MaskedBatch {
    arrived(
        end_s,
        1,
        "spanmill.provider=bank, spanmill.operation=pay, server.address=10.1.2.3, server.port=#443",
    )
}

#[test]
fn a_changed_window_is_a_complete_sum_and_told_once() {
    let mut fold = Fold::new(config(Vec::new()), 0);
    fold.add(&bank(NOW_S - 1));
    fold.add(&bank(NOW_S - 20));
    let changed = fold.changed().windows;
    let begins: Vec<u64> = changed.iter().map(|window| window.begin_s).collect();
    assert_eq!(begins, [NOW_S / 10 * 10 - 20, NOW_S / 10 * 10]);
    assert_eq!((changed[1].counts.calls(), changed[1].answered.len()), (1, 1));
    assert!(fold.changed().windows.is_empty());

    fold.add(&bank(NOW_S));
    fold.add(&arrived(NOW_S - 20, 45, "spanmill.provider=bank, spanmill.outcome=timeout"));
    let changed = fold.changed().windows;
    assert_eq!(changed.len(), 2);
    let late = &changed[0];
    assert_eq!((late.counts.of(Outcome::Ok), late.counts.of(Outcome::Timeout), late.late), (1, 1, 1));
    assert_eq!((changed[1].counts.calls(), changed[1].late), (2, 0));
}

#[test]
fn a_restart_from_what_was_stored_ends_with_the_same_sums() {
    let batches: Vec<_> = (0..600)
        .map(|i| {
            let outcome = ["ok", "ok", "declined", "failed", "timeout"][i as usize % 5];
            let provider = ["bank", "psp@staging"][i as usize % 2];
            let age = [1, 1, 3, 40, 300][i as usize % 5];
            arrived(
                NOW_S - 600 + i,
                age,
                &format!("spanmill.provider={provider}, spanmill.outcome={outcome}"),
            )
        })
        .collect();
    let mut whole = Fold::new(config(Vec::new()), 0);
    let mut want = Table::new();
    batches.iter().for_each(|batch| whole.add(batch));
    save(&mut want, &whole.changed());

    let mut rows: BTreeMap<(String, u64), StoredWindow> = BTreeMap::new();
    let mut table = Table::new();
    let mut fold = Fold::new(config(Vec::new()), 0);
    for (i, batch) in batches.iter().enumerate() {
        fold.add(batch);
        fold.tick(batch.received_unix_ns());
        if i % 90 == 0 {
            let changed = fold.changed();
            save(&mut table, &changed);
            rows.extend(changed.windows.into_iter().map(|row| ((row.provider.clone(), row.begin_s), row)));
        }
        if i % 180 == 0 {
            // Killed right after the transaction.
            fold = Fold::new(config(Vec::new()), u64::MAX);
            fold.restore(Restored {
                windows: rows.values().cloned().collect(),
                position: Some(Position(7)),
                ..Restored::default()
            });
        }
    }
    save(&mut table, &fold.changed());
    assert_eq!(table, want);
    let counts = |fold: &mut Fold| -> Vec<(String, u64, u64, Option<f64>)> {
        let board = fold.board(NOW, Duration::from_secs(900));
        board.providers.into_iter().map(|f| (f.name, f.count, f.timeout, f.p95_ms)).collect()
    };
    assert_eq!(counts(&mut fold), counts(&mut whole));
}

#[test]
fn restored_windows_are_shown_by_ten_seconds_and_go_with_their_time() {
    let mut fold = Fold::new(config(Vec::new()), 0);
    fold.add(&bank(NOW_S - 100));
    let mut again = Fold::new(config(Vec::new()), 0);
    again.restore(Restored {
        windows: fold.changed().windows,
        position: Some(Position(1)),
        ..Restored::default()
    });
    assert!(again.changed().windows.is_empty(), "what was read is not written again");
    assert_eq!(again.changed().position, Position(1));
    let series = again.series(NOW, "bank", NOW_S - 200, NOW_S, 1).unwrap();
    assert_eq!(series.step_s, 10);
    assert_eq!(series.points.iter().map(|point| point.count).sum::<u64>(), 1);
    let fine = again.series(NOW, "bank", NOW_S - 50, NOW_S, 1).unwrap();
    assert_eq!(fine.step_s, 1);
    again.tick(NOW + 811 * SECOND);
    assert!(again.board(NOW, Duration::from_secs(900)).providers.is_empty());
}

#[test]
fn a_window_that_leaves_before_it_was_asked_for_is_handed_over_all_the_same() {
    let mut fold = Fold::new(config(Vec::new()), 0);
    fold.restore(Restored::default());
    fold.add(&bank(NOW_S));
    fold.reached(Position(560));
    fold.tick(NOW + 2000 * SECOND);
    fold.add(&arrived(NOW_S, 890, "spanmill.provider=bank"));
    assert_eq!(fold.stats().too_late, 1, "a window that has gone is not begun anew");
    let changed = fold.changed();
    assert_eq!((changed.windows.len(), changed.windows[0].counts.calls()), (1, 1));
    assert_eq!((changed.position, fold.stats().unsaved_windows), (Position(560), 0));
}

#[test]
fn a_recorded_event_counts_as_the_span_would() {
    let (mut by_span, mut by_event) = (Fold::new(config(Vec::new()), 0), Fold::new(config(Vec::new()), 0));
    for (end_s, after_s) in
        [(NOW_S, 0), (NOW_S - 3, 1), (NOW_S - 50, 40), (NOW_S - 2000, 1000), (NOW_S + 9, 0)]
    {
        let received_unix_ns = (end_s + after_s) * SECOND - if end_s > NOW_S { 9 * SECOND } else { 0 };
        let attributes = "spanmill.provider=bank, spanmill.operation=pay, spanmill.outcome=failed, server.address=10.1.2.3, server.port=#443";
        let end_time_unix_nano = end_s * SECOND;
        let start_time_unix_nano = end_time_unix_nano - 5_000_000;
        let span = Span { start_time_unix_nano, end_time_unix_nano, ..span(attributes) };
        by_span.add(&batch("service.name=shop, host.name=h7", vec![span], received_unix_ns));
        by_event.record(&Event {
            provider: "bank",
            operation: "pay",
            service: "shop",
            host: "h7",
            endpoint: "10.1.2.3:443",
            outcome: Outcome::Failed,
            end_unix_ns: end_time_unix_nano,
            duration_ns: 5_000_000,
            received_unix_ns,
            trace_id: [1; 16],
            span_id: u64::from_be_bytes([2; 8]),
        });
    }
    let seen = |fold: &mut Fold| {
        let texts = fold.texts();
        let observed = fold.observed();
        let line = |finished: &super::super::Finished| {
            let labels = finished.labels;
            let names = [labels.provider, labels.operation, labels.service, labels.host, labels.endpoint];
            let names = names.map(|name| texts.text(name).to_string()).join(" ");
            let (ids, times) =
                ((finished.trace_id, finished.span_id), (finished.end_unix_ns, finished.duration_ns));
            format!("{names} {:?} {ids:?} {times:?} {}", finished.outcome, finished.received_unix_ns)
        };
        observed.finished.iter().map(line).collect::<Vec<_>>()
    };
    let spans = seen(&mut by_span);
    assert_eq!(spans, seen(&mut by_event));
    assert_eq!(spans.len(), 4);
    assert!(spans[0].starts_with("bank pay shop h7 10.1.2.3:443 Failed"), "{}", spans[0]);
    assert!(by_span.observed().finished.is_empty(), "each is told once");
    let stats = |fold: &Fold| {
        (fold.stats().rolled_up, fold.stats().late, fold.stats().too_late, fold.stats().from_the_future)
    };
    assert_eq!(stats(&by_span), (4, 1, 1, 1));
    assert_eq!(stats(&by_event), stats(&by_span));
    assert_eq!(format!("{:?}", by_event.changed()), format!("{:?}", by_span.changed()));
}

#[test]
fn what_a_span_does_not_say_has_no_name() {
    let mut fold = Fold::new(config(Vec::new()), 0);
    fold.add(&batch("", vec![span("spanmill.provider=bank")], NOW));
    let labels = fold.observed().finished[0].labels;
    assert_eq!((labels.service, labels.host, labels.endpoint), (Name::NONE, Name::NONE, Name::NONE));
    assert_eq!(&*fold.texts().text(labels.operation), "_none");
}
