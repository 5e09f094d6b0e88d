//! The ways in which a call can be bad, each with a test of its own.

/// Slower than L1.
pub const SLOW: usize = 0;
/// Slower than L2, or not answering at all.
pub const TAIL: usize = 1;
/// Failed, timed out, or no connection.
pub const FAILED: usize = 2;
/// Refused because of what we sent: an expired certificate of ours must wake somebody, too.
pub const FAULT: usize = 3;
pub const CHANNELS: usize = 4;

pub type PerChannel<T> = [T; CHANNELS];
