//! Forwarding, end to end: a real Jaeger that goes and comes back, receivers that fail, TLS between daemons.
//!
//! Marked `ignore` as all tests of whole programs: `tests/run e2e` runs them. `tests/soak` has the long forms.

mod faults;
mod outage;
mod tls;
