//! What the roll-up tells the stages after it of single calls, with every name as a number: the detector judges
//! calls one by one, at the second in which they ended or crossed a limit.

use std::collections::VecDeque;
use std::sync::Arc;

use super::outcome::Outcome;

/// Finished calls kept for a detector that looks once a second: 130,000 calls a second, 14 MiB. Beyond it the
/// oldest go: the present is what has to be judged.
const FINISHED_MAX: usize = 131_072;

/// A provider, operation, service, host or endpoint by number; [`Names`] has the text. Equal numbers mean equal
/// text for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(pub u32);

/// Where a call went and from where it came. What the span does not say is [`Name::NONE`].
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

/// What has finished and was not fetched yet.
#[derive(Debug, Default)]
pub struct Unseen {
    finished: VecDeque<Finished>,
    lost: u64,
}

impl Unseen {
    #[inline]
    pub fn push(&mut self, finished: Finished) {
        if self.finished.len() == FINISHED_MAX {
            self.finished.pop_front();
            self.lost += 1;
        }
        self.finished.push_back(finished);
    }

    /// Hands all of it out; room for as much again is made at once, so that none is made for a single call.
    pub fn take(&mut self) -> (Vec<Finished>, u64) {
        let room = VecDeque::with_capacity(self.finished.len());
        let finished = std::mem::replace(&mut self.finished, room);
        (finished.into(), std::mem::take(&mut self.lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_fetches_is_bounded_and_the_newest_stay() {
        let mut unseen = Unseen::default();
        for end_unix_ns in 0..FINISHED_MAX as u64 + 7 {
            unseen.push(Finished {
                labels: Labels::default(),
                outcome: Outcome::Ok,
                end_unix_ns,
                duration_ns: 1,
                received_unix_ns: end_unix_ns,
                trace_id: [0; 16],
                span_id: 1,
                weight: 1024,
                converts: false,
            });
        }
        let (finished, lost) = unseen.take();
        assert_eq!((finished.len(), lost, finished[0].end_unix_ns), (FINISHED_MAX, 7, 7));
        assert_eq!((unseen.take().0.len(), unseen.take().1), (0, 0));
    }
}
