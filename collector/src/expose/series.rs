//! `GET /api/v1/providers/{name}/series?from=&to=&step=`, and `heatmap`: one provider over time.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::api::Api;
use super::problem::Problem;
use super::window::{self, duration, unix_s};
use crate::rollup::{Column, Heatmap, Point, Series, Sum};
use crate::store::Range;
use crate::store::annotations::Annotation;

/// Points of an answer whose step we choose: for the last minutes, drawn again each second, about what a chart of
/// half a screen can show, and for longer ranges what one of a whole screen can.
const RECENT_POINTS_MAX: u64 = 120;
const STORED_POINTS_MAX: u64 = 600;
/// Points of an answer whose step the caller chooses: 15 min in seconds, and some.
const POINTS_MAX: u64 = 1_000;
const STEPS_S: [u64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600];
/// Longest range: what alerts and annotations are kept.
const LENGTH_MAX_S: u64 = 400 * 86_400;

#[derive(Debug, Deserialize)]
pub(super) struct Params {
    from: Option<String>,
    to: Option<String>,
    step: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    series: Series,
    annotations: Vec<Annotation>,
    verdicts: Vec<Held>,
}

/// A verdict while it held, in unix seconds; `to` is null while it does.
#[derive(Debug, Serialize)]
struct Held {
    from: u64,
    to: Option<u64>,
    verdict: String,
    scope: String,
}

pub(super) async fn of(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(name), Query(params)) = (name?, params?);
    let now_s = api.facts.unix_ns() / 1_000_000_000;
    let range = range(&params, now_s)?;
    let Range { from_s, to_s, step_s } = range;
    let series = match is_recent(range, now_s) {
        true => api.facts.series(&name, from_s, to_s, step_s),
        false => {
            let range = Range::stored(from_s, to_s, step_s, now_s);
            let points = stored(&api, &name, range, Point::of).await?;
            points.map(|points| Series { name: name.clone(), step_s: range.step_s, points })
        }
    };
    let series = series.ok_or_else(|| Problem::no_provider(&name))?;
    // The figures of the last minutes do not wait for a disk that is in trouble.
    let store = api.facts.store();
    let annotations = store.annotations(from_s, to_s).await.unwrap_or_default();
    let alerts = store.alerts_of(&name, from_s, to_s).await.unwrap_or_default();
    let verdicts = alerts.into_iter().map(|alert| Held {
        from: alert.started_ms / 1000,
        to: alert.resolved_ms.map(|ms| ms / 1000),
        verdict: alert.kind,
        scope: alert.scope,
    });
    Ok(Json(Answer { series, annotations, verdicts: verdicts.collect() }).into_response())
}

/// Whether the roll-up has all of it in memory, by seconds.
fn is_recent(range: Range, now_s: u64) -> bool {
    range.from_s + range.step_s + window::RECENT.as_secs() > now_s
}

/// Out of the store, a `point` for each step; a provider that is known and has nothing there is a row of zeros.
async fn stored<T: Send + 'static>(
    api: &Api,
    name: &str,
    range: Range,
    point: fn(u64, &Sum) -> T,
) -> Result<Option<Vec<T>>, Problem> {
    let store = api.facts.store();
    store.freshen().await;
    if let Some(points) = store.series(name, range, point).await? {
        return Ok(Some(points));
    }
    let now_s = api.facts.unix_ns() / 1_000_000_000;
    let is_known = api.facts.series(name, now_s, now_s + 1, 1).is_some();
    let zeros = (range.from_s..range.to_s).step_by(range.step_s as usize);
    Ok(is_known.then(|| zeros.map(|t| point(t, &Sum::default())).collect()))
}

/// `GET /api/v1/providers/{name}/heatmap?from=&to=&step=`
pub(super) async fn heatmap(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    params: Result<Query<Params>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(name), Query(params)) = (name?, params?);
    let now_s = api.facts.unix_ns() / 1_000_000_000;
    let range = range(&params, now_s)?;
    let Range { from_s, to_s, step_s } = range;
    let map = match is_recent(range, now_s) {
        true => api.facts.heatmap(&name, from_s, to_s, step_s),
        false => {
            let range = Range::stored(from_s, to_s, step_s, now_s);
            let columns = stored(&api, &name, range, Column::of).await?;
            columns.map(|columns| Heatmap::of(range.step_s, columns))
        }
    };
    Ok(Json(map.ok_or_else(|| Problem::no_provider(&name))?).into_response())
}

/// The last 15 minutes where nothing else is said; a step that fits the range where none is.
fn range(params: &Params, now_s: u64) -> Result<Range, Problem> {
    // The second that runs is shown, and nothing lies beyond it.
    let to_s = unix_s("to", params.to.as_deref())?.map_or(now_s + 1, |to| to.min(now_s + 1));
    let from_s = unix_s("from", params.from.as_deref())?
        .unwrap_or_else(|| to_s.saturating_sub(window::RECENT.as_secs() + 1));
    if from_s >= to_s {
        let error = format!("from {from_s} is not before to {to_s}");
        return Err(Problem::bad_request(error, format!("the clock here says {now_s}")));
    }
    let length_s = to_s - from_s;
    let step_s = match params.step.as_deref() {
        Some(text) => step(text, length_s)?,
        None => chosen_step(length_s),
    };
    if length_s > LENGTH_MAX_S {
        let error = format!("{length_s} s are longer than anything is kept");
        return Err(Problem::bad_request(error, "use at most 400 days"));
    }
    // On the grid of the step, so that a chart that is drawn again each second does not shimmer.
    Ok(Range { from_s: from_s - from_s % step_s, to_s, step_s })
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
    let is_recent = length_s <= window::RECENT.as_secs() + 1;
    let points_max = if is_recent { RECENT_POINTS_MAX } else { STORED_POINTS_MAX };
    let fits = |step: &u64| length_s / step <= points_max;
    STEPS_S.into_iter().find(fits).unwrap_or_else(|| length_s.div_ceil(points_max))
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
        for length_s in [1, 60, 120, 121, 600, 900, 86_400, 30 * 86_400, 400 * 86_400] {
            let points = length_s / chosen_step(length_s);
            assert!(points <= STORED_POINTS_MAX, "{length_s}: {points}");
        }
        assert_eq!((chosen_step(86_400), chosen_step(30 * 86_400)), (300, 7_200));
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
