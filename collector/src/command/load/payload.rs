//! Export requests of realistic provider calls, written field by field: about 560 bytes a span.

use spanmill_proto::otlp::{
    any_value, event, key_value, kind, request, resource, resource_spans, scope, scope_spans, span, status,
};
use spanmill_proto::wire::{close, open, put_bytes, put_fixed64, put_uint};

use crate::demo::Random;

/// Services that send, as resources of one request.
const SERVICES: [&str; 3] = ["shop", "billing", "payouts"];
/// Of each ten spans of a request, so many are calls of a provider.
const CALLS_OF_TEN: usize = 4;
const PROVIDERS: usize = 24;

/// A request of `spans` spans that end within the second before `now_unix_ns`.
pub fn request(random: &mut Random, spans: usize, now_unix_ns: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(spans * 600 + 1_000);
    for (index, service) in SERVICES.iter().enumerate() {
        let share = spans / SERVICES.len() + usize::from(index < spans % SERVICES.len());
        if share == 0 {
            continue;
        }
        let resource_spans = open(&mut out, request::RESOURCE_SPANS);
        let resource = open(&mut out, resource_spans::RESOURCE);
        text(&mut out, resource::ATTRIBUTES, "service.name", service);
        text(&mut out, resource::ATTRIBUTES, "host.name", &format!("node-{}", random.below(64)));
        text(&mut out, resource::ATTRIBUTES, "deployment.environment.name", "production");
        text(&mut out, resource::ATTRIBUTES, "telemetry.sdk.language", "rust");
        close(&mut out, resource);
        let scope_spans = open(&mut out, resource_spans::SCOPE_SPANS);
        let scope = open(&mut out, scope_spans::SCOPE);
        put_bytes(&mut out, scope::NAME, b"spanmill-load");
        close(&mut out, scope);
        for _ in 0..share {
            one_span(&mut out, random, now_unix_ns);
        }
        close(&mut out, scope_spans);
        close(&mut out, resource_spans);
    }
    out
}

fn one_span(out: &mut Vec<u8>, random: &mut Random, now_unix_ns: u64) {
    let duration = random.duration(120.0, 0.5).as_nanos() as u64;
    let end = now_unix_ns - random.below(1_000_000_000) as u64;
    let failed = random.chance(0.01);
    let is_call = random.below(10) < CALLS_OF_TEN;
    let mark = open(out, scope_spans::SPANS);
    put_bytes(out, span::TRACE_ID, &random.bytes::<16>());
    put_bytes(out, span::SPAN_ID, &random.bytes::<8>());
    put_bytes(out, span::PARENT_SPAN_ID, &random.bytes::<8>());
    put_bytes(out, span::NAME, if is_call { b"POST" } else { b"render basket" });
    put_uint(out, span::KIND, if is_call { kind::CLIENT } else { kind::INTERNAL });
    put_fixed64(out, span::START_TIME, end - duration);
    put_fixed64(out, span::END_TIME, end);
    if is_call {
        let provider = random.below(PROVIDERS);
        let host = format!("api.provider-{provider}.example");
        text(out, span::ATTRIBUTES, "http.request.method", "POST");
        text(out, span::ATTRIBUTES, "server.address", &host);
        integer(out, span::ATTRIBUTES, "server.port", 443);
        text(out, span::ATTRIBUTES, "url.full", &format!("https://{host}/v2/payments/authorize?lang=en"));
        text(out, span::ATTRIBUTES, "url.template", "/v2/payments/authorize");
        integer(out, span::ATTRIBUTES, "http.response.status_code", if failed { 503 } else { 200 });
        text(out, span::ATTRIBUTES, "network.protocol.version", "1.1");
        text(out, span::ATTRIBUTES, "payment.scheme", ["visa", "mastercard", "mir"][random.below(3)]);
    } else {
        text(out, span::ATTRIBUTES, "code.function.name", "Shop\\Basket\\Renderer::render");
        text(out, span::ATTRIBUTES, "shop.currency", "EUR");
        text(out, span::ATTRIBUTES, "shop.template", "basket/with_recommendations.html.twig");
        text(out, span::ATTRIBUTES, "shop.tenant", "marketplace-central-europe");
        text(out, span::ATTRIBUTES, "code.file.path", "/srv/shop/src/Basket/Renderer.php");
        integer(out, span::ATTRIBUTES, "shop.items", random.below(20) as u64);
    }
    integer(out, span::ATTRIBUTES, "thread.id", random.below(64) as u64);
    text(out, span::ATTRIBUTES, "thread.name", "worker-pool-checkout");
    text(out, span::ATTRIBUTES, "app.release", "2026.11.3-rc1+build.5817");
    let log = open(out, span::EVENTS);
    put_fixed64(out, event::TIME, end - duration / 2);
    put_bytes(out, event::NAME, b"response");
    text(out, event::ATTRIBUTES, "body", r#"{"status":"approved","code":"00","terminal":"T1000231"}"#);
    close(out, log);
    if failed {
        let mark = open(out, span::STATUS);
        put_uint(out, status::CODE, status::ERROR);
        close(out, mark);
    }
    close(out, mark);
}

fn text(out: &mut Vec<u8>, field: u32, key: &str, value: &str) {
    let mark = open(out, field);
    put_bytes(out, key_value::KEY, key.as_bytes());
    let inner = open(out, key_value::VALUE);
    put_bytes(out, any_value::STRING, value.as_bytes());
    close(out, inner);
    close(out, mark);
}

fn integer(out: &mut Vec<u8>, field: u32, key: &str, value: u64) {
    let mark = open(out, field);
    put_bytes(out, key_value::KEY, key.as_bytes());
    let inner = open(out, key_value::VALUE);
    put_uint(out, any_value::INT, value);
    close(out, inner);
    close(out, mark);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;

    use super::*;

    #[test]
    fn a_request_is_what_an_sdk_could_have_sent() {
        let now = 1_800_000_000_000_000_000;
        let bytes = request(&mut Random::new(1), 100, now);
        let decoded = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
        let spans: Vec<_> =
            decoded.resource_spans.iter().flat_map(|resource| &resource.scope_spans[0].spans).collect();
        assert_eq!(spans.len(), 100);
        assert!(spans.iter().all(|span| span.end_time_unix_nano <= now && span.trace_id.len() == 16));
        let calls = spans.iter().filter(|span| span.kind == 3).count();
        assert!((20..60).contains(&calls), "{calls}");
        assert!((450..700).contains(&(bytes.len() / 100)), "{} bytes a span", bytes.len() / 100);
    }
}
