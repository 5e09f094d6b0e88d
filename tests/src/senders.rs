//! Threads that send one request after the other and remember which were acknowledged, across the daemon's deaths.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use prost::Message;
use reqwest::blocking::Client;

use crate::spans::{call, hex, request, trace_id};
use crate::wait::{self, PATIENCE};

pub const SPANS_PER_REQUEST: u64 = 5;

/// Each calls `api.acme-bank.example`; each request is a trace of its own.
#[derive(Debug)]
pub struct Senders {
    stop: Arc<AtomicBool>,
    sent: Arc<Mutex<Sent>>,
    threads: Vec<JoinHandle<()>>,
}

/// Trace ids of what was sent.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    pub acknowledged: Vec<String>,
    /// The daemon died before it answered: it may have them or not.
    pub unanswered: Vec<String>,
}

impl Senders {
    /// Starts as many as there are `targets`, each an OTLP/HTTP listener. One target may stand there more than once.
    pub fn start(targets: impl IntoIterator<Item = SocketAddr>) -> Senders {
        let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Sent>>::default());
        let sender = |target: SocketAddr| {
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            thread::spawn(move || send_until(&stop, &format!("http://{target}/v1/traces"), &sent))
        };
        let threads = targets.into_iter().map(sender).collect();
        Senders { stop, sent, threads }
    }

    /// Waits until `more` requests are acknowledged.
    #[track_caller]
    pub fn wait_for(&self, more: usize) {
        let enough = self.count() + more;
        wait::until("requests are acknowledged", PATIENCE, || match self.count() {
            count if count >= enough => Ok(()),
            count => Err(count),
        });
    }

    pub fn count(&self) -> usize {
        self.sent.lock().expect("nobody panicked").acknowledged.len()
    }

    /// Ends them, and says what they sent.
    pub fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a sender does not panic");
        }
        self.sent.lock().expect("nobody panicked").clone()
    }
}

fn send_until(stop: &AtomicBool, url: &str, sent: &Mutex<Sent>) {
    // Without a pool: a connection of before the kill must not cost the first request after it.
    let client = Client::builder().pool_max_idle_per_host(0).timeout(PATIENCE).build().expect("a client");
    // For runs so long that Jaeger's memory would not hold what is sent without a pause.
    let pause_ms = std::env::var("SPANMILL_PAUSE_MS").ok().and_then(|value| value.parse().ok()).unwrap_or(0);
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(pause_ms));
        let trace_id = trace_id();
        let spans = (0..SPANS_PER_REQUEST)
            .map(|n| call(&trace_id, n, "api.acme-bank.example", Duration::from_millis(25)))
            .collect();
        let post = client.post(url).header("content-type", "application/x-protobuf");
        match post.body(request(spans).encode_to_vec()).send() {
            Ok(answer) if answer.status().is_success() => {
                sent.lock().expect("nobody panicked").acknowledged.push(hex(&trace_id));
            }
            Err(error) if !error.is_connect() => {
                sent.lock().expect("nobody panicked").unanswered.push(hex(&trace_id));
            }
            _ => thread::yield_now(),
        }
    }
}
