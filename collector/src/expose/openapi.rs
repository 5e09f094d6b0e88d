//! `GET /api/v1/openapi.json`: what every path takes and answers, as OpenAPI 3.1. Tests hold it against the answers.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

const DOCUMENT: &str = include_str!("openapi.json");

pub(super) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
