//! `GET /api/v1/providers?window=60s`: every provider over one trailing window.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};

use super::api::Api;
use super::problem::Problem;
use super::window;
use crate::rollup::{Board, Figures, rfc3339};

/// The window that the roll-up computes once a second for everybody.
const SHARED: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize)]
pub(super) struct Params {
    window: Option<String>,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let window = params?.0.window.as_deref().map_or(Ok(SHARED), window::parse)?;
    let shared = (window == SHARED).then(|| api.live.latest()).flatten();
    let body = shared.unwrap_or_else(|| encode(&api.facts.window(window)));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// The board as JSON.
pub(super) fn encode(board: &Board) -> Bytes {
    #[derive(Serialize)]
    struct Answer<'a> {
        at: String,
        window_s: u64,
        providers: &'a [Figures],
    }
    let answer =
        Answer { at: rfc3339(board.at_unix_ns), window_s: board.window_s, providers: &board.providers };
    serde_json::to_vec(&answer).expect("plain structs with string keys always encode").into()
}
