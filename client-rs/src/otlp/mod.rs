//! Sending by OTLP/gRPC, for hosts without a daemon: to a spanmill elsewhere, or to any other receiver.
//!
//! The exporter has a thread and a runtime of its own. So it works in a program without a runtime, a flush cannot
//! deadlock on a runtime that has one thread, and its own requests are never traced.

mod channel;
mod export;
mod pulse;
mod retry;
mod settings;

pub(crate) use export::start;
pub(crate) use settings::OtlpSettings;
