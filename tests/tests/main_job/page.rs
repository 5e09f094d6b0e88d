//! The page in a real browser, on a daemon with traffic.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use prost::Message;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::program;
use spanmill_tests::spans::{call, request, trace_id};

const HOSTS: [&str; 3] = ["api.acme-bank.example", "pay.wallet.example", "sms.gateway.example"];

#[test]
#[ignore = "end to end: tests/run e2e"]
fn the_page_shows_live_providers_in_a_browser() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/page");
    if !program::found("node") || !page.join("node_modules").is_dir() {
        program::skipped("node, or the packages of collector/page");
        return;
    }
    if !["chromium", "chromium-browser", "google-chrome"].into_iter().any(program::found) {
        program::skipped("chromium");
        return;
    }
    let daemon = Daemon::builder().start();
    let done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        scope.spawn(|| send_until(&done, &daemon));
        let mut drive = Command::new("node");
        drive.arg(page.join("drive.mjs")).arg(daemon.url("/")).arg(HOSTS.len().to_string());
        let seen = drive.output();
        done.store(true, Ordering::Relaxed);
        seen.expect("node starts")
    });
    let (said, trouble) = (String::from_utf8_lossy(&seen.stdout), String::from_utf8_lossy(&seen.stderr));
    assert!(seen.status.success(), "{said}\n{trouble}");
    for provider in ["acme-bank.example", "wallet.example", "gateway.example"] {
        assert!(said.contains(provider), "{provider} is not in {said}");
    }
}

/// A few calls of each provider, again and again, some slower than others.
fn send_until(done: &AtomicBool, daemon: &Daemon) {
    let trace_id = trace_id();
    let mut n = 0;
    while !done.load(Ordering::Relaxed) {
        let spans = HOSTS.iter().map(|host| {
            n += 1;
            call(&trace_id, n, host, Duration::from_millis(20 + n % 300))
        });
        daemon.send(request(spans.collect()).encode_to_vec());
        // The pace of the traffic, not a wait for anything.
        thread::sleep(Duration::from_millis(20));
    }
}
