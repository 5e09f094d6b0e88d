//! `GET /api/v1/stats`: what became of the data, since the start of the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::api::Api;
use super::metrics::SKEWS_MAX;
use crate::outcome::{Lost, Rejected};
use crate::{forward, journal, store};

#[derive(Debug, Serialize)]
struct Answer {
    /// Spans acknowledged.
    received: u64,
    /// Requests refused.
    rejected: BTreeMap<&'static str, u64>,
    /// Spans cut out of accepted requests.
    invalid_spans: u64,
    masked: BTreeMap<String, u64>,
    /// Spans that came again from another daemon and were here already.
    known: u64,
    /// Spans of the local socket that are not in the journal.
    lost: BTreeMap<&'static str, u64>,
    /// Spans that were rolled up when the journal did not take them.
    unkept: u64,
    /// Spans that were not even rolled up then.
    overflowed: u64,
    rolled_up: u64,
    late: Late,
    /// Calls that ended before they began.
    backwards: u64,
    name_conflicts: u64,
    /// Notices that a call has begun; they are neither kept nor forwarded, and not in `received`.
    notices: u64,
    /// Open calls and notices beyond the bounds, and those whose span never came.
    open_calls_lost: u64,
    /// Providers without a table that gave their place to a busier one.
    providers_replaced: u64,
    /// Windows of 10 s that left memory before they were stored.
    unsaved_windows: u64,
    /// Hosts whose clock is off, and by how many seconds; ahead is positive. The worst 64.
    clock_skew_s: BTreeMap<String, f64>,
    /// Batches that the roll-up could not read to their end.
    unreadable_batches: u64,
    /// Spans that the roll-up could not read from the journal: deleted before, or corrupt.
    missed: u64,
    journal: journal::Status,
    store: store::Status,
    destinations: BTreeMap<String, forward::Status>,
}

#[derive(Debug, Serialize)]
struct Late {
    late: u64,
    too_late: u64,
    from_the_future: u64,
}

pub(super) async fn stats(State(api): State<Arc<Api>>) -> Response {
    let (facts, outcomes) = (&api.facts, api.facts.outcomes());
    let rollup = facts.rollup();
    // The destinations first: what arrives in between then makes received larger than their sums, but for the
    // instant between a write and its being counted.
    let destinations = facts.destinations().into_iter().collect();
    Json(Answer {
        destinations,
        received: outcomes.received_total(),
        rejected: Rejected::ALL.into_iter().map(|one| (one.name(), outcomes.rejected_by(one))).collect(),
        invalid_spans: outcomes.invalid_spans_total(),
        masked: outcomes.masked_by_rule().into_iter().collect(),
        known: outcomes.known_total(),
        lost: Lost::ALL.into_iter().map(|one| (one.name(), outcomes.lost_by(one))).collect(),
        unkept: rollup.unkept,
        overflowed: rollup.overflowed,
        rolled_up: rollup.rolled_up,
        late: Late { late: rollup.late, too_late: rollup.too_late, from_the_future: rollup.from_the_future },
        backwards: rollup.backwards,
        name_conflicts: rollup.name_conflicts,
        notices: rollup.notices,
        open_calls_lost: rollup.open_calls_lost,
        providers_replaced: rollup.providers_replaced,
        unsaved_windows: rollup.unsaved_windows,
        clock_skew_s: facts.skews().into_iter().take(SKEWS_MAX).collect(),
        unreadable_batches: rollup.unreadable_batches,
        missed: rollup.missed,
        journal: facts.journal(),
        store: facts.store().status(),
    })
    .into_response()
}
