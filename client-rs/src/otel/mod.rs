//! The traits of OpenTelemetry over this crate's recorder, for instrumentation that others wrote.
//!
//! ```
//! use opentelemetry::trace::{Tracer, TracerProvider as _};
//!
//! opentelemetry::global::set_tracer_provider(spanmill::otel::TracerProvider::new());
//! opentelemetry::global::tracer("shop").in_span("checkout", |_context| {
//!     // Spans of this crate that begin in here are children of that span, and the other way round.
//! });
//! ```
//!
//! Who keeps OpenTelemetry's own SDK has its spans masked by `MaskingExporter`, with the feature `otel-sdk`.

mod convert;
#[cfg(feature = "otel-sdk")]
mod exporter;
mod span;
mod tracer;

#[cfg(feature = "otel-sdk")]
pub use exporter::MaskingExporter;
pub use span::Span;
pub use tracer::{Tracer, TracerProvider};

pub(crate) use convert::{active_id, innermost};
