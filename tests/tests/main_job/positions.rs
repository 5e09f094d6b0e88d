//! Secrets of every kind in every position of a span, by every way in: none of them is in any output byte.

use std::fs;
use std::process::Command;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;
use socket2::{Domain, SockAddr, Socket, Type};
use spanmill_proto::local::{Header, Kind};
use spanmill_proto::wire;
use spanmill_tests::daemon::{Daemon, executable};
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::program;
use spanmill_tests::spans::{attribute, call, hex, request, text, trace_id, unix_ns, with};
use spanmill_tests::{grpc, wait};
use std::time::Duration;

use super::secrets::{check_digit, events, on_disk};
use wait::PATIENCE;

/// What was planted, and the words beside it that must arrive.
#[derive(Default)]
struct Planted {
    count: u64,
    secrets: Vec<(String, Vec<u8>)>,
    /// Words of which each stands beside secrets, to show that the text has travelled.
    witnesses: Vec<(String, String)>,
}

impl Planted {
    fn secret(&mut self, place: &str, secret: impl Into<Vec<u8>>) {
        self.secrets.push((place.to_owned(), secret.into()));
    }

    /// A card number with a valid check digit.
    fn card(&mut self, place: &str) -> String {
        self.count += 1;
        let body = format!("4{:014}", 567_800_000_000 + 7_919 * self.count);
        let number = format!("{body}{}", check_digit(&body));
        self.secret(place, number.clone());
        number
    }

    /// A word that only its key shows to be a secret.
    fn word(&mut self, place: &str) -> String {
        self.count += 1;
        let word = format!("hunter{:05}x", self.count * 37);
        self.secret(place, word.clone());
        word
    }

    /// A text with a secret of every kind, and a witness.
    fn text(&mut self, place: &str) -> String {
        let witness = format!("witness{:05}", self.count);
        self.witnesses.push((place.to_owned(), witness.clone()));
        let card = self.card(place);
        let grouped: Vec<&str> = [&card[..4], &card[4..8], &card[8..12], &card[12..]].into();
        let grouped = grouped.join(" ");
        self.secret(place, grouped.clone());
        let (code, password, token, user) =
            (self.word(place), self.word(place), self.word(place), self.word(place));
        let code = format!("{}{code}", self.count);
        let jwt = format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", self.word(place), self.word(place));
        let key = format!("sk_{}_{}", "live", self.word(place));
        let track = format!("{}=2512101{:010}", self.card(place), self.count);
        self.secret(place, track[17..].to_owned());
        format!(
            "{witness} {{\"pan\":\"{card}\",\"cvv\":\"{code}\",\"password\":\"{password}\"}} as {grouped}, \
             Bearer {token}12345, {jwt}, {key}, https://joe:{user}@bank.example/, ;{track}? end"
        )
    }

    fn number(&mut self, place: &str) -> i64 {
        let number: i64 = self.card(place).parse().expect("a card number is a number");
        let mut varint = Vec::new();
        wire::put_varint(&mut varint, number as u64);
        self.secret(place, varint);
        number
    }

    #[track_caller]
    fn are_not_in(&self, what: &str, bytes: &[u8]) {
        for (place, secret) in &self.secrets {
            let found = memchr::memmem::find(bytes, secret);
            assert!(found.is_none(), "{what} has what was planted in: {place}");
        }
    }

    /// The search finds in `bytes` all that was planted for `way` as a text; a number has several forms, of which one is there.
    #[track_caller]
    fn are_in(&self, bytes: &[u8], way: &str) {
        let of_way = self.secrets.iter().filter(|(place, _)| place.ends_with(way));
        let of_way: Vec<_> = of_way.filter(|(place, _)| !is_number(place)).collect();
        assert!(of_way.len() > 200, "{}", of_way.len());
        for (place, secret) in of_way {
            assert!(memchr::memmem::find(bytes, secret).is_some(), "nothing was planted in: {place}");
        }
    }

    #[track_caller]
    fn have_travelled_to(&self, what: &str, bytes: &[u8]) {
        for (place, witness) in &self.witnesses {
            let found = memchr::memmem::find(bytes, witness.as_bytes());
            assert!(found.is_some(), "{what} has nothing of what was sent in: {place}");
        }
    }
}

fn is_number(place: &str) -> bool {
    ["attribute int", "attribute double", "int in a list"].iter().any(|number| place.starts_with(number))
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn no_secret_of_any_kind_is_in_any_output_byte_by_any_way_in() {
    let Some(jaeger) = Jaeger::start() else { return };
    let mut daemon = Daemon::builder().forwarding_to(jaeger.otlp()).start();
    let mut planted = Planted::default();
    let trace_id = trace_id();
    let mut poisoned = |way: &str, n| poisoned(&trace_id, way, n, &mut planted);
    let (by_grpc, protobuf) =
        (poisoned("gRPC", 1).encode_to_vec(), poisoned("HTTP, protobuf", 2).encode_to_vec());
    let json = serde_json::to_vec(&poisoned("HTTP, JSON", 3)).expect("OTLP is JSON");
    let local = poisoned("local socket", 4).encode_to_vec();
    planted.are_in(&by_grpc, "gRPC");
    planted.are_in(&local, "local socket");
    grpc::unary(daemon.grpc(), grpc::EXPORT_TRACES, by_grpc).expect("the daemon takes it");
    daemon.send(protobuf);
    assert_eq!(daemon.post(&[("content-type", "application/json")], json).status(), 200);
    send_locally(&daemon, &local);
    let id = hex(&trace_id);
    jaeger.wait_for_spans(&id, 4);
    let by_rust = by_rust_client(&daemon, &mut planted);
    jaeger.wait_for_spans(&by_rust, 2);
    let by_php = by_php(&daemon, &mut planted);
    if let Some(by_php) = &by_php {
        jaeger.wait_for_spans(by_php, 2);
    }
    daemon.wait_for_calls("acme-bank.example", 4, PATIENCE);

    for trace in [Some(&id), Some(&by_rust), by_php.as_ref()].into_iter().flatten() {
        planted.are_not_in("Jaeger", jaeger.trace(trace).expect("it was there").as_bytes());
        let path = format!("/api/v1/traces/{trace}");
        planted.are_not_in(&path, &daemon.get(&path).bytes().expect("an answer has a body"));
    }
    let pages = [
        "/",
        "/api/v1/providers?window=60s",
        "/api/v1/providers/acme-bank.example/series",
        "/api/v1/stats",
        "/metrics",
        "/readyz",
    ];
    for path in pages {
        let answer = daemon.get(path);
        assert_eq!(answer.status(), 200, "{path}");
        planted.are_not_in(path, &answer.bytes().expect("an answer has a body"));
    }
    planted.are_not_in("/api/v1/events", events(&daemon).as_bytes());
    scan_finds_nothing_beside_the_running_daemon(&daemon);
    daemon.terminate();
    let mut written = Vec::new();
    on_disk(&daemon.data_dir(), &mut |path, bytes| {
        planted.are_not_in(&path.display().to_string(), bytes);
        written.extend_from_slice(bytes);
    });
    planted.have_travelled_to("the journal", &written);
    planted.are_not_in("the daemon's log", daemon.log().as_bytes());
}

/// The audit agrees, although the daemon holds the lock; in a file with what was sent it finds plenty.
fn scan_finds_nothing_beside_the_running_daemon(daemon: &Daemon) {
    let scan = |arguments: &[&str]| {
        let ran =
            Command::new(executable()).arg("scan").args(arguments).output().expect("the program starts");
        (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    let data = daemon.data_dir();
    let (status, said) = scan(&["--stored", "--data-dir", &data.display().to_string()]);
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains(", 0 spans") && said.contains(" spans"), "{said}");
    let dirty = data.with_file_name("dirty.pb");
    let mut planted = Planted::default();
    fs::write(&dirty, poisoned(&trace_id(), "a file", 1, &mut planted).encode_to_vec())
        .expect("the folder is ours");
    let (status, said) = scan(&[&dirty.display().to_string()]);
    assert_eq!(status, Some(1), "{said}");
    planted.are_not_in("what scan says", said.as_bytes());
    assert_eq!(scan(&["/nowhere/at all"]).0, Some(64));
    assert_eq!(scan(&["--stored", "x"]).0, Some(64));
}

fn list(values: Vec<Value>) -> Value {
    Value::ArrayValue(ArrayValue {
        values: values.into_iter().map(|value| AnyValue { value: Some(value) }).collect(),
    })
}

fn map(values: Vec<KeyValue>) -> Value {
    Value::KvlistValue(KeyValueList { values })
}

/// A call with secrets in each place that can hold a text or a number; `way` names it where something leaks.
fn poisoned(trace_id: &[u8], way: &str, n: u64, planted: &mut Planted) -> ExportTraceServiceRequest {
    let place = |place: &str| format!("{place}, by {way}");
    let mut say = |at: &str| planted.text(&place(at));
    let span = call(trace_id, n, "api.acme-bank.example", Duration::from_millis(50));
    let mut span = Span {
        name: say("span name"),
        trace_state: format!("shop={}", say("tracestate")),
        status: Some(Status { message: say("status message"), code: 2 }),
        events: vec![Event {
            name: say("event name"),
            attributes: vec![text("body", &say("event attribute")), text(&say("event attribute key"), "x")],
            ..Event::default()
        }],
        links: vec![Link {
            trace_id: vec![7; 16],
            span_id: vec![7; 8],
            trace_state: say("link tracestate"),
            attributes: vec![text("of", &say("link attribute")), text(&say("link attribute key"), "x")],
            ..Link::default()
        }],
        ..span
    };
    let texts = vec![
        text("note", &say("attribute text")),
        attribute("raw", Value::BytesValue([&b"\xff\x00"[..], say("attribute bytes").as_bytes()].concat())),
        text(&say("attribute key"), "x"),
        attribute(
            "list",
            list(vec![
                Value::StringValue(say("list item")),
                Value::BytesValue(say("bytes in a list").into()),
            ]),
        ),
        attribute(
            "map",
            map(vec![
                text(&say("map key"), "x"),
                attribute(
                    "deep",
                    map(vec![attribute("deeper", list(vec![Value::StringValue(say("list in maps"))]))]),
                ),
            ]),
        ),
        text("rpc.method", &say("operation")),
        text("error.type", &say("error type")),
        text("server.address", "api.acme-bank.example"),
    ];
    let mut say = |at: &str| planted.text(&place(at));
    let mut request = request(Vec::new());
    let resource_spans = &mut request.resource_spans[0];
    resource_spans.schema_url = say("schema URL of the resource");
    let resource = resource_spans.resource.as_mut().expect("it was made with one");
    resource.attributes.extend([
        text("service.version", &say("resource attribute")),
        text(&say("resource attribute key"), "x"),
        text("host.name", &say("host name")),
    ]);
    resource.entity_refs.push(EntityRef {
        schema_url: say("schema URL of an entity"),
        r#type: say("type of an entity"),
        id_keys: vec![say("key of an entity")],
        description_keys: vec![say("description key of an entity")],
    });
    let scope_spans = &mut resource_spans.scope_spans[0];
    scope_spans.schema_url = say("schema URL of the scope");
    scope_spans.scope = Some(InstrumentationScope {
        name: say("scope name"),
        version: say("scope version"),
        attributes: vec![text("of", &say("scope attribute")), text(&say("scope attribute key"), "x")],
        ..InstrumentationScope::default()
    });
    let number = planted.number(&place("attribute int"));
    let double = planted.number(&place("attribute double")) as f64;
    planted.secret(&place("attribute double"), double.to_le_bytes());
    let listed = planted.number(&place("int in a list"));
    let mut word = |at: &str| planted.word(&place(at));
    let under_keys = vec![
        attribute("count", Value::IntValue(number)),
        attribute("amount", Value::DoubleValue(double)),
        attribute("numbers", list(vec![Value::IntValue(listed)])),
        text("db.password", &word("text under a sensitive key")),
        attribute("card.cvv", Value::BytesValue(word("bytes under a sensitive key").into())),
        attribute("api_keys", list(vec![Value::StringValue(word("list under a sensitive key"))])),
        attribute("credentials", map(vec![text("a", &word("map under a sensitive key"))])),
        attribute(
            "request",
            map(vec![attribute("headers", map(vec![text("authorization", &word("sensitive key in maps"))]))]),
        ),
    ];
    span = texts.into_iter().chain(under_keys).fold(span, with);
    request.resource_spans[0].scope_spans[0].spans = vec![span];
    request
}

/// One packet, as any program on this host can send it.
fn send_locally(daemon: &Daemon, message: &[u8]) {
    let socket = Socket::new(Domain::UNIX, Type::SEQPACKET, None).expect("Linux has it");
    socket.connect(&SockAddr::unix(daemon.socket()).expect("the path is short")).expect("the daemon listens");
    let length = u32::try_from(message.len()).expect("it fits a packet");
    let header = Header { kind: Kind::Spans, flags: 0, length, sequence: 0, sent_unix_ns: unix_ns() };
    socket.send(&[&header.encode()[..], message].concat()).expect("the daemon takes it");
}

/// Everything that the Rust client lets a program say; gives the trace id.
fn by_rust_client(daemon: &Daemon, planted: &mut Planted) -> String {
    let place = |place: &str| format!("{place}, by the Rust client");
    let client = spanmill::builder()
        .service(&planted.text(&place("service")))
        .attribute("deployment", &planted.text(&place("resource attribute")))
        .attribute("db.password", &planted.word(&place("sensitive resource attribute")))
        .socket(daemon.socket())
        .init()
        .expect("the client starts");
    let mut span = spanmill::Span::builder(&planted.text(&place("span name"))).server().start();
    let trace_id = span.context().expect("it is recorded").trace_id().to_string();
    let entered = span.enter();
    span.tag("note", planted.text(&place("tag")));
    span.tag("raw", planted.text(&place("tag of bytes")).as_bytes());
    span.tag(&planted.text(&place("key of a tag")), 1);
    span.tag("count", planted.number(&place("tag of an int")));
    span.tag("amount", planted.number(&place("tag of a double")) as f64);
    span.tag("api_key", planted.word(&place("tag with a sensitive key")));
    let (name, key, body) = (
        planted.text(&place("log")),
        planted.text(&place("key in a log")),
        planted.text(&place("tag in a log")),
    );
    let code = planted.word(&place("sensitive key in a log"));
    span.log(&name, |log| log.tag("body", body).tag(&key, 1).tag("cvv", code));
    let provider = spanmill::Provider::named(planted.card(&place("provider")));
    let call = provider.call(&planted.text(&place("operation")));
    call.failed(&planted.text(&place("error")));
    span.failed(&planted.text(&place("status")));
    drop((entered, span));
    let report = client.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.total()), (2, 0), "{report:?}");
    trace_id
}

const SCRIPT: &str = r#"
use Spanmill\{Provider, Span, Tracer};
$say = json_decode(stream_get_contents(STDIN), true);
$span = Tracer::start($say['span name'], ['note' => $say['tag'], $say['key of a tag'] => 1], Span::SERVER);
$span->tags(['int' => (int) $say['int'], 'float' => (float) $say['float'], 'bytes' => "\xff" . $say['bytes']]);
$span->tag('list', [$say['list item'], ['deep' => $say['deep']], 'password' => $say['password']]);
$span->tag('card', ['cvv' => $say['code']]);
$span->tag('api_key', $say['api key']);
$span->log($say['log'], ['body' => $say['tag in a log'], $say['key in a log'] => 1, 'authorization' => $say['header']]);
$call = Provider::call($say['provider'], $say['operation'], []);
$call->failed(new Exception($say['error']));
$trace = Tracer::traceId();
$span->end();
echo Tracer::flush() ? $trace : 'not flushed';
"#;

/// Everything that the PHP extension lets a script say; gives the trace id, or nothing where there is no PHP.
fn by_php(daemon: &Daemon, planted: &mut Planted) -> Option<String> {
    use std::io::Write;
    let extension = program::tool("libspanmill_php.so")?;
    let place = |place: &str| format!("{place}, by PHP");
    let texts = [
        "span name",
        "tag",
        "key of a tag",
        "bytes",
        "list item",
        "deep",
        "log",
        "tag in a log",
        "key in a log",
        "operation",
        "error",
    ];
    let words = ["password", "code", "api key", "header"];
    let mut say: Vec<(&str, String)> = texts.map(|at| (at, planted.text(&place(at)))).into();
    say.extend(words.map(|at| (at, planted.word(&place(at)))));
    say.extend(["int", "float"].map(|at| (at, planted.number(&place(at)).to_string())));
    say.push(("provider", planted.card(&place("provider"))));
    let said: serde_json::Map<_, _> =
        say.into_iter().map(|(at, text)| (at.to_owned(), text.into())).collect();
    let ini = |key: &str, value: &str| format!("-d{key}={value}");
    let mut php = Command::new("php")
        .arg("-n")
        .arg(ini("extension", &extension.display().to_string()))
        .arg(ini("spanmill.socket", &daemon.socket().display().to_string()))
        .args(["-r", SCRIPT])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("php starts");
    let said = serde_json::to_vec(&said).expect("texts are JSON");
    php.stdin.take().expect("it is piped").write_all(&said).expect("php reads it");
    let ran = php.wait_with_output().expect("php ends");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    Some(String::from_utf8(ran.stdout).expect("an id is text").trim().to_owned())
}
