//! In steady state a span costs its caller no allocation: its buffers are those of spans before it.

#![allow(clippy::unwrap_used)] // in what the tests share; see clippy.toml

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use spanmill::recorder::{Kind, Outcome, Recorder, Settings};
use spanmill::{Provider, Span};

static ACME: Provider = Provider::new("acme-bank");
const URL: &str = "https://api.acme.example/v1/payments/authorize?merchant=shop12";

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[allow(unsafe_code)] // an allocator is unsafe by its trait; it only counts and hands on
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is handed on as it is.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread during `work`, after it was done a few times.
fn allocations(mut work: impl FnMut()) -> u64 {
    (0..50).for_each(|_| work());
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn spans_and_calls_allocate_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = spanmill::builder().socket(folder.path().join("nobody")).hold(Duration::ZERO);
    let guard = nobody.flush_interval(Duration::from_secs(3600)).init().unwrap();
    let count = allocations(|| {
        for _ in 0..100 {
            let request = Span::builder("POST /checkout").server().start();
            let _current = request.enter();
            let mut call = ACME.call("authorize");
            let mut span = Span::builder("POST").client().peer("api.acme.example", Some(443)).start();
            span.tag("http.request.method", "POST")
                .tag("http.response.status_code", 200)
                .tag("url.full", URL);
            span.log("response", |log| log.tag("code", 5));
            drop(span);
            call.tag("payment.scheme", "visa");
            call.ok();
        }
        spanmill::flush(Duration::from_secs(10));
    });
    assert_eq!(count, 0);
    drop(guard);
    assert_eq!(allocations(|| ACME.call("authorize").ok()), 0, "nor while nothing is recorded");
}

#[test]
fn the_recorder_without_a_thread_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::from_env("php").unwrap().socket(folder.path().join("nobody"));
    let mut recorder = Recorder::new(&settings).unwrap();
    let count = allocations(|| {
        for _ in 0..100 {
            let mut call = recorder.start_call(&ACME, "authorize", None);
            let mut span = recorder.start("POST", Kind::Client, Some(call.context()));
            span.tag("url.full", URL);
            recorder.finish(span);
            call.outcome(Outcome::Ok);
            recorder.finish(call);
        }
        recorder.flush();
    });
    assert_eq!(count, 0);
}

#[test]
fn a_verdict_allocates_nothing() {
    let _board = spanmill::testing::verdicts(&[("acme-bank", spanmill::State::Slow)]);
    assert_eq!(allocations(|| assert!(ACME.verdict().is_slow())), 0);
}
