//! The `uber-trace-id` header of Jaeger's old clients: `trace:span:parent:flags`.

use super::loose_hex;
use crate::context::Context;
use crate::id::{SpanId, TraceId};

pub(super) const UBER_TRACE_ID: &str = "uber-trace-id";

pub(super) fn encode(context: &Context) -> String {
    // The parent's place is no longer used and always 0.
    format!("{}:{}:0:{:x}", context.trace_id, context.span_id, context.flags & 1)
}

pub(super) fn decode(header: &str) -> Option<Context> {
    // Some frameworks hand the colons on encoded.
    let header = header.trim().replace("%3A", ":");
    let mut parts = header.split(':');
    let (trace, span, _parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (trace_id, span_id) = (TraceId(loose_hex(trace)?), SpanId(loose_hex(span)?));
    let flags = u8::from_str_radix(flags, 16).ok()? & 1;
    let is_valid = parts.next().is_none() && trace_id.0 != [0; 16] && span_id.0 != [0; 8];
    is_valid.then(|| Context { flags, remote: true, ..Context::root(trace_id, span_id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_old_clients_send_is_read() {
        let context = decode("4bf92f3577b34da6%3Af067aa0ba902b7%3A0%3A1").unwrap();
        assert_eq!(context.span_id.to_string(), "00f067aa0ba902b7");
        assert!(context.sampled());
        assert!(!decode("1:2:0:0").unwrap().sampled());
        for header in ["", "1:2:0", "0:2:0:1", "1:0:0:1", "1:2:0:x", "1:2:0:1:9"] {
            assert_eq!(decode(header), None, "{header}");
        }
    }
}
