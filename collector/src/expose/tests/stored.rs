//! What comes out of the store: long ranges, notes, mutes.

use serde_json::json;

use super::*;
use crate::rollup::StoredWindow;
use crate::store::fixture::{breakdown, window};

/// Four calls in each 10 s of the last three hours, and a provider that the board no longer knows.
async fn three_hours() -> Daemon {
    let facts = Known::new().await;
    let windows = (1..=1080).map(|i| window("sberbank", NOW_S / 10 * 10 - 10 * i, 4));
    let gone = window("gone", NOW_S / 10 * 10 - 3600, 7);
    facts.feed.put(windows.chain([gone]).collect::<Vec<StoredWindow>>(), 1);
    facts.store.checkpoint().await;
    daemon(facts)
}

#[tokio::test]
async fn a_window_of_hours_has_the_sums_of_the_store_and_the_present_of_the_board() {
    let daemon = three_hours().await;
    let board = daemon.get("/api/v1/providers?window=2h").await.json();
    assert_eq!(board["window_s"], 7200);
    let [gone, sberbank] = [0, 1].map(|at| &board["providers"][at]);
    assert_eq!(
        (&gone["name"], &gone["count"], &gone["verdict"]),
        (&json!("gone"), &json!(7), &json!("unknown"))
    );
    // 7,200 s that end with the second that runs begin 4 s into a window of 10 s.
    assert_eq!((&sberbank["count"], &sberbank["failed"]), (&json!(2880), &json!(720)));
    assert_eq!((&sberbank["verdict"], &sberbank["owner"]), (&json!("learning"), &json!("payments")));
    assert_eq!(sberbank["calls_per_s"], 0.4);
    let p50_ms = sberbank["p50_ms"].as_f64().unwrap();
    assert!((p50_ms - 3.0).abs() < 0.03, "{p50_ms}");
}

#[tokio::test]
async fn a_series_of_hours_comes_out_of_the_store_in_steps_of_whole_windows() {
    let daemon = three_hours().await;
    let of = async |name: &str, query: &str| {
        daemon.get(&format!("/api/v1/providers/{name}/series?from={}&{query}", NOW_S - 7200)).await.json()
    };
    let hours = of("sberbank", "").await;
    assert_eq!(hours["step_s"], 15_u64.next_multiple_of(10));
    let points = hours["points"].as_array().unwrap();
    assert!(points.len() <= 601, "{}", points.len());
    let calls = |points: &[Value]| points.iter().map(|point| point["count"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(calls(points), 2880);
    assert_eq!(points[1]["t"].as_u64().unwrap() % 20, 0);
    let minutes = of("sberbank", "step=60s").await;
    assert_eq!((minutes["step_s"].as_u64(), calls(minutes["points"].as_array().unwrap())), (Some(60), 2880));
    let gone = of("gone", "step=1h").await;
    assert_eq!(calls(gone["points"].as_array().unwrap()), 7);
    let known = of("%D0%B0%2F%D0%B1", "step=1h").await;
    assert_eq!(calls(known["points"].as_array().unwrap()), 0, "known, and nothing is stored of it");
}

#[tokio::test]
async fn a_note_is_in_the_list_the_series_and_the_event_stream() {
    let daemon = daemon(Known::new().await);
    let mut events = daemon.begin(Method::GET, "/api/v1/events", &[]).await.into_body();
    let note = json!({ "text": "deploy\nshop 4.2 ", "tags": ["shop"] });
    let made = daemon.send(Method::POST, "/api/v1/annotations", Some(&note)).await;
    assert_eq!((made.status.as_u16(), &made.json()["text"]), (201, &json!("deploy shop 4.2")));
    let made = made.json();
    assert_eq!(made["at"], "2026-11-22T20:15:03.000Z");
    assert_eq!(daemon.get("/api/v1/annotations").await.json()["annotations"], json!([made]));
    let series = daemon.get("/api/v1/providers/sberbank/series").await.json();
    assert_eq!(series["annotations"], json!([made]));
    let before = daemon.get(&format!("/api/v1/annotations?to={}", NOW_S - 1)).await.json();
    assert_eq!(before["annotations"], json!([]));
    soon("the event", async {
        let mut seen = String::new();
        let noted = loop {
            let frame = events.frame().await.unwrap().unwrap().into_data().unwrap();
            seen.push_str(std::str::from_utf8(&frame).unwrap());
            let after = seen.split_once("event: annotation\ndata: ").map(|(_, after)| after);
            if let Some((data, _)) = after.and_then(|after| after.split_once("\n\n")) {
                break serde_json::from_str::<Value>(data).unwrap();
            }
        };
        assert_eq!(noted, made);
    })
    .await;
}

#[tokio::test]
async fn a_muted_provider_is_shown_as_muted() {
    let daemon = daemon(Known::new().await);
    let muted =
        async || daemon.get("/api/v1/providers?window=5m").await.json()["providers"][0]["muted"].clone();
    assert_eq!(muted().await, false);
    let wish = json!({ "for": "1h", "reason": "maintenance", "by": "anna" });
    let answer = daemon.send(Method::POST, "/api/v1/providers/sberbank/mute", Some(&wish)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["until"], "2026-11-22T21:15:03.000Z");
    assert_eq!(muted().await, true);
}

#[tokio::test]
async fn a_write_that_makes_no_sense_is_refused_with_the_reason() {
    let daemon = daemon(Known::new().await);
    let check = async |path: &str, body: Value, status: u16, error: &str| {
        let answer = daemon.send(Method::POST, path, Some(&body)).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.json()["error"].as_str().unwrap().contains(error), "{}", answer.json());
        assert_eq!(keys(&answer.json()), ["error", "hint"]);
    };
    let notes = "/api/v1/annotations";
    check(notes, json!({ "text": "  " }), 400, "text is empty").await;
    check(notes, json!({ "text": "x".repeat(1001) }), 400, "text has 1001 characters").await;
    check(notes, json!({ "text": "x", "tags": vec!["t"; 17] }), 400, "17 tags").await;
    check(notes, json!({ "text": "x", "color": "red" }), 400, "unknown field").await;
    check(notes, json!({ "text": "x".repeat(20_000) }), 413, "length limit").await;
    let mute = "/api/v1/providers/sberbank/mute";
    let wish = |lasts: &str, by: &str| json!({ "for": lasts, "reason": "x", "by": by });
    check(mute, wish("31d", "anna"), 400, "cannot mute for '31d'").await;
    check(mute, wish("soon", "anna"), 400, "cannot mute for 'soon'").await;
    check(mute, wish("1h", ""), 400, "by is empty").await;
    check("/api/v1/providers/nobody/mute", wish("1h", "anna"), 404, "no provider 'nobody'").await;

    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = daemon.ask(Method::POST, notes, &form).await;
    assert_eq!((answer.status.as_u16(), keys(&answer.json())), (415, vec!["error", "hint"]));
    let page = [("content-type", "application/json"), ("origin", "http://evil.example")];
    assert_eq!(daemon.ask(Method::POST, notes, &page).await.status, 403);
    assert_eq!(daemon.ask(Method::DELETE, notes, &[]).await.status, 405);
}

#[tokio::test]
async fn a_heat_map_and_a_breakdown_of_hours_come_out_of_the_store() {
    let facts = Known::new().await;
    let minute = NOW_S / 60 * 60;
    facts.feed.put((1..=720).map(|i| window("sberbank", NOW_S / 10 * 10 - 10 * i, 4)), 1);
    facts.feed.put_breakdowns((0..120).map(|i| breakdown("sberbank", "h7", minute - 60 * i, 4)));
    facts.store.checkpoint().await;
    let daemon = daemon(facts);
    let path = format!("/api/v1/providers/sberbank/heatmap?from={}&step=10m", NOW_S - 7200);
    let map = daemon.get(&path).await.json();
    let columns = map["columns"].as_array().unwrap();
    assert_eq!((map["step_s"].as_u64(), columns.len()), (Some(600), 13));
    // Of four calls of 1 to 4 ms the first failed.
    let sum = |key: &str| columns.iter().map(|column| column[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("failed"), sum("timeout")), (720, 0));
    let counts = columns[6]["counts"].as_array().unwrap();
    assert_eq!(counts.len(), map["bounds_ms"].as_array().unwrap().len());
    assert_eq!(counts[..6], [0, 0, 60, 0, 120, 0].map(Value::from), "2 ms; 3 and 4 ms");

    let table = daemon.get("/api/v1/providers/sberbank/breakdown?by=host&window=2h").await.json();
    assert_eq!((&table["rows"][0]["key"], &table["rows"][0]["count"]), (&json!("h7"), &json!(480)));
    assert_eq!((&table["rows"][0]["share"], &table["other"]["count"]), (&json!(1.0), &json!(0)));
    let empty = daemon.get("/api/v1/providers/sberbank/breakdown?by=service&window=2h").await.json();
    assert_eq!(empty["rows"], json!([]));
    let month = daemon.get("/api/v1/providers/sberbank/breakdown?window=8d").await;
    assert_eq!((month.status.as_u16(), &month.json()["hint"]), (400, &json!("use at most 7d")));
}
