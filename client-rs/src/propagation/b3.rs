//! The B3 headers of OpenZipkin: one, or several.

use super::loose_hex;
use crate::context::Context;
use crate::id::{SpanId, TraceId};

pub(super) const B3: &str = "b3";
const TRACE_ID: &str = "X-B3-TraceId";
const SPAN_ID: &str = "X-B3-SpanId";
const SAMPLED: &str = "X-B3-Sampled";
const FLAGS: &str = "X-B3-Flags";

pub(super) fn encode(context: &Context) -> String {
    format!("{}-{}-{}", context.trace_id, context.span_id, u8::from(context.sampled()))
}

pub(super) fn encode_multi(context: &Context, set: &mut dyn FnMut(&str, &str)) {
    set(TRACE_ID, &context.trace_id.to_string());
    set(SPAN_ID, &context.span_id.to_string());
    set(SAMPLED, if context.sampled() { "1" } else { "0" });
}

/// Reads `trace-span[-sampled[-parent]]`. A decision without ids names no trace.
pub(super) fn decode(header: &str) -> Option<Context> {
    let mut parts = header.trim().split('-');
    let (trace, span) = (parts.next()?, parts.next()?);
    context(trace, span, parts.next())
}

pub(super) fn decode_multi<'h>(get: &mut dyn FnMut(&str) -> Option<&'h str>) -> Option<Context> {
    let is_debug = get(FLAGS).is_some_and(|flags| flags.trim() == "1");
    let sampled = if is_debug { Some("d") } else { get(SAMPLED) };
    context(get(TRACE_ID)?, get(SPAN_ID)?, sampled)
}

fn context(trace: &str, span: &str, sampled: Option<&str>) -> Option<Context> {
    let (trace_id, span_id) = (TraceId(loose_hex(trace)?), SpanId(loose_hex(span)?));
    // Without a word the decision is ours, and we record.
    let flags = u8::from(!matches!(sampled.map(str::trim), Some("0" | "false")));
    let is_valid = trace_id.0 != [0; 16] && span_id.0 != [0; 8];
    is_valid.then(|| Context { flags, remote: true, ..Context::root(trace_id, span_id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_and_missing_decisions_are_read() {
        let short = decode("a3ce929d0e0e4736-00f067aa0ba902b7-d-05e3ac9a4f6e3b90").unwrap();
        assert_eq!(short.trace_id.to_string(), "0000000000000000a3ce929d0e0e4736");
        assert!(short.sampled());
        assert!(decode("4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7").unwrap().sampled());
        assert!(!decode("1-2-0").unwrap().sampled());
        for header in ["0", "", "-", "0-1-1", "1-0-1", "xyz-1-1", "4bf92f3577b34da6a3ce929d0e0e47361-1-1"] {
            assert_eq!(decode(header), None, "{header}");
        }
    }
}
