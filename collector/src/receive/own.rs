//! Our own gRPC services, on the OTLP listeners and under their tokens: `Pulse.Report` and `Providers.Watch`.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use spanmill_proto::v1::providers_server::ProvidersServer;
use spanmill_proto::v1::pulse_server::PulseServer;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;

use super::pulse::{self, Pulses};
use super::tokens::Tokens;
use super::watching::Watching;
use crate::outcome::{Outcomes, Rejected};
use crate::rotate::Rotating;

const PULSE: &str = "/spanmill.v1.Pulse/";
const PROVIDERS: &str = "/spanmill.v1.Providers/";

/// The services of one listener. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Own {
    pulse: PulseServer<Pulses>,
    providers: ProvidersServer<Watching>,
    tokens: Option<Arc<Rotating<Tokens>>>,
}

impl Own {
    pub fn new(pulses: Pulses, watching: Watching, tokens: Option<Arc<Rotating<Tokens>>>) -> Own {
        Own {
            pulse: PulseServer::new(pulses).max_decoding_message_size(pulse::MESSAGE_MAX),
            providers: ProvidersServer::new(watching).max_decoding_message_size(pulse::MESSAGE_MAX),
            tokens,
        }
    }

    pub fn serves(&self, path: &str) -> bool {
        path.starts_with(PULSE) || path.starts_with(PROVIDERS)
    }

    pub async fn serve(&mut self, request: Request<Incoming>, outcomes: &Outcomes) -> Response<Body> {
        if self.tokens.as_ref().is_some_and(|tokens| !tokens.current().admit(request.headers())) {
            outcomes.rejected(Rejected::Unauthorized);
            let message = "send a token of the daemon's bearer_tokens_file as 'authorization: Bearer TOKEN'";
            return Status::unauthenticated(message).into_http();
        }
        let served = match request.uri().path().starts_with(PULSE) {
            true => self.pulse.call(request).await,
            false => self.providers.call(request).await,
        };
        served.unwrap_or_else(|never| match never {})
    }
}

#[cfg(test)]
#[path = "own_tests.rs"]
mod tests;
