//! The long forms of the forwarding tests, with figures: `tests/soak/forward.sh [SECONDS]` runs them in release mode.
//!
//! Exits with 1 where a promise does not hold. CI runs the short forms, `tests/tests/forwarding`.

use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use spanmill_tests::daemon::{self, Daemon};
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::program;
use spanmill_tests::receiver::{Receiver, Reply, one_byte_a_second};
use spanmill_tests::sums::sums_hold;
use spanmill_tests::wait;

/// Spans per second.
const RATE: u64 = 5_000;
/// A backlog must shrink so many times faster than it grew.
const CATCH_UP: f64 = 5.0;
/// A destination that is stuck may make an answer so many times later.
const P99_RATIO: f64 = 2.0;
/// For a backlog of an hour.
const PATIENCE: Duration = Duration::from_secs(1_800);

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(300);
    let held = [outage(seconds), slow(seconds.min(60)), faults(seconds)];
    if held.iter().all(|held| *held) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Jaeger is down for `seconds` under load, then back, under load still.
fn outage(seconds: u64) -> bool {
    if program::tool("jaeger").is_none() {
        return false;
    }
    let otlp = program::free_address();
    let daemon = Daemon::builder().forwarding_to(otlp).start();
    Load::start(&daemon, RATE, seconds).finish();
    let waiting = sums_hold(&daemon, |_| true)["destinations"]["jaeger"]["queued"].as_u64();
    let waiting = waiting.expect("a number");
    let jaeger = Jaeger::start_at(otlp).expect("its program is there");
    wait::until("Jaeger takes spans again", PATIENCE, || match forwarded(&daemon, "jaeger") {
        0 => Err("nothing yet"),
        _ => Ok(()),
    });
    let (from, started) = (forwarded(&daemon, "jaeger"), Instant::now());
    let load = Load::start(&daemon, RATE, seconds.min(30));
    wait::until("all that waited is through", PATIENCE, || match forwarded(&daemon, "jaeger") {
        through if through >= waiting => Ok(()),
        through => Err(through),
    });
    let rate = (forwarded(&daemon, "jaeger") - from) as f64 / started.elapsed().as_secs_f64();
    load.finish();
    let stats = wait::until("nothing is queued", PATIENCE, || {
        let stats = sums_hold(&daemon, |_| true);
        if stats["destinations"]["jaeger"]["queued"] == 0 { Ok(stats) } else { Err(stats) }
    });
    drop(jaeger);
    let lost = received(&stats) - forwarded(&daemon, "jaeger");
    let held = lost == 0 && rate >= CATCH_UP * RATE as f64;
    println!("outage: {waiting} spans waited, {lost} lost, caught up at {rate:.0} spans/s of {RATE}: {held}");
    held
}

/// The 99th percentile of answers with a healthy destination, and with stuck ones.
fn slow(seconds: u64) -> bool {
    let silent = Receiver::start(|_| Reply::Hang);
    let good = Receiver::start(|_| Reply::Take);
    let byte = one_byte_a_second();
    let stuck = format!(
        "{}[forward.byte]\nendpoint = \"http://{byte}\"\nprotocol = \"http\"\n",
        silent.destination("silent")
    );
    let p99 = |toml: &str| {
        let daemon = Daemon::builder().with(toml).start();
        Load::start(&daemon, RATE, seconds).finish()
    };
    let (healthy, stuck) = (p99(&good.destination("good")), p99(&stuck));
    let held = stuck <= P99_RATIO * healthy;
    println!(
        "slow: p99 {healthy:.2} ms with a healthy destination, {stuck:.2} ms with two stuck ones: {held}"
    );
    held
}

/// A destination that fails every third request in one way or another.
fn faults(seconds: u64) -> bool {
    let mut count = 0;
    let receiver = Receiver::start(move |_| {
        count += 1;
        match count % 12 {
            0 => Reply::TakeAndReset,
            3 => Reply::Refuse(503),
            6 => Reply::Later(1),
            9 => Reply::Refuse(400),
            _ => Reply::Take,
        }
    });
    let mut daemon = Daemon::builder().with(&receiver.destination("faulty")).start();
    let (mut came, mut went) = (0, 0);
    for _ in 0..3 {
        Load::start(&daemon, RATE, seconds / 3).finish();
        let stats = wait::until("nothing is queued", PATIENCE, || {
            let stats = sums_hold(&daemon, |_| true);
            if stats["destinations"]["faulty"]["queued"] == 0 { Ok(stats) } else { Err(stats) }
        });
        came += received(&stats) + number(&stats, "faulty", "recovered");
        went += number(&stats, "faulty", "forwarded") + number(&stats, "faulty", "rejected_by_destination");
        println!("faults: {}", stats["destinations"]["faulty"]);
        daemon.kill_9_and_restart();
    }
    println!("faults: {came} came, {went} went: {}", came == went);
    came == went
}

fn received(stats: &Value) -> u64 {
    stats["received"].as_u64().expect("a number")
}

fn number(stats: &Value, destination: &str, key: &str) -> u64 {
    stats["destinations"][destination][key].as_u64().expect("a number")
}

fn forwarded(daemon: &Daemon, destination: &str) -> u64 {
    number(&daemon.json("/api/v1/stats"), destination, "forwarded")
}

/// A running `spanmill load`.
struct Load(Child);

impl Load {
    fn start(daemon: &Daemon, rate: u64, seconds: u64) -> Load {
        let child = Command::new(daemon::executable())
            .args(["load", "--target", &format!("http://{}", daemon.grpc())])
            .args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        Load(child.expect("spanmill starts"))
    }

    /// Waits for its end, at which everything must be acknowledged, and gives the 99th percentile in milliseconds.
    fn finish(self) -> f64 {
        let output = self.0.wait_with_output().expect("the child is ours");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "not everything was acknowledged: {said}");
        let p99 = said.split("p99 ").nth(1).and_then(|rest| rest.split(' ').next());
        p99.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no p99 in {said}"))
    }
}
