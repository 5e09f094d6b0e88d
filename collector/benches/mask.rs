//! What masking costs: `cargo bench -p spanmill-collector --bench mask`. Divide by [`SPANS`] for one span.

use std::sync::Arc;

use bytes::Bytes;
use divan::{Bencher, counter::BytesCount};
use spanmill_collector::command::load::payload;
use spanmill_collector::demo::Random;
use spanmill_collector::mask::Masking;
use spanmill_collector::outcome::Transport;
use spanmill_collector::receive::ReceivedBatch;
use spanmill_mask::Masker;

const SPANS: usize = 512;

fn main() {
    divan::main();
}

fn clean() -> Bytes {
    payload::request(&mut Random::new(1), SPANS, 1_800_000_000_000_000_000).into()
}

/// One span in a hundred holds a card number.
fn dirty() -> Bytes {
    let mut body = clean().to_vec();
    let scheme = b"basket/with_recommendations.html.twig";
    let places = body.windows(scheme.len()).enumerate().filter(|(_, part)| part == scheme);
    let places: Vec<_> = places.map(|(at, _)| at).step_by(60).collect();
    for at in places {
        body[at..at + 16].copy_from_slice(b"4111111111111111");
    }
    body.into()
}

fn apply(bencher: Bencher<'_, '_>, body: &Bytes) {
    let masking = Masking::new(Arc::new(Masker::standard()), Arc::default());
    bencher.counter(BytesCount::new(body.len())).bench(|| {
        let body = body.clone();
        masking.apply(ReceivedBatch {
            body,
            transport: Transport::Grpc,
            received_unix_ns: 0,
            hops: 0,
            origin: None,
        })
    });
}

#[divan::bench]
fn without_a_secret(bencher: Bencher<'_, '_>) {
    apply(bencher, &clean());
}

#[divan::bench]
fn one_span_of_a_hundred_with_a_card(bencher: Bencher<'_, '_>) {
    apply(bencher, &dirty());
}

/// Of that, the scan for candidates alone.
#[divan::bench]
fn candidates(bencher: Bencher<'_, '_>) {
    let masker = Masker::standard();
    let body = clean();
    let mut offsets = Vec::new();
    bencher.counter(BytesCount::new(body.len())).bench_local(|| {
        offsets.clear();
        masker.candidates(&body, &mut offsets);
        offsets.len()
    });
}
