//! What became of the spans: recorded = sent + dropped by reason + still queued.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why a span was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Reason {
    /// Spans came faster than they could be sent, until the queue was full.
    QueueFull,
    /// No daemon listened on the socket, or no receiver at the endpoint, for longer than spans are held.
    NoDaemon,
    /// The span did not fit a packet even without its logs and tags.
    TooLong,
    /// The daemon took no packet for longer than spans are held, the system refused one, or a receiver the request.
    Send,
    /// The span ended after the client was shut down.
    Closed,
    /// The queue was full, and a failure took its place.
    Displaced,
    /// The receiver took the request and refused the span.
    Rejected,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 7] = [
        Reason::QueueFull,
        Reason::NoDaemon,
        Reason::TooLong,
        Reason::Send,
        Reason::Closed,
        Reason::Displaced,
        Reason::Rejected,
    ];

    /// The label in metrics and in PHP's `Tracer::stats()`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::QueueFull => "queue_full",
            Reason::NoDaemon => "no_daemon",
            Reason::TooLong => "too_long",
            Reason::Send => "send",
            Reason::Closed => "closed",
            Reason::Displaced => "displaced",
            Reason::Rejected => "rejected",
        }
    }
}

/// Spans that were dropped, by reason.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped([u64; Reason::ALL.len()]);

impl Dropped {
    /// Dropped for one reason.
    pub fn by(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// Dropped for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl fmt::Debug for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(Reason::ALL.map(|reason| (reason.name(), self.by(reason)))).finish()
    }
}

/// The client's counters since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Spans that ended.
    pub recorded: u64,
    /// Spans that the kernel took for the daemon, or a receiver acknowledged.
    pub sent: u64,
    /// Spans that were dropped.
    pub dropped: Dropped,
    /// Packets sent.
    pub packets: u64,
    /// Connections made to the daemon.
    pub connections: u64,
    /// Spans that lost their largest logs to fit a packet.
    pub trimmed: u64,
    /// Values that were cut to their limit.
    pub truncated: u64,
    /// Values in which something was masked.
    pub masked: u64,
    /// Calls that the daemon cannot see while they are open, because too many are.
    pub calls_without_slot: u64,
}

impl Stats {
    /// Spans that are neither sent nor dropped yet.
    pub fn queued(&self) -> u64 {
        self.recorded.saturating_sub(self.sent + self.dropped.total())
    }
}

/// The counters themselves; all of them only grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    dropped: [AtomicU64; Reason::ALL.len()],
    pub(crate) packets: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) trimmed: AtomicU64,
    pub(crate) truncated: AtomicU64,
    pub(crate) masked: AtomicU64,
}

impl Counters {
    pub(crate) fn drop_spans(&self, reason: Reason, spans: u64) {
        self.dropped[reason as usize].fetch_add(spans, Relaxed);
    }

    /// Adds only where there is something to add: most spans need no store to a line that threads share.
    pub(crate) fn note(counter: &AtomicU64, count: u64) {
        if count > 0 {
            counter.fetch_add(count, Relaxed);
        }
    }

    /// `accepted` spans went into the queue; the rest of what was recorded was dropped before.
    pub(crate) fn read(&self, accepted: u64) -> Stats {
        let dropped = Dropped(std::array::from_fn(|reason| self.dropped[reason].load(Relaxed)));
        let refused = [Reason::QueueFull, Reason::TooLong, Reason::Closed];
        Stats {
            recorded: accepted + refused.iter().map(|&reason| dropped.by(reason)).sum::<u64>(),
            sent: self.sent.load(Relaxed),
            dropped,
            packets: self.packets.load(Relaxed),
            connections: self.connections.load(Relaxed),
            trimmed: self.trimmed.load(Relaxed),
            truncated: self.truncated.load(Relaxed),
            masked: self.masked.load(Relaxed),
            calls_without_slot: 0,
        }
    }
}
