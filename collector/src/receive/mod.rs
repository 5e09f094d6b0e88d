//! Takes OTLP over gRPC, HTTP and the local socket, and hands each request on as one `Bytes`.
//!
//! Never decodes into objects (OTLP/JSON is turned into protobuf once and then takes the same path), and never
//! answers OK before the pipeline has said that the batch is kept.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::outcome::Transport;

/// One export request as it came in, inflated, protobuf; not yet known to be well-formed.
#[derive(Debug, Clone)]
pub struct ReceivedBatch {
    pub body: Bytes,
    pub transport: Transport,
    pub received_unix_ns: u64,
    /// How many spanmill daemons have forwarded it already.
    pub hops: u8,
}

/// The batch is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Spans that were cut out because their ids are not valid; answered as `partial_success`.
    pub rejected_spans: u32,
}

/// The batch is not kept, and the sender is told why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Malformed(String),
    #[error("{reason}")]
    Overload { reason: String, retry_after: Duration },
}

/// What the pipeline gives this stage: where batches go.
pub trait Sink: Clone + Send + Sync + 'static {
    fn accept(&self, batch: ReceivedBatch) -> impl Future<Output = Result<Accepted, Refusal>> + Send;
}
