//! A provider that stops answering, from the application's open call to the alert and back to the application, with
//! a destination that is stuck all the while.
//!
//! The client is one per process, so this is a program of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use spanmill::{Call, Provider};
use spanmill_proto::board::{self, Board};
use spanmill_proto::shared::Shared;
use spanmill_proto::verdict::Verdict;
use spanmill_tests::alertmanager::Alertmanager;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::wait;

static ACME: Provider = Provider::new("acme-bank");

/// What the clients of the provider would wait for: far longer than the verdict may take.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(45);
/// An alarm holds for half a minute after all is well, and a busy machine needs its time.
const RECOVERY: Duration = Duration::from_secs(180);

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_provider_that_stops_answering_is_hung_before_any_call_has_ended_and_well_again_after_it() {
    let Some(alertmanager) = Alertmanager::start() else { return };
    // It takes connections and never answers.
    let stuck = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let webhook = webhook();
    let daemon = Daemon::builder()
        .forwarding_to(stuck.local_addr().expect("it is bound"))
        .with(&format!(
            "[[provider]]\nname = \"acme-bank\"\naliases = [\"acme\"]\ntimeout = \"3s\"\nowner = \"payments\"\n\
             [[notify.alertmanager]]\nurl = \"{}\"\n[[notify.webhook]]\nurl = \"{}\"\n",
            alertmanager.url(),
            webhook.url
        ))
        .start();
    let events = events(&daemon);
    let client = spanmill::builder().service("shop").socket(daemon.socket()).init();
    let client = client.expect("the client starts");

    let (shop, began) = (Shop::open(), Instant::now());
    let acme = wait::until("acme-bank is hung", CLIENT_TIMEOUT, || {
        let acme = daemon.provider("acme-bank").unwrap_or_default();
        if acme["verdict"] == "hung" { Ok(acme) } else { Err(acme) }
    });
    assert!(began.elapsed() < CLIENT_TIMEOUT && acme["count"] == 0, "before any call has ended: {acme}");
    assert!(
        acme["in_flight"].as_u64() >= Some(3) && acme["oldest_in_flight_ms"].as_u64() >= Some(3_000),
        "{acme}"
    );
    assert_eq!((&acme["scope"], &acme["owner"]), (&"everyone".into(), &"payments".into()));
    wait_for_verdict(&daemon, "ACME", Verdict::Hung);
    let event = wait::until("the event stream says so", CLIENT_TIMEOUT, || {
        let mut verdicts = events.try_iter().filter(|(kind, _)| kind == "verdict").map(|(_, data)| data);
        verdicts.find(|event| event["verdict"] == "hung").ok_or("not yet")
    });
    assert_eq!(event["name"], "acme-bank");
    let alert = wait::until("Alertmanager has the alert", CLIENT_TIMEOUT, || {
        let firing = alertmanager.firing();
        firing.iter().find(|alert| alert["labels"]["provider"] == "acme-bank").cloned().ok_or(firing)
    });
    assert_eq!(
        (&alert["labels"]["alertname"], &alert["labels"]["kind"]),
        (&"ProviderHung".into(), &"hung".into())
    );
    assert_eq!(alert["annotations"]["owner"], "payments");
    let told = webhook.next("firing");
    assert_eq!((&told["provider"], &told["kind"]), (&"acme-bank".into(), &"hung".into()));
    let metrics = daemon.get("/metrics").text().expect("metrics are text");
    let hung = "spanmill_provider_verdict{provider=\"acme-bank\",verdict=\"hung\"} 1";
    assert!(metrics.contains(hung), "{metrics}");

    shop.recover();
    let resolved = webhook.next("resolved");
    assert_eq!(resolved["id"], told["id"]);
    wait::until("Alertmanager has no alert any more", RECOVERY, || {
        let firing = alertmanager.firing();
        if firing.is_empty() { Ok(()) } else { Err(firing) }
    });
    let alerts = daemon.json("/api/v1/alerts?state=resolved");
    assert!(alerts["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()), "{alerts}");
    client.shutdown(Duration::from_secs(5));
}

/// A shop that calls ten times a second: first nothing ends, then everything does.
struct Shop {
    recover: Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Shop {
    fn open() -> Shop {
        let (recover, recovered) = channel();
        let thread = thread::spawn(move || {
            let mut hanging: Vec<Call> = Vec::new();
            while recovered.recv_timeout(Duration::from_millis(100)) != Ok(()) {
                hanging.push(ACME.call("authorize"));
            }
            hanging.into_iter().for_each(Call::ok);
            // Until the test has seen enough.
            while recovered
                .recv_timeout(Duration::from_millis(100))
                .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                ACME.call("authorize").ok();
            }
        });
        Shop { recover, thread }
    }

    fn recover(&self) {
        self.recover.send(()).expect("the shop is open");
        assert!(!self.thread.is_finished(), "it goes on calling");
    }
}

fn wait_for_verdict(daemon: &Daemon, name: &str, wanted: Verdict) {
    let path: PathBuf = daemon.socket().with_file_name("board");
    wait::until("the board says so", CLIENT_TIMEOUT, || {
        let shared = Shared::open(&path, board::BYTES).map_err(|error| error.to_string())?;
        let board = Board::new(shared.words()).map_err(|error| error.to_string())?;
        let reading = board.find(name).and_then(|entry| board.read(entry));
        let reading = reading.ok_or("the board does not know it")?;
        if reading.verdict == wanted { Ok(()) } else { Err(format!("{reading:?}")) }
    });
}

/// The daemon's event stream, as kinds and data.
fn events(daemon: &Daemon) -> Receiver<(String, Value)> {
    let client = reqwest::blocking::Client::builder().timeout(None).build().expect("a client");
    let answer = client.get(daemon.url("/api/v1/events")).send().expect("the daemon answers");
    let (sender, events) = channel();
    thread::spawn(move || {
        let mut kind = String::new();
        for line in BufReader::new(answer).lines() {
            let Ok(line) = line else { return };
            if let Some(name) = line.strip_prefix("event: ") {
                kind = name.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(data).expect("events are JSON");
                if sender.send((kind.clone(), data)).is_err() {
                    return;
                }
            }
        }
    });
    events
}

struct Webhook {
    url: String,
    alerts: Receiver<Value>,
}

impl Webhook {
    /// The next alert in this state.
    fn next(&self, state: &str) -> Value {
        let deadline = Instant::now() + RECOVERY;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let alert = self.alerts.recv_timeout(left).unwrap_or_else(|_| panic!("no alert is {state}"));
            if alert["state"] == state {
                return alert;
            }
        }
    }
}

/// A receiver of webhooks as somebody would write it in an hour: one request for each connection.
fn webhook() -> Webhook {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/spanmill", listener.local_addr().expect("it is bound"));
    let (sender, alerts) = channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.expect("a connection"));
            let (mut length, mut line) = (0, String::new());
            while connection.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
                let header = line.to_ascii_lowercase();
                if let Some(value) = header.strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length is a number");
                }
                line.clear();
            }
            let mut body = vec![0; length];
            connection.read_exact(&mut body).expect("the body comes whole");
            let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            connection.get_mut().write_all(answer).expect("the daemon listens");
            let body: Value = serde_json::from_slice(&body).expect("the body is JSON");
            for alert in body["alerts"].as_array().expect("a list of alerts") {
                // The test may have seen enough.
                let _ = sender.send(alert.clone());
            }
        }
    });
    Webhook { url, alerts }
}
