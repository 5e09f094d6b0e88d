//! Tests as users of this crate write them, and what is easier to see in a capture than on a socket.

use std::panic::{AssertUnwindSafe, catch_unwind};

use spanmill::testing::{CapturedValue, capture};
use spanmill::{Provider, Span, Value};

static ACME: Provider = Provider::new("acme-bank");

#[test]
fn the_tree_of_a_request_can_be_compared_with_a_drawing() {
    let capture = capture();
    {
        let request = Span::builder("POST /checkout").server().root().start();
        let _current = request.enter();
        Span::start("reserve stock").end();
        let call = ACME.call("authorize");
        {
            let _in_call = call.enter();
            Span::builder("POST").client().start().end();
            Span::builder("POST").client().start().end();
        }
        call.ok();
    }
    assert_eq!(
        capture.tree(),
        "POST /checkout\n  reserve stock\n  acme-bank authorize\n    POST\n    POST\n"
    );
    assert_eq!(capture.stats().recorded, 5);
}

#[test]
fn values_arrive_as_they_were_given() {
    let capture = capture();
    let list = Value::List(vec!["a".into(), 1.into(), Value::List(vec![]), 2.5.into()]);
    Span::start("values")
        .tag("list", list)
        .tag("bytes", &[0xff, 0][..])
        .tag("min", i64::MIN)
        .tag("no", false);
    let span = &capture.spans()[0];
    let list = vec!["a".into(), CapturedValue::Int(1), CapturedValue::Double(2.5)];
    assert_eq!(span.tag("list"), Some(&CapturedValue::List(list)), "a list in a list is left out");
    assert_eq!(span.tag("bytes"), Some(&CapturedValue::Bytes(vec![0xff, 0])));
    assert_eq!(span.tag("min"), Some(&CapturedValue::Int(i64::MIN)));
    assert_eq!(span.tag("no"), Some(&CapturedValue::Bool(false)));
}

#[test]
fn a_closure_that_panics_leaves_a_whole_span() {
    let capture = capture();
    let mut span = Span::start("careful");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        span.log("before the panic", |log| {
            let _log = log.tag("kept", 1);
            std::panic::resume_unwind(Box::new("the closure fails"));
        });
    }));
    assert!(panicked.is_err());
    span.tag("after", 2);
    drop(span);
    let span = &capture.spans()[0];
    assert_eq!(span.logs[0].tag("kept"), Some(&CapturedValue::Int(1)));
    assert_eq!(span.tag("after"), Some(&CapturedValue::Int(2)));
}

#[test]
fn the_first_error_of_a_span_is_kept() {
    let capture = capture();
    Span::start("twice").failed(&std::fmt::Error).failed("later");
    let span = &capture.spans()[0];
    assert_eq!(span.tag("error.type"), Some(&"core::fmt::Error".into()));
    assert_eq!((span.status, span.tags.len()), (2, 1));
}

#[test]
fn nothing_is_captured_after_the_capture() {
    let first = capture();
    drop(first);
    let second = capture();
    Span::start("one").end();
    assert_eq!(second.spans().len(), 1);
    assert_eq!(second.encoded().len(), 1);
}
