//! What became of the data: counters that every stage adds to and `/api/v1/stats` and `/metrics` read.
//!
//! Whatever is not kept is counted here by reason. One set per process, handed in; never global.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use spanmill_mask::{Report, Rule};

/// How a batch came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Transport {
    Grpc,
    Http,
    Local,
}

impl Transport {
    pub const ALL: [Transport; 3] = [Transport::Grpc, Transport::Http, Transport::Local];

    /// The `transport` label in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Grpc => "otlp_grpc",
            Transport::Http => "otlp_http",
            Transport::Local => "local",
        }
    }
}

/// Why a request was refused. The sender was told, except on the local socket, where nobody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Rejected {
    /// Not OTLP, or not decompressible.
    Malformed,
    /// Above `receive.max_request`, inflated.
    TooLarge,
    /// No token, or a wrong one.
    Unauthorized,
    /// No room: bytes in flight, journal full or not writable.
    Overload,
    /// Metrics or logs: spanmill takes traces only.
    WrongSignal,
    /// Forwarded more than four times: somebody's configuration is a ring.
    Loop,
    /// A part of a forwarded batch that was here already: a spanmill sends the rest by itself.
    Overlap,
}

impl Rejected {
    pub const ALL: [Rejected; 7] = [
        Rejected::Malformed,
        Rejected::TooLarge,
        Rejected::Unauthorized,
        Rejected::Overload,
        Rejected::WrongSignal,
        Rejected::Loop,
        Rejected::Overlap,
    ];

    /// The `reason` label in metrics and the key in `/api/v1/stats`.
    pub fn name(self) -> &'static str {
        match self {
            Rejected::Malformed => "malformed",
            Rejected::TooLarge => "too_large",
            Rejected::Unauthorized => "unauthorized",
            Rejected::Overload => "overload",
            Rejected::WrongSignal => "wrong_signal",
            Rejected::Loop => "loop",
            Rejected::Overlap => "overlap",
        }
    }
}

/// Why spans are lost before they are in the journal, where nobody can be told to bring them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Lost {
    /// `journal.max_size` bytes wait for a destination.
    JournalFull,
    /// The disk takes nothing: it is full, or broken.
    JournalUnwritable,
}

impl Lost {
    pub const ALL: [Lost; 2] = [Lost::JournalFull, Lost::JournalUnwritable];

    /// The `reason` label in metrics and the key in `/api/v1/stats`.
    pub fn name(self) -> &'static str {
        match self {
            Lost::JournalFull => "journal_full",
            Lost::JournalUnwritable => "journal_unwritable",
        }
    }
}

/// The process's counters.
#[derive(Debug, Default)]
pub struct Outcomes {
    received_spans: [AtomicU64; Transport::ALL.len()],
    rejected_requests: [AtomicU64; Rejected::ALL.len()],
    /// Spans cut out of accepted requests because their ids are not valid.
    invalid_spans: AtomicU64,
    /// Spans of the local socket that are not in the journal.
    lost_spans: [AtomicU64; Lost::ALL.len()],
    /// Spans of batches that another daemon sent again and that were here already.
    known_spans: AtomicU64,
    masked: [AtomicU64; Rule::ALL.len()],
    /// The operator's masking rules by name, also those that a reload took away: counters never go back.
    user_rules: Mutex<Vec<(String, Arc<AtomicU64>)>>,
}

impl Outcomes {
    /// `spans` are in the journal.
    pub fn received(&self, transport: Transport, spans: u64) {
        self.received_spans[transport as usize].fetch_add(spans, Ordering::Relaxed);
    }

    /// One request was refused.
    pub fn rejected(&self, reason: Rejected) {
        self.rejected_requests[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// `spans` were cut out of an accepted request.
    pub fn invalid_spans(&self, spans: u64) {
        self.invalid_spans.fetch_add(spans, Ordering::Relaxed);
    }

    /// `spans` are lost, and nobody could be told.
    pub fn lost(&self, reason: Lost, spans: u64) {
        self.lost_spans[reason as usize].fetch_add(spans, Ordering::Relaxed);
    }

    /// `spans` came again from another daemon.
    pub fn known(&self, spans: u64) {
        self.known_spans.fetch_add(spans, Ordering::Relaxed);
    }

    /// The counters of the operator's own rules, in the order of `names`.
    pub fn user_rules<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<Arc<AtomicU64>> {
        let mut rules = self.user_rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counter = |name: &str| match rules.iter().find(|(known, _)| known == name) {
            Some((_, counter)) => Arc::clone(counter),
            None => {
                rules.push((name.to_owned(), Arc::default()));
                Arc::clone(&rules.last().expect("it was just pushed").1)
            }
        };
        names.map(&mut counter).collect()
    }

    /// The built-in masking rules hit as `report` says; those of the operator are counted where they were compiled.
    pub fn masked(&self, report: &Report) {
        for (counter, hits) in self.masked.iter().zip(report.hits) {
            if hits > 0 {
                counter.fetch_add(hits, Ordering::Relaxed);
            }
        }
    }

    pub fn received_by(&self, transport: Transport) -> u64 {
        self.received_spans[transport as usize].load(Ordering::Relaxed)
    }

    /// Spans written to the journal since the start of the process.
    pub fn received_total(&self) -> u64 {
        Transport::ALL.into_iter().map(|transport| self.received_by(transport)).sum()
    }

    pub fn rejected_by(&self, reason: Rejected) -> u64 {
        self.rejected_requests[reason as usize].load(Ordering::Relaxed)
    }

    pub fn invalid_spans_total(&self) -> u64 {
        self.invalid_spans.load(Ordering::Relaxed)
    }

    /// Hits by rule; those of the operator as `user:NAME`, and as `user` where there is none.
    pub fn masked_by_rule(&self) -> Vec<(String, u64)> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let user = self.user_rules.lock().unwrap_or_else(PoisonError::into_inner);
        let built_in = Rule::ALL.into_iter().filter(|rule| *rule != Rule::User || user.is_empty());
        let built_in = built_in.map(|rule| (rule.name().to_owned(), count(&self.masked[rule as usize])));
        built_in.chain(user.iter().map(|(name, hits)| (format!("user:{name}"), count(hits)))).collect()
    }

    pub fn lost_by(&self, reason: Lost) -> u64 {
        self.lost_spans[reason as usize].load(Ordering::Relaxed)
    }

    pub fn known_total(&self) -> u64 {
        self.known_spans.load(Ordering::Relaxed)
    }
}
