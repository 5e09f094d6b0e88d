use opentelemetry_proto::tonic::common::v1::KeyValue;
use prost::Message;
use spanmill_proto::otlp::span as field;
use spanmill_proto::wire::{put_bytes, put_uint};

use super::super::fixture::{self, exception, span};
use super::*;

fn is_call(kind: i32, attributes: &str) -> bool {
    let span = opentelemetry_proto::tonic::trace::v1::Span { kind, ..span(attributes) };
    read(&span.encode_to_vec()).unwrap().is_some()
}

#[test]
fn calls_are_client_and_producer_spans_and_internal_ones_that_name_a_provider() {
    let check = |kind: i32, attributes: &str, want: bool| {
        assert_eq!(is_call(kind, attributes), want, "kind {kind}, {attributes}");
    };
    check(3, "server.address=bank.example", true);
    check(3, "", true);
    check(4, "messaging.system=kafka", true);
    check(0, "server.address=bank.example, spanmill.provider=bank", false);
    check(1, "server.address=bank.example", false);
    check(1, "server.address=bank.example, spanmill.provider=bank", true);
    check(1, "peer.service=bank", false);
    check(2, "spanmill.provider=bank", false);
    check(5, "spanmill.provider=bank", false);
    check(9, "server.address=bank.example", false);
}

#[test]
fn a_notice_that_a_call_has_begun_names_the_span_that_it_announces() {
    let notice = |attributes: &str| {
        let span =
            opentelemetry_proto::tonic::trace::v1::Span { parent_span_id: vec![3; 8], ..span(attributes) };
        fixture::with_call(&span, |call| call.is_pending.then(|| call.id_of_pending().1.to_be_bytes()[0]))
    };
    assert_eq!(notice("logfire.span_type=pending_span"), Some(3), "its own id is another's");
    assert_eq!(notice("_dd.partial_version=#1"), Some(2));
    assert_eq!(notice("logfire.span_type=span"), None);
    assert_eq!(notice("_dd.partial_version=#0"), None);
}

fn attribute(pair: &str, value_first: bool) -> Vec<u8> {
    let KeyValue { key, value, .. } = fixture::key_values(pair).remove(0);
    let mut out = Vec::new();
    if !value_first {
        put_bytes(&mut out, 1, key.as_bytes());
    }
    put_bytes(&mut out, 2, &value.unwrap().encode_to_vec());
    if value_first {
        put_bytes(&mut out, 1, key.as_bytes());
    }
    out
}

#[test]
fn fields_may_come_in_any_order_and_the_last_one_counts() {
    let host = attribute("server.address=bank.example", false);
    let mut kind_last = Vec::new();
    put_bytes(&mut kind_last, field::ATTRIBUTES, &host);
    put_uint(&mut kind_last, field::KIND, 3);
    assert_eq!(read(&kind_last).unwrap().unwrap().peer.host.get(), Some(&b"bank.example"[..]));

    let mut twice = Vec::new();
    put_uint(&mut twice, field::KIND, 3);
    put_bytes(&mut twice, field::ATTRIBUTES, &host);
    put_uint(&mut twice, field::KIND, 2);
    assert!(read(&twice).unwrap().is_none());
    put_bytes(&mut twice, field::ATTRIBUTES, &attribute("server.port=#444", false));
    put_uint(&mut twice, field::KIND, 4);
    let call = read(&twice).unwrap().unwrap();
    assert_eq!((call.peer.host.get(), call.peer.port.get()), (Some(&b"bank.example"[..]), Some(444)));

    let mut value_first = Vec::new();
    put_bytes(&mut value_first, field::ATTRIBUTES, &attribute("spanmill.provider=bank", true));
    put_uint(&mut value_first, field::KIND, 1);
    assert_eq!(read(&value_first).unwrap().unwrap().peer.provider.get(), Some(&b"bank"[..]));

    let repeated = span("server.address=one.example, server.address=two.example");
    fixture::with_call(&repeated, |call| assert_eq!(call.peer.host.get(), Some(&b"two.example"[..])));
}

#[test]
fn both_generations_of_names_are_read_and_the_newer_wins() {
    let check = |attributes: &str, host: &str, port: Option<u16>| {
        fixture::with_call(&span(attributes), |call| {
            assert_eq!(call.peer.host.get().unwrap_or_default(), host.as_bytes(), "{attributes}");
            assert_eq!(call.peer.port.get(), port, "{attributes}");
        });
    };
    check("server.address=new, server.port=#443", "new", Some(443));
    check("server.address=new, server.port=443", "new", Some(443));
    check("net.peer.name=old, net.peer.port=#8443", "old", Some(8443));
    check("net.peer.name=old, server.address=new, net.peer.port=1, server.port=2", "new", Some(2));
    check("server.address=new, net.peer.name=old, server.port=2, net.peer.port=1", "new", Some(2));
    check("network.destination.name=dd", "dd", None);
    check("out.host=dd, http.host=h", "h", None);
    check("server.address=, net.peer.name=old", "old", None);
    check("server.address=#7, net.peer.name=old", "old", None);
    check("server.port=#0", "", None);
    check("server.port=#65536", "", None);
    check("server.port=#-1", "", None);
}

#[test]
fn the_last_exception_is_the_one_that_counts() {
    let mut span = span("");
    span.events = vec![
        exception("exception.type=A"),
        exception("exception.type=B, exception.message=no"),
        opentelemetry_proto::tonic::trace::v1::span::Event { name: "retry".into(), ..Default::default() },
    ];
    fixture::with_call(&span, |call| {
        assert!(call.evidence.has_events);
        assert_eq!(call.exception().unwrap(), Some(Exception { class: b"B", message: b"no" }));
        assert_eq!(call.attribute(b"none").unwrap(), None);
    });
}

#[test]
fn a_span_that_is_cut_off_is_an_error_and_no_panic() {
    let bytes = span("server.address=bank.example, http.request.method=GET").encode_to_vec();
    for length in 0..bytes.len() {
        let _ = read(&bytes[..length]);
    }
    assert!(read(&bytes[..bytes.len() - 1]).is_err());
}
