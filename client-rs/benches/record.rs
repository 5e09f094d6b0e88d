//! What a span costs its caller, from start to end, encoded and masked: time and allocations.
//!
//! `cargo bench -p spanmill --bench record`

use std::path::PathBuf;

use divan::{AllocProfiler, Bencher, black_box};
use spanmill::recorder::{Kind, Recorder, Settings};
use spanmill::{Provider, Span, State};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

static ACME: Provider = Provider::new("acme-bank");
const URL: &str = "https://api.acme.example/v1/payments/authorize?merchant=shop12";

fn main() {
    divan::main();
}

/// A client whose daemon is absent: its queue fills and is emptied as with one, only the sending is missing.
fn client() -> spanmill::Guard {
    let nobody = PathBuf::from("/nonexistent/spanmill.sock");
    let client = spanmill::builder().socket(nobody).hold(std::time::Duration::ZERO);
    client.init().expect("no other client runs")
}

/// Three tags and a log, as in the comparison with other libraries.
#[divan::bench(sample_size = 1000)]
fn span(bencher: Bencher<'_, '_>) {
    let _client = client();
    bencher.bench_local(|| {
        let mut span = Span::builder("POST").client().start();
        span.tag("http.request.method", "POST").tag("http.response.status_code", 200).tag("url.full", URL);
        span.log("response", |log| log.tag("code", 5));
    });
}

/// The same as a call of a provider, which brings its own tags and an outcome.
#[divan::bench(sample_size = 1000)]
fn call(bencher: Bencher<'_, '_>) {
    let _client = client();
    bencher.bench_local(|| {
        let mut call = ACME.call("authorize");
        call.tag("http.request.method", "POST").tag("http.response.status_code", 200).tag("url.full", URL);
        call.log("response", |log| log.tag("code", 5));
        call.ok();
    });
}

/// While nothing is recorded.
#[divan::bench(sample_size = 1000)]
fn call_without_a_client(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| black_box(ACME.call("authorize")).ok());
}

/// The recorder without a thread, as the PHP extension drives it.
#[divan::bench(sample_size = 1000)]
fn span_without_a_thread(bencher: Bencher<'_, '_>) {
    let settings = Settings::from_env("rust").expect("the environment is well-formed");
    let mut recorder =
        Recorder::new(&settings.socket("/nonexistent/spanmill.sock")).expect("a path for a socket");
    bencher.bench_local(move || {
        let mut span = recorder.start("POST", Kind::Client, None);
        span.tag("http.request.method", "POST");
        span.tag("http.response.status_code", 200);
        span.tag("url.full", URL);
        span.log("response", |log| log.tag("code", 5));
        recorder.finish(span);
    });
}

/// What the daemon thinks of a provider, as routing asks it for each payment.
#[divan::bench(sample_size = 1000)]
fn verdict(bencher: Bencher<'_, '_>) {
    let names: Vec<_> = (0..70).map(|number| format!("provider-{number}")).collect();
    let mut verdicts: Vec<_> = names.iter().map(|name| (name.as_str(), State::Ok)).collect();
    verdicts.push(("acme-bank", State::Hung));
    let _board = spanmill::testing::verdicts(&verdicts);
    assert!(ACME.verdict().is_hung());
    bencher.bench_local(|| black_box(&ACME).verdict());
}
