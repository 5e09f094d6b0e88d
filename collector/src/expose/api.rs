//! What the handlers share, and the table of routes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::sync::watch;

use super::facts::Facts;
use super::problem::{unknown_method, unknown_path};
use super::{
    Config, alerts, annotations, detail, events, guard, health, metrics, mutes, openapi, page, providers,
    reload, series, stats, traces,
};

/// What is posted is a sentence and some words.
const BODY_MAX: usize = 16 << 10;

pub(super) struct Api {
    pub(super) config: Config,
    /// Where the server is bound.
    pub(super) address: SocketAddr,
    pub(super) facts: Arc<dyn Facts>,
    pub(super) live: events::Live,
    pub(super) look_ups: traces::LookUps,
    pub(super) stopping: watch::Receiver<bool>,
}

impl Api {
    pub(super) fn new(
        config: Config,
        address: SocketAddr,
        facts: Arc<dyn Facts>,
        stopping: watch::Receiver<bool>,
    ) -> Api {
        let live = events::Live::default();
        Api { config, address, facts, live, look_ups: traces::LookUps::default(), stopping }
    }
}

pub(super) fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/api/v1/providers", get(providers::list))
        .route("/api/v1/providers/{name}/series", get(series::of))
        .route("/api/v1/providers/{name}/mute", post(mutes::mute))
        .route("/api/v1/annotations", get(annotations::list).post(annotations::add))
        .route("/api/v1/alerts", get(alerts::list))
        .route("/api/v1/openapi.json", get(openapi::document))
        .route("/api/v1/providers/{name}/breakdown", get(detail::breakdown))
        .route("/api/v1/providers/{name}/exemplars", get(detail::exemplars))
        .route("/api/v1/providers/{name}/heatmap", get(series::heatmap))
        .route("/api/v1/unmapped", get(detail::unmapped))
        .route("/-/reload", post(reload::reload))
        .route("/api/v1/stats", get(stats::stats))
        .route("/api/v1/events", get(events::stream))
        .route("/api/v1/traces/{trace_id}", get(traces::find))
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(page::routes())
        .method_not_allowed_fallback(unknown_method)
        .fallback(unknown_path)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn_with_state(Arc::clone(&api), guard::guard))
        .with_state(api)
}
