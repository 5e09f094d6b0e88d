//! What the roll-up tells the stages after it of single calls, with every name as a number: the detector judges
//! calls one by one, at the second in which they ended or crossed a limit.

use std::sync::Arc;

use super::outcome::Outcome;

/// A provider, operation, service, host or endpoint by number; [`Names`] has the text. Equal numbers mean equal
/// text for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(pub u32);

/// Where a call went and from where it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Labels {
    pub provider: Name,
    pub operation: Name,
    pub service: Name,
    pub host: Name,
    pub endpoint: Name,
}

/// One finished call, or an attempt that no call encloses.
#[derive(Debug, Clone, Copy)]
pub struct Finished {
    pub labels: Labels,
    pub outcome: Outcome,
    /// By the host's clock, put right by its skew.
    pub end_unix_ns: u64,
    pub duration_ns: u64,
    /// When it reached us.
    pub received_unix_ns: u64,
    pub trace_id: [u8; 16],
    pub span_id: u64,
    /// How many calls it stands for, in 1/1024 (sampling).
    pub weight: u64,
    /// Of an operation that counts for conversion.
    pub converts: bool,
}

/// One call that has begun and not ended, as of the present second.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    pub labels: Labels,
    pub started_unix_ns: u64,
    pub trace_id: [u8; 16],
    pub span_id: u64,
}

/// What was seen since the last look.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// In the order of the journal.
    pub finished: Vec<Finished>,
    /// All calls in flight now; `None` while nobody tells us of any.
    pub open: Option<Vec<Open>>,
    /// Finished calls that nobody fetched in time; they are in the figures, not in the verdicts.
    pub lost: u64,
}

/// The texts of the names.
pub trait Names {
    fn text(&self, name: Name) -> Arc<str>;
}
