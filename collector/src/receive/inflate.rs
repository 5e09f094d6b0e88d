//! Inflates gzip and zstd, measured while it happens: a bomb is refused when its output reaches the limit.

use std::io::{self, Read};

use bytes::Bytes;

use super::body::BodyError;
use super::budget::Lease;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// Largest window of a zstd frame, 2^23 = 8 MiB: what the format asks every decoder to support.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Output is grown by this much at a time, so that the budget is asked before memory is taken.
const STEP: usize = 64 * 1024;

/// Why a body can't be inflated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    #[error("the body is not valid {0}: {1}")]
    Malformed(&'static str, String),
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl Encoding {
    /// The encoding of a `content-encoding` or `grpc-encoding` header; `None` = one we do not know.
    pub fn parse(header: Option<&http::HeaderValue>) -> Option<Encoding> {
        let Some(header) = header else { return Some(Encoding::Identity) };
        match header.as_bytes() {
            b"" | b"identity" => Some(Encoding::Identity),
            b"gzip" => Some(Encoding::Gzip),
            b"zstd" => Some(Encoding::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Encoding::Identity => "identity",
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
        }
    }
}

/// The body as it was before its encoding, at most `limit` bytes.
pub fn inflate(
    body: Bytes,
    encoding: Encoding,
    limit: usize,
    lease: &mut Lease,
) -> Result<Bytes, InflateError> {
    let malformed = |error: io::Error| InflateError::Malformed(encoding.name(), error.to_string());
    match encoding {
        Encoding::Identity => Ok(body),
        Encoding::Gzip => {
            read_bounded(flate2::bufread::MultiGzDecoder::new(&body[..]), body.len(), limit, lease)
        }
        Encoding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(&body[..]).map_err(malformed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(malformed)?;
            read_bounded(decoder, body.len(), limit, lease)
        }
    }
    .map_err(|failure| match failure {
        Failure::Read(error) => malformed(error),
        Failure::Body(error) => error.into(),
    })
}

enum Failure {
    Read(io::Error),
    Body(BodyError),
}

fn read_bounded(
    mut decoder: impl Read,
    compressed: usize,
    limit: usize,
    lease: &mut Lease,
) -> Result<Bytes, Failure> {
    // Traces shrink about fourfold; the guess saves regrowing and costs nothing when wrong.
    let mut out = Vec::with_capacity((compressed * 4).clamp(STEP, limit.max(STEP)));
    let mut filled = 0;
    loop {
        lease.grow(STEP).map_err(|_| Failure::Body(BodyError::Overload))?;
        out.resize(filled + STEP, 0);
        let end = out.len();
        while filled < end {
            match decoder.read(&mut out[filled..end]) {
                Ok(0) => {
                    out.truncate(filled);
                    return Ok(out.into());
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Read(error)),
            }
            if filled > limit {
                return Err(Failure::Body(BodyError::TooLarge { limit }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::budget::Budget;
    use super::*;

    fn gzip(data: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap().into()
    }

    fn zstd(data: &[u8]) -> Bytes {
        zstd::encode_all(data, 1).unwrap().into()
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let data: Vec<u8> = (0..300_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for (encoding, body) in [(Encoding::Gzip, gzip(&data)), (Encoding::Zstd, zstd(&data))] {
            let budget = Budget::new(4 << 20);
            let out = inflate(body, encoding, 2 << 20, &mut budget.lease()).unwrap();
            assert_eq!(out, data);
        }
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let zeros = vec![0; 32 << 20];
        for (encoding, body) in [(Encoding::Gzip, gzip(&zeros)), (Encoding::Zstd, zstd(&zeros))] {
            assert!(body.len() < 1 << 20);
            let budget = Budget::new(64 << 20);
            let refused = inflate(body.clone(), encoding, 1 << 20, &mut budget.lease());
            assert_eq!(refused, Err(InflateError::Body(BodyError::TooLarge { limit: 1 << 20 })));
            let scarce = Budget::new(512 << 10);
            let refused = inflate(body, encoding, 64 << 20, &mut scarce.lease());
            assert_eq!(refused, Err(InflateError::Body(BodyError::Overload)));
        }
    }

    #[test]
    fn what_is_not_compressed_is_malformed() {
        let budget = Budget::new(1 << 20);
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let error = inflate(Bytes::from_static(b"plain"), encoding, 1 << 20, &mut budget.lease());
            assert!(matches!(error, Err(InflateError::Malformed(..))), "{error:?}");
        }
        let cut = gzip(&[7; 10_000]);
        let error = inflate(cut.slice(..cut.len() - 9), Encoding::Gzip, 1 << 20, &mut budget.lease());
        assert!(matches!(error, Err(InflateError::Malformed(..))), "{error:?}");
    }
}
