//! `POST /-/reload`: registry and masking rules as the configuration file has them now, as SIGHUP does.

use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::api::Api;
use super::problem::Problem;

/// Reads the configuration again and hands it to the stages, or says what is wrong with it and changes nothing.
#[derive(Clone)]
pub struct Reload(Arc<dyn Fn() -> Result<(), String> + Send + Sync>);

impl Reload {
    pub fn new(reload: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Reload {
        Reload(Arc::new(reload))
    }

    pub fn now(&self) -> Result<(), String> {
        self.0()
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reload")
    }
}

pub(super) async fn reload(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let facts = Arc::clone(&api.facts);
    // Reads files and compiles patterns.
    let done = tokio::task::spawn_blocking(move || facts.reload()).await;
    let done =
        done.unwrap_or_else(|_| Err("the reload ended without a word: see the daemon's log".to_owned()));
    match done {
        Ok(()) => Ok(Json(json!({ "reloaded": true })).into_response()),
        Err(error) => {
            Err(Problem::bad_request(error, "correct the file; the old configuration stays in force"))
        }
    }
}
