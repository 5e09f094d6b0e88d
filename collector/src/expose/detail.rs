//! One provider looked at more closely: `breakdown`, `exemplars`; and `GET /api/v1/unmapped`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::api::Api;
use super::problem::Problem;
use super::window;
use crate::rollup::{Dimension, Exemplar, Kind, UnmappedPeer};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize)]
pub(super) struct Params {
    by: Option<String>,
    kind: Option<String>,
    window: Option<String>,
}

/// `GET /api/v1/providers/{name}/breakdown?by=operation|host|service|endpoint&window=60s`
pub(super) async fn breakdown(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(name), Query(params)) = (name?, params?);
    let by = params.by.as_deref().unwrap_or("operation");
    let Some(by) = Dimension::ALL.into_iter().find(|dimension| dimension.name() == by) else {
        let error = format!("unknown dimension '{by}'");
        return Err(Problem::bad_request(error, "use by=operation, host, service or endpoint"));
    };
    let window = params.window.as_deref().map_or(Ok(MINUTE), window::parse)?;
    let table = api.facts.breakdown(&name, by, window).ok_or_else(|| Problem::no_provider(&name))?;
    Ok(Json(table).into_response())
}

/// `GET /api/v1/providers/{name}/exemplars?kind=slow|failed|recent&window=15m`
pub(super) async fn exemplars(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Shown {
        #[serde(flatten)]
        exemplar: Exemplar,
        jaeger_url: Option<String>,
    }
    #[derive(Serialize)]
    struct Answer {
        exemplars: Vec<Shown>,
    }
    let (Path(name), Query(params)) = (name?, params?);
    let kind = match params.kind.as_deref() {
        None | Some("slow") => Kind::Slow,
        Some("failed") => Kind::Failed,
        Some("recent") => Kind::Recent,
        Some(other) => {
            let error = format!("unknown kind '{other}'");
            return Err(Problem::bad_request(error, "use kind=slow, failed or recent"));
        }
    };
    let window = params.window.as_deref().map_or(Ok(window::MAX), window::parse)?;
    let found = api.facts.exemplars(&name, kind, window).ok_or_else(|| Problem::no_provider(&name))?;
    let shown = found.into_iter().map(|exemplar| Shown {
        jaeger_url: api.config.jaeger_ui.as_ref().map(|ui| format!("{ui}/trace/{}", exemplar.trace_id)),
        exemplar,
    });
    Ok(Json(Answer { exemplars: shown.collect() }).into_response())
}

/// `GET /api/v1/unmapped`
pub(super) async fn unmapped(State(api): State<Arc<Api>>) -> Response {
    #[derive(Serialize)]
    struct Answer {
        peers: Vec<UnmappedPeer>,
    }
    Json(Answer { peers: api.facts.unmapped() }).into_response()
}
