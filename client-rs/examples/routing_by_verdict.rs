//! Payments go to the bank that works: the daemon's verdict, read in nanoseconds, moves them by itself.
//!
//! `cargo run -p spanmill --example routing_by_verdict`. With a daemon on this host the verdicts are its own; without
//! one everything is unknown, and the first bank is taken.

use std::thread;
use std::time::Duration;

use spanmill::{Provider, Span};

/// In the order of preference.
static BANKS: [Provider; 2] = [Provider::new("acme-bank"), Provider::new("other-bank")];

/// The first bank that is not down; the first of all where all are, because a payment must be tried.
fn bank() -> &'static Provider {
    BANKS.iter().find(|bank| !bank.verdict().is_down()).unwrap_or(&BANKS[0])
}

fn main() -> Result<(), spanmill::InitError> {
    let guard = spanmill::builder().service("router").init()?;
    for payment in 0..20 {
        let mut span = Span::builder("POST /pay").server().start();
        span.tag("payment.number", payment);
        let _current = span.enter();
        let bank = bank();
        let mut call = bank.call("authorize");
        call.tag("routing.verdict", bank.verdict().state().name());
        call.log("routed", |log| log.tag("bank", bank.name()));
        thread::sleep(Duration::from_millis(5));
        call.ok();
    }
    let chosen = bank();
    println!("the next payment goes to {}, which is {}", chosen.name(), chosen.verdict().state().name());
    let report = guard.shutdown(Duration::from_secs(2));
    println!("{} spans sent, {} dropped", report.sent, report.dropped.total());
    Ok(())
}
