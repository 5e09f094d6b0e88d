//! Clocks that are wrong, spans that stand for more, registries that change, and peers without end.

use opentelemetry_proto::tonic::trace::v1::Span;

use super::super::fixture::{NOW_S, SECOND, batch, config, provider, span, texts};
use super::super::registry;
use super::tests::{MINUTE, NOW, add, call, empty, figures, names};
use super::*;
use crate::rollup::Config;

/// One call of `host`, whose clock is `ahead_s` ahead; it took 1 s to come.
fn from_host(fold: &mut Fold, host: &str, ahead_s: i64, arrival_s: u64) {
    let end = ((NOW_S + arrival_s - 1) as i64 + ahead_s) as u64 * SECOND;
    let call = Span { start_time_unix_nano: end - SECOND, end_time_unix_nano: end, ..call("bank", 0, 1, "") };
    fold.add(&batch(&format!("host.name={host}"), vec![call], NOW + arrival_s * SECOND));
}

#[test]
fn the_clock_of_a_host_that_is_ahead_is_put_right() {
    let mut fold = empty();
    for arrival_s in 0..5 {
        from_host(&mut fold, "fast", 600, arrival_s);
        from_host(&mut fold, "right", 0, arrival_s);
        from_host(&mut fold, "slow", -600, arrival_s);
    }
    assert_eq!(fold.skews(), [("slow".to_owned(), -601.0), ("fast".to_owned(), 599.0)]);
    let ends: Vec<u64> =
        fold.observed().finished.iter().map(|call| (call.end_unix_ns / SECOND).wrapping_sub(NOW_S)).collect();
    // How long the way is at the least cannot be told from a clock: those of the fast one end as they arrive.
    let want = (0..5u64).flat_map(|at| [at, at.wrapping_sub(1), at.wrapping_sub(601)]);
    assert_eq!(ends, want.collect::<Vec<u64>>());
    let stats = fold.stats();
    assert_eq!((stats.from_the_future, stats.late, stats.rolled_up), (5, 5, 15));
    fold.tick(NOW + 1000 * SECOND);
    assert!(fold.skews().is_empty());
}

#[test]
fn spans_of_a_fast_clock_keep_their_distances() {
    let mut fold = empty();
    let at = |end_s: u64| {
        let end = (NOW_S + 600 + end_s) * SECOND;
        Span { start_time_unix_nano: end - SECOND, end_time_unix_nano: end, ..call("bank", 0, 1, "") }
    };
    fold.add(&batch("host.name=fast", vec![at(0)], NOW));
    fold.add(&batch("host.name=fast", vec![at(5), at(1), at(3)], NOW + 5 * SECOND));
    let ends: Vec<u64> =
        fold.observed().finished.iter().map(|call| call.end_unix_ns / SECOND - NOW_S).collect();
    assert_eq!(ends, [0, 5, 1, 3]);
    let fresh = |host: &str| {
        let mut fold = empty();
        fold.add(&batch(host, vec![at(0), at(1)], NOW));
        fold.observed().finished.iter().map(|call| call.end_unix_ns).collect::<Vec<_>>()
    };
    assert_eq!(fresh("host.name=fast"), [NOW, NOW + SECOND], "a second ahead is usual");
    assert_eq!(fresh(""), [NOW, NOW], "a host without a name has no clock to put right");
}

#[test]
fn a_sampled_span_stands_for_the_calls_that_were_not_kept() {
    let mut fold = empty();
    let kept = |state: &str, attributes: &str| Span {
        trace_state: state.to_owned(),
        ..call("bank", 0, 100, &format!("spanmill.operation=pay, {attributes}"))
    };
    let mut spans = vec![kept("ot=th:c", ""), kept("ot=p:3", "error.type=timeout"), kept("", "")];
    spans.extend(vec![kept("ot=th:55555555555555", "spanmill.outcome=declined"); 4]); // 1.5 each
    spans.push(kept("ot=th:8", "spanmill.attempt=!true, server.address=10.0.0.1"));
    add(&mut fold, spans);
    let bank = figures(&mut fold, "bank");
    assert_eq!((bank.ok, bank.timeout, bank.declined, bank.count, bank.attempts), (5, 8, 6, 19, 2));
    assert_eq!((bank.sum_ms, bank.failure_ratio), (1900.0, Some(8.0 / 19.0)));
    let totals = &fold.totals(NOW)[0];
    assert_eq!(totals.calls.iter().map(|(_, _, count)| count).sum::<u64>(), 19);
    assert_eq!(
        totals.durations.iter().map(|of| (of.count, of.at_most[4])).collect::<Vec<_>>(),
        [(5, 5), (6, 6), (8, 8)]
    );
    let rows = fold.breakdown(NOW, "bank", super::super::Dimension::Operation, 60).unwrap().rows;
    assert_eq!(rows[0].part.count, 19);
    let weights: Vec<u64> = fold.observed().finished.iter().map(|call| call.weight).collect();
    assert_eq!(weights, [4096, 8192, 1024, 1536, 1536, 1536, 1536]);
    assert_eq!(fold.stats().rolled_up, 8, "spans, not calls");
}

#[test]
fn a_busy_newcomer_takes_the_place_of_the_lightest() {
    let mut fold = Fold::new(Config { providers_max: 3, ..config(vec![provider("bank")]) }, 0);
    fold.restore(super::super::Restored::default());
    add(&mut fold, vec![call("light", 0, 1, ""); 4]);
    add(&mut fold, vec![call("busy", 0, 1, ""); 30]);
    add(&mut fold, vec![call("newcomer", 0, 1, ""); 20]);
    for stranger in 0..100 {
        add(&mut fold, vec![call(&format!("stranger-{stranger}"), 0, 1, "")]);
    }
    assert_eq!(names(&mut fold), ["_other", "bank", "busy", "light"]);
    fold.tick(NOW);
    add(&mut fold, vec![call("newcomer", 0, 1, "")]);
    assert_eq!(names(&mut fold), ["_other", "bank", "busy", "newcomer"]);
    assert_eq!((figures(&mut fold, "newcomer").count, figures(&mut fold, "_other").count), (1, 120));
    fold.tick(NOW + SECOND);
    assert_eq!(fold.stats().providers_replaced, 1, "the others have no more than the lightest");
    let stored = fold.changed().windows;
    assert!(stored.iter().any(|window| window.provider == "light" && window.counts.calls() == 4));
    // A provider of the registry stays without any call.
    assert_eq!(figures(&mut fold, "bank").count, 0);
}

#[test]
fn another_registry_names_what_comes_from_then_on() {
    let table = |name: &str, hosts: &[&str]| registry::Provider { hosts: texts(hosts), ..provider(name) };
    let mut fold =
        Fold::new(config(vec![table("bank", &["*.bank.example"]), table("gone", &["gone.example"])]), 0);
    let calls = || vec![span("server.address=api.bank.example"), span("server.address=gone.example")];
    add(&mut fold, calls());
    let renamed =
        registry::Provider { owner: Some("anna".to_owned()), ..table("house-bank", &["*.bank.example"]) };
    let mine = registry::Provider { internal: true, ..table("gone", &["gone.example"]) };
    fold.reload(registry::Config { providers: vec![renamed, mine, table("new", &[])] });
    add(&mut fold, calls());
    assert_eq!(names(&mut fold), ["bank", "gone", "house-bank", "new"]);
    let count = |fold: &mut Fold, name: &str| figures(fold, name).count;
    assert_eq!(
        (count(&mut fold, "bank"), count(&mut fold, "gone"), count(&mut fold, "house-bank")),
        (1, 1, 1)
    );
    assert_eq!(figures(&mut fold, "house-bank").owner.as_deref(), Some("anna"));
    fold.tick(NOW + 1000 * SECOND);
    assert_eq!(names(&mut fold), ["house-bank", "new"], "without a table they go with their calls");
}

#[test]
fn a_flood_of_peers_is_bounded_and_a_provider_of_the_registry_is_not_lost_in_it() {
    let mut fold = Fold::new(config(vec![provider("bank")]), 0);
    for second in 0..40 {
        let flood = (0..1000).map(|i| {
            let attributes =
                format!("server.address=h{}.peer-{i}-{second}.example, server.port=#{}", i % 7, 1 + i);
            Span { span_id: (i as u64 + 1).to_be_bytes().to_vec(), ..span(&attributes) }
        });
        add(&mut fold, flood.chain([call("bank", 0, 1, "spanmill.outcome=failed")]).collect());
        fold.tick(NOW + second * SECOND);
    }
    let board = fold.board(NOW, MINUTE);
    assert_eq!(board.providers.len(), 513, "512 and the other one");
    let bank = board.providers.iter().find(|figures| figures.name == "bank").unwrap();
    assert_eq!((bank.count, bank.failed), (40, 40));
    assert_eq!(board.providers.iter().map(|figures| figures.count).sum::<u64>(), 40 * 1001);
    assert!(fold.unmapped().len() <= 512);
}

#[test]
fn calls_count_again_at_once_after_our_own_clock_was_wrong() {
    let mut fold = Fold::new(config(vec![provider("bank")]), 0);
    let at = |fold: &mut Fold, now: u64| {
        let call =
            Span { start_time_unix_nano: now - SECOND, end_time_unix_nano: now, ..call("bank", 0, 1, "") };
        fold.tick(now);
        fold.add(&batch("host.name=h1", vec![call], now));
        fold.tick(now + SECOND);
        let board = fold.board(now + SECOND, MINUTE);
        board.providers.iter().find(|figures| figures.name == "bank").unwrap().count
    };
    assert_eq!(at(&mut fold, NOW), 1);
    assert_eq!(at(&mut fold, NOW + 3600 * SECOND), 1, "an hour ahead");
    assert_eq!(at(&mut fold, NOW + 2 * SECOND), 1, "and back");
    assert_eq!(at(&mut fold, NOW - 3600 * SECOND), 1);
    assert_eq!((fold.stats().too_late, fold.stats().rolled_up), (0, 4));
}
