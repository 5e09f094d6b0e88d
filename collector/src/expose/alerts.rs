//! `GET /api/v1/alerts?state=`: the verdicts that fell, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::api::Api;
use super::problem::Problem;
use crate::rollup::rfc3339;
use crate::store::alerts;

#[derive(Debug, Deserialize)]
pub(super) struct Params {
    state: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer {
    alerts: Vec<Alert>,
}

#[derive(Debug, Serialize)]
pub(super) struct Alert {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) kind: String,
    pub(super) scope: String,
    pub(super) started: String,
    pub(super) detected: String,
    pub(super) resolved: Option<String>,
    pub(super) detected_after_s: f64,
    pub(super) evidence: String,
    pub(super) exemplars: Vec<String>,
    pub(super) severity: String,
    pub(super) muted: bool,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let state = match params?.0.state.as_deref() {
        None | Some("all") => alerts::State::All,
        Some("firing") => alerts::State::Firing,
        Some("resolved") => alerts::State::Resolved,
        Some(other) => {
            let error = format!("unknown state '{other}'");
            return Err(Problem::bad_request(error, "use firing, resolved or all"));
        }
    };
    let alerts = api.facts.store().alerts(state).await?.into_iter().map(alert).collect();
    Ok(Json(Answer { alerts }).into_response())
}

fn alert(of: alerts::Alert) -> Alert {
    let time = |ms: u64| rfc3339(ms.saturating_mul(1_000_000));
    Alert {
        started: time(of.started_ms),
        detected: time(of.detected_ms),
        resolved: of.resolved_ms.map(time),
        detected_after_s: of.detected_ms.saturating_sub(of.started_ms) as f64 / 1e3,
        id: of.id,
        provider: of.provider,
        kind: of.kind,
        scope: of.scope,
        evidence: of.evidence,
        exemplars: of.exemplars,
        severity: of.severity,
        muted: of.muted,
    }
}
