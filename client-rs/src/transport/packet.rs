//! From spans to packets: a block of finished spans, and the envelope around it.

use spanmill_proto::local::PAYLOAD_MAX;
use spanmill_proto::otlp::{request, resource, resource_spans, scope, scope_spans};
use spanmill_proto::wire;

use crate::clock::Tick;
use crate::resource::Resource;

/// Lengths and tags of the three messages around the spans: a tag byte and at most three of length each.
const LENGTHS_BYTES: usize = 3 * 4;
/// Tag and length of one span inside its block.
const SPAN_OVERHEAD_BYTES: usize = 4;

/// Finished spans, one behind the other, as they stand in a `ScopeSpans` message. At most a packet's worth.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
    pub(crate) spans: u64,
    /// When its first span came.
    pub(crate) since: Option<Tick>,
    /// Holds failures, for which others make place when the queue is full.
    pub(crate) precious: bool,
}

impl Block {
    /// True when a span of `span_bytes` still fits under `bytes_max`.
    pub(crate) fn has_room(&self, span_bytes: usize, bytes_max: usize) -> bool {
        self.bytes.len() + SPAN_OVERHEAD_BYTES + span_bytes <= bytes_max
    }

    pub(crate) fn push(&mut self, span: &[u8], now: Tick) {
        wire::put_bytes(&mut self.bytes, scope_spans::SPANS, span);
        self.spans += 1;
        self.since.get_or_insert(now);
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.spans = 0;
        self.since = None;
        self.precious = false;
    }
}

/// What is the same in all packets of a client: who sends, and with which library.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// The `resource` field of a `ResourceSpans`.
    resource: Vec<u8>,
    /// The `scope` field of a `ScopeSpans`.
    scope: Vec<u8>,
}

impl Envelope {
    pub(crate) fn new(resource: &Resource) -> Envelope {
        let mut resource_field = Vec::new();
        let mark = wire::open(&mut resource_field, resource_spans::RESOURCE);
        resource.encode(&mut resource_field, resource::ATTRIBUTES);
        wire::close(&mut resource_field, mark);
        let mut scope_field = Vec::new();
        let mark = wire::open(&mut scope_field, scope_spans::SCOPE);
        wire::put_bytes(&mut scope_field, scope::NAME, b"spanmill");
        wire::put_bytes(&mut scope_field, scope::VERSION, env!("CARGO_PKG_VERSION").as_bytes());
        wire::close(&mut scope_field, mark);
        Envelope { resource: resource_field, scope: scope_field }
    }

    /// The OTLP `Resource` message alone.
    pub(crate) fn resource(&self) -> &[u8] {
        let mut fields = wire::Fields::of(&self.resource);
        let field = fields.next().ok().flatten();
        field.and_then(|field| field.bytes().ok()).unwrap_or_default()
    }

    /// Bytes of spans that a packet can carry.
    pub(crate) fn block_bytes_max(&self) -> usize {
        PAYLOAD_MAX - LENGTHS_BYTES - self.resource.len() - self.scope.len()
    }

    /// Bytes of the longest span that fits.
    pub(crate) fn span_bytes_max(&self) -> usize {
        self.block_bytes_max() - SPAN_OVERHEAD_BYTES
    }

    /// Writes into `out` what stands before the `spans_bytes` of a block: together, a request.
    pub(crate) fn head(&self, spans_bytes: usize, out: &mut Vec<u8>) {
        out.clear();
        let scope_spans = self.scope.len() + spans_bytes;
        let resource_spans = self.resource.len() + 1 + wire::varint_len(scope_spans as u64) + scope_spans;
        wire::put_tag(out, request::RESOURCE_SPANS, 2);
        wire::put_varint(out, resource_spans as u64);
        out.extend_from_slice(&self.resource);
        wire::put_tag(out, resource_spans::SCOPE_SPANS, 2);
        wire::put_varint(out, scope_spans as u64);
        out.extend_from_slice(&self.scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;

    fn envelope() -> Envelope {
        Envelope::new(&Resource::default().with("service.name", "shop"))
    }

    #[test]
    fn a_block_in_its_envelope_is_an_export_request() {
        let mut block = Block::default();
        let mut span = Vec::new();
        wire::put_bytes(&mut span, spanmill_proto::otlp::span::NAME, b"checkout");
        block.push(&span, Tick::now());
        block.push(&span, Tick::now());
        let mut packet = Vec::new();
        envelope().head(block.bytes.len(), &mut packet);
        packet.extend_from_slice(&block.bytes);
        let request = ExportTraceServiceRequest::decode(&packet[..]).unwrap();
        let scope_spans = &request.resource_spans[0].scope_spans[0];
        assert_eq!(scope_spans.scope.as_ref().unwrap().name, "spanmill");
        let names: Vec<_> = scope_spans.spans.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(names, ["checkout", "checkout"]);
        assert_eq!(request.resource_spans[0].resource.as_ref().unwrap().attributes[0].key, "service.name");
    }

    #[test]
    fn the_fullest_block_fits_a_packet() {
        let envelope = envelope();
        let mut block = Block::default();
        let span = vec![0; envelope.span_bytes_max()];
        assert!(block.has_room(span.len(), envelope.block_bytes_max()));
        block.push(&span, Tick::now());
        assert!(!block.has_room(0, envelope.block_bytes_max()));
        let mut packet = Vec::new();
        envelope.head(block.bytes.len(), &mut packet);
        assert!(packet.len() + block.bytes.len() <= PAYLOAD_MAX);
    }
}
