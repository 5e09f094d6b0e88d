//! The wire forms that spanmill speaks, as plain bytes: no message is ever built as an object.
//!
//! [`wire`] reads protobuf forward only, [`otlp`] names the fields of a trace export request and writes
//! them, [`local`] frames the packets of the local socket, [`grpc`] frames gRPC messages.

pub mod grpc;
pub mod local;
pub mod otlp;
pub mod wire;
