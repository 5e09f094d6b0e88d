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
use crate::rollup::{BreakdownTable, Counts, Dimension, Exemplar, Kind, Merged, Part, UnmappedPeer};

const MINUTE: Duration = Duration::from_secs(60);
/// What the store has by dimension.
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// A clock may be ahead of ours.
const AHEAD_S: u64 = 4;

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
    let window = params.window.as_deref().map_or(Ok(MINUTE), |text| window::parse_within(text, WEEK))?;
    let table = match window <= window::RECENT {
        true => api.facts.breakdown(&name, by, window),
        false => stored(&api, &name, by, window).await?,
    };
    Ok(Json(table.ok_or_else(|| Problem::no_provider(&name))?).into_response())
}

/// Out of the store; a provider that is known and has nothing there is an empty table.
async fn stored(
    api: &Api,
    name: &str,
    by: Dimension,
    window: Duration,
) -> Result<Option<BreakdownTable>, Problem> {
    let store = api.facts.store();
    store.freshen().await;
    let to_s = api.facts.unix_ns() / 1_000_000_000 + AHEAD_S;
    let from_s = to_s.saturating_sub(AHEAD_S + window.as_secs());
    let table = store.breakdown(name, by, from_s, to_s).await?;
    let empty = || BreakdownTable::of(by, Vec::new(), Part::of(&Counts::default(), &Merged::default()), 0);
    Ok(table.or_else(|| api.facts.breakdown(name, by, MINUTE).map(|_| empty())))
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
    let window = params
        .window
        .as_deref()
        .map_or(Ok(window::RECENT), |text| window::parse_within(text, window::RECENT))?;
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
