//! Shapes, errors, health and the headers around them.

use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::*;

#[tokio::test]
async fn providers_have_every_field_of_the_api_and_no_other() {
    let answer = daemon(Known::new().await).get("/api/v1/providers?window=5m").await.json();
    assert_eq!(keys(&answer), ["at", "providers", "window_s"]);
    assert_eq!(answer["at"], "2026-11-22T20:15:03.000Z");
    assert_eq!(answer["window_s"], 300);
    let provider = &answer["providers"][0];
    let want = "name calls_per_s count attempts ok declined client_fault failed timeout connect cancelled \
                failure_ratio conversion p50_ms p95_ms p99_ms max_ms sum_ms failed_p95_ms in_flight \
                oldest_in_flight_ms baseline verdict since scope evidence last_success owner runbook \
                status_page muted";
    assert_eq!(keys(provider), sorted(want));
    assert_eq!(keys(&provider["conversion"]), ["10m", "15m", "5m"]);
    assert_eq!(keys(&provider["baseline"]), ["calls_per_s", "failure_ratio", "p95_ms"]);
    assert_eq!(provider["name"], "sberbank");
    assert_eq!(provider["verdict"], "learning");
    assert_eq!(provider["failed_p95_ms"], Value::Null);
    assert_eq!(provider["conversion"]["10m"], Value::Null);
}

#[tokio::test]
async fn the_window_is_a_minute_where_none_is_asked_for() {
    let answer = daemon(Known::new().await).get("/api/v1/providers").await.json();
    assert_eq!(answer["window_s"], 60);
}

#[tokio::test]
async fn errors_say_what_is_wrong_and_what_to_do() {
    let daemon = daemon(Known::new().await);
    let check = async |path: &str, status: u16, error: &str, hint: &str| {
        let answer = daemon.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json(), serde_json::json!({ "error": error, "hint": hint }), "{path}");
    };
    let units = "use s, m, h or d, e.g. 60s";
    check("/api/v1/providers?window=5%20lightyears", 400, "unknown window '5 lightyears'", units).await;
    let kept = "window '31d' is longer than the 7d that are answered";
    check("/api/v1/providers?window=31d", 400, kept, "use at most 7d").await;
    let twice = daemon.get("/api/v1/providers?window=1m&window=2m").await;
    assert_eq!((twice.status.as_u16(), keys(&twice.json()).len()), (400, 2));

    let known = "/api/v1/providers lists those that are known";
    check("/api/v1/providers/nobody/series", 404, "no provider 'nobody'", known).await;
    let time = "use whole unix seconds, e.g. 1795378500";
    check("/api/v1/providers/sberbank/series?from=noon", 400, "from 'noon' is not a time", time).await;
    let broken = daemon.get("/api/v1/providers/%ff/series").await;
    assert_eq!((broken.status.as_u16(), keys(&broken.json()).len()), (400, 2));

    let begins = "the API begins at /api/v1/providers, the page at /";
    for path in ["/api/v1/nothing", "/api/", "/api/v2/providers", "/api/v1/providers/../../etc/passwd"] {
        check(path, 404, &format!("nothing is at {path}"), begins).await;
    }
    for path in ["breakdown", "exemplars", "heatmap"] {
        check(&format!("/api/v1/providers/nobody/{path}"), 404, "no provider 'nobody'", known).await;
    }
    let dimensions = "use by=operation, host, service or endpoint";
    check("/api/v1/providers/sberbank/breakdown?by=card", 400, "unknown dimension 'card'", dimensions).await;
    let kinds = "use kind=slow, failed or recent";
    check("/api/v1/providers/sberbank/exemplars?kind=fast", 400, "unknown kind 'fast'", kinds).await;
    check("/api/v1/providers/sberbank/exemplars?window=x", 400, "unknown window 'x'", units).await;
    let posted = daemon.ask(Method::POST, "/api/v1/providers", &[]).await;
    assert_eq!((posted.status.as_u16(), keys(&posted.json()).len()), (405, 2));
}

#[tokio::test]
async fn a_series_has_the_points_of_its_range() {
    let daemon = daemon(Known::new().await);
    let answer = daemon.get("/api/v1/providers/sberbank/series").await.json();
    assert_eq!(keys(&answer), ["annotations", "name", "points", "step_s", "verdicts"]);
    assert_eq!((&answer["step_s"], answer["points"].as_array().unwrap().len()), (&Value::from(10), 91));
    let want = "t count ok declined client_fault failed timeout connect cancelled p50_ms p95_ms p99_ms \
                max_ms sum_ms in_flight oldest_in_flight_ms";
    assert_eq!(keys(&answer["points"][0]), sorted(want));

    let asked = "/api/v1/providers/%D0%B0%2F%D0%B1/series?from=1795378440&to=1795378500&step=15s";
    let answer = daemon.get(asked).await.json();
    assert_eq!(answer["name"], "а/б");
    let times: Vec<u64> =
        answer["points"].as_array().unwrap().iter().map(|point| point["t"].as_u64().unwrap()).collect();
    assert_eq!(times, [1_795_378_440, 1_795_378_455, 1_795_378_470, 1_795_378_485]);
}

#[tokio::test]
async fn the_sums_of_each_destination_add_up_to_what_was_received() {
    let answer = daemon(Known::new().await).get("/api/v1/stats").await.json();
    let want = "received rejected invalid_spans known lost unkept overflowed masked clients rolled_up late backwards name_conflicts \
                notices open_calls_lost providers_replaced unsaved_windows clock_skew_s unreadable_batches missed journal \
                store destinations notifiers";
    assert_eq!(keys(&answer), sorted(want));
    assert_eq!(answer["rejected"]["too_large"], 1);
    assert_eq!(answer["late"], serde_json::json!({ "late": 4, "too_late": 1, "from_the_future": 0 }));
    assert_eq!(keys(&answer["journal"]), sorted("position bytes oldest_s corrupt_records"));
    let jaeger = &answer["destinations"]["jaeger"];
    let want = "recovered forwarded duplicates not_for_forwarding rejected_by_destination kept_aside dropped queued \
                lag_s last_error";
    assert_eq!(keys(jaeger), sorted(want));
    let sum = |names: &[&str]| names.iter().map(|name| jaeger[name].as_u64().unwrap()).sum::<u64>();
    let kept = sum(&["forwarded", "not_for_forwarding", "rejected_by_destination", "queued"]);
    assert_eq!(answer["received"].as_u64().unwrap() + sum(&["recovered"]), kept);
}

/// Reads one event, and what is left of the next.
async fn event(body: &mut Incoming) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\n\n") {
        let frame = soon("an event", body.frame()).await.expect("the stream goes on").unwrap();
        text.extend_from_slice(&frame.into_data().unwrap());
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn events_bring_each_board_with_its_id() {
    let daemon = daemon(Known::new().await);
    let answer = daemon.begin(Method::GET, "/api/v1/events", &[]).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let mut body = answer.into_body();
    for second in 1..=2 {
        daemon.facts.board.send_replace(Arc::new(board(NOW_S + second, 60)));
        let text = event(&mut body).await;
        let (head, data) = text.split_once("data: ").unwrap();
        assert_eq!(head, format!("id: {}000\nevent: providers\n", NOW_S + second));
        let data: Value = serde_json::from_str(data.trim_end()).unwrap();
        assert_eq!(data["at"], rollup::rfc3339((NOW_S + second) * 1_000_000_000));
        // What everybody is sent is also what everybody reads.
        assert_eq!(daemon.get("/api/v1/providers?window=60s").await.json(), data);
    }
    soon("stop", daemon.server.stop(PATIENCE)).await;
    assert!(soon("the end of the stream", body.frame()).await.is_none());
}

#[tokio::test]
async fn event_streams_are_bounded_and_a_closed_one_makes_room() {
    let daemon = daemon(Known::new().await);
    let mut open = Vec::new();
    for _ in 0..64 {
        let answer = daemon.begin(Method::GET, "/api/v1/events", &[]).await;
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    let refused = daemon.get("/api/v1/events").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"], "64 event streams are open already");
    open.pop();
    let room = async {
        while daemon.begin(Method::GET, "/api/v1/events", &[]).await.status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    soon("room for one more", room).await;
}

#[tokio::test]
async fn ready_says_no_only_while_nothing_can_be_taken() {
    let daemon = daemon(Known::new().await);
    let ready = async || {
        let answer = daemon.get("/readyz").await;
        (answer.status.as_u16(), answer.json()["reasons"].to_string())
    };
    assert_eq!(ready().await, (200, "[]".to_owned()));

    daemon.facts.recovered.store(false, Ordering::Relaxed);
    let reading = r#"["the journal of before the start is still being read"]"#;
    assert_eq!(ready().await, (503, reading.to_owned()));
    daemon.facts.recovered.store(true, Ordering::Relaxed);

    daemon.facts.journal_writable.store(false, Ordering::Relaxed);
    let disk = r#"["the journal cannot be written: see the daemon's log"]"#;
    assert_eq!(ready().await, (503, disk.to_owned()));
    daemon.facts.journal_writable.store(true, Ordering::Relaxed);
    assert_eq!(ready().await.0, 200);

    daemon.facts.destination.lock().unwrap().last_error = Some("connection refused".to_owned());
    assert_eq!(ready().await, (200, r#"["destination jaeger: connection refused"]"#.to_owned()));

    daemon.facts.draining.store(true, Ordering::Relaxed);
    assert_eq!(ready().await.0, 503);
    assert_eq!(daemon.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn another_hosts_name_is_refused_on_loopback() {
    let daemon = daemon(Known::new().await);
    for path in ["/api/v1/providers", "/metrics", "/nothing"] {
        let answer = daemon.ask(Method::GET, path, &[("host", "evil.example")]).await;
        assert_eq!(answer.status, 421, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("sberbank"));
    }
    assert_eq!(daemon.ask(Method::GET, "/healthz", &[("host", "localhost:9")]).await.status, 200);
}

#[tokio::test]
async fn every_answer_is_kept_from_being_taken_for_a_page() {
    let daemon = daemon(Known::new().await);
    for path in ["/api/v1/providers", "/api/v1/nothing", "/metrics", "/readyz", "/api/v1/stats"] {
        let answer = daemon.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}

#[tokio::test]
async fn the_page_is_served_under_the_same_guard() {
    let daemon = daemon(Known::new().await);
    for path in ["/", "/p/sberbank", "/t/4bf92f3577b34da6a3ce929d0e0e4736"] {
        let answer = daemon.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.header("content-type").starts_with("text/html"), "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self'"), "the page's own policy stands: {policy}");
    }
    assert_eq!(daemon.ask(Method::GET, "/", &[("host", "evil.example")]).await.status, 421);
}

#[tokio::test]
async fn one_provider_is_told_by_its_parts_and_by_calls_to_look_at() {
    let daemon = daemon_with(Known::new().await, Some("http://jaeger:16686"));
    let table = daemon.get("/api/v1/providers/sberbank/breakdown?by=endpoint&window=60s").await.json();
    assert_eq!(keys(&table), ["by", "lost_keys", "other", "rows"]);
    assert_eq!((&table["by"], &table["lost_keys"]), (&Value::from("endpoint"), &Value::from(3)));
    assert_eq!(keys(&table["rows"][0]), sorted("key count share failure_ratio p50_ms p95_ms p99_ms"));
    assert_eq!(keys(&table["other"]), sorted("count share failure_ratio p50_ms p95_ms p99_ms"));
    let found = daemon.get("/api/v1/providers/sberbank/exemplars?kind=failed&window=15m").await.json();
    let want = "trace_id span_id at operation service host ms outcome jaeger_url";
    assert_eq!((keys(&found), keys(&found["exemplars"][0])), (vec!["exemplars"], sorted(want)));
    assert_eq!(found["exemplars"][0]["operation"], "Failed");
    let url = "http://jaeger:16686/trace/4bf92f3577b34da6a3ce929d0e0e4736";
    assert_eq!(found["exemplars"][0]["jaeger_url"], url);
    let map = daemon.get("/api/v1/providers/sberbank/heatmap?step=60s").await.json();
    assert_eq!((keys(&map), &map["step_s"]), (vec!["bounds_ms", "columns", "step_s"], &Value::from(60)));
    assert_eq!(keys(&map["columns"][0]), ["counts", "failed", "t", "timeout"]);
    let peers = daemon.get("/api/v1/unmapped").await.json();
    assert_eq!(keys(&peers["peers"][0]), ["count", "peer", "rule", "services"]);
}

#[tokio::test]
async fn a_reload_says_what_came_of_it() {
    let daemon = daemon(Known::new().await);
    assert_eq!(daemon.ask(Method::GET, "/-/reload", &[]).await.status, 405);
    let done = daemon.ask(Method::POST, "/-/reload", &[]).await;
    assert_eq!((done.status.as_u16(), done.json()), (200, serde_json::json!({ "reloaded": true })));
    *daemon.facts.reload.lock().unwrap() = Err("spanmill.toml:2: unknown key".to_owned());
    let refused = daemon.ask(Method::POST, "/-/reload", &[]).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]),
        (400, &Value::from("spanmill.toml:2: unknown key"))
    );
}
