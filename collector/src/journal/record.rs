//! One record: a header, then the body. Written and read here only; drawn in `FORMAT.md`.
//!
//! A record names its own position, so that a reader which lost its way takes nothing for a record that
//! merely looks like one, not even a copy of a record inside a span.

use std::ops::Range;

use crate::mask::Origin;

/// Begins each record. Its first byte occurs in no UTF-8 text, so text rarely looks like a record.
pub const MAGIC: [u8; 4] = [0xf5, b'S', b'P', b'R'];

/// Bytes of the header that every record has.
pub const HEADER_LEN: usize = 48;

/// Bytes that follow it in a record which came from another daemon's log.
const ORIGIN_LEN: usize = 32;

/// Bytes before the body at most.
pub const HEADER_LEN_MAX: usize = HEADER_LEN + ORIGIN_LEN;

/// Largest body. Four times the largest request that is received by default; a damaged length field makes a
/// reader look no further than this.
pub const BODY_MAX: usize = 64 << 20;

const CRC: Range<usize> = 4..8;
const BODY_LEN: Range<usize> = 8..12;
const SPANS: Range<usize> = 12..16;
const RECEIVED_UNIX_NS: Range<usize> = 16..24;
const SPANS_BEFORE: Range<usize> = 24..32;
const POSITION: Range<usize> = 32..40;
const HOPS: usize = 40;
const FLAGS: usize = 41;
const ROLLED_UP_BEFORE_MS: Range<usize> = 44..48;
const INSTANCE: Range<usize> = 48..64;
const BEGIN: Range<usize> = 64..72;
const END: Range<usize> = 72..80;

/// Flag: it went into the figures before it was written.
const ROLLED_UP: u8 = 1;
/// Flag: its origin follows the header.
const HAS_ORIGIN: u8 = 2;

/// What a record says of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub body_len: u32,
    pub spans: u32,
    pub received_unix_ns: u64,
    /// Spans in the log before this record.
    pub spans_before: u64,
    pub position: u64,
    pub hops: u8,
    /// It went into the figures so long before it arrived this time.
    pub rolled_up_before_ms: Option<u32>,
    /// Which part of another daemon's log it is.
    pub origin: Option<Origin>,
}

/// A header as it is written.
#[derive(Debug, Clone, Copy)]
pub struct Encoded {
    bytes: [u8; HEADER_LEN_MAX],
    len: usize,
}

impl Encoded {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Bytes before the body.
pub fn header_len(origin: Option<Origin>) -> usize {
    if origin.is_some() { HEADER_LEN_MAX } else { HEADER_LEN }
}

impl Header {
    /// The header as it is written. `body_crc` is the CRC32C of the body; the writer only continues it over
    /// these few bytes, so the costly part is done by the thread that appends.
    pub fn encode(&self, body_crc: u32) -> Encoded {
        let mut out = [0; HEADER_LEN_MAX];
        let len = self.len();
        out[..4].copy_from_slice(&MAGIC);
        out[BODY_LEN].copy_from_slice(&self.body_len.to_le_bytes());
        out[SPANS].copy_from_slice(&self.spans.to_le_bytes());
        out[RECEIVED_UNIX_NS].copy_from_slice(&self.received_unix_ns.to_le_bytes());
        out[SPANS_BEFORE].copy_from_slice(&self.spans_before.to_le_bytes());
        out[POSITION].copy_from_slice(&self.position.to_le_bytes());
        out[HOPS] = self.hops;
        if let Some(before_ms) = self.rolled_up_before_ms {
            out[FLAGS] |= ROLLED_UP;
            out[ROLLED_UP_BEFORE_MS].copy_from_slice(&before_ms.to_le_bytes());
        }
        if let Some(origin) = self.origin {
            out[FLAGS] |= HAS_ORIGIN;
            out[INSTANCE].copy_from_slice(&origin.instance.to_le_bytes());
            out[BEGIN].copy_from_slice(&origin.begin.to_le_bytes());
            out[END].copy_from_slice(&origin.end.to_le_bytes());
        }
        let crc = crc32c::crc32c_append(body_crc, &out[CRC.end..len]);
        out[CRC].copy_from_slice(&crc.to_le_bytes());
        Encoded { bytes: out, len }
    }

    /// Bytes before the body.
    pub fn len(&self) -> usize {
        header_len(self.origin)
    }

    /// Bytes of the whole record.
    pub fn record_len(&self) -> u64 {
        (self.len() + self.body_len as usize) as u64
    }
}

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// A whole record with the right checksum; its body follows the header.
    Record(Header),
    /// Perhaps a record; this many bytes are needed to know.
    Short(usize),
    /// No record.
    Invalid,
}

/// Reads the record that stands at the beginning of `bytes` if its position is `position`.
pub fn parse(bytes: &[u8], position: u64) -> Parsed {
    let known = bytes.len().min(MAGIC.len());
    if bytes[..known] != MAGIC[..known] {
        return Parsed::Invalid;
    }
    let Some(head) = bytes.get(..HEADER_LEN) else {
        return Parsed::Short(HEADER_LEN);
    };
    let head_len = if head[FLAGS] & HAS_ORIGIN == 0 { HEADER_LEN } else { HEADER_LEN_MAX };
    let Some(head) = bytes.get(..head_len) else {
        return Parsed::Short(head_len);
    };
    let header = decode(head);
    if header.position != position || header.body_len as usize > BODY_MAX {
        return Parsed::Invalid;
    }
    let end = head_len + header.body_len as usize;
    let Some(body) = bytes.get(head_len..end) else {
        return Parsed::Short(end);
    };
    let crc = crc32c::crc32c_append(crc32c::crc32c(body), &head[CRC.end..]);
    if crc == u32_at(head, CRC) { Parsed::Record(header) } else { Parsed::Invalid }
}

fn decode(head: &[u8]) -> Header {
    Header {
        body_len: u32_at(head, BODY_LEN),
        spans: u32_at(head, SPANS),
        received_unix_ns: u64_at(head, RECEIVED_UNIX_NS),
        spans_before: u64_at(head, SPANS_BEFORE),
        position: u64_at(head, POSITION),
        hops: head[HOPS],
        rolled_up_before_ms: (head[FLAGS] & ROLLED_UP != 0).then(|| u32_at(head, ROLLED_UP_BEFORE_MS)),
        origin: (head.len() > HEADER_LEN).then(|| Origin {
            instance: u128_at(head, INSTANCE),
            begin: u64_at(head, BEGIN),
            end: u64_at(head, END),
        }),
    }
}

pub(super) fn u32_at(bytes: &[u8], range: Range<usize>) -> u32 {
    u32::from_le_bytes(bytes[range].try_into().expect("the range is four bytes long"))
}

pub(super) fn u64_at(bytes: &[u8], range: Range<usize>) -> u64 {
    u64::from_le_bytes(bytes[range].try_into().expect("the range is eight bytes long"))
}

pub(super) fn u128_at(bytes: &[u8], range: Range<usize>) -> u128 {
    u128::from_le_bytes(bytes[range].try_into().expect("the range is 16 bytes long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Header, Vec<u8>) {
        encoded(None, None)
    }

    fn from_afar() -> (Header, Vec<u8>) {
        encoded(Some(Origin { instance: 7 << 100, begin: 5_000, end: 9_000 }), Some(61_000))
    }

    fn encoded(origin: Option<Origin>, rolled_up_before_ms: Option<u32>) -> (Header, Vec<u8>) {
        let body = b"a body".to_vec();
        let header = Header {
            body_len: body.len() as u32,
            spans: 3,
            received_unix_ns: 1_795_378_503_000_000_000,
            spans_before: 77,
            position: 4096,
            hops: 2,
            rolled_up_before_ms,
            origin,
        };
        let mut bytes = header.encode(crc32c::crc32c(&body)).bytes().to_vec();
        bytes.extend_from_slice(&body);
        (header, bytes)
    }

    #[test]
    fn a_record_reads_back_as_written() {
        for (header, bytes) in [sample(), from_afar()] {
            assert_eq!(parse(&bytes, 4096), Parsed::Record(header));
            assert_eq!(header.record_len(), bytes.len() as u64);
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        for (_, bytes) in [sample(), from_afar()] {
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!matches!(parse(&flipped, 4096), Parsed::Record(_)), "bit {bit}");
            }
        }
    }

    #[test]
    fn every_prefix_is_short_and_never_a_record() {
        for (header, bytes) in [sample(), from_afar()] {
            for end in 0..bytes.len() {
                let wanted = [HEADER_LEN, header.len(), bytes.len()].into_iter().find(|wanted| end < *wanted);
                assert_eq!(parse(&bytes[..end], 4096), Parsed::Short(wanted.unwrap()), "{end} bytes");
            }
        }
    }

    #[test]
    fn a_copy_at_another_place_is_no_record() {
        let (_, bytes) = sample();
        assert_eq!(parse(&bytes, 4097), Parsed::Invalid);
    }
}
