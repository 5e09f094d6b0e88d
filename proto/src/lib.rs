//! The wire forms that spanmill speaks, as plain bytes: no message is ever built as an object.
//!
//! [`wire`] reads protobuf forward only, [`otlp`] names the fields of a trace export request and writes
//! them, [`local`] frames the packets of the local socket, [`hello`] is what a client says of itself there,
//! [`grpc`] frames gRPC messages. [`open_calls`] and [`board`] are memory that processes share.

pub mod board;
pub mod grpc;
pub mod hello;
pub mod local;
pub mod open_calls;
pub mod otlp;
#[cfg(feature = "shared-memory")]
#[allow(unsafe_code)] // the mapping itself; see the file
pub mod shared;
#[cfg(feature = "messages")]
#[allow(clippy::all, clippy::pedantic, missing_docs)] // generated
#[path = "generated/spanmill.v1.rs"]
#[rustfmt::skip]
pub mod v1;
pub mod verdict;
pub mod wire;
