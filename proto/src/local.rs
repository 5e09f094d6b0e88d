//! The framing of the local socket: one `SOCK_SEQPACKET` packet = a 24-byte little-endian header and a
//! payload of at most [`PAYLOAD_MAX`] bytes.
//!
//! ```text
//!  0      4  5  6     8       12       16               24
//!  | SPML |v |k |flags| length| sequence| sent_unix_ns   | payload …
//! ```

/// Bytes of the header.
pub const HEADER: usize = 24;
/// Largest payload; measured to pass at the default `SO_SNDBUF` of Linux.
pub const PAYLOAD_MAX: usize = 65_536;
/// Largest packet.
pub const PACKET_MAX: usize = HEADER + PAYLOAD_MAX;
/// Version of the framing that this code speaks.
pub const VERSION: u8 = 1;

const MAGIC: [u8; 4] = *b"SPML";

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An OTLP `ExportTraceServiceRequest`.
    Spans = 1,
    /// Client version, service and page layout, with the descriptor of the open-call page.
    Hello = 2,
    /// The client's own counters: sent, dropped by reason, masked.
    Counters = 3,
}

/// The header of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    pub flags: u16,
    /// Bytes of payload.
    pub length: u32,
    /// Counts up by one per packet of a connection; a gap is a packet that the client dropped.
    pub sequence: u32,
    /// The sender's wall clock at sending, in unix nanoseconds.
    pub sent_unix_ns: u64,
}

/// Why a packet is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPacket {
    #[error("the packet is shorter than its header of {HEADER} bytes")]
    Short,
    #[error("the packet does not begin with SPML")]
    Magic,
    #[error("framing version {0}, this daemon speaks {VERSION}")]
    Version(u8),
    #[error("kind {0} is not known")]
    Kind(u8),
    #[error("the header says {said} bytes of payload, the packet has {there}")]
    Length { said: u32, there: usize },
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[0..4].copy_from_slice(&MAGIC);
        out[4] = VERSION;
        out[5] = self.kind as u8;
        out[6..8].copy_from_slice(&self.flags.to_le_bytes());
        out[8..12].copy_from_slice(&self.length.to_le_bytes());
        out[12..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16..24].copy_from_slice(&self.sent_unix_ns.to_le_bytes());
        out
    }

    /// Splits a received packet into header and payload.
    pub fn decode(packet: &[u8]) -> Result<(Header, &[u8]), BadPacket> {
        let (header, payload) = packet.split_first_chunk::<HEADER>().ok_or(BadPacket::Short)?;
        if header[0..4] != MAGIC {
            return Err(BadPacket::Magic);
        }
        if header[4] != VERSION {
            return Err(BadPacket::Version(header[4]));
        }
        let kind = match header[5] {
            1 => Kind::Spans,
            2 => Kind::Hello,
            3 => Kind::Counters,
            other => return Err(BadPacket::Kind(other)),
        };
        let word =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let length = word(8);
        if length as usize != payload.len() {
            return Err(BadPacket::Length { said: length, there: payload.len() });
        }
        let header = Header {
            kind,
            flags: u16::from_le_bytes([header[6], header[7]]),
            length,
            sequence: word(12),
            sent_unix_ns: u64::from(word(16)) | u64::from(word(20)) << 32,
        };
        Ok((header, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_packet_survives_the_socket(flags: u16, sequence: u32, sent_unix_ns: u64, payload: Vec<u8>) {
            let header =
                Header { kind: Kind::Spans, flags, length: payload.len() as u32, sequence, sent_unix_ns };
            let mut packet = header.encode().to_vec();
            packet.extend_from_slice(&payload);
            prop_assert_eq!(Header::decode(&packet), Ok((header, &payload[..])));
        }

        #[test]
        fn garbage_is_refused_without_a_panic(packet: Vec<u8>) {
            let _ = Header::decode(&packet);
        }
    }

    #[test]
    fn a_cut_packet_is_refused() {
        let header = Header { kind: Kind::Hello, flags: 0, length: 4, sequence: 1, sent_unix_ns: 2 };
        let mut packet = header.encode().to_vec();
        assert_eq!(Header::decode(&packet[..10]), Err(BadPacket::Short));
        packet.extend_from_slice(b"abc");
        assert_eq!(Header::decode(&packet), Err(BadPacket::Length { said: 4, there: 3 }));
    }
}
