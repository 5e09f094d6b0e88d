//! Waiting until something is so, never for a fixed time.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// For what a loaded machine with two cores does slowly; a test that is right rarely needs a tenth of it.
pub const PATIENCE: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(20);

/// Asks until `probe` says `Ok`, and panics with its last `Err` when `deadline` has passed.
#[track_caller]
pub fn until<T, E: Debug>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Result<T, E>) -> T {
    let started = Instant::now();
    loop {
        let last = match probe() {
            Ok(value) => return value,
            Err(last) => last,
        };
        assert!(started.elapsed() < deadline, "not within {deadline:?}: {what}; last seen: {last:?}");
        thread::sleep(POLL);
    }
}
