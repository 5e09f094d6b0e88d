//! The OpenAPI document against itself, the routes and the answers: whatever is answered is described, and whatever
//! is described is answered.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::rollup::StoredWindow;
use crate::store::alerts::Alert;
use crate::store::fixture::{breakdown, window};

fn document() -> Value {
    serde_json::from_str(include_str!("../openapi.json")).unwrap()
}

/// Holds `value` against a schema, as far as the document uses JSON Schema; says where it does not fit.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return check(document, target.expect("it resolves"), value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().filter(|one| check(document, one, value, at).is_ok()).count();
        return if fits == 1 { Ok(()) } else { Err(format!("{at}: fits {fits} of oneOf: {value}")) };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        many => many.as_array().expect("every schema has a type").iter().filter_map(Value::as_str).collect(),
    };
    let fits = kinds.contains(&kind) || (kind == "integer" && kinds.contains(&"number"));
    if !fits {
        return Err(format!("{at}: {kind}, not {kinds:?}: {value}"));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        return Err(format!("{at}: {value} is none of {choices:?}"));
    }
    if schema["format"] == "date-time"
        && let Some(text) = value.as_str()
        && !(text.len() == 24 && text.ends_with('Z') && text.as_bytes()[10] == b'T')
    {
        return Err(format!("{at}: '{text}' is no time with milliseconds in UTC"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{at}[{index}]"))?;
    }
    if let Some(object) = value.as_object() {
        check_object(document, schema, object, at)?;
    }
    Ok(())
}

fn check_object(
    document: &Value,
    schema: &Value,
    object: &serde_json::Map<String, Value>,
    at: &str,
) -> Result<(), String> {
    for (key, value) in object {
        let at = format!("{at}.{key}");
        match (schema["properties"].get(key), &schema["additionalProperties"]) {
            (Some(property), _) => check(document, property, value, &at)?,
            (None, Value::Bool(true)) => {}
            (None, rest @ Value::Object(_)) => check(document, rest, value, &at)?,
            (None, _) => return Err(format!("{at} is not described")),
        }
    }
    let mut required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match required.find(|key| !object.contains_key(*key)) {
        Some(key) => Err(format!("{at}.{key} is missing")),
        None => Ok(()),
    }
}

/// Every schema of the document with the place where it stands.
fn schemas<'a>(value: &'a Value, at: &str, found: &mut Vec<(String, &'a Value)>) {
    if let Some(object) = value.as_object() {
        if object.contains_key("type") && !at.contains("securitySchemes") {
            found.push((at.to_owned(), value));
        }
        object.iter().for_each(|(key, value)| schemas(value, &format!("{at}/{key}"), found));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        schemas(item, &format!("{at}/{index}"), found);
    }
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, of)| (path.as_str(), method.as_str(), of))
    })
}

#[test]
fn the_document_is_whole_in_itself() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("#/components/schemas/{name}\"")), "nothing uses {name}");
    }
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        assert!(["get", "post"].contains(&method), "{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{path}");
        let named = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let described = parameters.filter(|one| one["in"] == "path").filter_map(|one| one["name"].as_str());
        assert!(named.eq(described), "the parameters in {path}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(
                response["description"].is_string() && response["content"].is_object(),
                "{path} {status}"
            );
        }
    }
    // An answer may not have a key that it sometimes lacks: readers would have to ask.
    let mut found = Vec::new();
    schemas(&document, "", &mut found);
    for (at, schema) in found {
        let Some(properties) = schema["properties"].as_object() else { continue };
        let required: BTreeSet<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let keys: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        let optional: Vec<&&str> = keys.difference(&required).collect();
        let is_request = at.ends_with("/Note");
        assert!(required.is_subset(&keys) && (optional.is_empty() || is_request), "{at}: {optional:?}");
        assert_eq!(schema["additionalProperties"], false, "{at}");
    }
}

#[test]
fn every_route_is_described_and_no_other() {
    let routes: BTreeSet<&str> = include_str!("../api.rs")
        .split(".route(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let document = document();
    let described: BTreeSet<&str> = operations(&document).map(|(path, _, _)| path).collect();
    assert_eq!(routes, described);
}

fn alert() -> Alert {
    Alert {
        id: "01J".to_owned(),
        provider: "sberbank".to_owned(),
        kind: "slow".to_owned(),
        scope: "everyone".to_owned(),
        started_ms: (NOW_S - 60) * 1000,
        detected_ms: (NOW_S - 50) * 1000,
        resolved_ms: None,
        evidence: "p95 0.80 s, normally 0.64 s".to_owned(),
        exemplars: vec!["4bf92f3577b34da6a3ce929d0e0e4736".to_owned()],
        severity: "page".to_owned(),
        muted: false,
    }
}

/// Requests that between them bring every answer: method, path in the document, path, body.
fn requests() -> Vec<(Method, &'static str, String, Option<Value>)> {
    let get = |of, path: &str| (Method::GET, of, path.to_owned(), None);
    let post = |of, path: &str, body| (Method::POST, of, path.to_owned(), Some(body));
    let providers = "/api/v1/providers";
    let series = "/api/v1/providers/{name}/series";
    let mute = "/api/v1/providers/{name}/mute";
    let breakdown = "/api/v1/providers/{name}/breakdown";
    let exemplars = "/api/v1/providers/{name}/exemplars";
    let heatmap = "/api/v1/providers/{name}/heatmap";
    let notes = "/api/v1/annotations";
    let trace = "/api/v1/traces/{trace_id}";
    let wish = json!({ "for": "1h", "reason": "maintenance", "by": "anna" });
    vec![
        post(notes, notes, json!({ "text": "deploy shop 4.2", "tags": ["shop"] })),
        post(notes, notes, json!({ "text": "no tags" })),
        post(notes, notes, json!({ "text": " " })),
        post(notes, notes, json!({ "txet": "x" })),
        get(notes, notes),
        get(notes, "/api/v1/annotations?from=noon"),
        post(mute, "/api/v1/providers/sberbank/mute", wish.clone()),
        post(mute, "/api/v1/providers/sberbank/mute", json!({ "for": "1y", "reason": "x", "by": "y" })),
        post(mute, "/api/v1/providers/nobody/mute", wish),
        get(providers, providers),
        get(providers, "/api/v1/providers?window=1h"),
        get(providers, "/api/v1/providers?window=x"),
        get(series, "/api/v1/providers/sberbank/series"),
        get(series, &format!("/api/v1/providers/sberbank/series?from={}", NOW_S - 7200)),
        get(series, "/api/v1/providers/sberbank/series?from=noon"),
        get(series, "/api/v1/providers/nobody/series"),
        get(breakdown, "/api/v1/providers/sberbank/breakdown?by=endpoint"),
        get(breakdown, "/api/v1/providers/sberbank/breakdown?by=host&window=7d"),
        get(breakdown, "/api/v1/providers/sberbank/breakdown?by=x"),
        get(breakdown, "/api/v1/providers/nobody/breakdown"),
        get(exemplars, "/api/v1/providers/sberbank/exemplars"),
        get(exemplars, "/api/v1/providers/sberbank/exemplars?kind=x"),
        get(exemplars, "/api/v1/providers/nobody/exemplars"),
        get(heatmap, "/api/v1/providers/sberbank/heatmap"),
        get(heatmap, &format!("/api/v1/providers/sberbank/heatmap?from={}", NOW_S - 7200)),
        get(heatmap, "/api/v1/providers/sberbank/heatmap?from=noon"),
        get(heatmap, "/api/v1/providers/nobody/heatmap"),
        get("/api/v1/unmapped", "/api/v1/unmapped"),
        post("/-/reload", "/-/reload", json!({})),
        get("/api/v1/alerts", "/api/v1/alerts?state=firing"),
        get("/api/v1/alerts", "/api/v1/alerts?state=x"),
        get(trace, "/api/v1/traces/4bf92f3577b34da6a3ce929d0e0e4736"),
        get(trace, "/api/v1/traces/4bf92f3577b34da6a3ce929d0e0e4737"),
        get(trace, "/api/v1/traces/x"),
        get("/api/v1/stats", "/api/v1/stats"),
        get("/api/v1/openapi.json", "/api/v1/openapi.json"),
        get("/metrics", "/metrics"),
        get("/healthz", "/healthz"),
        get("/readyz", "/readyz"),
    ]
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let document = document();
    let mut facts = Known::new().await;
    facts.batches.push(super::traces::known());
    let stored: Vec<StoredWindow> =
        (1..=300).map(|i| window("sberbank", NOW_S / 10 * 10 - 10 * i, 4)).collect();
    facts.feed.put(stored, 1);
    facts.feed.put_breakdowns([breakdown("sberbank", "h1", NOW_S / 60 * 60 - 3600, 4)]);
    facts.store.checkpoint().await;
    facts.store.put_alert(alert()).wait().await.unwrap();
    let daemon = daemon(facts);

    let mut seen = BTreeSet::new();
    for (method, of, path, body) in requests() {
        let answer = daemon.send(method.clone(), &path, body.as_ref()).await;
        seen.insert(hold(&document, &method, of, &path, &answer));
    }
    daemon.facts.draining.store(true, Ordering::Relaxed);
    let answer = daemon.get("/readyz").await;
    seen.insert(hold(&document, &Method::GET, "/readyz", "/readyz", &answer));
    *daemon.facts.reload.lock().unwrap() = Err("spanmill.toml:3: rollup: what is this?".to_owned());
    let answer = daemon.send(Method::POST, "/-/reload", Some(&json!({}))).await;
    seen.insert(hold(&document, &Method::POST, "/-/reload", "/-/reload", &answer));
    let head = daemon.begin(Method::GET, "/api/v1/events", &[]).await;
    assert_eq!(head.headers()["content-type"], "text/event-stream");
    seen.insert("get /api/v1/events 200".to_owned());
    let elsewhere = daemon.ask(Method::GET, "/api/v1/stats", &[("host", "evil.example")]).await;
    seen.insert(hold(&document, &Method::GET, "/api/v1/stats", "another host", &elsewhere));

    for (path, method, operation) in operations(&document) {
        for status in operation["responses"].as_object().unwrap().keys() {
            let id = format!("{method} {path} {status}");
            // A store, a look-up or a stream that is not to be had has tests of its own.
            let is_elsewhere = status == "default" || (status == "503" && path != "/readyz");
            assert!(is_elsewhere || seen.contains(&id), "nobody has seen {id}");
        }
    }
}

/// Holds an answer against what the document says of it; gives its id.
fn hold(document: &Value, method: &Method, of: &str, path: &str, answer: &Answer) -> String {
    let method = method.as_str().to_lowercase();
    let responses = &document["paths"][of][&method]["responses"];
    let status = answer.status.as_u16().to_string();
    let status = if responses.get(&status).is_some() { status } else { "default".to_owned() };
    let content = responses[&status]["content"].as_object().unwrap();
    let (media, schema) = content.iter().next().unwrap();
    assert!(answer.header("content-type").starts_with(media.as_str()), "{method} {path}: {media}");
    if media == "application/json" {
        let value: Value = serde_json::from_slice(&answer.body).unwrap();
        check(document, &schema["schema"], &value, &format!("{method} {path} {status}")).unwrap();
    }
    format!("{method} {of} {status}")
}

#[test]
fn the_check_can_fail() {
    let document = document();
    let of = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let fails = |schema: &Value, value: Value, why: &str| {
        let error = check(&document, schema, &value, "it").unwrap_err();
        assert!(error.contains(why), "{error}");
    };
    fails(&of("Error"), json!({ "error": "x" }), "it.hint is missing");
    fails(&of("Error"), json!({ "error": "x", "hint": "y", "more": 1 }), "it.more is not described");
    fails(&of("Error"), json!({ "error": 1, "hint": "y" }), "it.error: integer, not");
    fails(&json!({ "type": "string", "enum": ["a"] }), json!("b"), "is none of");
    fails(&json!({ "type": "string", "format": "date-time" }), json!("2026-11-22"), "is no time");
}
