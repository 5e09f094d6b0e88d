//! The open calls of one provider and operation in one process, made out of counts.
//!
//! The detector judges calls one by one, each at most once, so a call needs an identity that lasts while it is open.
//! The oldest are told with their ids; the others get ids of ours, in the order of their ages. One whose span comes
//! later under its own id may then count twice: once by its age, once by its end.

use std::sync::Arc;

use spanmill_proto::v1::PulseSeries;

use crate::receive::in_flight::{OpenCall, Target};

/// Upper ends of the age buckets; the last bucket has none.
const AGES_MS: [u64; 10] = [100, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000];
/// Ages are counted once a second and travel: a call may be older than its bucket says by so much.
const SLACK_NS: u64 = 1_500_000_000;
/// Open calls of one series that are followed; a worker pool is smaller.
const CALLS_MAX: usize = 4_096;
/// Bytes of a name: a provider has 64, an address 253.
const TEXT_MAX: usize = 256;

/// Whom a series is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    target: Target,
    operation: Arc<str>,
}

impl Key {
    pub fn of(told: &PulseSeries) -> Key {
        let target = match told.provider.as_str() {
            "" => Target::Address(cut(&told.address), u16::try_from(told.port).unwrap_or(0)),
            provider => Target::Provider(cut(provider)),
        };
        Key { target, operation: cut(&told.operation) }
    }
}

fn cut(text: &str) -> Arc<str> {
    let end = (0..=text.len().min(TEXT_MAX)).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    started_unix_ns: u64,
}

#[derive(Debug, Default)]
pub struct Series {
    /// Oldest first.
    open: Vec<Open>,
    /// As it was told: more than are followed, perhaps.
    count: u64,
}

impl Series {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// open = open of the request before + started - finished - lost
    pub fn adds_up(&self, told: &PulseSeries) -> bool {
        let came = u128::from(self.count) + u128::from(told.started);
        came == u128::from(told.open) + u128::from(told.finished) + u128::from(told.lost)
    }

    /// `ahead_ns` is how far our clock is ahead of the sender's; `new_id` gives two numbers, never the same twice.
    pub fn hear(
        &mut self,
        told: &PulseSeries,
        now_ns: u64,
        ahead_ns: i128,
        new_id: &mut impl FnMut() -> (u64, u64),
    ) {
        self.count = told.open;
        let wanted = usize::try_from(told.open).unwrap_or(usize::MAX).min(CALLS_MAX);
        let mut open: Vec<Open> =
            told.oldest.iter().take(8).filter_map(|call| exact(call, ahead_ns)).collect();
        open.sort_by_key(|call| call.started_unix_ns);
        open.truncate(wanted);
        let mut known = self.open.drain(..).filter(|known| {
            !open.iter().any(|exact| exact.span_id == known.span_id)
                && open.last().is_none_or(|exact| known.started_unix_ns >= exact.started_unix_ns)
        });
        let mut candidate = known.next();
        let mut rest = Vec::new();
        for (from_ns, to_ns) in ages(told, open.len()).take(wanted - open.len()) {
            // What is older than this place can be has ended; what is younger waits for a later place.
            while candidate.is_some_and(|call| age(&call, now_ns) > to_ns.saturating_add(SLACK_NS)) {
                candidate = known.next();
            }
            match candidate {
                Some(call) if age(&call, now_ns) + SLACK_NS >= from_ns => {
                    rest.push(call);
                    candidate = known.next();
                }
                _ => {
                    let (number, id) = new_id();
                    let mut trace_id = [0; 16];
                    trace_id[..8].copy_from_slice(&number.to_be_bytes());
                    trace_id[8..].copy_from_slice(&id.to_be_bytes());
                    // The youngest that it can be: no call is judged before its time.
                    let started_unix_ns = now_ns.saturating_sub(from_ns);
                    rest.push(Open { trace_id, span_id: id.to_be_bytes(), started_unix_ns });
                }
            }
        }
        drop(known);
        open.extend(rest);
        self.open = open;
    }

    pub fn calls<'s>(&'s self, key: &'s Key) -> impl Iterator<Item = OpenCall> + 's {
        self.open.iter().map(|open| OpenCall {
            trace_id: open.trace_id,
            span_id: open.span_id,
            started_unix_ns: open.started_unix_ns,
            target: key.target.clone(),
            operation: Arc::clone(&key.operation),
            is_attempt: false,
        })
    }
}

fn age(call: &Open, now_ns: u64) -> u64 {
    now_ns.saturating_sub(call.started_unix_ns)
}

/// A call that is told with its ids, by our clock.
fn exact(call: &spanmill_proto::v1::OpenCall, ahead_ns: i128) -> Option<Open> {
    Some(Open {
        trace_id: call.trace_id.as_ref().try_into().ok()?,
        span_id: call.span_id.as_ref().try_into().ok()?,
        started_unix_ns: u64::try_from(i128::from(call.start_unix_ns) + ahead_ns).ok()?,
    })
}

/// The ages that the counted calls may have, oldest first, without the `exact` oldest ones.
fn ages(told: &PulseSeries, exact: usize) -> impl Iterator<Item = (u64, u64)> {
    let lower = [0].into_iter().chain(AGES_MS);
    let upper = AGES_MS.into_iter().chain([u64::MAX / 1_000_000]);
    let counts = told.age_buckets.iter().copied().chain(std::iter::repeat(0));
    let mut buckets: Vec<(u64, u64, u64)> = lower
        .zip(upper)
        .zip(counts)
        .map(|((from, to), count)| (from * 1_000_000, to * 1_000_000, count))
        .collect();
    // Calls that stand in no bucket are of any age, so young.
    let counted = buckets.iter().fold(0_u64, |sum, (.., count)| sum.saturating_add(*count));
    buckets[0].2 += told.open.saturating_sub(counted);
    buckets
        .into_iter()
        .rev()
        .flat_map(|(from, to, count)| {
            std::iter::repeat_n((from, to), count.min(CALLS_MAX as u64 + 8) as usize)
        })
        .skip(exact)
}
