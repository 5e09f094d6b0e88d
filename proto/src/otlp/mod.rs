//! An OTLP trace export request as bytes: field numbers, walks over them, and a writer.
//!
//! Field numbers are those of `opentelemetry/proto/{collector/trace,trace,common,resource}/v1`, version 1.10.
//! An `ExportTraceServiceRequest` is nothing but `repeated ResourceSpans`, so two requests written one after
//! the other are one valid request: that is how batches are merged.

mod cut;
mod notice;
mod walk;

pub use cut::{Piece, cut};
pub use notice::{says_notice, without_notices};
pub use walk::{Scalar, SpanAt, attribute, count_spans, for_each_span, short_key_value, short_text};

/// Fields of `ExportTraceServiceRequest` and `TracesData`.
pub mod request {
    pub const RESOURCE_SPANS: u32 = 1;
}
/// Fields of `ExportTraceServiceResponse` and its `partial_success`.
pub mod response {
    pub const PARTIAL_SUCCESS: u32 = 1;
    pub const REJECTED_SPANS: u32 = 1;
    pub const ERROR_MESSAGE: u32 = 2;
}
pub mod resource_spans {
    pub const RESOURCE: u32 = 1;
    pub const SCOPE_SPANS: u32 = 2;
    pub const SCHEMA_URL: u32 = 3;
}
pub mod resource {
    pub const ATTRIBUTES: u32 = 1;
    pub const DROPPED_ATTRIBUTES_COUNT: u32 = 2;
    pub const ENTITY_REFS: u32 = 3;
}
pub mod entity_ref {
    pub const SCHEMA_URL: u32 = 1;
    pub const TYPE: u32 = 2;
    pub const ID_KEYS: u32 = 3;
    pub const DESCRIPTION_KEYS: u32 = 4;
}
pub mod scope_spans {
    pub const SCOPE: u32 = 1;
    pub const SPANS: u32 = 2;
    pub const SCHEMA_URL: u32 = 3;
}
pub mod scope {
    pub const NAME: u32 = 1;
    pub const VERSION: u32 = 2;
    pub const ATTRIBUTES: u32 = 3;
    pub const DROPPED_ATTRIBUTES_COUNT: u32 = 4;
}
pub mod span {
    pub const TRACE_ID: u32 = 1;
    pub const SPAN_ID: u32 = 2;
    pub const TRACE_STATE: u32 = 3;
    pub const PARENT_SPAN_ID: u32 = 4;
    pub const NAME: u32 = 5;
    pub const KIND: u32 = 6;
    pub const START_TIME: u32 = 7;
    pub const END_TIME: u32 = 8;
    pub const ATTRIBUTES: u32 = 9;
    pub const DROPPED_ATTRIBUTES_COUNT: u32 = 10;
    pub const EVENTS: u32 = 11;
    pub const DROPPED_EVENTS_COUNT: u32 = 12;
    pub const LINKS: u32 = 13;
    pub const DROPPED_LINKS_COUNT: u32 = 14;
    pub const STATUS: u32 = 15;
    pub const FLAGS: u32 = 16;
}
/// Values of `Span.kind`.
pub mod kind {
    pub const INTERNAL: u64 = 1;
    pub const SERVER: u64 = 2;
    pub const CLIENT: u64 = 3;
    pub const PRODUCER: u64 = 4;
    pub const CONSUMER: u64 = 5;
}
pub mod event {
    pub const TIME: u32 = 1;
    pub const NAME: u32 = 2;
    pub const ATTRIBUTES: u32 = 3;
    pub const DROPPED_ATTRIBUTES_COUNT: u32 = 4;
}
pub mod link {
    pub const TRACE_ID: u32 = 1;
    pub const SPAN_ID: u32 = 2;
    pub const TRACE_STATE: u32 = 3;
    pub const ATTRIBUTES: u32 = 4;
    pub const DROPPED_ATTRIBUTES_COUNT: u32 = 5;
    pub const FLAGS: u32 = 6;
}
pub mod status {
    pub const MESSAGE: u32 = 2;
    pub const CODE: u32 = 3;
    /// Values of `code`.
    pub const OK: u64 = 1;
    pub const ERROR: u64 = 2;
}
pub mod key_value {
    pub const KEY: u32 = 1;
    pub const VALUE: u32 = 2;
    /// Of version 1.10, for profiles only.
    pub const KEY_INDEX: u32 = 3;
}
pub mod any_value {
    pub const STRING: u32 = 1;
    pub const BOOL: u32 = 2;
    pub const INT: u32 = 3;
    pub const DOUBLE: u32 = 4;
    pub const ARRAY: u32 = 5;
    pub const KVLIST: u32 = 6;
    pub const BYTES: u32 = 7;
    /// Of version 1.10, for profiles only; in a trace it takes the place of the value like any other member.
    pub const STRING_INDEX: u32 = 8;
    /// `values` of `ArrayValue` and of `KeyValueList`.
    pub const VALUES: u32 = 1;
}
