//! What a client says of itself on the local socket: who it is (kind 2) and what it has counted (kind 3).
//!
//! Both payloads are protobuf, `Hello` and `ClientCounters` of `spanmill/v1/local.proto`.

use crate::open_calls;
use crate::wire::{self, Fields, Malformed, Value};

/// Reasons that a counters packet may name; a client of ours has fewer than ten.
const REASONS_MAX: usize = 32;

/// Fields of `Hello`.
mod field {
    pub const CLIENT_VERSION: u32 = 1;
    pub const RESOURCE: u32 = 2;
    pub const PID: u32 = 3;
    pub const PAGE_VERSION: u32 = 4;
    pub const PAGE_SLOTS: u32 = 5;
}

/// The first packet of a connection. The descriptor of the open-call page rides with it, if there is one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hello<'a> {
    /// `spanmill-rust 0.1.0`, for instance.
    pub client_version: &'a str,
    /// An OTLP `Resource`, the same as in the packets of spans: service, host, environment.
    pub resource: &'a [u8],
    /// The process, as it sees itself; in a container another number than the kernel says.
    pub pid: u32,
    /// Layout of the open-call page; 0 without one.
    pub page_version: u32,
    /// Slots of the page; 0 without one.
    pub page_slots: u32,
}

impl<'a> Hello<'a> {
    /// Announces a page of this layout.
    pub fn with_page(self, slots: usize) -> Hello<'a> {
        Hello { page_version: open_calls::VERSION, page_slots: slots as u32, ..self }
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        wire::put_bytes(out, field::CLIENT_VERSION, self.client_version.as_bytes());
        wire::put_bytes(out, field::RESOURCE, self.resource);
        for (number, value) in [
            (field::PID, self.pid),
            (field::PAGE_VERSION, self.page_version),
            (field::PAGE_SLOTS, self.page_slots),
        ] {
            if value != 0 {
                wire::put_uint(out, number, u64::from(value));
            }
        }
    }

    /// Reads a payload; fields of later versions are passed over.
    pub fn decode(payload: &'a [u8]) -> Result<Hello<'a>, Malformed> {
        let mut hello = Hello::default();
        let mut fields = Fields::of(payload);
        while let Some(field) = fields.next()? {
            match field.number {
                field::CLIENT_VERSION => {
                    hello.client_version = std::str::from_utf8(field.bytes()?).unwrap_or_default();
                }
                field::RESOURCE => hello.resource = field.bytes()?,
                field::PID => hello.pid = field.varint()? as u32,
                field::PAGE_VERSION => hello.page_version = field.varint()? as u32,
                field::PAGE_SLOTS => hello.page_slots = field.varint()? as u32,
                _ => {}
            }
        }
        Ok(hello)
    }
}

/// What a client has counted since its last counters packet that was sent: the receiver adds it up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientCounters<'a> {
    /// Spans that the kernel took for the daemon.
    pub sent: u64,
    /// Values in which something was masked.
    pub masked: u64,
    /// Values that were cut to their limit.
    pub truncated: u64,
    /// Spans that lost their largest logs to fit a packet.
    pub trimmed: u64,
    /// Calls that found no free slot on the open-call page.
    pub calls_without_slot: u64,
    /// Spans that were dropped, by reason.
    pub dropped: Vec<(&'a str, u64)>,
}

/// Fields of `ClientCounters` that are numbers, in their order from 1 on; `dropped` follows.
const NUMBERS: u32 = 5;
const DROPPED: u32 = 6;
const DROPPED_REASON: u32 = 1;
const DROPPED_SPANS: u32 = 2;

impl<'a> ClientCounters<'a> {
    /// True when there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.numbers().iter().chain(self.dropped.iter().map(|(_, spans)| spans)).all(|count| *count == 0)
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        for (number, count) in (1..).zip(self.numbers()) {
            if count > 0 {
                wire::put_uint(out, number, count);
            }
        }
        for (reason, spans) in self.dropped.iter().filter(|(_, spans)| *spans > 0) {
            let mark = wire::open(out, DROPPED);
            wire::put_bytes(out, DROPPED_REASON, reason.as_bytes());
            wire::put_uint(out, DROPPED_SPANS, *spans);
            wire::close(out, mark);
        }
    }

    /// Reads a payload; fields of later versions are passed over, and reasons that are not text.
    pub fn decode(payload: &'a [u8]) -> Result<ClientCounters<'a>, Malformed> {
        let mut numbers = [0; NUMBERS as usize];
        let mut dropped = Vec::new();
        let mut fields = Fields::of(payload);
        while let Some(field) = fields.next()? {
            match (field.number, field.value) {
                (number @ 1..=NUMBERS, Value::Varint(count)) => numbers[number as usize - 1] = count,
                (DROPPED, _) if dropped.len() < REASONS_MAX => dropped.extend(drops(field.message()?)?),
                _ => {}
            }
        }
        let [sent, masked, truncated, trimmed, calls_without_slot] = numbers;
        Ok(ClientCounters { sent, masked, truncated, trimmed, calls_without_slot, dropped })
    }

    fn numbers(&self) -> [u64; NUMBERS as usize] {
        [self.sent, self.masked, self.truncated, self.trimmed, self.calls_without_slot]
    }
}

fn drops(mut fields: Fields<'_>) -> Result<Option<(&str, u64)>, Malformed> {
    let (mut reason, mut spans) = (None, 0);
    while let Some(field) = fields.next()? {
        match field.number {
            DROPPED_REASON => reason = std::str::from_utf8(field.bytes()?).ok(),
            DROPPED_SPANS => spans = field.varint()?,
            _ => {}
        }
    }
    Ok(reason.map(|reason| (reason, spans)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_client_says_arrives() {
        let hello = Hello {
            client_version: "spanmill-rust 0.1.0",
            resource: b"\x0a\x00",
            pid: 7,
            ..Hello::default()
        };
        for hello in [hello, hello.with_page(1024)] {
            let mut payload = Vec::new();
            hello.encode(&mut payload);
            assert_eq!(Hello::decode(&payload), Ok(hello));
        }
        let counters = ClientCounters {
            sent: 300,
            calls_without_slot: 1,
            dropped: vec![("queue_full", 4)],
            ..Default::default()
        };
        let mut payload = Vec::new();
        counters.encode(&mut payload);
        assert_eq!(ClientCounters::decode(&payload), Ok(counters.clone()));
        assert!(!counters.is_empty() && ClientCounters::default().is_empty());
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_a_panic(payload: Vec<u8>) {
            let _ = Hello::decode(&payload);
            let _ = ClientCounters::decode(&payload);
        }
    }
}
