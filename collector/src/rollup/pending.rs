//! Notices that a span has begun, as some SDKs send them: calls that are open until their span comes.
//!
//! Logfire's notice has an id of its own and the span as its parent; Datadog's partial span has the span's id.

use std::collections::HashMap;

use super::observed::Open;

/// Notices remembered, 120 bytes each. More are counted and left out.
const PENDING_MAX: usize = 16_384;
/// After this the span is taken for lost: no call of ours takes longer.
const LOST_NS: u64 = 600_000_000_000;

type Id = ([u8; 16], u64);

#[derive(Debug, Default)]
pub struct Pending {
    calls: HashMap<Id, Open>,
    /// When the last notice came.
    told_ns: u64,
    now_ns: u64,
    lost: u64,
}

impl Pending {
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Somebody sends notices, so none in the table means that none is open.
    pub fn is_source(&self) -> bool {
        self.told_ns > 0 && self.now_ns.saturating_sub(self.told_ns) < LOST_NS
    }

    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub fn begin(&mut self, open: Open, now_ns: u64) {
        self.told_ns = self.told_ns.max(now_ns);
        let id = (open.trace_id, open.span_id);
        if self.calls.len() < PENDING_MAX || self.calls.contains_key(&id) {
            self.calls.insert(id, open);
        } else {
            self.lost += 1;
        }
    }

    /// The span has come.
    pub fn end(&mut self, trace_id: [u8; 16], span_id: u64) {
        self.calls.remove(&(trace_id, span_id));
    }

    pub fn calls(&self) -> impl Iterator<Item = Open> {
        self.calls.values().copied()
    }

    pub fn tick(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        let before = self.calls.len();
        self.calls.retain(|_, open| open.started_unix_ns + LOST_NS > now_ns);
        self.lost += (before - self.calls.len()) as u64;
    }
}
