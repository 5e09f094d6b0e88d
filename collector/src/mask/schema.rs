//! Which fields of an OTLP message are messages themselves: all that splicing needs to know of the schema.

use spanmill_proto::otlp::{
    any_value, event, key_value, link, request, resource, resource_spans, scope, scope_spans, span,
};

/// The messages of a trace export request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    Request,
    ResourceSpans,
    Resource,
    EntityRef,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    Status,
    KeyValue,
    AnyValue,
    /// `ArrayValue`.
    Array,
    /// `KeyValueList`.
    List,
}

impl Message {
    /// The message in field `number`; `None` = text, a number, or unknown.
    pub fn child(self, number: u32) -> Option<Message> {
        use Message::*;
        Some(match (self, number) {
            (Request, request::RESOURCE_SPANS) => ResourceSpans,
            (ResourceSpans, resource_spans::RESOURCE) => Resource,
            (ResourceSpans, resource_spans::SCOPE_SPANS) => ScopeSpans,
            (ScopeSpans, scope_spans::SCOPE) => Scope,
            (ScopeSpans, scope_spans::SPANS) => Span,
            (Resource, resource::ATTRIBUTES) => KeyValue,
            (Resource, resource::ENTITY_REFS) => EntityRef,
            (Scope, scope::ATTRIBUTES) => KeyValue,
            (Span, span::ATTRIBUTES) => KeyValue,
            (Span, span::EVENTS) => Event,
            (Span, span::LINKS) => Link,
            (Span, span::STATUS) => Status,
            (Event, event::ATTRIBUTES) => KeyValue,
            (Link, link::ATTRIBUTES) => KeyValue,
            (KeyValue, key_value::VALUE) => AnyValue,
            (AnyValue, any_value::ARRAY) => Array,
            (AnyValue, any_value::KVLIST) => List,
            (Array, any_value::VALUES) => AnyValue,
            (List, any_value::VALUES) => KeyValue,
            _ => return None,
        })
    }
}
