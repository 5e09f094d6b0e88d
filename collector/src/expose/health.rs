//! `/healthz` and `/readyz`, and the two things about the daemon that no stage can say by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::api::Api;
use crate::journal::Refused;

/// Told by the pipeline, read by `/readyz`.
#[derive(Debug, Default)]
pub struct Health {
    draining: AtomicBool,
    /// True while `journal_error` holds something: each append looks here, few write there.
    journal_refuses: AtomicBool,
    journal_error: Mutex<Option<String>>,
}

impl Health {
    /// The daemon takes nothing new and works off what it has.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// The last append was refused.
    pub fn journal_refused(&self, refused: &Refused) {
        *self.journal_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused.to_string());
        self.journal_refuses.store(true, Ordering::Relaxed);
    }

    /// The last append succeeded.
    pub fn journal_accepted(&self) {
        if self.journal_refuses.load(Ordering::Relaxed) {
            *self.journal_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.journal_refuses.store(false, Ordering::Relaxed);
        }
    }

    /// Why nothing new can be taken; empty = nothing stands in the way.
    fn obstacles(&self) -> Vec<String> {
        let draining = self.draining.load(Ordering::Relaxed).then(|| "the daemon is draining".to_owned());
        let journal = self.journal_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        draining.into_iter().chain(journal).collect()
    }
}

/// Answers as long as this thread runs.
pub(super) async fn alive() -> Response {
    Json(json!({ "alive": true })).into_response()
}

/// 503 with the reasons, or 200, where a destination in trouble is a reason too: it does not keep us from
/// accepting, judging and storing.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Response {
    let mut reasons = api.facts.health().obstacles();
    if !api.facts.recovered() {
        reasons.push("the journal of before the start is still being read".to_owned());
    }
    let ready = reasons.is_empty();
    for (name, status) in api.facts.destinations() {
        reasons.extend(status.last_error.map(|error| format!("destination {name}: {error}")));
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "reasons": reasons }))).into_response()
}
