//! Tracing client.
