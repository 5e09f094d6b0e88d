//! `GET /metrics`: what Prometheus reads. The names and labels are promises.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::api::Api;
use super::exposition::{Exposition, Format, Kind};
use super::facts::Facts;
use crate::forward;
use crate::outcome::{Lost, Rejected, Transport};
use crate::rollup::{AGES_S, Board, Verdict};

/// Every verdict there is: each provider has a series for each, so that a rule can tell 0 from absent.
const VERDICTS: [&str; 8] = ["ok", "slow", "failing", "hung", "declining", "silent", "learning", "unknown"];

pub(super) async fn metrics(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let format = Format::accepted(&headers);
    ([(CONTENT_TYPE, format.content_type())], write(&*api.facts, format)).into_response()
}

fn write(facts: &dyn Facts, format: Format) -> String {
    let mut out = Exposition::new(format);
    calls(&mut out, facts);
    let board = Arc::clone(&facts.boards().borrow());
    in_flight(&mut out, &board);
    in_flight_ages(&mut out, &board);
    skews(&mut out, facts);
    verdicts(&mut out, &board);
    let destinations = facts.destinations();
    spans(&mut out, facts, &destinations);
    journal(&mut out, facts, &destinations);
    store(&mut out, facts);
    out.family("spanmill_build_info", Kind::Gauge, "Always 1; the label says which version runs.");
    out.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.finish()
}

fn calls(out: &mut Exposition, facts: &dyn Facts) {
    let totals = facts.totals();
    out.family("spanmill_provider_calls_total", Kind::Counter, "Calls to external providers by outcome.");
    for of in &totals {
        for (operation, outcome, count) in &of.calls {
            out.sample(&[("provider", &of.provider), ("operation", operation), ("outcome", outcome)], count);
        }
    }
    let help = "How long the calls took, by outcome.";
    out.family("spanmill_provider_call_duration_seconds", Kind::Histogram, help);
    for of in &totals {
        for durations in &of.durations {
            let labels = [("provider", of.provider.as_str()), ("outcome", durations.outcome)];
            let exemplars = of.exemplars.iter().filter(|one| one.outcome == durations.outcome);
            out.histogram(&labels, &of.bounds_s, durations, &exemplars.collect::<Vec<_>>());
        }
    }
}

/// Absent for a provider of whom no source says what is in flight.
fn in_flight(out: &mut Exposition, board: &Board) {
    out.family("spanmill_provider_in_flight", Kind::Gauge, "Calls that have begun and not ended.");
    for provider in &board.providers {
        if let Some(count) = provider.in_flight {
            out.sample(&[("provider", &provider.name)], count);
        }
    }
    let help = "Age of the oldest call in flight.";
    out.family("spanmill_provider_oldest_in_flight_seconds", Kind::Gauge, help);
    for provider in &board.providers {
        if let Some(ms) = provider.oldest_in_flight_ms {
            out.sample(&[("provider", &provider.name)], ms as f64 / 1000.0);
        }
    }
}

/// How many calls in flight are at least so old.
fn in_flight_ages(out: &mut Exposition, board: &Board) {
    let help = "Calls in flight that began at least so many seconds ago.";
    out.family("spanmill_provider_in_flight_older", Kind::Gauge, help);
    for provider in &board.providers {
        let Some(ages) = provider.in_flight_ages else { continue };
        for (at, seconds) in AGES_S.iter().enumerate() {
            let older: u64 = ages[at + 1..].iter().sum();
            out.sample(&[("provider", &provider.name), ("seconds", &seconds.to_string())], older);
        }
    }
}

/// Hosts shown at most; when more clocks are off, it is the time server.
pub(super) const SKEWS_MAX: usize = 64;

fn skews(out: &mut Exposition, facts: &dyn Facts) {
    let help =
        "By how much the clock of a host is ahead; below zero behind. Absent for clocks that are right.";
    out.family("spanmill_clock_skew_seconds", Kind::Gauge, help);
    for (host, seconds) in facts.skews().into_iter().take(SKEWS_MAX) {
        out.sample(&[("host", &host)], seconds);
    }
}

fn verdicts(out: &mut Exposition, board: &Board) {
    out.family("spanmill_provider_verdict", Kind::Gauge, "1 for the verdict that holds, 0 for the others.");
    for provider in &board.providers {
        let holds = name(provider.verdict);
        for verdict in VERDICTS {
            let labels = [("provider", provider.name.as_str()), ("verdict", verdict)];
            out.sample(&labels, u8::from(holds == verdict));
        }
    }
}

/// The verdict as the API spells it.
fn name(verdict: Verdict) -> String {
    serde_json::to_value(verdict).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn spans(out: &mut Exposition, facts: &dyn Facts, destinations: &[(String, forward::Status)]) {
    let outcomes = facts.outcomes();
    out.family("spanmill_spans_received_total", Kind::Counter, "Spans acknowledged to their senders.");
    for transport in Transport::ALL {
        out.sample(&[("transport", transport.name())], outcomes.received_by(transport));
    }
    out.family(
        "spanmill_requests_rejected_total",
        Kind::Counter,
        "Requests refused; their senders were told.",
    );
    for reason in Rejected::ALL {
        out.sample(&[("reason", reason.name())], outcomes.rejected_by(reason));
    }
    out.family("spanmill_masked_total", Kind::Counter, "Values masked, by rule.");
    for (rule, hits) in outcomes.masked_by_rule() {
        out.sample(&[("rule", &rule)], hits);
    }
    let help = "Spans that the destination acknowledged.";
    out.family("spanmill_spans_forwarded_total", Kind::Counter, help);
    for (name, status) in destinations {
        out.sample(&[("destination", name)], status.forwarded);
    }
    out.family("spanmill_spans_queued", Kind::Gauge, "Spans in the journal that wait for the destination.");
    for (name, status) in destinations {
        out.sample(&[("destination", name)], status.queued);
    }
    let mut dropped = BTreeMap::from([("invalid", outcomes.invalid_spans_total())]);
    dropped.extend(Lost::ALL.map(|reason| (reason.name(), outcomes.lost_by(reason))));
    for (_, status) in destinations {
        *dropped.entry("rejected_by_destination").or_default() += status.rejected_by_destination;
        for (reason, spans) in &status.dropped {
            *dropped.entry(reason).or_default() += spans;
        }
    }
    out.family("spanmill_spans_dropped_total", Kind::Counter, "Spans that were not delivered, by reason.");
    for (reason, spans) in dropped {
        out.sample(&[("reason", reason)], spans);
    }
}

fn journal(out: &mut Exposition, facts: &dyn Facts, destinations: &[(String, forward::Status)]) {
    let status = facts.journal();
    out.family("spanmill_journal_bytes", Kind::Gauge, "Bytes of the journal on disk.");
    out.sample(&[], status.bytes);
    let help = "Age of the oldest span that some destination has not acknowledged.";
    out.family("spanmill_journal_lag_seconds", Kind::Gauge, help);
    out.sample(&[], destinations.iter().map(|(_, status)| status.lag_s).fold(0.0, f64::max));
    let help = "Journal records that failed their checksum and were skipped.";
    out.family("spanmill_journal_corrupt_records_total", Kind::Counter, help);
    out.sample(&[], status.corrupt_records);
}

fn store(out: &mut Exposition, facts: &dyn Facts) {
    let status = facts.store().status();
    out.family("spanmill_store_bytes", Kind::Gauge, "Bytes of the store on disk.");
    out.sample(&[], status.bytes);
    out.family("spanmill_store_lag_seconds", Kind::Gauge, "Time since windows were last committed.");
    out.sample(&[], status.lag_s);
    out.family("spanmill_store_windows_total", Kind::Counter, "Windows of 10 s written.");
    out.sample(&[], status.windows);
    out.family(
        "spanmill_store_windows_waiting",
        Kind::Gauge,
        "Windows of 10 s that could not be written yet.",
    );
    out.sample(&[], status.waiting);
    out.family(
        "spanmill_store_windows_lost_total",
        Kind::Counter,
        "Windows of 10 s that were never written.",
    );
    out.sample(&[], status.lost);
    out.family("spanmill_store_errors_total", Kind::Counter, "Reads and writes of the store that failed.");
    out.sample(&[], status.errors);
    out.family("spanmill_store_refused_total", Kind::Counter, "Writes refused because too many waited.");
    out.sample(&[], status.refused);
    out.family("spanmill_store_set_aside_total", Kind::Counter, "Damaged files that were set aside.");
    out.sample(&[], status.set_aside.len());
}
