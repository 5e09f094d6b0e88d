//! Sends what the journal holds to Jaeger, at least once, and remembers how far it came.
//!
//! Batches are merged by putting their bytes one after the other. Never drops what a retry could deliver,
//! and never sends to one of the daemon's own listeners (the configuration refuses that).

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Clock;
use crate::journal::Journal;

/// One `[forward.NAME]` table.
#[derive(Debug, Clone)]
pub struct Config {
    /// `jaeger` in `[forward.jaeger]`: the key in `/api/v1/stats` and the name of the checkpoint.
    pub name: String,
    /// `http://host:4317`
    pub endpoint: http::Uri,
    /// Sent with each request, e.g. a tenant or a token.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// Directory of the checkpoint.
    pub dir: PathBuf,
    /// Largest request; receivers take 4 MiB by default, so ours stay below.
    pub request_max: usize,
    /// How long a request may take before it counts as failed and is sent again.
    pub timeout: Duration,
}

/// Starts one destination.
pub fn start(_config: Config, _journal: &Journal, _clock: Clock) -> Destination {
    unimplemented!()
}

/// The read and stop handle of one destination.
#[derive(Debug)]
pub struct Destination {}

impl Destination {
    pub fn name(&self) -> &str {
        unimplemented!()
    }
    pub fn status(&self) -> Status {
        unimplemented!()
    }
}

/// The sums of one destination: received + recovered = forwarded + not_for_forwarding
/// + rejected_by_destination + dropped + queued; duplicates are apart.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Status {
    /// Spans that waited in the journal when the process started.
    pub recovered: u64,
    /// Spans that the destination acknowledged.
    pub forwarded: u64,
    /// Spans of requests that were sent more than once.
    pub duplicates: u64,
    pub not_for_forwarding: u64,
    pub rejected_by_destination: u64,
    pub dropped: std::collections::BTreeMap<&'static str, u64>,
    /// Spans in the journal that are not acknowledged yet.
    pub queued: u64,
    /// Age of the oldest of them.
    pub lag_s: f64,
    /// Why the last attempt failed; empty when it did not.
    pub last_error: Option<String>,
}
