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
//! future was cancelled for instance, it counts as cancelled. A function that is a call as a whole says so:
//!
//! ```
//! # #[cfg(feature = "macros")] mod example {
//! # struct Receipt; struct BankError;
//! # impl std::fmt::Display for BankError { fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { Ok(()) } }
//! #[spanmill::call(provider = "acme-bank", tags(order_id))]     // arguments are recorded only where they are named
//! async fn authorize(order_id: u64, card: &str) -> Result<Receipt, BankError> {
//!     // …
//! #   let _ = card; Ok(Receipt)
//! }
//! # }
//! ```
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
//! Between processes the context travels in headers, W3C `traceparent`, `tracestate` and `baggage` unless
//! `OTEL_PROPAGATORS` says otherwise: [`inject`] and [`extract`].
//!
//! # What others have instrumented
//! Each of these is a feature.
//!
//! | feature | what |
//! |---|---|
//! | `tower`, `reqwest`, `tonic`, `axum` | layers that make spans of requests; see the module `layers` |
//! | `tracing` | `layer()`: spans and events of the crate `tracing` |
//! | `otel` | `otel::TracerProvider`: OpenTelemetry's traits over this recorder, for instrumentation by others |
//! | `otel-sdk` | `MaskingExporter`: for who keeps OpenTelemetry's SDK and wants its spans masked |
//! | `otlp` (default) | sends by OTLP/gRPC where there is no daemon on the host |
//! | `macros` (default) | `#[spanmill::call]` |
//!
//! # What the daemon knows
//! A call shows to the daemon on this host while it is open, though nothing is sent: in memory that both share. So a
//! provider that hangs is noticed before the first call has timed out. The other way round the daemon's verdict is read
//! in nanoseconds, and code can route by it:
//!
//! ```
//! # use spanmill::Provider;
//! static BANKS: [Provider; 2] = [Provider::new("acme-bank"), Provider::new("other-bank")];
//! let bank = BANKS.iter().find(|bank| !bank.verdict().is_down()).unwrap_or(&BANKS[0]);
//! # let _ = bank;
//! ```
//!
//! # What leaves the process
//! Text, bytes and numbers are masked while they are copied into the span, before they reach any queue: card
//! numbers keep their first six and last four digits, values of sensitive keys (`password`, `cvv`) are removed.
//! What is secret whatever it looks like is a [`Secret`]; [`pan`] masks a card number for the program's own messages.
//! A span holds at most 128 tags and 128 logs, a value 4 KiB; a span that does not fit a packet of 64 KiB
//! loses its largest logs. What was cut is counted, on the span and in [`stats`]. Arguments, headers and bodies are
//! never recorded unless you say so, and trace ids go to your own services only.
//!
//! # What can go wrong
//! Nothing that the program would notice. Recording never waits: a thread of the client's own sends the spans to
//! the daemon on this host over a Unix socket, five times a second. While the daemon is away spans are held
//! for ten seconds in a queue of 16 MiB; when that is full, failures take the place of others. What is dropped is
//! counted by [`Reason`], here and, as soon as it is back, at the daemon. Settings, and the
//! environment variables behind them, are those of [`recorder::Settings`]. A forked child gets its own thread and
//! sends its own spans.
//!
//! A flush never needs the program's runtime: [`flush`] and the guard work in `main` without one, and on a runtime with
//! one thread. They block their thread for as long as they take, at most the time they are given. End on SIGTERM by
//! letting `main` return, as the example `axum_service` does.
//!
//! # Tests
//! [`testing::capture`] keeps the spans of a test instead of sending them, and [`testing::verdicts`] says what the board
//! would.
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
mod secret;
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
pub use secret::{Secret, pan};
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
