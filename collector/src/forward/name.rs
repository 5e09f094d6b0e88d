//! The name of a request: which stretch of the log it holds, so that a receiver can tell what it already has.
//!
//! Each request carries two headers, whatever the destination:
//! ```text
//! spanmill-hop:   2                                            daemons that it passed, ours included; above 4 refused
//! spanmill-batch: 0f3c…9a/67108864-67190334                    INSTANCE/BEGIN-END
//! ```
//! INSTANCE is the log's, 32 hexadecimal digits. BEGIN and END (excluded) are positions in that log, decimal. The
//! request holds all spans of the records that lie in between, in their order, and nothing else: a record has the
//! positions from its own to where the next one begins. A record that is too large for one request is cut between
//! spans: each of its spans has one position, from the record's own on, and the last span has all that remain, so
//! that the pieces lie one after the other and together cover what the record covers. The log never gives a
//! position twice, so a position stands for the same bytes for ever.
//!
//! What was not acknowledged is sent again, and after a restart in other requests than before. A receiver that must
//! count everything once, as spanmill itself, keeps for each instance the positions that it took, as ranges that
//! grow together, and decides by them alone:
//!
//! | the request's range | the receiver |
//! |---|---|
//! | none of it known | takes it |
//! | all of it known | answers success, and takes nothing |
//! | a part of it known | takes nothing and answers ABORTED or HTTP 409 with `spanmill-overlap: 1` |
//!
//! At the third answer the sender cuts the request in two, between records while it has several and then between
//! spans, and sends both. A single span is known or not, so this ends, after some ten requests in the worst case.

use std::fmt;

/// A stretch of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    pub instance: u128,
    pub begin: u64,
    pub end: u64,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}/{}-{}", self.instance, self.begin, self.end)
    }
}
