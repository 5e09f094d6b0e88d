//! What is acknowledged stays, and counts once: killed, stopped, full, and sent on by one daemon to another.
//!
//! Real programs on real sockets, so every test here is marked `ignore`: `tests/run e2e` runs exactly these. The
//! variables in `tests/soak/README.md` make them as long as the promise.

mod disk_full;
mod fleet;
mod journal_full;
mod kill;
mod traces;

/// A number from the environment, for the long runs.
fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
