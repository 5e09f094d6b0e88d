//! `POST /api/v1/providers/{name}/mute`: nobody is woken for this provider for a while, and who said so is on record.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::annotations::clean;
use super::api::Api;
use super::problem::Problem;
use super::window::duration;
use crate::rollup::rfc3339;

/// Longest mute: what is muted for longer belongs into the configuration, where somebody sees it.
const MUTE_MAX: Duration = Duration::from_secs(30 * 86_400);
const REASON_MAX: usize = 500;
const BY_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    #[serde(rename = "for")]
    lasts: String,
    reason: String,
    by: String,
}

#[derive(Debug, Serialize)]
struct Answer {
    provider: String,
    since: String,
    until: String,
    reason: String,
    by: String,
}

pub(super) async fn mute(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Result<Response, Problem> {
    let (Path(name), Json(wish)) = (name?, wish?);
    let lasts = duration(&wish.lasts).filter(|lasts| *lasts <= MUTE_MAX).ok_or_else(|| {
        let error = format!("cannot mute for '{}'", wish.lasts);
        Problem::bad_request(error, "use s, m, h or d, at most 30d, e.g. 1h; 1s ends a mute")
    })?;
    let (reason, by) = (clean("reason", &wish.reason, REASON_MAX)?, clean("by", &wish.by, BY_MAX)?);
    let now_s = api.facts.unix_ns() / 1_000_000_000;
    if api.facts.series(&name, now_s, now_s + 1, 1).is_none() {
        return Err(Problem::no_provider(&name));
    }
    let mute = api.facts.store().mute(name, lasts, reason, by).wait().await?;
    let time = |ms: u64| rfc3339(ms.saturating_mul(1_000_000));
    let (since, until) = (time(mute.since_ms), time(mute.until_ms));
    let answer = Answer { provider: mute.provider, since, until, reason: mute.reason, by: mute.who };
    Ok(Json(answer).into_response())
}
