use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;

use super::super::figures::Figures;
use super::super::fixture::{NOW_S, SECOND, batch, config, provider, span, texts};
use super::super::registry;
use super::*;

const NOW: u64 = NOW_S * SECOND;

fn call(peer: OpenPeer, span_id: u64, age_ms: u64) -> OpenCall {
    OpenCall {
        peer,
        operation: "pay".to_owned(),
        service: "shop".to_owned(),
        host: "h7".to_owned(),
        environment: String::new(),
        trace_id: [9; 16],
        span_id,
        started_unix_ns: NOW - age_ms * 1_000_000,
    }
}

fn named(name: &str, span_id: u64, age_ms: u64) -> OpenCall {
    call(OpenPeer::Name(name.to_owned()), span_id, age_ms)
}

fn bank() -> Fold {
    let table = registry::Provider {
        hosts: texts(&["*.bank.example"]),
        ports: vec![443],
        aliases: texts(&["the bank"]),
        ..provider("bank")
    };
    Fold::new(config(vec![table]), 0)
}

fn figures(fold: &mut Fold, now_ns: u64, name: &str) -> Option<Figures> {
    fold.board(now_ns, Duration::from_secs(60)).providers.into_iter().find(|figures| figures.name == name)
}

fn in_flight(fold: &mut Fold, now_ns: u64) -> Option<(u64, u64)> {
    let bank = figures(fold, now_ns, "bank").unwrap();
    Some((bank.in_flight?, bank.oldest_in_flight_ms?))
}

#[test]
fn open_calls_are_named_as_spans_are() {
    let mut fold = bank();
    let at = |address: &str| OpenPeer::Address(address.to_owned());
    let staging = OpenCall { environment: "staging".to_owned(), ..named("bank", 5, 10) };
    fold.open_calls(
        Source::Pages,
        NOW,
        &[
            call(at("api.bank.example:443"), 1, 700),
            named("The Bank", 2, 3_120),
            call(at("pay.newbank.example:443"), 3, 61_000),
            call(at("db.service.consul:3306"), 4, 10),
            staging,
        ],
    );
    assert_eq!(in_flight(&mut fold, NOW), Some((2, 3_120)));
    let bank = figures(&mut fold, NOW, "bank").unwrap();
    assert_eq!((bank.in_flight_ages, bank.count), (Some([1, 0, 1, 0, 0, 0, 0]), 0));
    let unmapped = figures(&mut fold, NOW, "newbank.example").unwrap();
    assert_eq!(unmapped.in_flight_ages, Some([0, 0, 0, 0, 0, 0, 1]));
    assert_eq!(figures(&mut fold, NOW, "bank@staging").unwrap().in_flight, Some(1));
    let open = fold.observed().open.unwrap();
    assert_eq!(open.len(), 4, "what is internal is not on the board");
    let text = |name| fold.providers.names.text(name).to_owned();
    let labels = open[0].labels;
    let texts = [labels.provider, labels.operation, labels.service, labels.host, labels.endpoint].map(text);
    assert_eq!(texts, ["bank", "pay", "shop", "h7", "api.bank.example:443"]);
    assert_eq!((open[0].trace_id, open[0].span_id, open[0].started_unix_ns), ([9; 16], 1, NOW - 700_000_000));
}

#[test]
fn without_a_source_nothing_is_known_to_be_in_flight() {
    let mut fold = bank();
    assert_eq!(in_flight(&mut fold, NOW), None);
    assert!(fold.observed().open.is_none());
    fold.open_calls(Source::Pages, NOW, &[named("bank", 1, 0)]);
    fold.open_calls(Source::Pages, NOW + SECOND, &[]);
    assert_eq!(in_flight(&mut fold, NOW + SECOND), Some((0, 0)), "it has ended");
    assert_eq!(fold.observed().open.map(|open| open.len()), Some(0));
    fold.tick(NOW + 6 * SECOND);
    assert_eq!(in_flight(&mut fold, NOW + 6 * SECOND), Some((0, 0)));
    fold.tick(NOW + 7 * SECOND);
    assert_eq!(in_flight(&mut fold, NOW + 7 * SECOND), None, "its source has gone");
    assert!(fold.observed().open.is_none());
}

#[test]
fn a_provider_of_whom_no_source_tells_has_no_figure() {
    let mut fold = bank();
    fold.add(&batch("", vec![span("spanmill.provider=psp")], NOW));
    fold.open_calls(Source::Pages, NOW, &[named("bank", 1, 0)]);
    assert_eq!(figures(&mut fold, NOW, "psp").unwrap().in_flight, None);
}

#[test]
fn a_call_that_two_sources_tell_of_counts_once() {
    let mut fold = bank();
    fold.open_calls(Source::Pages, NOW, &[named("bank", 1, 5), named("bank", 2, 5)]);
    let of_pulse = [named("bank", 2, 5), named("bank", 0, 9), named("bank", 0, 9)];
    fold.open_calls(Source::Pulse, NOW, &of_pulse);
    assert_eq!(in_flight(&mut fold, NOW), Some((4, 9)), "those without an id are each their own");
}

#[test]
fn a_series_has_the_most_that_was_in_flight() {
    let mut fold = bank();
    for (second, open) in [(0, 1), (1, 3), (2, 2)] {
        let calls: Vec<OpenCall> = (0..open).map(|id| named("bank", id + 1, 10)).collect();
        fold.open_calls(Source::Pages, NOW + second * SECOND, &calls);
    }
    let begin = NOW_S / 10 * 10;
    let series = fold.series(NOW + 3 * SECOND, "bank", begin, begin + 20, 10).unwrap();
    assert_eq!(series.points[0].in_flight, Some(3));
    assert_eq!(series.points[0].oldest_in_flight_ms, Some(2_010));
    let fine = fold.series(NOW + 3 * SECOND, "bank", NOW_S - 1, NOW_S + 2, 1).unwrap();
    let of_seconds: Vec<_> = fine.points.iter().map(|point| point.in_flight).collect();
    assert_eq!(of_seconds, [None, Some(1), Some(3)]);
}

#[test]
fn a_provider_is_on_the_board_while_a_call_to_it_is_open() {
    let mut fold = bank();
    fold.open_calls(Source::Pages, NOW, &[named("psp", 1, 10)]);
    fold.tick(NOW + SECOND);
    assert!(figures(&mut fold, NOW, "psp").is_some());
    fold.open_calls(Source::Pages, NOW + 2 * SECOND, &[]);
    fold.tick(NOW + 2 * SECOND);
    assert!(figures(&mut fold, NOW, "psp").is_none());
}

/// A notice of the call `span_id`, which began 4 s before.
fn notice(span_id: u8) -> Span {
    Span {
        span_id: vec![0x77; 8],
        parent_span_id: vec![span_id; 8],
        start_time_unix_nano: NOW - 4 * SECOND,
        end_time_unix_nano: NOW - 4 * SECOND,
        ..span("spanmill.provider=bank, logfire.span_type=pending_span")
    }
}

#[test]
fn a_notice_is_an_open_call_until_its_span_comes() {
    let mut fold = bank();
    fold.add(&batch("service.name=shop", vec![notice(5), notice(6)], NOW));
    assert_eq!(figures(&mut fold, NOW, "bank").unwrap().count, 0, "it is no finished call");
    fold.tick(NOW);
    assert_eq!(in_flight(&mut fold, NOW), Some((2, 4_000)));
    let done = Span { span_id: vec![5; 8], ..span("spanmill.provider=bank") };
    fold.add(&batch("service.name=shop", vec![done], NOW + SECOND));
    fold.tick(NOW + SECOND);
    assert_eq!(in_flight(&mut fold, NOW + SECOND), Some((1, 5_000)));
    assert_eq!(figures(&mut fold, NOW, "bank").unwrap().count, 1);
    // The other span never comes.
    fold.tick(NOW + 596 * SECOND);
    assert_eq!(in_flight(&mut fold, NOW + 596 * SECOND), Some((0, 0)));
    assert_eq!(fold.stats().open_calls_lost, 1);
    fold.tick(NOW + 601 * SECOND);
    assert_eq!(in_flight(&mut fold, NOW + 601 * SECOND), None, "nobody sends notices any more");
}

#[test]
fn notices_and_open_calls_are_bounded() {
    let mut fold = bank();
    let many: Vec<OpenCall> = (1..=OPEN_MAX as u64 + 3).map(|id| named("bank", id, 1)).collect();
    fold.open_calls(Source::Pages, NOW, &many);
    assert_eq!(in_flight(&mut fold, NOW), Some((OPEN_MAX as u64, 1)));
    assert_eq!(fold.stats().open_calls_lost, 3);
    for first in (0..20_000u64).step_by(1000) {
        let partial = (first..first + 1000).map(|id| Span {
            span_id: (id + 1).to_be_bytes().to_vec(),
            ..span("spanmill.provider=bank, _dd.partial_version=#1")
        });
        fold.add(&batch("", partial.collect(), NOW));
    }
    assert_eq!(fold.open.pending.calls().count(), 16_384);
}
