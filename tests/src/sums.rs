//! The promise that nothing disappears: what came in is what became of it.

use serde_json::Value;

use crate::daemon::Daemon;
use crate::wait::{self, PATIENCE};

/// Waits until `done`, and holds the sums against each answer on the way there. What is in flight between two
/// counters while one answer is made may show for a moment, so only sums that stay wrong are wrong.
#[track_caller]
pub fn sums_hold(daemon: &Daemon, done: impl Fn(&Value) -> bool) -> Value {
    wait::until("received + recovered = the sum of what became of them", PATIENCE, || {
        let stats = daemon.json("/api/v1/stats");
        let is_done = done(&stats);
        for (_, destination) in stats["destinations"].as_object().expect("destinations are an object") {
            let number =
                |key: &str| destination[key].as_u64().unwrap_or_else(|| panic!("{key} in {destination}"));
            let dropped: u64 = destination["dropped"]
                .as_object()
                .map_or(0, |reasons| reasons.values().filter_map(Value::as_u64).sum());
            let came = stats["received"].as_u64().expect("received is a number") + number("recovered");
            let went = number("forwarded")
                + number("not_for_forwarding")
                + number("rejected_by_destination")
                + number("queued")
                + dropped;
            if came != went {
                return Err(stats);
            }
        }
        if is_done { Ok(stats) } else { Err(stats) }
    })
}
