//! What a sender is told, before it is dressed as gRPC or HTTP.

use std::time::Duration;

use spanmill_proto::grpc::Code;
use spanmill_proto::otlp::response;
use spanmill_proto::wire;

use super::body::BodyError;
use super::inflate::InflateError;
use super::{Accepted, Refusal};
use crate::outcome::Rejected;

/// How long senders are asked to wait when the daemon has no room.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub reason: Rejected,
    pub code: Code,
    pub http: u16,
    /// One sentence: what is wrong and what to do.
    pub message: String,
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub fn malformed(message: String) -> Failure {
        Failure {
            reason: Rejected::Malformed,
            code: Code::InvalidArgument,
            http: 400,
            message,
            retry_after: None,
        }
    }

    pub fn too_large(message: String) -> Failure {
        Failure {
            reason: Rejected::TooLarge,
            code: Code::ResourceExhausted,
            http: 413,
            message,
            retry_after: None,
        }
    }

    pub fn overload(message: String, retry_after: Duration) -> Failure {
        Failure {
            reason: Rejected::Overload,
            code: Code::Unavailable,
            http: 503,
            message,
            retry_after: Some(retry_after),
        }
    }

    /// For a forwarding spanmill, which cuts its batch on hearing it.
    pub fn overlaps(message: String) -> Failure {
        Failure { reason: Rejected::Overlap, code: Code::Aborted, http: 409, message, retry_after: None }
    }

    pub fn unauthorized() -> Failure {
        Failure {
            reason: Rejected::Unauthorized,
            code: Code::Unauthenticated,
            http: 401,
            message: "send a token of the daemon's bearer_tokens_file as 'authorization: Bearer TOKEN'"
                .into(),
            retry_after: None,
        }
    }

    /// A signal or method that spanmill does not serve.
    pub fn wrong_signal(message: String) -> Failure {
        Failure {
            reason: Rejected::WrongSignal,
            code: Code::Unimplemented,
            http: 404,
            message,
            retry_after: None,
        }
    }

    pub fn looped(hops: u8) -> Failure {
        Failure {
            reason: Rejected::Loop,
            code: Code::FailedPrecondition,
            http: 400,
            message: format!(
                "the request has passed {hops} spanmill daemons; one of them forwards to an earlier one"
            ),
            retry_after: None,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Malformed(message) => Failure::malformed(message),
            Refusal::Overload { reason, retry_after } => Failure::overload(reason, retry_after),
            Refusal::Overlaps => Failure::overlaps(Refusal::Overlaps.to_string()),
        }
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Failure {
        match error {
            BodyError::TooLarge { .. } => Failure::too_large(error.to_string()),
            BodyError::Overload => Failure::overload(error.to_string(), RETRY_AFTER),
            BodyError::Cut => Failure::malformed(error.to_string()),
        }
    }
}

impl From<InflateError> for Failure {
    fn from(error: InflateError) -> Failure {
        match error {
            InflateError::Malformed(..) => Failure::malformed(error.to_string()),
            InflateError::Body(error) => error.into(),
        }
    }
}

/// Why spans of an accepted request are missing.
pub const INVALID_IDS: &str = "spans without a valid trace id (16 bytes) and span id (8 bytes) were not kept";

/// An `ExportTraceServiceResponse`; empty when every span was kept.
pub fn export_response(accepted: Accepted) -> Vec<u8> {
    let mut out = Vec::new();
    if accepted.rejected_spans > 0 {
        let partial = wire::open(&mut out, response::PARTIAL_SUCCESS);
        wire::put_uint(&mut out, response::REJECTED_SPANS, u64::from(accepted.rejected_spans));
        wire::put_bytes(&mut out, response::ERROR_MESSAGE, INVALID_IDS.as_bytes());
        wire::close(&mut out, partial);
    }
    out
}
