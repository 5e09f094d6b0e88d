//! Tracing client of spanmill: which external provider is slow, failing or hanging, and the whole trace of
//! each call, with nothing secret in it.
//!
//! ```
//! use spanmill::{InSpan, Provider, Span};
//!
//! static ACME: Provider = Provider::new("acme-bank");
//!
//! fn main() -> Result<(), spanmill::InitError> {
//!     let _guard = spanmill::init()?;                 // settings from the environment; sends the rest when dropped
//!
//!     let mut request = Span::builder("POST /checkout").server().start();
//!     request.tag("cart.items", 3);
//!     let _current = request.enter();                 // what starts from here on is its child
//!
//!     let mut call = ACME.call("authorize");          // a call of a provider: counted, timed, judged
//!     call.tag("payment.scheme", "visa");
//!     let body = "code=05 card=4111111111111111";
//!     call.log("response", |log| log.tag("code", 5).tag("body", body));    // arrives as 411111******1111
//!     call.declined("insufficient funds");            // or ok(), failed(&error), timeout()
//!     Ok(())
//! }
//! ```
//!
//! # Calls
//! A [`Provider`] is an external system, a [`Call`] one logical use of it: a payment, not an HTTP request.
//! Say how it ended with [`ok`](Call::ok), [`declined`](Call::declined) (a proper answer, and no failure of
//! the provider), [`failed`](Call::failed) or [`timeout`](Call::timeout). Dropped without a word, because its
//! future was cancelled for instance, it counts as cancelled.
//!
//! The HTTP requests inside it, retries included, are its *attempts*: CLIENT spans that start while the call is
//! current say so, and the call is counted once.
//!
//! # Parents and children
//! Each thread has a current [`Context`]. Plain code enters a span or a call with `enter()`, which gives a guard.
//! A guard must not be held over an `.await`; a future is run in a span with [`InSpan::in_span`], which works
//! on any executor:
//!
//! ```
//! # use spanmill::{InSpan, Provider, Span};
//! # static ACME: Provider = Provider::new("acme-bank");
//! # async fn send_http() -> Result<(), std::io::Error> { Ok(()) }
//! async fn authorize() {
//!     let call = ACME.call("authorize");
//!     let result = send_http().in_span(&call).await;
//!     match result {
//!         Ok(()) => call.ok(),
//!         Err(error) => call.failed(&error),
//!     }
//! }
//! # async fn checkout() {
//! let request = Span::builder("POST /checkout").server().start();
//! authorize().in_span(&request).await;
//! # }
//! ```
//!
//! A task that is spawned starts without a context: hand it one, `spawn(work.in_span(&Context::current()))`.
//! Between processes the context travels as a W3C `traceparent`: [`inject`] and [`extract`].
//!
//! # What leaves the process
//! Text, bytes and numbers are masked while they are copied into the span, before they reach any queue: card
//! numbers keep their first six and last four digits, values of sensitive keys (`password`, `cvv`) are removed.
//! A span holds at most 128 tags and 128 logs, a value 4 KiB; a span that does not fit a packet of 64 KiB
//! loses its largest logs. What was cut is counted, on the span and in [`stats`].
//!
//! # What can go wrong
//! Nothing that the program would notice. Recording never waits: a thread of the client's own sends the spans to
//! the daemon on this host over a Unix socket, five times a second. While the daemon is away spans are held
//! for ten seconds in a queue of 16 MiB; what is dropped is counted by [`Reason`]. Settings, and the
//! environment variables behind them, are those of [`recorder::Settings`]. A forked child gets its own thread and
//! sends its own spans.
//!
//! # Tests
//! [`testing::capture`] keeps the spans of a test instead of sending them.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod board;
mod call;
mod clock;
mod context;
mod engine;
mod error;
mod fork;
mod id;
mod init;
#[cfg(any(feature = "tower", feature = "reqwest", feature = "tonic", feature = "axum"))]
pub mod layers;
mod open_calls;
#[cfg(feature = "otel")]
pub mod otel;
#[cfg(feature = "otlp")]
mod otlp;
mod propagation;
mod provider;
pub mod recorder;
mod resource;
mod running;
mod settings;
mod span;
pub mod testing;
#[cfg(feature = "tracing")]
mod tracing;
mod transport;
mod value;

pub use board::{Scope, State, Verdict};
pub use call::Call;
pub use context::{Context, Entered, HasContext, InSpan, Instrumented};
pub use error::InitError;
pub use id::{SpanId, TraceId};
pub use init::{Builder, Guard, Report, builder, flush, init, stats};
#[cfg(feature = "otel-sdk")]
pub use otel::MaskingExporter;
pub use propagation::{TRACEPARENT, extract, inject};
pub use provider::Provider;
pub use recorder::{Dropped, Kind, Log, Outcome, Reason, Stats};
pub use settings::default_socket;
pub use span::{Span, SpanBuilder};
#[cfg(feature = "macros")]
pub use spanmill_macros::call;
#[cfg(feature = "tracing")]
pub use tracing::{TracingLayer, layer};
pub use value::Value;

/// How values are masked: what of a card number stays visible, and whose values are removed or kept.
pub mod mask {
    pub use spanmill_mask::{Config, ConfigError, PanOutput};
}
