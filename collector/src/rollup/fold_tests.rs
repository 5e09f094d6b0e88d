use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;

use super::super::figures::Figures;
use super::super::fixture::{NOW_S, SECOND, batch, config, provider, span, texts};
use super::super::outcome::Outcome;
use super::super::registry;
use super::*;
use crate::mask::MaskedBatch;

pub(super) const NOW: u64 = NOW_S * SECOND;
pub(super) const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn empty() -> Fold {
    Fold::new(config(Vec::new()), 0)
}

/// One batch that arrives now.
pub(super) fn add(fold: &mut Fold, spans: Vec<Span>) {
    fold.add(&batch("service.name=shop", spans, NOW));
}

pub(super) fn names(fold: &mut Fold) -> Vec<String> {
    fold.board(NOW, MINUTE).providers.into_iter().map(|figures| figures.name).collect()
}

pub(super) fn figures(fold: &mut Fold, name: &str) -> Figures {
    let board = fold.board(NOW, MINUTE);
    board.providers.into_iter().find(|figures| figures.name == name).unwrap()
}

/// A call of `name` that ended `age_ns` before now and took `ms`.
pub(super) fn call(name: &str, age_ns: u64, ms: u64, attributes: &str) -> Span {
    let end_time_unix_nano = NOW - age_ns;
    Span {
        start_time_unix_nano: end_time_unix_nano - ms * 1_000_000,
        end_time_unix_nano,
        ..span(&format!("spanmill.provider={name}, {attributes}"))
    }
}

#[test]
fn figures_are_those_of_the_calls() {
    let mut fold = empty();
    let outcomes =
        ["ok", "ok", "ok", "declined", "client_fault", "failed", "timeout", "connect", "cancelled"];
    let spans = outcomes.iter().enumerate().map(|(i, outcome)| {
        call(
            "bank",
            i as u64 * SECOND,
            100 * (i as u64 + 1),
            &format!("spanmill.outcome={outcome}, spanmill.operation=pay"),
        )
    });
    add(&mut fold, spans.collect());
    let bank = figures(&mut fold, "bank");
    assert_eq!((bank.count, bank.ok, bank.declined, bank.client_fault), (9, 3, 1, 1));
    assert_eq!((bank.failed, bank.timeout, bank.connect, bank.cancelled), (1, 1, 1, 1));
    assert_eq!(bank.failure_ratio, Some(3.0 / 7.0));
    assert_eq!(bank.conversion.minutes_5, Some(3.0 / 8.0));
    assert_eq!(bank.calls_per_s, 9.0 / 60.0);
    assert_eq!((bank.sum_ms, bank.max_ms), (4500.0, Some(900.0)));
    let near = |found: Option<f64>, exact: f64| {
        assert!((found.unwrap() - exact).abs() <= exact / 100.0, "{found:?}");
    };
    near(bank.p50_ms, 200.0); // of ok and declined: 100, 200, 300, 400
    near(bank.p99_ms, 400.0);
    near(bank.failed_p95_ms, 900.0);
    assert_eq!(bank.last_success.as_deref(), Some("2026-11-22T20:15:03.000Z"));
    assert_eq!((bank.in_flight, bank.muted), (None, false));
}

#[test]
fn ratios_of_nothing_are_null() {
    let mut fold = Fold::new(config(vec![provider("bank")]), 0);
    let bank = figures(&mut fold, "bank");
    assert_eq!((bank.count, bank.failure_ratio, bank.conversion.minutes_15), (0, None, None));
    assert_eq!((bank.p50_ms, bank.max_ms, bank.failed_p95_ms, bank.last_success), (None, None, None, None));
    add(&mut fold, vec![call("bank", 0, 1, "spanmill.outcome=cancelled")]);
    let bank = figures(&mut fold, "bank");
    assert_eq!((bank.count, bank.failure_ratio, bank.p50_ms), (1, None, None));
}

#[test]
fn what_the_registry_says_of_a_provider_is_shown() {
    let table = registry::Provider {
        owner: Some("payments@shop.example".to_owned()),
        runbook: Some("https://wiki.example/bank".to_owned()),
        mute: true,
        ..provider("bank")
    };
    let mut fold = Fold::new(config(vec![table, registry::Provider { internal: true, ..provider("db") }]), 0);
    let bank = figures(&mut fold, "bank");
    assert_eq!(bank.owner.as_deref(), Some("payments@shop.example"));
    assert_eq!(bank.runbook.as_deref(), Some("https://wiki.example/bank"));
    assert!(bank.muted);
    add(&mut fold, vec![call("db", 0, 1, "")]);
    assert_eq!(names(&mut fold), ["bank"]);
}

#[test]
fn attempts_are_counted_apart_from_calls() {
    let mut fold = empty();
    add(
        &mut fold,
        vec![
            call("bank", 0, 100, ""),
            call("bank", 0, 40, "spanmill.attempt=!true, error.type=timeout"),
            call("bank", 0, 50, "spanmill.attempt=!true"),
        ],
    );
    let bank = figures(&mut fold, "bank");
    assert_eq!((bank.count, bank.attempts, bank.timeout, bank.sum_ms), (1, 2, 0, 100.0));
    assert_eq!(fold.stats().rolled_up, 3);
}

#[test]
fn staging_is_a_provider_of_its_own() {
    let table = registry::Provider { aliases: texts(&["sber"]), ..provider("bank") };
    let mut fold = Fold::new(config(vec![table]), 0);
    fold.add(&batch("deployment.environment.name=production", vec![call("bank", 0, 1, "")], NOW));
    fold.add(&batch(
        "deployment.environment=staging",
        vec![call("sber", 0, 1, ""), call("x", 0, 1, "")],
        NOW,
    ));
    assert_eq!(names(&mut fold), ["bank", "bank@staging", "x@staging"]);
    assert_eq!(figures(&mut fold, "bank").count, 1);
}

#[test]
fn internal_peers_and_other_spans_are_not_on_the_board() {
    let mut fold = empty();
    let server = Span { kind: 2, ..call("bank", 0, 1, "") };
    add(&mut fold, vec![span("server.address=users.service.consul"), span("db.system=mysql"), server]);
    assert!(names(&mut fold).is_empty());
    let stats = fold.stats();
    assert_eq!((stats.spans, stats.rolled_up), (3, 0));
}

#[test]
fn providers_beyond_the_limit_are_other_and_those_of_the_registry_are_not() {
    let mut fold = Fold::new(Config { providers_max: 3, ..config(vec![provider("a"), provider("b")]) }, 0);
    add(&mut fold, ["x", "y", "z", "b", "_other"].map(|name| call(name, 0, 1, "")).to_vec());
    assert_eq!(names(&mut fold), ["_other", "a", "b", "x"]);
    assert_eq!(figures(&mut fold, "_other").count, 3);
    assert_eq!(figures(&mut fold, "b").count, 1);
    let crowded = Config { providers_max: 1, ..config(vec![provider("a"), provider("b")]) };
    assert_eq!(names(&mut Fold::new(crowded, 0)), ["a", "b"]);
}

#[test]
fn a_provider_without_calls_for_15_minutes_goes_unless_the_registry_has_it() {
    let mut fold = Fold::new(config(vec![provider("kept")]), 0);
    add(&mut fold, vec![call("idle", 0, 1, ""), call("busy", 0, 1, ""), call("kept", 0, 1, "")]);
    let later = NOW + 600 * SECOND;
    fold.add(&batch("", vec![Span { end_time_unix_nano: later, ..call("busy", 0, 1, "") }], later));
    // Seconds go by whole windows of 10, and this one began 3 s before.
    fold.tick(NOW + 906 * SECOND);
    assert_eq!(names(&mut fold), ["busy", "idle", "kept"]);
    fold.tick(NOW + 907 * SECOND);
    assert_eq!(names(&mut fold), ["busy", "kept"]);
    // The places have moved; the next calls still find theirs.
    let at = NOW + 907 * SECOND;
    let again = ["kept", "busy", "idle"].map(|name| Span { end_time_unix_nano: at, ..call(name, 0, 1, "") });
    fold.add(&batch("", again.to_vec(), at));
    let board = fold.board(at, MINUTE);
    let counts: Vec<_> = board.providers.iter().map(|f| (f.name.as_str(), f.count)).collect();
    assert_eq!(counts, [("busy", 1), ("idle", 1), ("kept", 1)]);
}

#[test]
fn late_calls_count_in_their_own_second_then_by_ten_seconds_and_then_in_the_statistics() {
    let mut fold = empty();
    let ages = [0, 30, 31, 899, 901, 5000];
    add(&mut fold, ages.map(|age| call("bank", age * SECOND, 1, "")).to_vec());
    let stats = fold.stats();
    assert_eq!((stats.rolled_up, stats.late, stats.too_late), (4, 2, 2));
    let mut seen = |step_s| -> Vec<u64> {
        let series = fold.series(NOW, "bank", 0, NOW_S + 1, step_s).unwrap();
        series.points.iter().filter(|p| p.count > 0).map(|p| NOW_S - p.t).collect()
    };
    assert_eq!(seen(1), [30, 0]);
    let begin = |age| NOW_S - (NOW_S - age) / 10 * 10;
    assert_eq!(seen(10), [begin(899), begin(31), begin(0)], "30 and 31 are of one window");
    assert_eq!(fold.totals(NOW)[0].calls[0].2, 4, "counters have them all");
}

#[test]
fn calls_from_the_future_count_now_and_calls_that_run_backwards_took_no_time() {
    let mut fold = empty();
    let ahead =
        |ns| Span { end_time_unix_nano: NOW + ns, start_time_unix_nano: NOW, ..call("bank", 0, 1, "") };
    add(&mut fold, vec![ahead(2 * SECOND), ahead(3600 * SECOND)]);
    assert_eq!((fold.stats().from_the_future, fold.stats().rolled_up), (1, 2));
    assert_eq!(figures(&mut fold, "bank").count, 2);
    let series = fold.series(NOW, "bank", NOW_S, NOW_S + 60, 1).unwrap();
    assert_eq!(series.points.iter().map(|p| p.count).collect::<Vec<_>>(), [1, 0, 1, 0]);

    let backwards = Span { start_time_unix_nano: NOW + 5, ..call("back", 0, 1, "") };
    add(&mut fold, vec![backwards]);
    assert_eq!((figures(&mut fold, "back").sum_ms, fold.stats().backwards), (0.0, 1));
}

#[test]
fn conflicts_between_name_and_host_are_counted() {
    let table = registry::Provider { hosts: texts(&["*.bank.example"]), ..provider("bank") };
    let mut fold = Fold::new(config(vec![table]), 0);
    add(&mut fold, vec![call("psp", 0, 1, "server.address=api.bank.example"); 3]);
    add(&mut fold, vec![call("bank", 0, 1, "server.address=api.bank.example")]);
    assert_eq!(fold.stats().name_conflicts, 3);
    assert_eq!(figures(&mut fold, "psp").count, 3);
}

#[test]
fn what_an_earlier_process_counted_is_in_the_windows_and_not_in_the_counters() {
    let mut fold = Fold::new(config(Vec::new()), NOW);
    fold.add(&batch("", vec![call("bank", 2 * SECOND, 1, "")], NOW - SECOND));
    fold.add(&batch("", vec![call("bank", 0, 1, "")], NOW));
    assert_eq!(figures(&mut fold, "bank").count, 2);
    assert_eq!((fold.stats().spans, fold.stats().rolled_up), (1, 1));
    let ok: u64 = fold.totals(NOW)[0].calls.iter().map(|(_, _, count)| count).sum();
    assert_eq!(ok, 1);
}

#[test]
fn totals_are_cumulative_by_operation_outcome_and_bucket() {
    let mut fold = empty();
    add(
        &mut fold,
        vec![
            call("bank", 0, 5, "spanmill.operation=pay"),
            call("bank", 0, 6, "spanmill.operation=pay"),
            call("bank", 0, 130_000, "spanmill.operation=refund, spanmill.outcome=timeout"),
        ],
    );
    fold.tick(NOW);
    let totals = &fold.totals(NOW)[0];
    let count = |operation: &str, outcome: &str| {
        let mut calls = totals.calls.iter();
        calls.find(|(o, name, _)| o == operation && *name == outcome).map(|(_, _, count)| *count)
    };
    assert_eq!(
        (count("pay", "ok"), count("pay", "failed"), count("refund", "timeout")),
        (Some(2), Some(0), Some(1))
    );
    assert_eq!(totals.durations.len(), 2);
    let ok = &totals.durations[0];
    assert_eq!((ok.outcome, ok.count, ok.sum_s), ("ok", 2, 0.011));
    assert_eq!(ok.at_most[..3], [1, 2, 2]);
    let timeout = &totals.durations[1];
    assert_eq!((timeout.count, timeout.at_most.last()), (1, Some(&0)));
}

#[test]
fn no_label_is_made_of_a_path_a_query_a_user_or_a_spans_name() {
    let mut fold = empty();
    let secret = "4111111111111111";
    for attributes in [
        "url.full=https://user-4111111111111111@api.bank.example/4111111111111111?pan=4111111111111111#4111111111111111",
        "http.url=https://api.bank.example/4111111111111111, http.method=4111111111111111",
        "server.address=api.bank.example, url.path=/4111111111111111, url.query=4111111111111111",
        "server.address=api.bank.example, http.target=/4111111111111111, http.route=/4111111111111111",
        "server.address=api.bank.example, http.request.method=GET, url.template=/pay?pan=4111111111111111",
        "server.address=api.bank.example, error.type=4111111111111111, db.statement=4111111111111111",
        "server.address=api.bank.example/4111111111111111",
        "spanmill.provider=bank, spanmill.outcome=4111111111111111",
    ] {
        add(&mut fold, vec![span(attributes)]);
    }
    let shown = format!("{:?} {:?}", fold.board(NOW, MINUTE), fold.totals(NOW));
    assert!(shown.contains("bank.example") && shown.contains("GET /pay"), "{shown}");
    assert!(!shown.contains(secret) && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn a_batch_that_is_not_otlp_is_counted_and_does_no_harm() {
    let mut fold = empty();
    let good = batch("", vec![call("bank", 0, 1, "")], NOW);
    let cut = good.bytes().slice(..good.bytes().len() - 1);
    fold.add(&MaskedBatch::restored(cut, 1, NOW, 0));
    fold.add(&good);
    assert_eq!(fold.stats().unreadable_batches, 1);
    assert_eq!(figures(&mut fold, "bank").count, 1);
}

/// One finished call of the reference model.
#[derive(Debug, Clone)]
struct Event {
    provider: &'static str,
    outcome: Outcome,
    /// End, before the arrival; negative = ahead of it.
    age_ms: i64,
    arrival_s: u64,
    duration_ns: u64,
}

impl Event {
    fn arrival_ns(&self) -> u64 {
        (NOW_S - 1000 + self.arrival_s) * SECOND
    }

    fn end_ns(&self) -> u64 {
        self.arrival_ns().saturating_add_signed(-self.age_ms * 1_000_000)
    }

    fn batch(&self) -> MaskedBatch {
        let attributes =
            format!("spanmill.provider={}, spanmill.outcome={}", self.provider, self.outcome.name());
        let span = Span {
            start_time_unix_nano: self.end_ns() - self.duration_ns,
            end_time_unix_nano: self.end_ns(),
            ..span(&attributes)
        };
        batch("", vec![span], self.arrival_ns())
    }

    /// The second that it counts in: its own, or if it is late the first of its 10 s.
    fn second(&self) -> Option<u64> {
        match self.age_ms {
            900_001.. => None,
            30_001.. => Some(self.end_ns() / SECOND / 10 * 10),
            ..-2000 => Some(self.arrival_ns() / SECOND),
            _ => Some(self.end_ns() / SECOND),
        }
    }

    fn is_late(&self) -> bool {
        self.age_ms > 30_000
    }
}

fn event() -> impl Strategy<Value = Event> {
    let age_ms = prop_oneof![8 => 0i64..20_000, 2 => 0i64..1_000_000, 1 => -5_000i64..0];
    let outcome = (0..Outcome::COUNT).prop_map(|i| Outcome::ALL[i]);
    let provider = prop_oneof![Just("bank"), Just("psp"), Just("maps")];
    (provider, outcome, age_ms, 0u64..1000, 10_000u64..60_000_000_000).prop_map(
        |(provider, outcome, age_ms, arrival_s, duration_ns)| Event {
            provider,
            outcome,
            age_ms,
            arrival_s,
            duration_ns,
        },
    )
}

/// The slow reference: a list, filtered anew for each question.
fn expected(
    events: &[Event],
    provider: &str,
    from_s: u64,
    to_s: u64,
) -> (BTreeMap<&'static str, u64>, Vec<u64>) {
    let mut counts = BTreeMap::new();
    let mut answered = Vec::new();
    for event in events.iter().filter(|event| event.provider == provider) {
        let is_seen = to_s - from_s >= 10 || !event.is_late();
        if is_seen && event.second().is_some_and(|second| (from_s..to_s).contains(&second)) {
            *counts.entry(event.outcome.name()).or_default() += 1;
            if matches!(event.outcome, Outcome::Ok | Outcome::Declined) {
                answered.push(event.duration_ns);
            }
        }
    }
    answered.sort_unstable();
    (counts, answered)
}

fn counts(figures: &Figures) -> BTreeMap<&'static str, u64> {
    let all = [
        ("ok", figures.ok),
        ("declined", figures.declined),
        ("client_fault", figures.client_fault),
        ("failed", figures.failed),
        ("timeout", figures.timeout),
        ("connect", figures.connect),
        ("cancelled", figures.cancelled),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn windows_agree_with_a_slow_reference_whatever_the_order(
        events in proptest::collection::vec(event(), 0..200),
        doubled in any::<proptest::sample::Index>(),
        order in any::<u64>(),
    ) {
        // A batch that was sent twice counts twice: the roll-up is a fold over records, not over spans.
        let mut events = events;
        if !events.is_empty() {
            events.push(events[doubled.index(events.len())].clone());
        }
        let mut shuffled = events.clone();
        shuffled.sort_by_key(|event| order.wrapping_mul(event.duration_ns | 1).rotate_left(17));
        let mut fold = empty();
        for (i, event) in shuffled.iter().enumerate() {
            fold.add(&event.batch());
            if i % 16 == 0 {
                fold.tick(NOW - 1900 * SECOND);
            }
        }
        fold.tick(NOW);
        for window_s in [60, 300, 900] {
            let board = fold.board(NOW, Duration::from_secs(window_s));
            for found in &board.providers {
                let (want, answered) = expected(&events, &found.name, NOW_S + 1 - window_s, NOW_S + 4);
                prop_assert_eq!(&counts(found), &want, "{} over {} s", found.name, window_s);
                for (quantile, found) in [(0.5, found.p50_ms), (0.95, found.p95_ms), (0.99, found.p99_ms)] {
                    prop_assert_eq!(found.is_some(), !answered.is_empty());
                    let Some(found) = found else { continue };
                    let rank = (quantile * answered.len() as f64).ceil() as usize;
                    let exact = answered[rank - 1] as f64 / 1e6;
                    prop_assert!((found - exact).abs() <= exact * 0.01 + 0.001, "p{quantile} {found}, exactly {exact}");
                }
            }
        }
        for step_s in [1, 7, 60] {
            let Some(series) = fold.series(NOW, "bank", NOW_S - 600, NOW_S, step_s) else { continue };
            for point in &series.points {
                let (want, _) = expected(&events, "bank", point.t, (point.t + step_s).min(NOW_S));
                prop_assert_eq!(point.count, want.values().sum::<u64>(), "at {} step {}", point.t, step_s);
            }
        }
        let too_late = events.iter().filter(|event| event.second().is_none()).count() as u64;
        prop_assert_eq!(fold.stats().too_late, too_late);
        prop_assert_eq!(fold.stats().rolled_up, events.len() as u64 - too_late);
    }
}

#[test]
fn conversion_is_over_the_operations_that_the_operator_chose() {
    let table = registry::Provider { conversion_operations: texts(&["pay"]), ..provider("bank") };
    let mut fold = Fold::new(config(vec![table]), 0);
    add(
        &mut fold,
        vec![
            call("bank", 0, 1, "spanmill.operation=pay"),
            call("bank", 400 * SECOND, 1, "spanmill.operation=pay, spanmill.outcome=declined"),
            call("bank", 800 * SECOND, 1, "spanmill.operation=pay, error.type=timeout"),
            call("bank", 0, 1, "spanmill.operation=pay, spanmill.outcome=cancelled"),
            call("bank", 0, 1, "spanmill.operation=ping, spanmill.outcome=declined"),
        ],
    );
    let conversion = figures(&mut fold, "bank").conversion;
    assert_eq!(conversion.minutes_5, Some(1.0));
    assert_eq!(conversion.minutes_10, Some(0.5));
    assert_eq!(conversion.minutes_15, Some(1.0 / 3.0));
}
