//! Tracing client of spanmill: knows within seconds which external provider is slow, failing or hanging.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod call;
mod clock;
mod context;
mod engine;
mod fork;
mod id;
mod init;
mod propagation;
mod provider;
pub mod recorder;
mod resource;
mod settings;
mod span;
pub mod testing;
mod transport;
mod value;

pub use call::Call;
pub use context::{Context, Entered, HasContext, InSpan, Instrumented};
pub use id::{SpanId, TraceId};
pub use init::{Builder, Guard, Report, builder, flush, init, stats};
pub use propagation::{TRACEPARENT, extract, inject};
pub use provider::Provider;
pub use recorder::{Dropped, Kind, Log, Outcome, Reason, Stats};
pub use settings::{InitError, default_socket};
pub use span::{Span, SpanBuilder};
pub use value::Value;

/// How values are masked: what of a card number stays visible, and whose values are removed or kept.
pub mod mask {
    pub use spanmill_mask::{Config, PanOutput};
}
