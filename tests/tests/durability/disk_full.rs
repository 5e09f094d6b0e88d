//! A disk that fills up, and is freed again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use prost::Message;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::program;
use spanmill_tests::spans::{call, hex, request, text, trace_id, with};
use spanmill_tests::sums::sums_hold;
use spanmill_tests::wait::{self, PATIENCE};
use tempfile::TempDir;

use super::kill::calls;

const HEADERS: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];
/// The promise.
const RESUMES_WITHIN: Duration = Duration::from_secs(5);

/// A file system of its own, as small as a test can fill.
struct Tmpfs(TempDir);

impl Tmpfs {
    /// `None`, said loudly, where it may not be mounted.
    fn mount(mib: usize) -> Option<Tmpfs> {
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "spanmill-test"]).arg(dir.path());
        if command.status().is_ok_and(|status| status.success()) {
            return Some(Tmpfs(dir));
        }
        program::skipped("the right to mount a tmpfs");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: the daemon may still be ending.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// About 64 KiB.
fn body(trace_id: &[u8]) -> Vec<u8> {
    let one = call(trace_id, 0, "api.acme-bank.example", Duration::from_millis(9));
    request(vec![with(one, text("note", &"n".repeat(64 << 10)))]).encode_to_vec()
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_full_disk_refuses_goes_on_judging_and_takes_again_soon_after_it_is_freed() {
    if program::tool("jaeger").is_none() {
        return;
    }
    let Some(disk) = Tmpfs::mount(32) else { return };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 20 << 20]).expect("it fits");
    let otlp = program::free_address();
    let daemon = Daemon::builder().forwarding_to(otlp).storing_in(disk.path()).start();

    let mut acknowledged = Vec::new();
    let refused = loop {
        let id = trace_id();
        let body = body(&id);
        let answer = daemon.post(&HEADERS, body.clone());
        if !answer.status().is_success() {
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["retry-after"]),
                (503, &"1".parse().expect("1"))
            );
            break body;
        }
        acknowledged.push(hex(&id));
    };
    assert!(!acknowledged.is_empty(), "{}", daemon.log());
    wait::until("/readyz says so", PATIENCE, || {
        let answer = daemon.get("/readyz");
        if answer.status() == 503 { Ok(()) } else { Err(answer.status()) }
    });
    let kib = daemon.resident_kib();
    let more = 400;
    for _ in 0..more {
        assert_eq!(daemon.post(&HEADERS, body(&trace_id())).status(), 503);
    }
    assert_eq!(daemon.post(&HEADERS, refused.clone()).status(), 503);
    let judged = acknowledged.len() as u64 + 1 + more;
    daemon.wait_for_calls("acme-bank.example", judged, PATIENCE);
    assert!(daemon.resident_kib() < kib + (20 << 10), "{} KiB after {kib}", daemon.resident_kib());

    fs::remove_file(&ballast).expect("it is ours");
    wait::until("it takes again", RESUMES_WITHIN, || {
        let answer = daemon.get("/readyz");
        if answer.status().is_success() { Ok(()) } else { Err(answer.status()) }
    });
    daemon.send(refused);
    assert_eq!(calls(&daemon), judged, "what was refused counts once");
    let jaeger = Jaeger::start_at(otlp).expect("its program is there");
    for id in &acknowledged {
        jaeger.wait_for_spans(id, 1);
    }
    let stats = sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
    assert_eq!(stats["received"], acknowledged.len() as u64 + 1, "{stats}");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_disk_that_the_journal_alone_has_filled_is_drained_by_itself() {
    if program::tool("jaeger").is_none() {
        return;
    }
    let Some(disk) = Tmpfs::mount(16) else { return };
    let otlp = program::free_address();
    let daemon = Daemon::builder().forwarding_to(otlp).storing_in(disk.path()).start();
    let mut acknowledged = 0;
    while daemon.post(&HEADERS, body(&trace_id())).status().is_success() {
        acknowledged += 1;
    }
    // Nobody makes room but Jaeger, which takes what is there.
    let _jaeger = Jaeger::start_at(otlp).expect("its program is there");
    take_all_the_rest(&daemon, acknowledged);
    let stats = sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
    assert_eq!(stats["destinations"]["jaeger"]["forwarded"], 3 * acknowledged, "{stats}");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_disk_that_was_full_when_the_daemon_was_killed_is_drained_after_the_restart() {
    if program::tool("jaeger").is_none() {
        return;
    }
    let Some(disk) = Tmpfs::mount(16) else { return };
    let otlp = program::free_address();
    let mut daemon = Daemon::builder().forwarding_to(otlp).storing_in(disk.path()).start();
    let mut acknowledged = 0;
    while daemon.post(&HEADERS, body(&trace_id())).status().is_success() {
        acknowledged += 1;
    }
    daemon.kill_9_and_restart();
    let _jaeger = Jaeger::start_at(otlp).expect("its program is there");
    take_all_the_rest(&daemon, acknowledged);
    // What had come before the restart is recovered, what came after it received.
    let stats = sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
    assert_eq!(stats["destinations"]["jaeger"]["forwarded"], 3 * acknowledged, "{stats}");
}

/// Twice as much as the disk holds goes in, as Jaeger takes it out.
fn take_all_the_rest(daemon: &Daemon, held: u64) {
    for _ in 0..2 * held {
        let body = body(&trace_id());
        wait::until("there is room again", PATIENCE, || {
            let answer = daemon.post(&HEADERS, body.clone());
            if answer.status().is_success() { Ok(()) } else { Err(answer.status()) }
        });
    }
}
