//! `/metrics` read as Prometheus reads it: by a small parser that knows the rules of the formats.

use std::collections::{BTreeMap, HashSet};

use super::*;

/// A sample without its value: name and labels, sorted.
type Id = (String, BTreeMap<String, String>);

#[derive(Debug, Default)]
pub(super) struct Scrape {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<Id, f64>,
}

impl Scrape {
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }
}

/// Reads a scrape and panics where it breaks a rule of the text format (or of OpenMetrics).
pub(super) fn parse(text: &str, open_metrics: bool) -> Scrape {
    assert!(text.ends_with('\n'), "the last line must end");
    let body = match text.strip_suffix("# EOF\n") {
        Some(body) => {
            assert!(open_metrics, "0.0.4 knows no EOF");
            body
        }
        None => {
            assert!(!open_metrics, "OpenMetrics ends with EOF");
            text
        }
    };
    let mut scrape = Scrape::default();
    let mut family = String::new();
    let mut helped = HashSet::new();
    for line in body.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("a help has a text");
            assert!(!text.is_empty() && helped.insert(name.to_owned()), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(helped.contains(name), "help first: {line}");
            assert!(scrape.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
            family = name.to_owned();
        } else {
            let (id, value) = sample(line);
            check_name(&id.0, &family, &scrape.kinds[&family], open_metrics);
            assert!(scrape.samples.insert(id, value).is_none(), "twice: {line}");
        }
    }
    check_histograms(&scrape);
    scrape
}

fn sample(line: &str) -> (Id, f64) {
    let end = line.find(['{', ' ']).expect("a sample has a value");
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").expect("a label has a value");
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let (value, after) = unescape(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "label twice: {line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').expect("a space before the value");
    let value = match value.split_once(" # ") {
        Some((value, exemplar)) => {
            check_exemplar(name, exemplar);
            value
        }
        None => value,
    };
    ((name.to_owned(), labels), value.parse().unwrap_or_else(|_| panic!("value: {line}")))
}

/// `{labels} value time`, beside a bucket and of at most 128 characters.
fn check_exemplar(name: &str, exemplar: &str) {
    assert!(name.ends_with("_bucket"), "an exemplar beside {name}");
    let (labels, numbers) = exemplar.split_once("} ").expect("labels, value, time");
    assert!(labels.starts_with("{trace_id=\"") && labels.len() < 128, "{exemplar}");
    let numbers: Vec<f64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
    assert_eq!(numbers.len(), 2, "{exemplar}");
}

/// A label value up to its closing quote, and what follows.
fn unescape(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('\\' | '"'))) => value.push(escaped),
                other => panic!("escape: {other:?}"),
            },
            other => value.push(other),
        }
    }
    panic!("no closing quote: {text}")
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// The samples of a family stand together, and their names are those of its kind.
fn check_name(name: &str, family: &str, kind: &str, open_metrics: bool) {
    let suffixes: &[&str] = match kind {
        "counter" if open_metrics => &["_total"],
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &[""],
    };
    let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{name} stands under {family}"));
    assert!(suffixes.contains(&suffix), "{name} is no {kind} of {family}");
    assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
}

fn check_histograms(scrape: &Scrape) {
    let of = scrape.kinds.iter().filter(|(_, kind)| *kind == "histogram");
    for (family, _) in of {
        let mut buckets: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &scrape.samples {
            if *name == format!("{family}_bucket") {
                let mut labels = labels.clone();
                let bound =
                    labels.remove("le").expect("a bucket has a bound").replace('+', "").parse().unwrap();
                buckets.entry(labels).or_default().push((bound, *value));
            }
        }
        assert!(!buckets.is_empty(), "{family}");
        for (labels, mut counts) in buckets {
            counts.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(counts.is_sorted_by(|a, b| a.1 <= b.1), "cumulative: {counts:?}");
            let all = scrape.samples[&(format!("{family}_count"), labels.clone())];
            assert_eq!(counts.last().copied(), Some((f64::INFINITY, all)), "the last bucket holds all");
            assert!(scrape.samples.contains_key(&(format!("{family}_sum"), labels)));
        }
    }
}

const HOSTILE: &str = "a\"} 1\nb\\{";

/// Facts with everything that a scrape can show.
async fn everything() -> Known {
    let mut facts = Known::new().await;
    facts.totals.push(totals(HOSTILE));
    facts.board.send_replace(Arc::new(Board {
        providers: vec![figures("sberbank"), figures(HOSTILE)],
        ..board(NOW_S, 60)
    }));
    let mut status = facts.destination.lock().unwrap().clone();
    status.rejected_by_destination = 5;
    status.dropped = BTreeMap::from([("oversized", 2)]);
    facts.destination = Mutex::new(status);
    facts
}

#[tokio::test]
async fn metrics_keep_the_rules_of_both_formats_and_the_promised_names() {
    let daemon = daemon(everything().await);
    let text = daemon.get("/metrics").await;
    assert_eq!(text.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let accept =
        [("accept", "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3")];
    let open = daemon.ask(Method::GET, "/metrics", &accept).await;
    assert_eq!(open.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(!std::str::from_utf8(&text.body).unwrap().contains(" # "), "the text format has no exemplars");
    let bucket = "outcome=\"ok\",le=\"0.25\"} 3 # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\",\
                  span_id=\"0101010101010101\"} 0.2 1795378502.250\n";
    assert_eq!(std::str::from_utf8(&open.body).unwrap().matches(bucket).count(), 2, "one for each provider");
    let text = parse(std::str::from_utf8(&text.body).unwrap(), false);
    let open = parse(std::str::from_utf8(&open.body).unwrap(), true);
    let is_timeless = |id: &&Id| id.0 != "spanmill_store_lag_seconds";
    let names = |scrape: &Scrape| scrape.samples.keys().filter(is_timeless).cloned().collect::<Vec<_>>();
    assert_eq!(names(&text), names(&open), "a series is the same in both formats");

    for provider in ["sberbank", HOSTILE] {
        let call = |outcome| [("provider", provider), ("operation", "authorize"), ("outcome", outcome)];
        assert_eq!(text.value("spanmill_provider_calls_total", &call("ok")), Some(3.0));
        assert_eq!(text.value("spanmill_provider_calls_total", &call("timeout")), Some(1.0));
        let bucket = |le| [("provider", provider), ("outcome", "ok"), ("le", le)];
        let name = "spanmill_provider_call_duration_seconds_bucket";
        assert_eq!(text.value(name, &bucket("0.1")), Some(0.0));
        assert_eq!(text.value(name, &bucket("1.0")), Some(3.0));
        assert_eq!(text.value(name, &bucket("+Inf")), Some(4.0));
        let verdict = |verdict| [("provider", provider), ("verdict", verdict)];
        assert_eq!(text.value("spanmill_provider_verdict", &verdict("learning")), Some(1.0));
        assert_eq!(text.value("spanmill_provider_verdict", &verdict("slow")), Some(0.0));
        assert_eq!(text.value("spanmill_provider_in_flight", &[("provider", provider)]), Some(19.0));
    }
    for (name, labels, want) in [
        ("spanmill_spans_received_total", &[("transport", "otlp_grpc")][..], 100.0),
        ("spanmill_spans_forwarded_total", &[("destination", "jaeger")], 90.0),
        ("spanmill_spans_queued", &[("destination", "jaeger")], 10.0),
        ("spanmill_spans_dropped_total", &[("reason", "invalid")], 3.0),
        ("spanmill_spans_dropped_total", &[("reason", "oversized")], 2.0),
        ("spanmill_spans_dropped_total", &[("reason", "rejected_by_destination")], 5.0),
        ("spanmill_masked_total", &[("rule", "pan")], 0.0),
        ("spanmill_requests_rejected_total", &[("reason", "too_large")], 1.0),
        ("spanmill_journal_bytes", &[], 56_000.0),
        ("spanmill_journal_lag_seconds", &[], 1.5),
        ("spanmill_store_windows_total", &[], 0.0),
        ("spanmill_store_windows_waiting", &[], 0.0),
        ("spanmill_store_windows_lost_total", &[], 0.0),
        ("spanmill_store_errors_total", &[], 0.0),
        ("spanmill_store_refused_total", &[], 0.0),
        ("spanmill_store_set_aside_total", &[], 0.0),
        ("spanmill_clock_skew_seconds", &[("host", "h9")], 599.5),
        ("spanmill_provider_in_flight_older", &[("provider", "sberbank"), ("seconds", "1")], 4.0),
        ("spanmill_provider_in_flight_older", &[("provider", "sberbank"), ("seconds", "5")], 0.0),
        ("spanmill_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0),
    ] {
        assert_eq!(text.value(name, labels), Some(want), "{name}{labels:?}");
    }
}

#[tokio::test]
async fn metrics_are_well_formed_before_anything_has_happened() {
    let mut facts = Known::new().await;
    facts.board.send_replace(Arc::default());
    facts.totals = vec![Totals { calls: Vec::new(), durations: Vec::new(), ..totals("idle") }];
    let text = daemon(facts).get("/metrics").await;
    let text = String::from_utf8(text.body.to_vec()).unwrap();
    assert!(!text.contains("_bucket"));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        sample(line);
    }
}
