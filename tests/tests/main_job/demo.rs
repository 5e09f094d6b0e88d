//! `spanmill demo`: eight providers live on the page, with nothing else installed.

use std::process::Command;

use serde_json::Value;
use spanmill_tests::daemon;
use spanmill_tests::program::{self, Program};
use spanmill_tests::wait::{self, PATIENCE};

#[test]
#[ignore = "end to end: tests/run e2e"]
fn the_demo_prints_its_address_shows_eight_providers_and_ends_by_itself() {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let [page, grpc, http] = [(); 3].map(|()| program::free_address().to_string());
    let mut command = Command::new(daemon::executable());
    command.current_dir(dir.path()).args(["demo", "--for", "20"]);
    command.args(["--page", &page, "--grpc", &grpc, "--http", &http]);
    let mut demo = Program::start("demo", command, dir.path());

    let address = wait::until("the demo prints its address", PATIENCE, || {
        assert_eq!(demo.exited(), None, "{}", demo.output());
        let output = demo.output();
        let address = output.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned);
        address.ok_or(output)
    });
    let url = format!("{}/api/v1/providers?window=60s", address.trim_end_matches('/'));
    wait::until("eight providers with calls and latencies", PATIENCE, || {
        let board = reqwest::blocking::get(&url).and_then(|answer| answer.json::<Value>());
        let board = board.map_err(|error| error.to_string())?;
        let providers = board["providers"].as_array().cloned().unwrap_or_default();
        let alive =
            providers.iter().filter(|one| one["count"].as_u64() > Some(0) && !one["p50_ms"].is_null());
        if alive.count() >= 8 { Ok(()) } else { Err(board.to_string()) }
    });
    let status = wait::until("the demo ends by itself", PATIENCE, || demo.exited().ok_or("it still runs"));
    assert_eq!(status.code(), Some(0), "{}", demo.output());
}
