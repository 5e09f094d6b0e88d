//! What one span may hold. Beyond a limit things are left out and counted, on the span and in the stats.

/// Tags of a span, and of a log; the default of the OpenTelemetry specification.
pub(crate) const TAGS_MAX: u32 = 128;
/// Logs of a span; the default of the OpenTelemetry specification.
pub(crate) const LOGS_MAX: u32 = 128;
/// Bytes of a value. Error texts and gateway answers fit; whole documents are for an archive.
pub(crate) const VALUE_BYTES_MAX: usize = 4096;
/// Bytes of a key or a name: longer ones are built from data, which a key must not be.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// Bytes of a long value beyond [`VALUE_BYTES_MAX`] that masking looks at and then throws away, so that a
/// secret which straddles the cut is seen whole. Longer than any spelling of a card number.
pub(crate) const OVERLAP_BYTES: usize = 64;
/// Bytes of a span while it is open: four packets. At its end it is trimmed to one, largest logs first, so
/// a small log at the end still finds its place after large ones.
pub(crate) const SPAN_BYTES_MAX: usize = 256 * 1024;
/// A pooled buffer that grew beyond this is given back to the allocator.
pub(crate) const POOLED_BYTES_MAX: usize = 8 * 1024;
/// Buffers that a thread keeps for its next spans: at most 2 MiB with [`POOLED_BYTES_MAX`].
pub(crate) const POOLED_MAX: usize = 256;
