//! Calls that have begun and not ended, as their processes show them now.

use std::sync::Arc;

use bytes::Bytes;

/// Who tells of calls in flight; each tells all that it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The open-call pages of this host.
    Pages,
    /// `Pulse.Report` from elsewhere.
    Pulses,
}

/// A process, or a stream of one, and its calls in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The same as long as it lives, never given twice by one daemon.
    pub number: u64,
    /// An OTLP `Resource` as the process sent it: not checked, not masked.
    pub resource: Bytes,
    pub calls: Vec<OpenCall>,
}

/// One call in flight. The texts are the client's: not masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCall {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub started_unix_ns: u64,
    pub target: Target,
    /// Empty where it is not known.
    pub operation: Arc<str>,
    /// An attempt inside a call that is in flight itself.
    pub is_attempt: bool,
}

/// Whom a call goes to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A provider's name, said by the program.
    Provider(Arc<str>),
    /// `server.address` and `server.port`; the port is 0 where it is not known.
    Address(Arc<str>, u16),
}
