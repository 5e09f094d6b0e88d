//! An error as the API answers it: what is wrong, and what to do about it.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};

use crate::store::Unavailable;

#[derive(Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    pub(super) status: StatusCode,
    pub(super) error: String,
    pub(super) hint: String,
}

impl Problem {
    pub(super) fn bad_request(error: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem { status: StatusCode::BAD_REQUEST, error: error.into(), hint: hint.into() }
    }

    pub(super) fn not_found(error: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem { status: StatusCode::NOT_FOUND, error: error.into(), hint: hint.into() }
    }

    pub(super) fn no_provider(name: &str) -> Problem {
        Problem::not_found(format!("no provider '{name}'"), "/api/v1/providers lists those that are known")
    }

    pub(super) fn unavailable(error: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem { status: StatusCode::SERVICE_UNAVAILABLE, error: error.into(), hint: hint.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        Problem::bad_request(rejection.body_text(), "give each parameter once, percent-encoded UTF-8")
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Problem {
        let status = match rejection.status() {
            kept @ (StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::PAYLOAD_TOO_LARGE) => kept,
            _ => StatusCode::BAD_REQUEST,
        };
        let hint =
            "send a JSON object as 'content-type: application/json'; /api/v1/openapi.json has its keys";
        Problem { status, error: rejection.body_text(), hint: hint.to_owned() }
    }
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Problem {
        Problem::unavailable(unavailable.to_string(), "try again; /api/v1/stats says how the store is")
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Problem {
        Problem::bad_request(rejection.body_text(), "percent-encode names as UTF-8")
    }
}

/// The answer to every path that does not exist.
pub(super) async fn unknown_path(uri: Uri) -> Problem {
    let error = format!("nothing is at {}", uri.path());
    Problem::not_found(error, "the API begins at /api/v1/providers, the page at /")
}

/// The answer to a method that a path does not know.
pub(super) async fn unknown_method() -> Problem {
    Problem {
        status: StatusCode::METHOD_NOT_ALLOWED,
        error: "this path does not take this method".to_owned(),
        hint: "/api/v1/openapi.json lists what each path takes; most are read with GET".to_owned(),
    }
}
