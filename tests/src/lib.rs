//! The cast of the end-to-end tests: the real daemon, the real Jaeger and Prometheus, and senders of OTLP.
//!
//! Everything runs on free ports of the loopback in folders of its own, so tests run side by side. Each program
//! dies with its value, and its output is printed when the test that owns it fails.

pub mod daemon;
pub mod grpc;
pub mod jaeger;
pub mod program;
pub mod prometheus;
pub mod receiver;
pub mod senders;
pub mod spans;
pub mod sums;
pub mod wait;
