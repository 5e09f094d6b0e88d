//! The calls that are open now, and those that have crossed a limit and are not heard of yet.

use std::collections::HashMap;

use super::channel::CHANNELS;
use crate::rollup::{Finished, Labels, Open};

/// A call that is neither open nor finished by then is lost: its process died, or its span did.
const LOST_NS: u64 = 600_000_000_000;
/// 1,500 hosts with 64 slots each, and some; those above are judged at their end.
const CALLS_MAX: usize = 131_072;

#[derive(Debug, Clone, Copy)]
pub struct OpenCall {
    pub labels: Labels,
    pub started_unix_ns: u64,
    pub trace_id: [u8; 16],
    /// The second in which it crossed L1 and L2, and so was counted.
    pub crossed: [Option<u64>; CHANNELS],
    /// When it was open last, by what we were told.
    pub listed_unix_ns: u64,
}

#[derive(Debug, Clone, Default)]
pub struct OpenCalls {
    calls: HashMap<(u64, u64), OpenCall, foldhash::fast::FixedState>,
    pub lost: u64,
}

fn key(trace_id: [u8; 16], span_id: u64) -> (u64, u64) {
    let (half, _) = trace_id.split_first_chunk().expect("8 of 16 bytes");
    (u64::from_le_bytes(*half), span_id)
}

impl OpenCalls {
    /// The call has ended.
    pub fn take(&mut self, call: &Finished) -> Option<OpenCall> {
        if self.calls.is_empty() {
            return None;
        }
        self.calls.remove(&key(call.trace_id, call.span_id))
    }

    /// The call is open at `now_unix_ns`; `None` beyond the limit.
    pub fn list(&mut self, call: &Open, now_unix_ns: u64) -> Option<&mut OpenCall> {
        let is_full = self.calls.len() >= CALLS_MAX;
        let new = || OpenCall {
            labels: call.labels,
            started_unix_ns: call.started_unix_ns,
            trace_id: call.trace_id,
            crossed: [None; CHANNELS],
            listed_unix_ns: now_unix_ns,
        };
        let key = key(call.trace_id, call.span_id);
        let open =
            if is_full { self.calls.get_mut(&key)? } else { self.calls.entry(key).or_insert_with(new) };
        open.listed_unix_ns = now_unix_ns;
        Some(open)
    }

    /// Gives up those that were neither listed nor finished for 10 min.
    pub fn purge(&mut self, now_unix_ns: u64) {
        let before = self.calls.len();
        self.calls.retain(|_, call| now_unix_ns.saturating_sub(call.listed_unix_ns) < LOST_NS);
        self.lost += (before - self.calls.len()) as u64;
    }

    /// A restart: nothing is known to be open.
    pub fn clear(&mut self) {
        self.calls.clear();
    }
}
