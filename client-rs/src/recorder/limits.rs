//! What one span may hold. Beyond a limit things are left out and counted, on the span and in the stats.

use spanmill_mask::Masker;

/// Bytes of a key or a name: longer ones are built from data, which a key must not be.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// Bytes of a long value beyond its limit that masking looks at and then throws away, so that a
/// secret which straddles the cut is seen whole. Longer than any spelling of a card number.
pub(crate) const OVERLAP_BYTES: usize = 64;
/// Bytes of a span while it is open: four packets. At its end it is trimmed to one, largest logs first, so
/// a small log at the end still finds its place after large ones.
pub(crate) const SPAN_BYTES_MAX: usize = 256 * 1024;
/// A pooled buffer that grew beyond this is given back to the allocator.
pub(crate) const POOLED_BYTES_MAX: usize = 8 * 1024;
/// Buffers that a thread keeps for its next spans: at most 2 MiB with [`POOLED_BYTES_MAX`].
pub(crate) const POOLED_MAX: usize = 256;
/// Largest limit of a value that may be set: a quarter of a packet.
pub(crate) const VALUE_BYTES_LIMIT_MAX: usize = 16 * 1024;
/// Largest limit of tags and logs that may be set: more do not fit a packet.
pub(crate) const COUNT_LIMIT_MAX: u32 = 4096;

/// The limits that an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Tags of a span; 128 is the default of the OpenTelemetry specification, as for the next two.
    pub(crate) tags_max: u32,
    pub(crate) logs_max: u32,
    pub(crate) log_tags_max: u32,
    /// Bytes of a value. Error texts and gateway answers fit; whole documents are for an archive.
    pub(crate) value_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { tags_max: 128, logs_max: 128, log_tags_max: 128, value_bytes_max: 4096 }
    }
}

/// What every span is written by. Lives until the process ends: spans refer to it without a count.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) masker: Masker,
    pub(crate) limits: Limits,
}
