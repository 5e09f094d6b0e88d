//! What a span is, and how a call ended.

use spanmill_proto::otlp::kind;

/// What role a span plays, in OpenTelemetry's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work inside the process.
    Internal,
    /// A request that came in.
    Server,
    /// A request that went out.
    Client,
    /// A message that was put on a queue.
    Producer,
    /// A message that was taken from a queue, or a job.
    Consumer,
}

impl Kind {
    /// The number on the wire.
    pub(super) fn number(self) -> u64 {
        match self {
            Kind::Internal => kind::INTERNAL,
            Kind::Server => kind::SERVER,
            Kind::Client => kind::CLIENT,
            Kind::Producer => kind::PRODUCER,
            Kind::Consumer => kind::CONSUMER,
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was asked.
    Ok,
    /// The provider answered properly and said no: for a payment, a normal answer and no failure.
    Declined,
    /// Our own request was wrong.
    ClientFault,
    /// The provider failed.
    Failed,
    /// No answer came in time.
    Timeout,
    /// No connection: name, TCP or TLS.
    Connect,
    /// We gave up on it.
    Cancelled,
}

impl Outcome {
    /// The value of `spanmill.outcome`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Declined => "declined",
            Outcome::ClientFault => "client_fault",
            Outcome::Failed => "failed",
            Outcome::Timeout => "timeout",
            Outcome::Connect => "connect",
            Outcome::Cancelled => "cancelled",
        }
    }
}
