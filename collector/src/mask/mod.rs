//! Masks secrets in the encoded request, and checks on the way that it is a well-formed one.
//!
//! Makes [`MaskedBatch`], the only type that later stages take, so nothing unmasked is kept or forwarded. A
//! request without a secret is passed on byte for byte; spans whose ids are not valid are cut out.

mod schema;
mod splice;
mod walk;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
pub(crate) use schema::Message;
use spanmill_mask::{Masker, Report};
use spanmill_proto::otlp::without_notices;
pub use spanmill_proto::wire::Malformed;

use crate::outcome::{Outcomes, Transport};
pub use crate::receive::Origin;
use crate::receive::ReceivedBatch;

/// A well-formed request without a secret. Only this stage makes one from received bytes.
#[derive(Debug, Clone)]
pub struct MaskedBatch {
    bytes: Bytes,
    spans: u32,
    received_unix_ns: u64,
    hops: u8,
    came_by: Option<Transport>,
    origin: Option<Origin>,
    rolled_up_unix_ns: Option<u64>,
}

impl MaskedBatch {
    /// A batch that the journal wrote earlier and now reads back, checksum verified. For the journal only.
    pub(crate) fn restored(bytes: Bytes, spans: u32, received_unix_ns: u64, hops: u8) -> MaskedBatch {
        MaskedBatch {
            bytes,
            spans,
            received_unix_ns,
            hops,
            came_by: None,
            origin: None,
            rolled_up_unix_ns: None,
        }
    }

    /// The same batch, said to be this part of another daemon's log.
    pub(crate) fn with_origin(self, origin: Option<Origin>) -> MaskedBatch {
        MaskedBatch { origin, ..self }
    }

    /// The same batch, known to be in the figures since `unix_ns`: it was refused then, and its sender came back.
    pub(crate) fn rolled_up_at(self, unix_ns: Option<u64>) -> MaskedBatch {
        MaskedBatch { rolled_up_unix_ns: unix_ns, ..self }
    }

    /// The encoded `ExportTraceServiceRequest`.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub fn spans(&self) -> u32 {
        self.spans
    }

    /// Arrival at this daemon, by its own clock.
    pub fn received_unix_ns(&self) -> u64 {
        self.received_unix_ns
    }

    /// How it came in; `None` = read back from the journal.
    pub fn came_by(&self) -> Option<Transport> {
        self.came_by
    }

    /// How many spanmill daemons had forwarded it before it came here.
    pub fn hops(&self) -> u8 {
        self.hops
    }

    /// Which part of another daemon's log it is.
    pub fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// When it went into the figures without being in the journal; `None` = it never did.
    pub fn rolled_up_unix_ns(&self) -> Option<u64> {
        self.rolled_up_unix_ns
    }
}

/// What masking made of a received batch.
#[derive(Debug, Clone)]
pub struct Masked {
    /// Without notices that a span has begun.
    pub batch: MaskedBatch,
    /// The same with them, where there were any: for those who count calls in flight, never kept or forwarded.
    pub notices: Option<MaskedBatch>,
    /// Spans that were cut out because their ids are not valid.
    pub rejected_spans: u32,
}

/// The stage: compiled rules and where hits are counted. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Masking {
    rules: Arc<RwLock<Arc<Rules>>>,
    outcomes: Arc<Outcomes>,
}

/// The rules in force, with the counters of the operator's own.
#[derive(Debug)]
struct Rules {
    masker: Arc<Masker>,
    user_hits: Vec<Arc<AtomicU64>>,
}

impl Rules {
    fn new(masker: Arc<Masker>, outcomes: &Outcomes) -> Arc<Rules> {
        let user_hits = outcomes.user_rules(masker.user_rules());
        Arc::new(Rules { masker, user_hits })
    }

    fn count_own(&self, report: &Report) {
        for (counter, hits) in self.user_hits.iter().zip(&report.user_hits) {
            counter.fetch_add(*hits, Ordering::Relaxed);
        }
    }
}

thread_local! {
    /// Candidate offsets of the request at hand: one buffer per worker, so that a request allocates none.
    static OFFSETS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// Offsets kept between requests: 1 MiB per worker. A request with more candidates gives its buffer back.
const OFFSETS_KEPT: usize = 256 * 1024;

impl Masking {
    pub fn new(masker: Arc<Masker>, outcomes: Arc<Outcomes>) -> Masking {
        let rules = Arc::new(RwLock::new(Rules::new(masker, &outcomes)));
        Masking { rules, outcomes }
    }

    /// Other rules from the next batch on, in all clones.
    pub fn reload(&self, masker: Arc<Masker>) {
        let rules = Rules::new(masker, &self.outcomes);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// Masks one batch. Costs one scan and one walk; a batch with a secret is also copied once.
    pub fn apply(&self, received: ReceivedBatch) -> Result<Masked, Malformed> {
        let ReceivedBatch { body, transport, received_unix_ns, hops, origin } = received;
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        let masker = &rules.masker;
        let mut report = Report::default();
        let found = OFFSETS.with_borrow_mut(|offsets| {
            offsets.clear();
            masker.candidates(&body, offsets);
            let found = walk::walk(&body, masker, offsets, &mut report);
            if offsets.capacity() > OFFSETS_KEPT {
                *offsets = Vec::new();
            }
            found
        })?;
        self.outcomes.masked(&report);
        rules.count_own(&report);
        let bytes = if found.edits.is_empty() { body } else { splice::splice(&body, &found.edits)?.into() };
        let mut batch = MaskedBatch {
            bytes,
            spans: found.spans,
            received_unix_ns,
            hops,
            came_by: Some(transport),
            origin,
            rolled_up_unix_ns: None,
        };
        let notices = found.has_notices.then(|| batch.clone());
        if found.has_notices {
            let (bytes, spans) = without_notices(&batch.bytes)?;
            (batch.bytes, batch.spans) = (bytes.into(), spans);
        }
        Ok(Masked { batch, notices, rejected_spans: found.rejected_spans })
    }
}

#[cfg(test)]
mod tests;
