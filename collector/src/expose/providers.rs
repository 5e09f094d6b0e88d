//! `GET /api/v1/providers?window=60s`: every provider over one trailing window.

use std::collections::HashMap;
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
use super::verdicts::Present;
use super::window;
use crate::rollup::{Board, Figures, Sum, rfc3339};

/// The window that the roll-up computes once a second for everybody.
const SHARED: Duration = Duration::from_secs(60);

/// The window of 10 s that runs, and one for clocks that are ahead.
const AHEAD_S: u64 = 20;

#[derive(Debug, Deserialize)]
pub(super) struct Params {
    window: Option<String>,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let window = params?.0.window.as_deref().map_or(Ok(SHARED), window::parse)?;
    if window > window::RECENT {
        return long(&api, window).await;
    }
    let shared = (window == SHARED).then(|| api.live.latest()).flatten();
    let present = Present::of(&*api.facts);
    let body = shared.unwrap_or_else(|| encode(&api.facts.window(window), |figures| present.on(figures)));
    Ok(json(body))
}

/// Out of the store. What is said of the present is that of the live board.
async fn long(api: &Api, window: Duration) -> Result<Response, Problem> {
    let store = api.facts.store();
    store.freshen().await;
    let at_unix_ns = api.facts.unix_ns();
    let (now_s, window_s) = (at_unix_ns / 1_000_000_000, window.as_secs());
    let live = Arc::clone(&api.facts.boards().borrow());
    let known: HashMap<String, Figures> =
        live.providers.iter().map(|figures| (figures.name.clone(), figures.clone())).collect();
    // A clock may be ahead by some seconds, and the last 10 s are not over.
    let to_s = now_s + AHEAD_S;
    let figures =
        store.sums((now_s + 1).saturating_sub(window_s), to_s, move |name, sum| match known.get(name) {
            Some(now) => now.over(sum, window_s),
            None => Figures::of(name, sum, window_s),
        });
    let mut providers = figures.await?;
    let silent = live.providers.iter().filter(|now| !providers.iter().any(|found| found.name == now.name));
    let silent: Vec<Figures> = silent.map(|now| now.over(&Sum::default(), window_s)).collect();
    providers.extend(silent);
    providers.sort_by(|a, b| a.name.cmp(&b.name));
    let present = Present::of(&*api.facts);
    Ok(json(encode(&Board { at_unix_ns, window_s, providers }, |figures| present.on(figures))))
}

fn json(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// The board as JSON, each provider as `on` shows it.
pub(super) fn encode(board: &Board, on: impl Fn(&Figures) -> Figures) -> Bytes {
    #[derive(Serialize)]
    struct Answer {
        at: String,
        window_s: u64,
        providers: Vec<Figures>,
    }
    let providers = board.providers.iter().map(on).collect();
    let answer = Answer { at: rfc3339(board.at_unix_ns), window_s: board.window_s, providers };
    serde_json::to_vec(&answer).expect("plain structs with string keys always encode").into()
}
