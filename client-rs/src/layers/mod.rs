//! Layers that make spans of requests, each behind a feature: what goes out and what comes in.
//!
//! | feature | layer | makes |
//! |---|---|---|
//! | `tower` | [`HttpClient`] | a CLIENT span of each HTTP request through a `tower` service |
//! | `reqwest` | [`ReqwestSpans`] | the same as a middleware of `reqwest-middleware` |
//! | `tonic` | [`GrpcClient`] | a CLIENT span of each gRPC call through a tonic channel |
//! | `axum` | [`HttpServer`] | a SERVER span of each request that an axum router answers |
//!
//! Inside an open [`Call`](crate::Call) the CLIENT spans are its attempts, retries included. Attributes are those of the
//! semantic conventions 1.44. Headers and bodies are never recorded; credentials in a URL are removed.
//!
//! The ids of a trace go to your own services only: to loopback and private addresses, names without a dot, and those
//! that end in `.consul`, `.local`, `.internal` or `.svc`. [`Propagation`] says otherwise where that is wrong.

#[cfg(feature = "tower")]
mod client;
#[cfg(feature = "tonic")]
mod grpc;
mod outgoing;
mod propagate;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "axum")]
mod server;
mod target;

#[cfg(feature = "tower")]
pub use client::{HttpClient, HttpClientService};
#[cfg(feature = "tonic")]
pub use grpc::{GrpcBody, GrpcClient, GrpcClientService};
pub use outgoing::{ResendCount, UrlTemplate};
pub use propagate::Propagation;
#[cfg(feature = "reqwest")]
pub use reqwest::ReqwestSpans;
#[cfg(feature = "axum")]
pub use server::{HttpServer, HttpServerService};
