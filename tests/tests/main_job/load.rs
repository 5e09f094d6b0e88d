//! `spanmill load`: what it says was acknowledged is what the daemon says it received.

use std::process::Command;

use spanmill_tests::daemon::{self, Daemon};
use spanmill_tests::jaeger::Jaeger;

use super::figures::sums_hold;

#[test]
#[ignore = "end to end: tests/run e2e"]
fn load_is_acknowledged_rolled_up_and_forwarded_in_full() {
    let Some(jaeger) = Jaeger::start() else { return };
    let daemon = Daemon::builder().forwarding_to(jaeger.otlp()).start();
    let load = Command::new(daemon::executable())
        .args(["load", "--rate", "1000", "--seconds", "2", "--target", &format!("http://{}", daemon.grpc())])
        .output()
        .expect("spanmill starts");
    let said = String::from_utf8_lossy(&load.stdout);
    assert!(load.status.success(), "{said}{}", String::from_utf8_lossy(&load.stderr));

    let stats = sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
    let received = stats["received"].as_u64().expect("a number");
    assert!(
        received > 0 && said.contains(&format!("{received} ")),
        "received {received}, but it said: {said}"
    );
    assert_eq!(stats["destinations"]["jaeger"]["forwarded"], received, "{stats}");
    assert_eq!(stats["invalid_spans"], 0, "{stats}");
}
