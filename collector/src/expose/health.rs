//! `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::api::Api;

/// Answers as long as this thread runs.
pub(super) async fn alive() -> Response {
    Json(json!({ "alive": true })).into_response()
}

/// 503 with the reasons, or 200, where a destination or a store in trouble is a reason too: neither keeps us from
/// accepting, judging and forwarding.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Response {
    let obstacles = [
        (api.facts.draining(), "the daemon is draining"),
        (!api.facts.recovered(), "the journal of before the start is still being read"),
        (!api.facts.journal_writable(), "the journal cannot be written: see the daemon's log"),
    ];
    let mut reasons: Vec<String> =
        obstacles.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason.to_owned()).collect();
    let ready = reasons.is_empty();
    // A full journal is no unwritable one: each batch is answered with when to come back, and judged. Whoever sent
    // elsewhere because of a 503 here would only take the verdicts away.
    if api.facts.journal_full() {
        reasons
            .push("the journal is full: new batches are refused until a destination takes some".to_owned());
    }
    for (name, status) in api.facts.destinations() {
        reasons.extend(status.last_error.map(|error| format!("destination {name}: {error}")));
    }
    reasons.extend(api.facts.store().status().last_error.map(|error| format!("store: {error}")));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "reasons": reasons }))).into_response()
}
