//! Masks secrets in the encoded request, and checks on the way that it is a well-formed one.
//!
//! Makes [`MaskedBatch`], the only type that later stages take, so nothing unmasked is kept or forwarded.

use bytes::Bytes;

/// A well-formed request without a secret. Only this stage makes one from received bytes.
#[derive(Debug, Clone)]
pub struct MaskedBatch {
    bytes: Bytes,
    spans: u32,
    received_unix_ns: u64,
    hops: u8,
}

impl MaskedBatch {
    /// A batch that the journal wrote earlier and now reads back, checksum verified. For the journal only.
    pub(crate) fn restored(bytes: Bytes, spans: u32, received_unix_ns: u64, hops: u8) -> MaskedBatch {
        MaskedBatch { bytes, spans, received_unix_ns, hops }
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

    /// How many spanmill daemons had forwarded it before it came here.
    pub fn hops(&self) -> u8 {
        self.hops
    }
}
