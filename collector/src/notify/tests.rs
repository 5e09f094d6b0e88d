//! Receivers that are dead for half an hour, in no time; and real calls on real sockets.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use ring::hmac;
use serde_json::{Value, json};

use super::channel::{About, Answer};
use super::desk::Desk;
use super::*;

const SECOND: u64 = 1_000_000_000;
/// 2026-11-22T20:15:03Z
const NOW: u64 = 1_795_378_503 * SECOND;
const ABOUT: About<'_> = About { instance: "here", page: "http://spanmill:4316" };

fn notice(id: &str, provider: &str) -> Notice {
    Notice {
        id: id.to_owned(),
        provider: provider.to_owned(),
        kind: "hung".to_owned(),
        scope: "everyone".to_owned(),
        started_unix_ns: NOW - 7 * SECOND,
        detected_unix_ns: NOW,
        evidence: "9 calls open for longer than 4 s, none answered for 6 s".to_owned(),
        exemplars: vec!["4bf92f3577b34da6a3ce929d0e0e4736".to_owned()],
        owner: Some("payments".to_owned()),
        runbook: Some("http://wiki/bank".to_owned()),
        ..Notice::default()
    }
}

fn resolved(notice: &Notice, at_ns: u64) -> Notice {
    Notice { resolved_unix_ns: Some(at_ns), ..notice.clone() }
}

fn target(kind: TargetKind, url: &str) -> Target {
    let uri: http::Uri = url.parse().unwrap();
    Target {
        name: "one".to_owned(),
        kind,
        server: dial::Target {
            authority: uri.authority().unwrap().clone(),
            protocol: dial::Protocol::Http1,
            tls: None,
        },
        path: uri.path_and_query().unwrap().clone(),
        headers: Vec::new(),
        severity_min: Severity::Info,
    }
}

fn config(file: &Path, targets: Vec<Target>) -> Config {
    Config { file: file.to_owned(), targets, page: ABOUT.page.to_owned(), instance: "here".to_owned() }
}

/// Nobody is muted.
fn nobody() -> IsMuted {
    Box::new(|_| false)
}

/// A desk with one receiver that a test answers for, second by second.
struct Simulation {
    desk: Desk,
    now_ns: u64,
    /// Bodies that were taken, with the second in which they were.
    taken: Vec<(u64, Value)>,
    muted: Arc<Mutex<Vec<&'static str>>>,
    keys: Vec<String>,
}

impl Simulation {
    fn new(kind: TargetKind) -> Simulation {
        let config = config(Path::new("unused"), vec![target(kind, "http://receiver/hook")]);
        let muted = Arc::<Mutex<Vec<&'static str>>>::default();
        let is_muted = {
            let muted = Arc::clone(&muted);
            move |provider: &str| muted.lock().unwrap().contains(&provider)
        };
        let desk = Desk::new(&config, outbox::Kept::default(), Box::new(is_muted));
        Simulation { desk, now_ns: NOW, taken: Vec::new(), muted, keys: Vec::new() }
    }

    fn tell(&mut self, notice: &Notice) {
        self.desk.tell(notice, self.now_ns);
    }

    /// Lets `seconds` pass with a receiver that is alive or dead.
    fn pass(&mut self, seconds: u64, alive: bool) {
        for _ in 0..seconds {
            self.now_ns += SECOND;
            self.desk.tick(self.now_ns);
            let Some(call) = self.desk.due(0, self.now_ns, &ABOUT) else { continue };
            let key = call.headers.first().map(|(_, key)| key.to_str().unwrap().to_owned());
            self.keys.extend(key);
            if alive {
                self.taken.push((self.now_ns, serde_json::from_slice(&call.body).unwrap()));
            }
            let answer = if alive { Answer::Taken } else { Answer::Failed("connection refused".to_owned()) };
            self.desk.answered(0, answer, self.now_ns, self.now_ns.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
    }

    fn status(&self) -> Status {
        self.desk.status().remove(0)
    }

    /// The state and id of every alert that was taken, in order.
    fn states(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let alerts = self.taken.iter().flat_map(|(_, body)| body["alerts"].as_array().unwrap().clone());
        alerts.map(|alert| (text(&alert["state"]), text(&alert["id"]))).collect()
    }
}

fn webhook() -> TargetKind {
    TargetKind::Webhook { secret_file: None }
}

fn pair(state: &str, id: &str) -> (String, String) {
    (state.to_owned(), id.to_owned())
}

#[test]
fn a_webhook_that_was_dead_for_half_an_hour_hears_all_in_order_within_a_minute() {
    let mut simulation = Simulation::new(webhook());
    let (first, second) = (notice("a", "acme"), notice("b", "globex"));
    simulation.tell(&first);
    simulation.pass(900, false);
    simulation.tell(&second);
    simulation.tell(&resolved(&first, simulation.now_ns));
    simulation.pass(900, false);
    assert_eq!(simulation.status().queued, 3);
    assert!(simulation.status().failed > 30, "{:?}", simulation.status());
    let back_ns = simulation.now_ns;
    simulation.pass(120, true);
    assert_eq!(simulation.states(), [pair("firing", "a"), pair("firing", "b"), pair("resolved", "a")]);
    assert!(simulation.taken.iter().all(|(at_ns, _)| at_ns - back_ns <= 60 * SECOND));
    let status = simulation.status();
    assert_eq!((status.sent, status.queued, status.dropped), (3, 0, 0));
    assert_eq!(status.last_error, None);
}

#[test]
fn an_alertmanager_that_was_dead_for_half_an_hour_has_the_right_state_within_a_minute() {
    let mut simulation = Simulation::new(TargetKind::Alertmanager);
    let (first, second) = (notice("a", "acme"), notice("b", "globex"));
    simulation.tell(&first);
    simulation.pass(5, true);
    assert_eq!(simulation.taken.len(), 1);
    simulation.pass(900, false);
    simulation.tell(&second);
    let ended_ns = simulation.now_ns;
    simulation.tell(&resolved(&first, ended_ns));
    simulation.pass(900, false);
    assert_eq!(simulation.status().queued, 2);
    let back_ns = simulation.now_ns;
    simulation.pass(60, true);
    let (at_ns, body) = &simulation.taken[1];
    assert!(at_ns - back_ns <= 60 * SECOND);
    let ends: BTreeMap<&str, &Value> = body.as_array().unwrap().iter().map(of_provider).collect();
    assert_eq!(ends["acme"], &json!(crate::clock::rfc3339(ended_ns)));
    assert_eq!(ends["globex"], &Value::Null);
    assert_eq!(simulation.status().queued, 0);
}

fn of_provider(alert: &Value) -> (&str, &Value) {
    (alert["labels"]["provider"].as_str().unwrap(), &alert["endsAt"])
}

#[test]
fn alertmanager_hears_of_what_fires_every_half_minute_and_of_an_end_for_a_quarter_of_an_hour() {
    let mut simulation = Simulation::new(TargetKind::Alertmanager);
    let alert = notice("a", "acme");
    simulation.tell(&alert);
    simulation.pass(300, true);
    assert!((10..=11).contains(&simulation.taken.len()), "{}", simulation.taken.len());
    assert_eq!(simulation.status().sent, 1, "hearing of it again is no new alert");
    simulation.tell(&resolved(&alert, simulation.now_ns));
    simulation.pass(2_000, true);
    let ended = simulation.taken.iter().filter(|(_, body)| body[0]["endsAt"].is_string()).count();
    assert!((29..=31).contains(&ended), "{ended}");
    let before = simulation.taken.len();
    simulation.pass(300, true);
    assert_eq!(simulation.taken.len(), before, "there is nothing left to tell");
}

#[test]
fn a_scope_that_grows_ends_the_narrow_alert_in_alertmanager() {
    let mut simulation = Simulation::new(TargetKind::Alertmanager);
    let narrow = Notice { scope: "host:h7".to_owned(), severity: Severity::Info, ..notice("a", "acme") };
    simulation.tell(&narrow);
    simulation.pass(5, true);
    simulation.tell(&notice("a", "acme"));
    simulation.pass(1, true);
    let (_, body) = simulation.taken.last().unwrap();
    let ends: BTreeMap<&str, bool> = body
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| (alert["labels"]["scope"].as_str().unwrap(), alert["endsAt"].is_string()))
        .collect();
    assert_eq!(ends, BTreeMap::from([("everyone", false), ("host:h7", true)]));
}

#[test]
fn alerts_that_fall_at_once_are_one_call() {
    let mut simulation = Simulation::new(webhook());
    for n in 0..12 {
        simulation.tell(&notice(&format!("a{n}"), &format!("bank-{n}")));
    }
    simulation.pass(10, true);
    assert_eq!((simulation.taken.len(), simulation.states().len()), (1, 12));
}

#[test]
fn a_call_that_was_tried_keeps_its_key_and_later_news_does_not_change_it() {
    let mut simulation = Simulation::new(webhook());
    let alert = notice("a", "acme");
    simulation.tell(&alert);
    simulation.pass(10, false);
    let tries = simulation.keys.len();
    assert!(tries > 1);
    simulation.tell(&Notice { evidence: "more of it".to_owned(), ..alert.clone() });
    simulation.tell(&Notice { evidence: "still more of it".to_owned(), ..alert });
    simulation.pass(60, true);
    let keys = &simulation.keys;
    assert!(keys[..=tries].iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_ne!(keys[tries + 1], keys[0]);
    let evidence: Vec<_> =
        simulation.taken.iter().map(|(_, body)| body["alerts"][0]["evidence"].clone()).collect();
    assert_eq!(
        evidence,
        [json!("9 calls open for longer than 4 s, none answered for 6 s"), json!("still more of it")]
    );
}

#[test]
fn a_call_that_is_refused_for_good_does_not_hold_up_the_next() {
    let mut simulation = Simulation::new(webhook());
    simulation.tell(&notice("a", "acme"));
    simulation.now_ns += 2 * SECOND;
    assert!(simulation.desk.due(0, simulation.now_ns, &ABOUT).is_some());
    simulation.desk.answered(0, Answer::Refused("HTTP 400".to_owned()), simulation.now_ns, 0);
    simulation.tell(&notice("b", "globex"));
    simulation.pass(3, true);
    assert_eq!(simulation.states(), [pair("firing", "b")]);
    let status = simulation.status();
    assert_eq!((status.sent, status.dropped, status.failed), (1, 1, 1));
}

#[test]
fn what_nobody_took_for_a_day_and_what_is_too_much_is_dropped_and_counted() {
    let mut simulation = Simulation::new(webhook());
    for n in 0..1_010 {
        simulation.tell(&notice(&format!("a{n}"), "acme"));
    }
    assert_eq!((simulation.status().queued, simulation.status().dropped), (1_000, 10));
    simulation.now_ns += 25 * 3_600 * SECOND;
    simulation.tell(&notice("new", "acme"));
    simulation.pass(5, true);
    assert_eq!(simulation.states(), [pair("firing", "new")]);
    assert_eq!(simulation.status().dropped, 1_010);
}

#[test]
fn a_mute_holds_alerts_back_and_tells_of_those_that_outlast_it() {
    let mut simulation = Simulation::new(webhook());
    let before = notice("before", "acme");
    simulation.tell(&before);
    simulation.pass(3, true);
    simulation.muted.lock().unwrap().push("acme");
    let (short, long) = (notice("short", "acme"), notice("long", "acme"));
    simulation.tell(&short);
    simulation.tell(&long);
    simulation.pass(60, true);
    simulation.tell(&resolved(&short, simulation.now_ns));
    // Its beginning was told, so must be its end.
    simulation.tell(&resolved(&before, simulation.now_ns));
    simulation.pass(60, true);
    assert_eq!(simulation.states(), [pair("firing", "before"), pair("resolved", "before")]);
    assert_eq!(simulation.desk.suppressed(), 1);
    simulation.muted.lock().unwrap().clear();
    simulation.pass(10, true);
    simulation.tell(&resolved(&long, simulation.now_ns));
    simulation.pass(5, true);
    assert_eq!(simulation.states()[2..], [pair("firing", "long"), pair("resolved", "long")]);
}

#[test]
fn what_is_below_the_severity_of_a_receiver_does_not_reach_it() {
    let targets = vec![Target { severity_min: Severity::Page, ..target(webhook(), "http://receiver/") }];
    let mut desk = Desk::new(&config(Path::new("unused"), targets), outbox::Kept::default(), nobody());
    desk.tell(&Notice { severity: Severity::Info, ..notice("a", "acme") }, NOW);
    assert_eq!(desk.status()[0].queued, 0);
    desk.tell(&notice("b", "acme"), NOW);
    assert_eq!(desk.status()[0].queued, 1);
}

#[test]
fn what_fired_before_a_restart_and_is_forgotten_by_the_detector_is_resolved() {
    let mut simulation = Simulation::new(webhook());
    simulation.tell(&notice("a", "acme"));
    simulation.tell(&notice("b", "globex"));
    simulation.pass(3, true);
    let ended = simulation.desk.only_firing(&["b".to_owned()].into(), simulation.now_ns);
    assert_eq!(ended, [resolved(&notice("a", "acme"), simulation.now_ns)]);
    simulation.pass(3, true);
    assert_eq!(simulation.states()[2..], [pair("resolved", "a")]);
}

/// What a receiver on a real socket has been sent.
#[derive(Clone, Default)]
struct Receiver {
    calls: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    /// What it answers; success when there is nothing left.
    answers: Arc<Mutex<Vec<StatusCode>>>,
}

impl Receiver {
    /// Listens on a free port until the test ends.
    fn start(answers: &[StatusCode]) -> (Receiver, String) {
        let receiver = Receiver::default();
        receiver.answers.lock().unwrap().extend(answers);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/hook?team=payments", listener.local_addr().unwrap());
        let of_server = receiver.clone();
        let answer = move |headers: HeaderMap, body: Bytes| {
            of_server.calls.lock().unwrap().push((headers, body));
            let mut answers = of_server.answers.lock().unwrap();
            let answer = if answers.is_empty() { StatusCode::OK } else { answers.remove(0) };
            std::future::ready(answer)
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                serve(listener, Router::new().route("/hook", post(answer))).await;
            });
        });
        (receiver, url)
    }

    fn wait_for(&self, calls: usize) -> Vec<(HeaderMap, Bytes)> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = self.calls.lock().unwrap().clone();
            if now.len() >= calls {
                return now;
            }
            assert!(Instant::now() < deadline, "{} of {calls} calls", now.len());
            std::thread::yield_now();
        }
    }
}

async fn serve(listener: tokio::net::TcpListener, router: Router) {
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

fn verified(secret: &[u8], headers: &HeaderMap, body: &[u8]) -> bool {
    let header = headers["spanmill-signature"].to_str().unwrap();
    let (time, mac) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let message = [time.as_bytes(), b".", body].concat();
    let bytes: Vec<u8> =
        (0..mac.len()).step_by(2).map(|at| u8::from_str_radix(&mac[at..at + 2], 16).unwrap()).collect();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), &message, &bytes).is_ok()
}

#[tokio::test]
async fn a_webhook_is_signed_tried_again_and_told_everything_a_person_needs() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "first\n").unwrap();
    let (receiver, url) = Receiver::start(&[StatusCode::SERVICE_UNAVAILABLE]);
    let kind = TargetKind::Webhook { secret_file: Some(secret.clone()) };
    let clock = Clock::default();
    let notifier =
        start(config(&dir.path().join("notify.json"), vec![target(kind, &url)]), clock, nobody()).unwrap();
    notifier.tell(&notice("a", "acme/bank"));
    let calls = receiver.wait_for(2);
    assert_eq!(calls[0].1, calls[1].1, "tried again as it was");
    assert_eq!(calls[0].0["idempotency-key"], calls[1].0["idempotency-key"]);
    assert!(calls.iter().all(|(headers, body)| verified(b"first", headers, body)));
    assert!(!verified(b"other", &calls[0].0, &calls[0].1));
    let body: Value = serde_json::from_slice(&calls[1].1).unwrap();
    let want = json!({"version": 1, "instance": "here", "alerts": [{
        "state": "firing", "id": "a", "provider": "acme/bank", "kind": "hung", "scope": "everyone",
        "severity": "page", "started": "2026-11-22T20:14:56.000Z", "detected": "2026-11-22T20:15:03.000Z",
        "resolved": null, "detected_after_s": 7.0,
        "evidence": "9 calls open for longer than 4 s, none answered for 6 s",
        "exemplars": ["4bf92f3577b34da6a3ce929d0e0e4736"], "providers": [],
        "owner": "payments", "runbook": "http://wiki/bank", "status_page": null,
        "url": "http://spanmill:4316/p/acme%2Fbank"}]});
    assert_eq!(body, want);

    std::fs::write(&secret, "second\n").unwrap();
    notifier.tell(&resolved(&notice("a", "acme/bank"), NOW + SECOND));
    let calls = receiver.wait_for(3);
    assert!(verified(b"second", &calls[2].0, &calls[2].1), "the secret is read anew");
    notifier.stop().await;
    let status = notifier.status().remove(0);
    assert_eq!((status.failed, status.dropped), (1, 0));
}

#[tokio::test]
async fn what_was_not_delivered_is_delivered_by_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("notify/outbox.json");
    // Nobody listens on a port that was just given back.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dead = target(webhook(), &format!("http://{address}/hook"));
    let muted = Box::new(|provider: &str| provider == "globex");
    let first = start(config(&file, vec![dead.clone()]), Clock::default(), muted).unwrap();
    first.tell(&notice("a", "acme"));
    first.tell(&notice("b", "globex"));
    first.stop().await;
    assert_eq!(first.status()[0].queued, 1);

    let now_ns = Clock::default().unix_ns();
    let mut desk = Desk::new(&config(&file, vec![dead]), outbox::load(&file), nobody());
    assert_eq!(desk.status()[0].queued, 1);
    assert!(desk.due(0, now_ns + 10 * SECOND, &ABOUT).is_some());
    // The one that was held back is remembered, too.
    desk.tick(now_ns);
    assert_eq!(desk.status()[0].queued, 2);
}

#[test]
fn an_outbox_that_is_damaged_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("outbox.json");
    std::fs::write(&file, "{\"targets\": 7").unwrap();
    assert_eq!(outbox::load(&file), outbox::Kept::default());
    assert!(dir.path().join("outbox.unreadable").exists() && !file.exists());
}
