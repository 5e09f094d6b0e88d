//! `GET /api/v1/annotations?from=&to=` and `POST /api/v1/annotations`: what people and deploy scripts note down.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::api::Api;
use super::problem::Problem;
use super::window::unix_s;
use crate::store::annotations::Annotation;

/// Where no beginning is asked for.
const DAY_S: u64 = 86_400;
/// A sentence, and some words to find it by.
const TEXT_MAX: usize = 1_000;
const TAGS_MAX: usize = 16;
const TAG_MAX: usize = 64;

#[derive(Debug, Deserialize)]
pub(super) struct Params {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    text: String,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Answer {
    annotations: Vec<Annotation>,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(params) = params?;
    let now_s = api.facts.unix_ns() / 1_000_000_000;
    let to_s = unix_s("to", params.to.as_deref())?.unwrap_or(now_s + 1);
    let from_s = unix_s("from", params.from.as_deref())?.unwrap_or_else(|| to_s.saturating_sub(DAY_S));
    let annotations = api.facts.store().annotations(from_s, to_s).await?;
    Ok(Json(Answer { annotations }).into_response())
}

pub(super) async fn add(
    State(api): State<Arc<Api>>,
    note: Result<Json<Note>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(Note { text, tags }) = note?;
    let (text, tags) = (clean("text", &text, TEXT_MAX)?, tags_of(&tags)?);
    let annotation = api.facts.store().annotate(text, tags).wait().await?;
    api.live.annotated(&annotation);
    Ok((StatusCode::CREATED, Json(annotation)).into_response())
}

fn tags_of(tags: &[String]) -> Result<Vec<String>, Problem> {
    if tags.len() > TAGS_MAX {
        return Err(Problem::bad_request(format!("{} tags", tags.len()), format!("use at most {TAGS_MAX}")));
    }
    tags.iter().map(|tag| clean("a tag", tag, TAG_MAX)).collect()
}

/// One line that says something.
pub(super) fn clean(what: &str, text: &str, characters_max: usize) -> Result<String, Problem> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    match text.chars().count() {
        0 => Err(Problem::bad_request(format!("{what} is empty"), "say something")),
        count if count > characters_max => {
            let error = format!("{what} has {count} characters");
            Err(Problem::bad_request(error, format!("use at most {characters_max}")))
        }
        _ => Ok(text.to_owned()),
    }
}
