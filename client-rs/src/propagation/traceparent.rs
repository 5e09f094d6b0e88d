//! The `traceparent` header of W3C Trace Context, version 00: reading it, writing it, and nothing that a
//! stranger could use to send us more than two ids and a flag.

use super::hex;
use crate::context::Context;
use crate::id::{SpanId, TraceId};

/// The name of the header.
pub const TRACEPARENT: &str = "traceparent";

impl Context {
    /// The value of a `traceparent` header that names this span as the parent.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }

    /// Reads the value of a `traceparent` header; `None` for what the specification calls invalid.
    pub fn from_traceparent(header: &str) -> Option<Context> {
        let header = header.trim().as_bytes();
        // `00-<32 hex>-<16 hex>-<2 hex>`; versions to come may append `-…`, version 00 may not.
        let (fixed, rest) = header.split_at_checked(55)?;
        let [version] = hex(&fixed[..2])?;
        let dashes = fixed[2] == b'-' && fixed[35] == b'-' && fixed[52] == b'-';
        let tail = rest.is_empty() || (version != 0 && rest[0] == b'-');
        let trace_id = hex(&fixed[3..35])?;
        let span_id = hex(&fixed[36..52])?;
        let [flags] = hex(&fixed[53..55])?;
        if version == 0xff || !dashes || !tail || trace_id == [0; 16] || span_id == [0; 8] {
            return None;
        }
        let (trace_id, span_id) = (TraceId(trace_id), SpanId(span_id));
        // Of the flags, bit 0 (sampled) and bit 1 (the trace id is random) have a meaning.
        Some(Context { trace_id, span_id, flags: flags & 3, remote: true, call: None, carried: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_header_survives_the_round_trip() {
        let context = Context::from_traceparent(VALID).unwrap();
        assert!(context.sampled());
        assert_eq!(context.traceparent(), VALID);
        assert!(!Context::from_traceparent(&VALID.replace("-01", "-00")).unwrap().sampled());
    }

    #[test]
    fn a_later_version_may_append_and_version_00_may_not() {
        assert!(Context::from_traceparent(&format!("cc{}-what-else", &VALID[2..])).is_some());
        assert!(Context::from_traceparent(&format!("{VALID}-what-else")).is_none());
        assert!(Context::from_traceparent(&format!("cc{}.what-else", &VALID[2..])).is_none());
    }

    #[test]
    fn what_the_specification_calls_invalid_is_ignored() {
        for header in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-xy",
            "öö-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        ] {
            assert_eq!(Context::from_traceparent(header), None, "{header:?}");
        }
    }
}
