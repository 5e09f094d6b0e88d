//! The wire walk against prost: on any bytes both accept or both refuse, and they understand the same.

mod canonical;
mod checks;
mod choices;
mod schema;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use spanmill_proto::{otlp, wire};

use choices::{Choices, request};

/// Decisions enough for a request of some resources with some spans each.
fn decisions() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..4_000)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn a_request_in_any_shape_is_read_as_prost_reads_it(decisions in decisions()) {
        checks::everything(&request(&mut Choices::planting(&[], &decisions)));
    }

    #[test]
    fn flipped_bytes_are_read_or_refused_as_prost_does(
        decisions in decisions(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut message = request(&mut Choices::planting(&[], &decisions));
        for (at, byte) in flips.iter().filter(|_| !message.is_empty()).collect::<Vec<_>>() {
            let at = at.index(message.len());
            message[at] ^= byte;
        }
        checks::everything(&message);
    }

    #[test]
    fn garbage_is_refused_as_prost_does(message in vec(any::<u8>(), 0..64)) {
        checks::everything(&message);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn a_message_cut_off_at_any_byte_is_read_or_refused_as_prost_does(decisions in vec(any::<u8>(), 0..600)) {
        let message = request(&mut Choices::planting(&[], &decisions));
        for end in 0..message.len() {
            checks::is_read_as_prost_reads_it(&message[..end]);
        }
    }
}

#[test]
fn the_generator_makes_accepted_and_refused_requests_with_many_spans() {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let (mut accepted, mut refused, mut spans) = (0, 0, 0);
    for _ in 0..200 {
        let decisions: Vec<u8> = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as u8
        })
        .take(4_000)
        .collect();
        let message = request(&mut Choices::planting(&[], &decisions));
        if checks::everything(&message) {
            accepted += 1;
            spans += otlp::count_spans(&message).expect("prost accepted it");
        } else {
            refused += 1;
        }
    }
    assert!(
        accepted > 100 && refused > 10 && spans > 1_000,
        "{accepted} accepted, {refused} refused, {spans} spans"
    );
}

#[test]
fn an_unknown_group_is_skipped_down_to_the_depth_limit_and_refused_below() {
    let nested = |depth: u32| {
        let mut message = Vec::new();
        (0..depth).for_each(|_| wire::put_tag(&mut message, 100, 3));
        (0..depth).for_each(|_| wire::put_tag(&mut message, 100, 4));
        message
    };
    assert_eq!(otlp::count_spans(&nested(wire::DEPTH_MAX)), Ok(0));
    assert_eq!(otlp::count_spans(&nested(wire::DEPTH_MAX + 1)), Err(wire::Malformed::TooDeep));
    assert!(ExportTraceServiceRequest::decode(&nested(wire::DEPTH_MAX)[..]).is_ok());
}
