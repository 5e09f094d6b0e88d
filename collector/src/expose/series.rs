//! `GET /api/v1/providers/{name}/series?from=&to=&step=`, and `heatmap`: one provider over time.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::api::Api;
use super::problem::Problem;
use super::window::{self, duration};
use crate::rollup::Series;

/// Points of an answer whose step we choose: about what a chart of half a screen can show.
const POINTS_CHOSEN_MAX: u64 = 120;
/// Points of an answer whose step the caller chooses: 15 min in seconds, and some.
const POINTS_MAX: u64 = 1_000;
const STEPS_S: [u64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600];

#[derive(Debug, Deserialize)]
pub(super) struct Params {
    from: Option<String>,
    to: Option<String>,
    step: Option<String>,
}

/// Nothing is annotated or judged yet; the keys are there so that a reader need not ask.
#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    series: Series,
    annotations: [(); 0],
    verdicts: [(); 0],
}

pub(super) async fn of(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(name), Query(params)) = (name?, params?);
    let Range { from_s, to_s, step_s } = range(&params, api.facts.unix_ns() / 1_000_000_000)?;
    let series = api.facts.series(&name, from_s, to_s, step_s).ok_or_else(|| Problem::no_provider(&name))?;
    Ok(Json(Answer { series, annotations: [], verdicts: [] }).into_response())
}

/// `GET /api/v1/providers/{name}/heatmap?from=&to=&step=`
pub(super) async fn heatmap(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(name), Query(params)) = (name?, params?);
    let Range { from_s, to_s, step_s } = range(&params, api.facts.unix_ns() / 1_000_000_000)?;
    let map = api.facts.heatmap(&name, from_s, to_s, step_s).ok_or_else(|| Problem::no_provider(&name))?;
    Ok(Json(map).into_response())
}

/// Unix seconds, `from_s` before `to_s`.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    from_s: u64,
    to_s: u64,
    step_s: u64,
}

/// The last 15 minutes where nothing else is said; a step that fits the range where none is.
fn range(params: &Params, now_s: u64) -> Result<Range, Problem> {
    // The second that runs is shown, and nothing lies beyond it.
    let to_s = unix_s("to", params.to.as_deref())?.map_or(now_s + 1, |to| to.min(now_s + 1));
    let from_s = unix_s("from", params.from.as_deref())?
        .unwrap_or_else(|| to_s.saturating_sub(window::MAX.as_secs() + 1));
    if from_s >= to_s {
        let error = format!("from {from_s} is not before to {to_s}");
        return Err(Problem::bad_request(error, format!("the clock here says {now_s}")));
    }
    let length_s = to_s - from_s;
    let step_s = match params.step.as_deref() {
        Some(text) => step(text, length_s)?,
        None => chosen_step(length_s),
    };
    // On the grid of the step, so that a chart that is drawn again each second does not shimmer.
    Ok(Range { from_s: from_s - from_s % step_s, to_s, step_s })
}

fn unix_s(key: &str, text: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let error = format!("{key} '{text}' is not a time");
        Problem::bad_request(error, "use whole unix seconds, e.g. 1795378500")
    })
}

/// `10s`, or plain seconds.
fn step(text: &str, length_s: u64) -> Result<u64, Problem> {
    let plain = || text.parse().ok().filter(|seconds| *seconds > 0);
    let step_s = duration(text).map(|step| step.as_secs()).or_else(plain);
    let step_s = step_s
        .ok_or_else(|| Problem::bad_request(format!("unknown step '{text}'"), "use s, m or h, e.g. 10s"))?;
    if length_s.div_ceil(step_s) > POINTS_MAX {
        let error = format!("step '{text}' makes more than {POINTS_MAX} points of {length_s} s");
        return Err(Problem::bad_request(error, format!("use at least {}s", length_s.div_ceil(POINTS_MAX))));
    }
    Ok(step_s)
}

fn chosen_step(length_s: u64) -> u64 {
    let fits = |step: &u64| length_s / step <= POINTS_CHOSEN_MAX;
    STEPS_S.into_iter().find(fits).unwrap_or_else(|| length_s.div_ceil(POINTS_CHOSEN_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_795_378_503;

    fn asked(from: &str, to: &str, step: &str) -> Result<Range, Problem> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        range(&Params { from: given(from), to: given(to), step: given(step) }, NOW_S)
    }

    #[test]
    fn the_last_fifteen_minutes_come_in_steps_of_ten_seconds() {
        let want = Range { from_s: NOW_S - 903, to_s: NOW_S + 1, step_s: 10 };
        assert_eq!(asked("", "", "").unwrap(), want);
    }

    #[test]
    fn a_chosen_step_keeps_the_points_few_for_any_range() {
        for length_s in [1, 60, 120, 121, 600, 900, 86_400, 30 * 86_400, 10 * 365 * 86_400] {
            let points = length_s / chosen_step(length_s);
            assert!(points <= POINTS_CHOSEN_MAX, "{length_s}: {points}");
        }
        assert_eq!(chosen_step(600), 5);
        assert_eq!(chosen_step(60), 1);
    }

    #[test]
    fn a_step_is_taken_as_asked_for_unless_the_points_are_too_many() {
        let minute = |step| asked("1795378440", "1795378500", step).map(|range| range.step_s);
        assert_eq!(minute("1s"), Ok(1));
        assert_eq!(minute("15"), Ok(15));
        assert_eq!(minute("0").unwrap_err().error, "unknown step '0'");
        assert_eq!(minute("x").unwrap_err().error, "unknown step 'x'");
        let error = asked("1", "", "1s").unwrap_err();
        assert_eq!(error.hint, format!("use at least {}s", NOW_S.div_ceil(1_000)));
    }

    #[test]
    fn times_must_be_seconds_and_in_order() {
        assert_eq!(asked("yesterday", "", "").unwrap_err().error, "from 'yesterday' is not a time");
        let error = asked("1795378500", "1795378400", "").unwrap_err();
        assert_eq!(error.error, "from 1795378500 is not before to 1795378400");
        assert_eq!(asked("1795378500", "9999999999", "").unwrap().to_s, NOW_S + 1);
    }
}
