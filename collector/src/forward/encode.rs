//! A request's body as it goes over the wire: framed for gRPC or not, compressed or not.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use flate2::write::GzEncoder;
use spanmill_proto::grpc;

use super::batch::Batch;

/// How bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Level 1 of both: what higher levels save costs more CPU than the network does.
const LEVEL: u32 = 1;

/// Spans compress at least so well; the buffer grows where they do not.
const SHARE: usize = 8;

impl Compression {
    /// The value of `grpc-encoding` and `content-encoding`; `None` = the header is left out.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }

    /// The body of an OTLP/HTTP request.
    pub fn plain(self, batch: &Batch) -> io::Result<Vec<Bytes>> {
        match self {
            Compression::None => Ok(batch.pieces(BytesMut::new())),
            _ => Ok(vec![self.compress(batch, Vec::with_capacity(batch.bytes() / SHARE))?.into()]),
        }
    }

    /// The body of a gRPC request: one message behind its prefix.
    pub fn framed(self, batch: &Batch) -> io::Result<Vec<Bytes>> {
        if self == Compression::None {
            let prefix = grpc::prefix(false, batch.bytes() as u32);
            return Ok(batch.pieces(BytesMut::from(&prefix[..])));
        }
        let mut out = Vec::with_capacity(grpc::PREFIX + batch.bytes() / SHARE);
        out.extend_from_slice(&[0; grpc::PREFIX]);
        let mut out = self.compress(batch, out)?;
        let length = out.len() - grpc::PREFIX;
        out[..grpc::PREFIX].copy_from_slice(&grpc::prefix(true, length as u32));
        Ok(vec![out.into()])
    }

    /// Appends the compressed bytes to `out`.
    fn compress(self, batch: &Batch, out: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Compression::None => {
                let mut out = out;
                batch.pieces(BytesMut::new()).iter().for_each(|piece| out.extend_from_slice(piece));
                Ok(out)
            }
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(out, flate2::Compression::new(LEVEL));
                write_all(&mut encoder, batch)?;
                encoder.finish()
            }
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(out, LEVEL as i32)?;
                write_all(&mut encoder, batch)?;
                encoder.finish()
            }
        }
    }
}

fn write_all(encoder: &mut impl Write, batch: &Batch) -> io::Result<()> {
    batch.pieces(BytesMut::new()).iter().try_for_each(|piece| encoder.write_all(piece))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::batch::Gather;
    use super::super::fixture::record;
    use super::*;

    /// A batch of records of these sizes, and its bytes.
    fn batch(sizes: &[usize]) -> (Batch, Vec<u8>) {
        let mut gather = Gather::default();
        let mut bytes = Vec::new();
        for (i, size) in sizes.iter().enumerate() {
            bytes.extend(std::iter::repeat_n(i as u8, *size));
            gather.push(&record(i as u64, vec![i as u8; *size].into(), 1), 1 << 20);
        }
        (gather.take(1 << 20).unwrap(), bytes)
    }

    #[test]
    fn the_body_is_the_prefix_and_the_records_one_after_the_other() {
        let (batch, expected) = batch(&[10, 5000, 4096, 20, 30, 9000, 1]);
        let body = Compression::None.framed(&batch).unwrap().concat();
        assert_eq!(body[..5], grpc::prefix(false, expected.len() as u32));
        assert_eq!(body[5..], expected);
        assert_eq!(Compression::None.plain(&batch).unwrap().concat(), expected);
    }

    #[test]
    fn what_is_compressed_inflates_to_the_records() {
        let (batch, expected) = batch(&[10, 5000, 4096, 20, 30, 9000, 1]);
        let inflate = |compression, bytes: &[u8]| {
            let mut out = Vec::new();
            match compression {
                Compression::Zstd => zstd::Decoder::new(bytes).unwrap().read_to_end(&mut out).unwrap(),
                _ => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap(),
            };
            out
        };
        for compression in [Compression::Gzip, Compression::Zstd] {
            let plain = compression.plain(&batch).unwrap().concat();
            assert!(plain.len() < expected.len() / 10);
            assert_eq!(inflate(compression, &plain), expected);
            let framed = compression.framed(&batch).unwrap().concat();
            assert_eq!(framed[..5], grpc::prefix(true, framed.len() as u32 - 5));
            assert_eq!(inflate(compression, &framed[5..]), expected);
        }
    }
}
