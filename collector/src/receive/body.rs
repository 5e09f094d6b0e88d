//! Reads a request body into one `Bytes`: without a copy when it came in one piece, and never above its limit.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

use super::budget::Lease;

/// Why a body is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the request is larger than the limit of {limit} bytes (receive.max_request)")]
    TooLarge { limit: usize },
    #[error("the daemon holds as many bytes in flight as receive.memory allows")]
    Overload,
    #[error("the connection ended in the middle of the request")]
    Cut,
}

/// Reads `body` to its end.
///
/// `expected` = its length as far as the sender said; only a hint for the buffer, bounded by `limit`.
pub async fn collect<B>(
    mut body: B,
    expected: Option<u64>,
    limit: usize,
    lease: &mut Lease,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    if expected.is_some_and(|length| length > limit as u64) {
        return Err(BodyError::TooLarge { limit });
    }
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Cut)?.into_data() else { continue };
        if data.is_empty() {
            continue;
        }
        if first.len() + joined.len() + data.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        lease.grow(data.len()).map_err(|_| BodyError::Overload)?;
        if first.is_empty() && joined.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            let hint = expected.map_or(0, |length| length as usize);
            joined.reserve(hint.max(first.len() + data.len()));
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}
