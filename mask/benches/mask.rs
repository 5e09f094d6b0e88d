//! What masking costs: `cargo bench -p spanmill-mask`. Throughput is of the text that is looked at.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use spanmill_mask::{Key, Masker, Report};

fn main() {
    divan::main();
}

const URL: &str = "https://api.acme-bank.example/v2/payments/8f14e45f/status?x=12";

#[divan::bench(args = [
    ("url of 62 bytes", URL),
    ("user agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"),
    ("id of 32", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ("statement", "SELECT id, status, amount FROM payments WHERE merchant_id = ? AND created_at > ? ORDER BY id LIMIT 50"),
    ("word", "POST"),
])]
fn clean_string(bencher: Bencher<'_, '_>, (_, text): (&str, &str)) {
    bench(bencher, text.as_bytes());
}

#[divan::bench(args = [512, 1024, 4096, 65536])]
fn clean_json(bencher: Bencher<'_, '_>, len: usize) {
    bench(bencher, json(len, "").as_bytes());
}

#[divan::bench(args = [1024, 4096])]
fn dirty_json(bencher: Bencher<'_, '_>, len: usize) {
    bench(bencher, json(len, r#","card":{"number":"4111111111111111","cvv":"123"}"#).as_bytes());
}

/// Texts made to cost: each must stay linear, so 64 KiB and 1 MiB must show the same throughput.
#[divan::bench(args = ["7", "\"", "<", "\\", ":", "=", "@", "-", "cvv=", "pan=[", "cvv:{", "\"pan\":", "<pin>", "4111 ", "\\u0034", "[", "name=\"pan\">", "name=\"cvv\"\n\n", "://a:b", "eyJa.", "pan=\\\""], consts = [65536, 1_048_576])]
fn hostile<const LEN: usize>(bencher: Bencher<'_, '_>, piece: &str) {
    bench(bencher, piece.repeat(LEN / piece.len()).as_bytes());
}

#[divan::bench]
fn candidates_in_a_request_of_512_spans(bencher: Bencher<'_, '_>) {
    let masker = Masker::standard();
    let message = request(512);
    let mut offsets = Vec::new();
    bencher.counter(ItemsCount::new(512_usize)).counter(BytesCount::new(message.len())).bench_local(|| {
        offsets.clear();
        masker.candidates(divan::black_box(&message), &mut offsets);
        offsets.len()
    });
}

#[divan::bench(args = ["http.request.method", "http.response.status_code", "url.full", "payment.card.number", "enduser.password"])]
fn key(bencher: Bencher<'_, '_>, key: &str) {
    let masker = Masker::standard();
    bencher.bench_local(|| masker.key(divan::black_box(key.as_bytes())));
}

fn bench(bencher: Bencher<'_, '_>, text: &[u8]) {
    let masker = Masker::standard();
    let mut report = Report::default();
    bencher
        .counter(BytesCount::of_slice(text))
        .bench_local(|| masker.text(Key::Plain, divan::black_box(text), &mut report));
}

/// A provider's answer with identifiers, amounts, times and prose, and `extra` in the middle.
fn json(len: usize, extra: &str) -> String {
    let mut body = String::from(r#"{"status":"ok","items":["#);
    let mut n = 0_u64;
    while body.len() < len {
        n += 1;
        let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        body += &format!(
            r#"{{"id":"{id:016x}","order_id":{n},"created_at":"2026-11-22T20:15:{:02}.{:03}Z","amount":{}.{:02},"currency":"EUR","description":"Payment for order number {n} of Jane, two items","merchant":{{"name":"Shop and Sons","country":"NL","mcc":"5411"}},"ts":{}}},"#,
            n % 60,
            n % 1000,
            n * 7 % 900,
            n % 100,
            1_763_843_000_000_u64 + n,
        );
        if n == 1 {
            body.truncate(body.len() - 2);
            body += extra;
            body += "},";
        }
    }
    body.truncate(len);
    body
}

/// An encoded request as a payment service sends it: about 560 bytes a span, ten attributes and one event.
fn request(spans: u64) -> Vec<u8> {
    (0..spans).fold(Vec::new(), |mut out, n| {
        field(&mut out, 0x12, &span(n));
        out
    })
}

fn span(n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let id = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    field(&mut out, 0x0a, &[id.to_le_bytes(), id.rotate_left(17).to_le_bytes()].concat());
    field(&mut out, 0x12, &id.rotate_left(31).to_le_bytes());
    field(&mut out, 0x2a, b"POST");
    out.extend([0x30, 3, 0x39]);
    out.extend((1_763_843_000_000_000_000 + n).to_le_bytes());
    out.push(0x41);
    out.extend((1_763_843_000_100_000_000 + n).to_le_bytes());
    let texts = [
        ("http.request.method", "POST".to_owned()),
        ("url.full", format!("https://api.acme-bank.example/v2/payments/{n:08x}/status?x=12")),
        ("server.address", "api.acme-bank.example".to_owned()),
        ("network.protocol.version", "1.1".to_owned()),
        ("user_agent.original", "payments/4.2 reqwest".to_owned()),
        ("service.peer.name", "acme-bank".to_owned()),
        ("payment.scheme", "visa".to_owned()),
        ("order.id", format!("ord_{n:010}")),
    ];
    for (key, value) in &texts {
        field(&mut out, 0x4a, &attribute(key, value.as_bytes()));
    }
    for key in ["http.response.status_code", "server.port"] {
        let mut pair = Vec::new();
        field(&mut pair, 0x0a, key.as_bytes());
        pair.extend([0x12, 3, 0x18, 0xc8, 1]);
        field(&mut out, 0x4a, &pair);
    }
    let mut event = vec![0x09];
    event.extend((1_763_843_000_050_000_000 + n).to_le_bytes());
    field(&mut event, 0x12, b"response");
    field(&mut event, 0x1a, &attribute("body", b"{\"code\":0,\"text\":\"approved\"}"));
    field(&mut out, 0x5a, &event);
    out
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    let (mut any, mut pair) = (Vec::new(), Vec::new());
    field(&mut any, 0x0a, value);
    field(&mut pair, 0x0a, key.as_bytes());
    field(&mut pair, 0x12, &any);
    pair
}

fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    let mut len = bytes.len();
    while len > 0x7f {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(bytes);
}
