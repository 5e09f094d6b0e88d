//! The same span by this client, by OpenTelemetry's SDK and by `tracing-opentelemetry`, in one run: start, three tags, an
//! event with one number, end. Nanoseconds of the caller, allocations, and the CPU time of the whole process per span,
//! which includes what the background thread does with it: ours goes to a local socket that somebody reads, theirs is
//! encoded as OTLP and dropped.
//!
//! `cargo bench -p spanmill --features otel-sdk --bench compare`

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter,
};
use prost::Message;
use rustix::net::{self, AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};
use rustix::time::{ClockId, clock_gettime};
use spanmill::{Provider, Span};
use tracing_subscriber::layer::SubscriberExt;

const URL: &str = "https://api.acme.example/v1/payments/authorize?merchant=shop12";
/// Few enough that no queue overflows, in rounds, so that the machine's other work evens out.
const SPANS: u32 = 20_000;
const ROUNDS: usize = 15;

/// Counts allocations, those of background threads included.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code)] // an allocator is unsafe by its trait; it only counts and hands on
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise is handed on as it is.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Encodes what it gets, as an OTLP exporter does, and drops it.
#[derive(Debug)]
struct Encode;

impl SpanExporter for Encode {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = group_spans_by_resource_and_scope(batch, &Default::default());
        std::hint::black_box(spans.iter().map(Message::encoded_len).sum::<usize>());
        for spans in spans {
            std::hint::black_box(spans.encode_to_vec());
        }
        Ok(())
    }
}

fn sdk() -> SdkTracerProvider {
    let queue = BatchConfigBuilder::default().with_max_queue_size(2 * SPANS as usize).build();
    let processor = BatchSpanProcessor::builder(Encode).with_batch_config(queue).build();
    SdkTracerProvider::builder().with_span_processor(processor).build()
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Prints the medians over the rounds.
fn measure(name: &str, mut span: impl FnMut(), settle: impl Fn()) {
    let mut rounds: Vec<[u64; 3]> = (0..ROUNDS)
        .map(|_| {
            let (cpu_before, allocations) = (cpu(), ALLOCATIONS.load(Relaxed));
            let start = Instant::now();
            (0..SPANS).for_each(|_| span());
            let caller = start.elapsed();
            settle();
            let used = (cpu() - cpu_before).as_nanos() as u64;
            [caller.as_nanos() as u64, used, ALLOCATIONS.load(Relaxed) - allocations]
        })
        .collect();
    let per_span = |value: u64| value as f64 / f64::from(SPANS);
    let mut median = |at: usize| {
        rounds.sort_by_key(|round| round[at]);
        per_span(rounds[ROUNDS / 2][at])
    };
    let (caller, used, allocations) = (median(0), median(1), median(2));
    println!("{name:<34} {caller:>8.0} {used:>8.0} {allocations:>12.2}");
}

fn main() {
    println!("{:<34} {:>8} {:>8} {:>12}", "a span", "caller", "CPU ns", "allocations");
    ours();
    theirs();
}

fn ours() {
    static ACME: Provider = Provider::new("acme-bank");
    let span = || {
        let mut span = Span::builder("POST").client().start();
        span.tag("http.request.method", "POST").tag("http.response.status_code", 200).tag("url.full", URL);
        span.log("response", |log| log.tag("code", 5));
    };
    measure("spanmill, not recording", span, || {});
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("sock");
    receive_on(&socket);
    let guard = spanmill::builder().socket(socket).init().expect("no other client runs");
    let settle = || {
        spanmill::flush(Duration::from_secs(10));
    };
    measure("spanmill", span, settle);
    let call = || {
        let mut call = ACME.call("authorize");
        call.tag("http.request.method", "POST").tag("http.response.status_code", 200).tag("url.full", URL);
        call.log("response", |log| log.tag("code", 5));
        call.ok();
    };
    measure("spanmill, a call of a provider", call, settle);
    let report = guard.shutdown(Duration::from_secs(10));
    assert_eq!(report.dropped.total(), 0, "what is measured was sent");
}

/// A daemon that takes packets and looks at none.
fn receive_on(path: &std::path::Path) {
    let listener = net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let listener = listener.expect("a socket");
    net::bind(&listener, &SocketAddrUnix::new(path).expect("a short path")).expect("a new path");
    net::listen(&listener, 1).expect("it is bound");
    std::thread::spawn(move || {
        let connection = net::accept(&listener).expect("the client connects");
        let mut beginning = [0; 64];
        // The kernel throws away what does not fit.
        while net::recv(&connection, &mut beginning[..], RecvFlags::empty())
            .is_ok_and(|(_, length)| length > 0)
        {}
    });
}

fn theirs() {
    let provider = sdk();
    let tracer = provider.tracer("bench");
    let span = || {
        let mut span = tracer.start("POST");
        span.set_attribute(KeyValue::new("http.request.method", "POST"));
        span.set_attribute(KeyValue::new("http.response.status_code", 200));
        span.set_attribute(KeyValue::new("url.full", URL.to_string()));
        span.add_event("response", vec![KeyValue::new("code", 5)]);
        span.end();
    };
    let settle = || provider.force_flush().expect("nothing can fail");
    measure("opentelemetry SDK, encoded", span, settle);
    let provider = sdk();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let span = || {
            let span = tracing::info_span!(
                "POST",
                http.request.method = "POST",
                http.response.status_code = tracing::field::Empty,
                url.full = URL
            );
            let _entered = span.enter();
            span.record("http.response.status_code", 200);
            tracing::info!(code = 5, "response");
        };
        measure("tracing-opentelemetry, encoded", span, || provider.force_flush().expect("nothing can fail"));
    });
}
