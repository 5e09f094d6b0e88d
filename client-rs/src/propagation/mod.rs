//! How a trace gets from process to process: in headers, by the formats that `OTEL_PROPAGATORS` names.

mod b3;
mod baggage;
mod jaeger;
mod traceparent;
mod tracestate;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::context::Context;

pub use traceparent::TRACEPARENT;

/// One format of headers. The order is that in which they are tried on the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Format {
    /// `traceparent` and `tracestate`, after W3C Trace Context.
    TraceContext = 1,
    /// `baggage`, after W3C Baggage.
    Baggage = 2,
    /// `b3`, after OpenZipkin: one header.
    B3 = 4,
    /// `X-B3-TraceId` and others.
    B3Multi = 8,
    /// `uber-trace-id` and `uberctx-…`, of Jaeger's old clients.
    Jaeger = 16,
}

const FORMATS: [(&str, Format); 5] = [
    ("tracecontext", Format::TraceContext),
    ("baggage", Format::Baggage),
    ("b3", Format::B3),
    ("b3multi", Format::B3Multi),
    ("jaeger", Format::Jaeger),
];

/// The formats in use, as the client was started with; W3C until then.
static IN_USE: AtomicU8 = AtomicU8::new(Propagators::W3C.0);

/// A set of formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Propagators(u8);

impl Propagators {
    pub(crate) const W3C: Propagators = Propagators(Format::TraceContext as u8 | Format::Baggage as u8);

    /// Reads `OTEL_PROPAGATORS`: names with commas between, or `none`.
    pub(crate) fn parse(list: &str) -> Result<Propagators, &'static str> {
        let mut set = 0;
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "none") {
            let known = FORMATS.iter().find(|(known, _)| *known == name);
            let (_, format) = known.ok_or("knows tracecontext, baggage, b3, b3multi, jaeger and none")?;
            set |= *format as u8;
        }
        Ok(Propagators(set))
    }

    pub(crate) fn install(self) {
        IN_USE.store(self.0, Relaxed);
    }

    fn in_use() -> Propagators {
        Propagators(IN_USE.load(Relaxed))
    }

    fn has(self, format: Format) -> bool {
        self.0 & format as u8 != 0
    }

    fn inject(self, context: &Context, set: &mut dyn FnMut(&str, &str)) {
        if self.has(Format::TraceContext) {
            set(TRACEPARENT, &context.traceparent());
            if let Some(state) = context.tracestate() {
                set(tracestate::TRACESTATE, state);
            }
        }
        if self.has(Format::Baggage)
            && let Some(list) = baggage::encode(context)
        {
            set(baggage::BAGGAGE, &list);
        }
        if self.has(Format::B3) {
            set(b3::B3, &b3::encode(context));
        }
        if self.has(Format::B3Multi) {
            b3::encode_multi(context, set);
        }
        if self.has(Format::Jaeger) {
            set(jaeger::UBER_TRACE_ID, &jaeger::encode(context));
        }
    }

    fn extract<'h>(self, get: &mut dyn FnMut(&str) -> Option<&'h str>) -> Option<Context> {
        let mut context = None;
        if self.has(Format::TraceContext) {
            context = get(TRACEPARENT).and_then(Context::from_traceparent);
            if let Some(context) = &mut context {
                let state = get(tracestate::TRACESTATE).and_then(tracestate::checked);
                if let Some(state) = state {
                    Arc::make_mut(context.carried.get_or_insert_default()).tracestate = state;
                }
            }
        }
        if self.has(Format::B3) {
            context = context.or_else(|| get(b3::B3).and_then(b3::decode));
        }
        if self.has(Format::B3Multi) {
            context = context.or_else(|| b3::decode_multi(get));
        }
        if self.has(Format::Jaeger) {
            context = context.or_else(|| get(jaeger::UBER_TRACE_ID).and_then(jaeger::decode));
        }
        // Baggage alone starts no trace: without ids there is nothing that it could travel with.
        let mut context = context?;
        if self.has(Format::Baggage) {
            let entries = get(baggage::BAGGAGE).map(baggage::decode).unwrap_or_default();
            if !entries.is_empty() {
                Arc::make_mut(context.carried.get_or_insert_default()).baggage = entries;
            }
        }
        Some(context)
    }
}

/// Hands the headers of the current context to `set`, for an outgoing request: a name and a value each.
///
/// Send them to your own services. An external provider has no use for your trace ids, and must not see your baggage.
///
/// ```
/// let mut headers = std::collections::HashMap::new();
/// spanmill::inject(|name, value| {
///     headers.insert(name.to_string(), value.to_string());
/// });
/// assert!(headers.is_empty(), "no span is open here");
/// ```
pub fn inject(mut set: impl FnMut(&str, &str)) {
    if let Some(context) = Context::current() {
        Propagators::in_use().inject(&context, &mut set);
    }
}

/// The context of an incoming request, if a valid one came along; `get` looks a header up by its name.
///
/// ```
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context = spanmill::extract(|name| (name == "traceparent").then_some(header)).unwrap();
/// let span = spanmill::Span::builder("POST /pay").server().parent(&context).start();
/// # drop(span);
/// ```
pub fn extract<'h>(mut get: impl FnMut(&str) -> Option<&'h str>) -> Option<Context> {
    Propagators::in_use().extract(&mut get)
}

impl Context {
    /// Hands the headers that name this span as the parent to `set`; see [`inject`].
    pub fn inject(&self, mut set: impl FnMut(&str, &str)) {
        Propagators::in_use().inject(self, &mut set);
    }
}

/// Lower-case hex only, as W3C demands.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

/// Hex of either case and of any length up to `2 * N`, as older formats allow; zeros are missing in front.
fn loose_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.trim();
    if text.is_empty() || text.len() > 2 * N {
        return None;
    }
    hex(format!("{:0>width$}", text.to_ascii_lowercase(), width = 2 * N).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SpanId, TraceId};
    use std::collections::BTreeMap;

    fn headers(set: Propagators, context: &Context) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::new();
        set.inject(context, &mut |name, value| {
            headers.insert(name.to_string(), value.to_string());
        });
        headers
    }

    fn read(set: Propagators, headers: &BTreeMap<String, String>) -> Option<Context> {
        set.extract(&mut |name| headers.get(name).map(String::as_str))
    }

    #[test]
    fn every_format_brings_the_ids_and_the_decision_across() {
        for list in ["tracecontext", "b3", "b3multi", "jaeger", "tracecontext,baggage,b3,b3multi,jaeger"] {
            let set = Propagators::parse(list).unwrap();
            for flags in [0, 1] {
                let sent = Context { flags, ..Context::root(TraceId([0xab; 16]), SpanId([7; 8])) };
                let got = read(set, &headers(set, &sent)).unwrap();
                assert_eq!(
                    (got.trace_id, got.span_id, got.sampled()),
                    (sent.trace_id, sent.span_id, flags == 1)
                );
                assert!(got.remote);
            }
        }
    }

    #[test]
    fn state_and_baggage_travel_on() {
        let sent = Context::root(TraceId([1; 16]), SpanId([2; 8])).with_baggage("tenant", "a, b=ü");
        let mut out = headers(Propagators::W3C, &sent);
        assert_eq!(out["baggage"], "tenant=a%2C%20b%3D%C3%BC");
        out.insert("tracestate".into(), "ot=th:8,vendor=x".into());
        let got = read(Propagators::W3C, &out).unwrap();
        assert_eq!((got.baggage("tenant"), got.tracestate()), (Some("a, b=ü"), Some("ot=th:8,vendor=x")));
        assert_eq!(headers(Propagators::W3C, &got)["tracestate"], "ot=th:8,vendor=x");
    }

    #[test]
    fn only_what_is_named_is_sent_and_read() {
        let context = Context::root(TraceId([1; 16]), SpanId([2; 8])).with_baggage("k", "v");
        let names = |list: &str| {
            let set = Propagators::parse(list).unwrap();
            headers(set, &context).into_keys().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("none"), "");
        assert_eq!(names("b3"), "b3");
        assert_eq!(names("tracecontext"), "traceparent");
        assert_eq!(names("tracecontext, baggage"), "baggage traceparent");
        assert_eq!(names("b3multi"), "X-B3-Sampled X-B3-SpanId X-B3-TraceId");
        assert_eq!(names("jaeger"), "uber-trace-id");
        let all = headers(Propagators(31), &context);
        assert_eq!(read(Propagators::parse("none").unwrap(), &all), None);
        assert!(Propagators::parse("xray").is_err());
    }
}
