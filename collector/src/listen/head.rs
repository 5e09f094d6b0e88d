//! Tells a connection that rests between two HTTP/1.1 requests from one that takes its time over a header.
//!
//! hyper starts its header timer when it begins to wait for a request, so one number bounds both, and ten
//! seconds for a header would close the connection of an exporter that sends every ten seconds. This timer
//! runs as long as hyper asks while nothing arrives, and is cut to the header's time when the first bytes do.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};

/// The timer of one connection.
#[derive(Debug, Clone)]
pub(super) struct HeadTimer {
    reads: Arc<AtomicU64>,
    header_timeout: Duration,
}

impl HeadTimer {
    pub(super) fn new(reads: Arc<AtomicU64>, header_timeout: Duration) -> HeadTimer {
        HeadTimer { reads, header_timeout }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(HeadSleep {
            sleep: Box::pin(tokio::time::sleep_until(deadline.into())),
            resting_at: Some(self.reads.load(Ordering::Relaxed)),
            timer: self.clone(),
        })
    }
}

struct HeadSleep {
    sleep: Pin<Box<tokio::time::Sleep>>,
    /// The number of reads at which the wait began; `None` once more has come.
    resting_at: Option<u64>,
    timer: HeadTimer,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    /// hyper polls it after each read that did not complete the header.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let reads = self.timer.reads.load(Ordering::Relaxed);
        if self.resting_at.is_some_and(|at| at != reads) {
            self.resting_at = None;
            let deadline = tokio::time::Instant::now() + self.timer.header_timeout;
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(cx)
    }
}

/// A stream that counts its reads.
pub(super) struct CountReads<T> {
    io: T,
    reads: Arc<AtomicU64>,
}

impl<T> CountReads<T> {
    pub(super) fn new(io: T, reads: Arc<AtomicU64>) -> CountReads<T> {
        CountReads { io, reads }
    }
}

impl<T: Read + Unpin> Read for CountReads<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for CountReads<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }
}
