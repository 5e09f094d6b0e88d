//! What another spanmill says of a request that it forwards: which part of its log is inside.
//!
//! One record has one place in one log, so a centre can tell a request that comes again from a new one.

use http::{HeaderMap, HeaderName};

/// `spanmill-batch: INSTANCE/BEGIN-END`.
pub const HEADER: HeaderName = HeaderName::from_static("spanmill-batch");

/// Stands in the answer to a batch of which a part is here already, with ABORTED or 409: send it in smaller parts.
pub const OVERLAP: HeaderName = HeaderName::from_static("spanmill-overlap");

/// Positions `begin..end` of the log `instance`. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    pub instance: u128,
    pub begin: u64,
    pub end: u64,
}

impl Origin {
    /// What the headers say. `INSTANCE/POSITION` stands for that one position: whoever says no more promises that
    /// what begins there is always the same. Something else says nothing, and its spans are taken as anybody's.
    pub fn of(headers: &HeaderMap) -> Option<Origin> {
        let (instance, range) = headers.get(HEADER)?.to_str().ok()?.split_once('/')?;
        let begin = range.split('-').next()?.parse().ok()?;
        let end = match range.split_once('-') {
            Some((_, end)) => end.parse().ok()?,
            None => u64::checked_add(begin, 1)?,
        };
        let is_instance = instance.len() == 32 && instance.bytes().all(|digit| digit.is_ascii_hexdigit());
        let instance = u128::from_str_radix(instance, 16).ok().filter(|_| is_instance)?;
        (begin < end).then_some(Origin { instance, begin, end })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn origin(value: &'static str) -> Option<(u128, u64, u64)> {
        let headers = HeaderMap::from_iter([(HEADER, HeaderValue::from_static(value))]);
        Origin::of(&headers).map(|Origin { instance, begin, end }| (instance, begin, end))
    }

    #[test]
    fn a_range_of_a_log_is_named_and_a_position_alone_is_a_range_of_one() {
        assert_eq!(origin("000000000000000000000000000000ff/10-900"), Some((255, 10, 900)));
        assert_eq!(origin("000000000000000000000000000000ff/10"), Some((255, 10, 11)));
    }

    #[test]
    fn what_cannot_be_a_range_says_nothing() {
        for wrong in [
            "",
            "ff/10-900",
            "000000000000000000000000000000ff",
            "000000000000000000000000000000ff/",
            "000000000000000000000000000000ff/900-10",
            "000000000000000000000000000000ff/10-10",
            "000000000000000000000000000000ff/10-20-30",
            "000000000000000000000000000000ff/18446744073709551615",
            "+00000000000000000000000000000ff/10-900",
        ] {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
    }
}
