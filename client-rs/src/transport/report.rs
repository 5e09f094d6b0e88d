//! What the client tells the daemon of itself: who it is, and what it has counted.

use std::time::Duration;

use spanmill_proto::hello::{ClientCounters, Hello};

use super::packet::Envelope;
use crate::clock::Tick;
use crate::open_calls::OpenCalls;
use crate::recorder::{Reason, Stats};
use crate::resource::Resource;

/// Counters travel once in this time, if they have changed.
const INTERVAL: Duration = Duration::from_secs(1);

/// The payload of a hello packet.
pub(crate) fn hello(envelope: &Envelope, resource: &Resource, page: Option<&OpenCalls>) -> Vec<u8> {
    let language = resource.value("telemetry.sdk.language").unwrap_or("rust");
    let client_version = format!("spanmill-{language} {}", env!("CARGO_PKG_VERSION"));
    let hello = Hello {
        client_version: &client_version,
        resource: envelope.resource(),
        pid: std::process::id(),
        ..Hello::default()
    };
    let mut payload = Vec::new();
    page.map_or(hello, |page| hello.with_page(page.slots())).encode(&mut payload);
    payload
}

/// Keeps account of what the daemon was told.
#[derive(Debug, Default)]
pub(crate) struct Report {
    told: Stats,
    asked_at: Option<Tick>,
}

impl Report {
    /// The payload of a counters packet, where there is news and it is time for it.
    pub(crate) fn due(&mut self, stats: &Stats, now: Tick) -> Option<Vec<u8>> {
        if self.asked_at.is_some_and(|at| now.since(at) < INTERVAL) {
            return None;
        }
        self.asked_at = Some(now);
        self.news(stats)
    }

    /// The payload of a counters packet, where there is news.
    pub(crate) fn news(&self, stats: &Stats) -> Option<Vec<u8>> {
        let since = |count: fn(&Stats) -> u64| count(stats).saturating_sub(count(&self.told));
        let dropped = Reason::ALL.map(|reason| {
            (reason.name(), stats.dropped.by(reason).saturating_sub(self.told.dropped.by(reason)))
        });
        let counters = ClientCounters {
            sent: since(|stats| stats.sent),
            masked: since(|stats| stats.masked),
            truncated: since(|stats| stats.truncated),
            trimmed: since(|stats| stats.trimmed),
            calls_without_slot: since(|stats| stats.calls_without_slot),
            dropped: dropped.to_vec(),
        };
        let mut payload = Vec::new();
        counters.encode(&mut payload);
        (!counters.is_empty()).then_some(payload)
    }

    /// The kernel took a packet that tells of these.
    pub(crate) fn told(&mut self, stats: Stats) {
        self.told = stats;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_told_is_told() {
        let mut report = Report::default();
        let stats = Stats { sent: 10, masked: 2, ..Stats::default() };
        let payload = report.due(&stats, Tick::now()).unwrap();
        let told = ClientCounters::decode(&payload).unwrap();
        assert_eq!((told.sent, told.masked, told.dropped.len()), (10, 2, 0));
        assert!(report.news(&stats).is_some(), "nobody took the packet");
        report.told(stats);
        assert_eq!(report.news(&stats), None);
        let more = Stats { sent: 15, ..stats };
        assert_eq!(ClientCounters::decode(&report.news(&more).unwrap()).unwrap().sent, 5);
        assert_eq!(report.due(&more, Tick::now()), None, "not again within a second");
    }
}
