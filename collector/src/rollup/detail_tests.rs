use opentelemetry_proto::tonic::trace::v1::Span;

use super::super::fixture::{NOW_S, SECOND, batch, config, provider, span, texts};
use super::super::observed::Names;
use super::super::registry;
use super::*;

const NOW: u64 = NOW_S * SECOND;

fn empty() -> Fold {
    Fold::new(config(Vec::new()), 0)
}

/// Calls to the bank from one host, that end now.
fn add(fold: &mut Fold, host: &str, calls: usize, attributes: &str) {
    let span = span(&format!("spanmill.provider=bank, {attributes}"));
    fold.add(&batch(&format!("service.name=shop, host.name={host}"), vec![span; calls], NOW));
}

fn keys(fold: &Fold, by: Dimension) -> Vec<(String, u64)> {
    let table = fold.breakdown(NOW, "bank", by, 60).unwrap();
    table.rows.into_iter().map(|row| (row.key, row.part.count)).collect()
}

fn pairs(of: &[(&str, u64)]) -> Vec<(String, u64)> {
    of.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
}

#[test]
fn calls_are_told_by_operation_host_service_and_endpoint() {
    let mut fold = empty();
    add(&mut fold, "h1", 3, "spanmill.operation=pay, server.address=10.1.2.3, server.port=#443");
    add(
        &mut fold,
        "h2",
        1,
        "spanmill.operation=refund, server.address=10.1.2.4, server.port=#443, error.type=timeout",
    );
    assert_eq!(keys(&fold, Dimension::Operation), pairs(&[("pay", 3), ("refund", 1)]));
    assert_eq!(keys(&fold, Dimension::Host), pairs(&[("h1", 3), ("h2", 1)]));
    assert_eq!(keys(&fold, Dimension::Service), pairs(&[("shop", 4)]));
    let table = fold.breakdown(NOW, "bank", Dimension::Endpoint, 60).unwrap();
    assert_eq!((table.by, table.lost_keys, table.other.count), ("endpoint", 0, 0));
    let [busy, idle] = &table.rows[..] else { panic!("{table:?}") };
    assert_eq!(
        (busy.key.as_str(), busy.part.share, busy.part.failure_ratio),
        ("10.1.2.3:443", Some(0.75), Some(0.0))
    );
    assert_eq!(
        (idle.key.as_str(), idle.part.failure_ratio, idle.part.p50_ms),
        ("10.1.2.4:443", Some(1.0), None)
    );
    assert!((busy.part.p95_ms.unwrap() - 100.0).abs() <= 1.0);
    assert!(fold.breakdown(NOW, "nobody", Dimension::Host, 60).is_none());
}

#[test]
fn an_attempt_counts_to_its_endpoint_and_a_call_without_one_to_none() {
    let mut fold = empty();
    add(&mut fold, "h1", 1, "spanmill.operation=pay");
    add(
        &mut fold,
        "h1",
        2,
        "spanmill.attempt=!true, server.address=10.1.2.3, http.response.status_code=#503",
    );
    assert_eq!(keys(&fold, Dimension::Host), pairs(&[("h1", 1)]));
    let table = fold.breakdown(NOW, "bank", Dimension::Endpoint, 60).unwrap();
    assert_eq!((table.rows[0].key.as_str(), table.rows[0].part.count), ("10.1.2.3", 2));
    assert_eq!(table.rows[0].part.failure_ratio, Some(1.0));
}

#[test]
fn keys_are_bounded_and_the_one_that_fails_is_seen_all_the_same() {
    let mut fold = empty();
    for host in 0..100 {
        add(&mut fold, &format!("h{host}"), 2 + host % 2, "");
    }
    add(&mut fold, "h99", 5, "error.type=timeout");
    let table = fold.breakdown(NOW, "bank", Dimension::Host, 60).unwrap();
    assert_eq!((table.rows.len(), table.lost_keys), (64, 36));
    let all = table.other.count + table.rows.iter().map(|row| row.part.count).sum::<u64>();
    assert_eq!(all, 255);
    assert!(table.rows.iter().all(|row| row.key != "h99"));
    let bad = fold.heaviest("bank", Dimension::Host).unwrap();
    assert_eq!((&*fold.texts().text(bad[0].0), bad[0].1), ("h99", 5));

    fold.tick(NOW + SECOND);
    add(&mut fold, "h99", 2, "");
    let table = fold.breakdown(NOW, "bank", Dimension::Host, 60).unwrap();
    let row = table.rows.iter().find(|row| row.key == "h99").unwrap();
    assert_eq!(row.part.count, 2, "from now on it has a row");
    let all = table.other.count + table.rows.iter().map(|row| row.part.count).sum::<u64>();
    assert_eq!((all, table.rows.len()), (257, 64));
}

#[test]
fn breakdowns_go_to_the_store_by_minutes_and_come_back() {
    let mut fold = empty();
    fold.restore(super::super::Restored::default());
    let minute = NOW_S / 60 * 60;
    for second in 0..200 {
        let end_time_unix_nano = (minute - 200 + second) * SECOND;
        let start_time_unix_nano = end_time_unix_nano - 5_000_000;
        let call = Span { start_time_unix_nano, end_time_unix_nano, ..span("spanmill.provider=bank") };
        fold.add(&batch("host.name=h1", vec![call], end_time_unix_nano));
        fold.tick(end_time_unix_nano);
    }
    let sums = |rows: &[super::super::StoredBreakdown]| -> Vec<(u64, u64, usize)> {
        let of_host = rows.iter().filter(|row| row.by == Dimension::Host);
        of_host.map(|row| (row.begin_s, row.counts.calls(), row.answered.len())).collect()
    };
    let first = fold.changed();
    let want = [(minute - 240, 20, 1), (minute - 180, 60, 1), (minute - 120, 60, 1), (minute - 60, 60, 1)];
    assert_eq!(sums(&first.breakdowns), want);
    assert!(fold.changed().breakdowns.is_empty());

    let mut again = empty();
    let (windows, breakdowns) = (first.windows, first.breakdowns);
    again.restore(super::super::Restored { windows, breakdowns, ..Default::default() });
    let late = Span { end_time_unix_nano: (minute - 30) * SECOND, ..span("spanmill.provider=bank") };
    again.add(&batch("host.name=h1", vec![late], NOW));
    assert_eq!(sums(&again.changed().breakdowns), [(minute - 60, 61, 2)]);
    let table = again.breakdown(NOW, "bank", Dimension::Host, 900).unwrap();
    assert_eq!(table.rows[0].part.count, 201);
}

#[test]
fn old_cells_are_joined_to_minutes_without_losing_a_call() {
    let mut fold = empty();
    for second in 0..900u64 {
        let end = NOW - (900 - second) * SECOND;
        let call = Span {
            start_time_unix_nano: end - 5_000_000,
            end_time_unix_nano: end,
            ..span("spanmill.provider=bank")
        };
        fold.add(&batch("host.name=h1", vec![call], end));
        fold.tick(end);
    }
    let count = |window_s| fold.breakdown(NOW, "bank", Dimension::Host, window_s).unwrap().rows[0].part.count;
    assert_eq!(count(60), 60 - 1 + NOW_S.next_multiple_of(10) % 10 + 4, "to 10 s");
    assert!((840..=900).contains(&count(900)), "{}", count(900));
}

#[test]
fn exemplars_are_listed_with_what_they_were() {
    let mut fold = empty();
    let slow = Span {
        start_time_unix_nano: NOW - 3 * SECOND,
        ..span("spanmill.provider=bank, spanmill.operation=pay")
    };
    let failed = span("spanmill.provider=bank, spanmill.operation=pay, error.type=timeout");
    fold.add(&batch("service.name=shop, host.name=h7", vec![slow, failed], NOW));
    let found = fold.exemplars(NOW, "bank", Kind::Slow, 900).unwrap();
    let first = serde_json::to_value(&found[0]).unwrap();
    let want = serde_json::json!({
        "trace_id": "01010101010101010101010101010101", "span_id": "0202020202020202",
        "at": "2026-11-22T20:15:03.000Z", "operation": "pay", "service": "shop", "host": "h7",
        "ms": 3000.0, "outcome": "ok"
    });
    assert_eq!(first, want);
    let outcomes = |kind| -> Vec<&str> {
        fold.exemplars(NOW, "bank", kind, 900).unwrap().iter().map(|found| found.outcome).collect()
    };
    assert_eq!(outcomes(Kind::Failed), ["timeout"]);
    assert_eq!(outcomes(Kind::Slow), ["ok", "timeout"]);
    assert!(fold.exemplars(NOW + 20 * SECOND, "bank", Kind::Slow, 10).unwrap().is_empty());
}

#[test]
fn peers_that_no_rule_names_are_listed_by_traffic_with_their_rule() {
    let table = registry::Provider { hosts: texts(&["*.sberbank.ru"]), ..provider("sberbank") };
    let mut fold = Fold::new(config(vec![table]), 0);
    let mut call = |service: &str, attributes: &str, count| {
        fold.add(&batch(&format!("service.name={service}"), vec![span(attributes); count], NOW));
    };
    call("shop", "server.address=api.newbank.example", 5);
    call("cart", "server.address=api.newbank.example, http.target=/4111111111111111", 1);
    call("shop", "server.address=203.0.113.9", 7);
    call("shop", "server.address=api.sberbank.ru", 9);
    call("shop", "server.address=db.service.consul", 9);
    call("shop", "spanmill.provider=psp, server.address=psp.example", 9);
    let found = serde_json::to_value(fold.unmapped()).unwrap();
    let want = serde_json::json!([
        {"peer": "203.0.113.9", "count": 7, "services": ["shop"],
         "rule": "[[provider]]\nname = \"203.0.113.9\"\ncidrs = [\"203.0.113.9/32\"]"},
        {"peer": "api.newbank.example", "count": 6, "services": ["shop", "cart"],
         "rule": "[[provider]]\nname = \"newbank\"\nhosts = [\"*.newbank.example\"]"},
    ]);
    assert_eq!(found, want);
    let named = registry::Provider { hosts: texts(&["*.newbank.example"]), ..provider("newbank") };
    fold.reload(registry::Config { providers: vec![named] });
    assert!(fold.unmapped().is_empty());
    fold.add(&batch("", vec![span("server.address=api.newbank.example")], NOW));
    assert!(fold.unmapped().is_empty());
}
