//! What a daemon receives from a program: the spans, their relations, and nothing secret.

#![allow(clippy::unwrap_used)] // in what the tests share; see clippy.toml

mod support;

use std::time::Duration;

use spanmill::{Context, InSpan, Provider, Span};
use support::{Daemon, named, tag, turn};

static ACME: Provider = Provider::new("acme-bank");

fn client(socket: &std::path::Path) -> spanmill::Guard {
    spanmill::builder().service("shop").attribute("team", "payments").socket(socket).init().unwrap()
}

#[test]
fn a_request_and_its_call_arrive_as_a_tree() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(&folder.path().join("sock"));
    let guard = client(&folder.path().join("sock"));
    {
        let request = Span::builder("POST /checkout").server().start();
        let _current = request.enter();
        let step = Span::start("reserve stock");
        drop(step);
        let mut call = ACME.call("authorize");
        call.tag("payment.scheme", "visa").tag("amount", 12.5).tag("retries", 0u64).tag("3ds", true);
        call.log("response", |log| log.tag("code", 5).tag("body", "no"));
        call.declined("insufficient funds");
    }
    assert_eq!(guard.shutdown(Duration::from_secs(5)).sent, 3);
    let spans = daemon.wait_for(3);
    let (request, step) = (named(&spans, "POST /checkout"), named(&spans, "reserve stock"));
    let call = named(&spans, "acme-bank authorize");
    assert_eq!((request.kind, step.kind, call.kind), (2, 1, 3));
    assert_eq!((step.parent_span_id.clone(), call.parent_span_id.clone()), {
        let id = request.span_id.clone();
        (id.clone(), id)
    });
    assert!(request.parent_span_id.is_empty());
    assert_eq!(step.trace_id, request.trace_id);
    assert_eq!((call.trace_id.len(), call.span_id.len()), (16, 8));
    assert!(request.start_time_unix_nano <= call.start_time_unix_nano);
    assert!(call.start_time_unix_nano <= call.end_time_unix_nano);
    assert!(call.end_time_unix_nano <= request.end_time_unix_nano);
    let read = |key| tag(&call.attributes, key);
    for key in ["spanmill.provider", "service.peer.name", "peer.service"] {
        assert_eq!(read(key).as_deref(), Some("acme-bank"), "{key}");
    }
    assert_eq!(read("spanmill.operation").as_deref(), Some("authorize"));
    assert_eq!(read("spanmill.outcome").as_deref(), Some("declined"));
    assert_eq!(read("spanmill.decline_reason").as_deref(), Some("insufficient funds"));
    assert_eq!(read("amount").as_deref(), Some("12.5"));
    assert_eq!((read("retries").as_deref(), read("3ds").as_deref()), (Some("0"), Some("true")));
    assert_eq!(read("spanmill.attempt"), None);
    let log = &call.events[0];
    assert_eq!((log.name.as_str(), tag(&log.attributes, "code").as_deref()), ("response", Some("5")));
    assert!((call.start_time_unix_nano..=call.end_time_unix_nano).contains(&log.time_unix_nano));
    let resource = daemon.requests()[0].resource_spans[0].resource.clone().unwrap();
    assert_eq!(tag(&resource.attributes, "service.name").as_deref(), Some("shop"));
    assert_eq!(tag(&resource.attributes, "team").as_deref(), Some("payments"));
    assert!(tag(&resource.attributes, "host.name").is_some());
}

#[test]
fn no_secret_leaves_the_process() {
    const PAN: &str = "4111111111111111";
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(&folder.path().join("sock"));
    let socket = folder.path().join("sock");
    let guard = spanmill::builder().service(&format!("shop {PAN}")).socket(socket).init().unwrap();
    let number: i64 = PAN.parse().unwrap();
    let mut call = Provider::named(format!("bank {PAN}")).call(&format!("pay {PAN}"));
    call.tag("http.url", format!("https://shop.example/pay?card={PAN}&n=1"))
        .tag("number", number)
        .tag("double", number as f64)
        .tag("bytes", PAN.as_bytes())
        .tag("list", spanmill::Value::List(vec![PAN.into(), number.into()]))
        .tag(PAN, 1)
        .tag("password", "hunter2-secret")
        .tag("long", format!("{}{PAN}", " ".repeat(4090)));
    call.log(PAN, |log| log.tag("body", format!("<pan>{PAN}</pan>")).tag("cvv", 7391));
    call.failed(&format!("refused card {PAN}"));
    assert!(spanmill::stats().masked >= 12);
    drop(guard);
    let spans = daemon.wait_for(1);
    let bytes: Vec<u8> = daemon.packets().into_iter().flat_map(|packet| packet.payload).collect();
    for secret in [PAN, "411111111111", "hunter2", "7391"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    assert!(!bytes.windows(8).any(|window| window == (number as f64).to_le_bytes()));
    let url = tag(&spans[0].attributes, "http.url").unwrap();
    assert_eq!(url, "https://shop.example/pay?card=411111******1111&n=1");
    assert_eq!(spans[0].status.as_ref().unwrap().message, "refused card 411111******1111");
}

#[test]
fn a_client_span_inside_a_call_is_an_attempt() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(&folder.path().join("sock"));
    let guard = client(&folder.path().join("sock"));
    {
        let call = ACME.call("authorize");
        let _current = call.enter();
        let step = Span::start("sign");
        let _step = step.enter();
        Span::builder("POST").client().start().end();
        ACME.call("retry").ok();
        Provider::new("fraud-check").call("score").ok();
        let handled = Span::builder("handled here").server().start();
        let _current = handled.enter();
        Span::builder("GET /").client().start().end();
        call.ok();
    }
    Span::builder("GET").client().start().end();
    drop(guard);
    let spans = daemon.wait_for(8);
    let attempt = |name| tag(&named(&spans, name).attributes, "spanmill.attempt");
    let provider = |name| tag(&named(&spans, name).attributes, "spanmill.provider");
    assert_eq!(attempt("POST").as_deref(), Some("true"));
    assert_eq!(provider("POST").as_deref(), Some("acme-bank"));
    assert_eq!(attempt("acme-bank retry").as_deref(), Some("true"));
    for name in ["acme-bank authorize", "fraud-check score", "sign", "handled here", "GET /", "GET"] {
        assert_eq!(attempt(name), None, "{name}");
    }
    assert_eq!(provider("fraud-check score").as_deref(), Some("fraud-check"));
    assert_eq!(provider("GET"), None);
}

#[test]
fn each_end_of_a_call_has_its_outcome() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(&folder.path().join("sock"));
    let guard = client(&folder.path().join("sock"));
    ACME.call("a").ok();
    ACME.call("b").declined("limit");
    ACME.call("c").failed(&std::fmt::Error);
    ACME.call("d").timeout();
    drop(ACME.call("e"));
    ACME.call("f").end();
    ACME.call("g").end_as(spanmill::Outcome::Connect, "no route");
    std::thread::spawn(|| {
        let _call = ACME.call("h");
        std::panic::resume_unwind(Box::new("the caller fails"));
    })
    .join()
    .unwrap_err();
    drop(guard);
    let spans = daemon.wait_for(8);
    let read = |operation: &str| {
        let span = named(&spans, &format!("acme-bank {operation}"));
        let get = |key| tag(&span.attributes, key).unwrap_or_default();
        (get("spanmill.outcome"), get("error.type"), span.status.as_ref().map_or(0, |status| status.code))
    };
    let want = |outcome: &str, error: &str, status| (outcome.to_string(), error.to_string(), status);
    assert_eq!(read("a"), want("ok", "", 1));
    assert_eq!(read("b"), want("declined", "", 0));
    assert_eq!(read("c"), want("failed", "core::fmt::Error", 2));
    assert_eq!(read("d"), want("timeout", "timeout", 2));
    assert_eq!(read("e"), want("cancelled", "cancelled", 2));
    assert_eq!(read("f"), want("", "", 0));
    assert_eq!(read("g"), want("connect", "connect", 2));
    assert_eq!(read("h"), want("cancelled", "panic", 2));
}

#[test]
fn tasks_on_many_threads_keep_their_parents() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(&folder.path().join("sock"));
    let guard = client(&folder.path().join("sock"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for request in 0..200 {
            let span = Span::builder(&format!("request {request}")).server().start();
            let work = async move {
                let call = ACME.call(&format!("operation {request}"));
                tokio::task::yield_now().await;
                let attempt = async {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    Span::builder(&format!("attempt {request}")).client().start().end();
                };
                // A spawned task has the context that it is given.
                tokio::spawn(async { Span::start("detached").end() }.in_span(&Context::current()));
                attempt.in_span(&call).await;
                call.ok();
            };
            tasks.push(tokio::spawn(async move { work.in_span(&span).await }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    drop(runtime);
    drop(guard);
    let spans = daemon.wait_for(800);
    for request in 0..200 {
        let root = named(&spans, &format!("request {request}"));
        let call = named(&spans, &format!("acme-bank operation {request}"));
        let attempt = named(&spans, &format!("attempt {request}"));
        assert_eq!(call.parent_span_id, root.span_id);
        assert_eq!(attempt.parent_span_id, call.span_id);
        assert_eq!(tag(&attempt.attributes, "spanmill.attempt").as_deref(), Some("true"));
        assert_eq!(attempt.trace_id, root.trace_id);
    }
    let roots: Vec<_> = spans.iter().filter(|span| span.kind == 2).map(|span| &span.span_id).collect();
    let detached: Vec<_> = spans.iter().filter(|span| span.name == "detached").collect();
    assert_eq!(detached.len(), 200);
    assert!(detached.iter().all(|span| roots.contains(&&span.parent_span_id)));
}

#[test]
fn the_parent_comes_in_and_goes_out_as_traceparent() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(&folder.path().join("sock"));
    let guard = client(&folder.path().join("sock"));
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = spanmill::extract(|name| (name == "traceparent").then_some(header)).unwrap();
    let mut sent = None;
    {
        let span = Span::builder("POST /pay").server().parent(&context).start();
        let _current = span.enter();
        spanmill::inject(|_, value| sent = Some(value.to_string()));
        assert_eq!(sent, span.context().map(|context| context.traceparent()));
    }
    drop(guard);
    let span = &daemon.wait_for(1)[0];
    assert_eq!(span.trace_id, context.trace_id().0);
    assert_eq!(span.parent_span_id, context.span_id().0);
    assert!(sent.unwrap().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    assert_eq!(span.flags, 0x301, "sampled; the parent is known to be remote");
}

#[test]
fn a_span_keeps_its_limits_and_says_what_it_lost() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(&folder.path().join("sock"));
    let guard = client(&folder.path().join("sock"));
    let mut many = Span::start("many");
    for count in 0..200 {
        many.tag(&format!("key {count}"), count);
        many.log("log", |log| (0..200).fold(log, |log, count| log.tag("key", count)));
    }
    many.tag("text", "is beyond the limit");
    drop(many);
    let mut long = Span::start("long");
    long.tag("text", "é".repeat(3000));
    for size in [3000, 40_000] {
        // 20 × 4 KiB do not fit a packet, 20 × 3 KB do.
        long.log("large", |log| (0..20).fold(log, |log, _| log.tag("body", "x".repeat(size))));
    }
    long.log("last", |log| log);
    drop(long);
    assert_eq!(spanmill::stats().trimmed, 2, "128 logs of 128 tags do not fit a packet either");
    drop(guard);
    let spans = daemon.wait_for(2);
    let many = named(&spans, "many");
    assert_eq!((many.attributes.len(), many.dropped_attributes_count), (128, 73));
    assert_eq!(many.events.len() as u32 + many.dropped_events_count, 200);
    assert!(many.events.iter().all(|log| log.attributes.len() == 128 && log.dropped_attributes_count == 72));
    let long = named(&spans, "long");
    assert_eq!(long.dropped_events_count, 1);
    assert_eq!(long.events.iter().map(|log| log.name.as_str()).collect::<Vec<_>>(), ["large", "last"]);
    assert_eq!(tag(&long.attributes, "text").unwrap(), "é".repeat(2048));
    assert_eq!(tag(&long.attributes, "spanmill.truncated").as_deref(), Some("21"));
}

#[test]
fn nothing_is_recorded_while_no_client_runs() {
    let _turn = turn();
    let mut span = Span::start("unheard");
    span.tag("key", 1).log("log", |_| panic!("not called when nothing is recorded"));
    assert_eq!(span.context(), None);
    let _entered = span.enter();
    assert_eq!(Context::current(), None);
    let before = spanmill::stats().recorded;
    ACME.call("unheard").ok();
    assert_eq!(spanmill::stats().recorded, before);
}

#[test]
fn a_second_client_is_refused() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let _first = client(&folder.path().join("sock"));
    let second = spanmill::builder().socket(folder.path().join("sock")).init();
    assert!(matches!(second, Err(spanmill::InitError::AlreadyRunning)));
}
