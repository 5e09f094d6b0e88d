//! What outlives the process: figures, notes and mutes, in a file that `sqlite3` reads.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use prost::Message;
use serde_json::{Value, json};
use spanmill_tests::daemon::Daemon;
use spanmill_tests::program;
use spanmill_tests::spans::{call, request, trace_id};
use spanmill_tests::wait::{self, PATIENCE};

const PROVIDER: &str = "acme-bank.example";

fn send(daemon: &Daemon, calls: u64) {
    let trace_id = trace_id();
    let spans =
        (0..calls).map(|n| call(&trace_id, n, "api.acme-bank.example", Duration::from_millis(20 + n)));
    daemon.send(request(spans.collect()).encode_to_vec());
}

/// The provider's figures over an hour, which come out of the store.
fn hour(daemon: &Daemon) -> Value {
    let board = daemon.json("/api/v1/providers?window=1h");
    let mut providers = board["providers"].as_array().expect("a list").iter();
    providers.find(|one| one["name"] == PROVIDER).cloned().unwrap_or_default()
}

fn wait_for(daemon: &Daemon, calls: u64) {
    wait::until(&format!("{calls} calls in the store"), PATIENCE, || {
        let found = hour(daemon);
        if found["count"] == calls { Ok(()) } else { Err(found) }
    });
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn every_acknowledged_call_is_in_the_figures_once_however_often_the_daemon_is_killed() {
    let mut daemon = Daemon::builder().start();
    let mut sent = 0;
    for round in 0..8 {
        // Now and then something is committed in between; mostly the journal alone has it.
        if round % 3 == 1 {
            wait_for(&daemon, sent);
        }
        for calls in [3, 1 + round, 40] {
            send(&daemon, calls);
            sent += calls;
        }
        daemon.kill_9_and_restart();
    }
    wait_for(&daemon, sent);
    let recent = daemon.json("/api/v1/providers?window=15m");
    assert_eq!(recent["providers"][0]["count"], sent, "{recent}");
    let series = daemon.json(&format!("/api/v1/providers/{PROVIDER}/series?step=10s"));
    let points = series["points"].as_array().expect("a list");
    assert_eq!(points.iter().filter_map(|point| point["count"].as_u64()).sum::<u64>(), sent);
    let stats = daemon.json("/api/v1/stats");
    assert_eq!((&stats["store"]["errors"], &stats["store"]["lost"]), (&0.into(), &0.into()), "{stats}");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn sqlite3_reads_what_a_running_daemon_has_stored() {
    if !program::found("sqlite3") {
        program::skipped("sqlite3");
        return;
    }
    let daemon = Daemon::builder().start();
    send(&daemon, 30);
    wait_for(&daemon, 30);
    let query =
        "SELECT provider, sum(calls), sum(ok), max(p95_ms) > 40 FROM provider_minutes GROUP BY provider";
    let read = Command::new("sqlite3")
        .arg("-readonly")
        .arg(daemon.data_dir().join("spanmill.db"))
        .arg(query)
        .output()
        .expect("sqlite3 starts");
    let said = String::from_utf8_lossy(&read.stdout).into_owned() + &String::from_utf8_lossy(&read.stderr);
    assert_eq!(said.trim(), format!("{PROVIDER}|30|30|1"));
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn notes_and_mutes_outlive_a_restart_and_a_damaged_file_does_not_stop_the_daemon() {
    let mut daemon = Daemon::builder().start();
    send(&daemon, 5);
    daemon.wait_for_calls(PROVIDER, 5, PATIENCE);
    let note = json!({ "text": "deploy shop 4.2", "tags": ["shop"] });
    assert_eq!(daemon.post_json("/api/v1/annotations", &note).status(), 201);
    let wish = json!({ "for": "1h", "reason": "maintenance", "by": "anna" });
    assert_eq!(daemon.post_json(&format!("/api/v1/providers/{PROVIDER}/mute"), &wish).status(), 200);
    daemon.kill_9_and_restart();
    assert_eq!(daemon.json("/api/v1/annotations")["annotations"][0]["text"], "deploy shop 4.2");
    assert_eq!(hour(&daemon)["muted"], true);

    let path = daemon.data_dir().join("spanmill.db");
    let garbage = vec![0x5a; 40_000];
    daemon.kill_9();
    fs::write(&path, &garbage).expect("the folder is ours");
    // It would bring everything back.
    fs::remove_file(daemon.data_dir().join("spanmill.db-wal")).expect("the folder is ours");
    daemon.restart();
    let stats = daemon.json("/api/v1/stats");
    let aside = stats["store"]["set_aside"][0].as_str().unwrap_or_else(|| panic!("{stats}"));
    let aside = Path::new(aside).file_name().expect("a file has a name");
    assert_eq!(fs::read(daemon.data_dir().join(aside)).ok(), Some(garbage));
    assert!(daemon.log().contains("damaged"), "{}", daemon.log());
    assert_eq!(daemon.json("/api/v1/annotations")["annotations"], json!([]));
    // The journal still has them.
    wait_for(&daemon, 5);
}
