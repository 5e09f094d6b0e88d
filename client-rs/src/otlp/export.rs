//! The exporter's thread: takes blocks from the queue, sends them as one request, and tries again what may pass.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tonic::Status;

use super::channel::Receiver;
use super::settings::OtlpSettings;
use super::{pulse, retry};
use crate::clock::{self, Tick};
use crate::engine::Engine;
use crate::error::InitError;
use crate::id;
use crate::recorder::Reason;
use crate::running;
use crate::transport::drain::{Drain, Waker};
use crate::transport::packet::Block;

/// Receivers take 4 MiB by default; a block is at most 64 KiB.
const REQUEST_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Starts the thread.
pub(crate) fn start(engine: &'static Engine, settings: &OtlpSettings) -> Result<Drain, InitError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(InitError::Thread)?;
    let receiver = {
        let _inside = runtime.enter();
        Receiver::new(settings).map_err(InitError::Endpoint)?
    };
    let notify = Arc::new(Notify::new());
    let waker = Waker::Task(notify.clone());
    let exporter = Exporter {
        engine,
        receiver,
        notify,
        batch: VecDeque::new(),
        tries: 0,
        retry_at: None,
        failing: Reason::NoDaemon,
    };
    let thread = std::thread::Builder::new().name("spanmill-otlp".into());
    let run = move || {
        running::silence();
        runtime.block_on(exporter.run());
        // Requests that hang must not hold the thread, and with it the end of the program.
        runtime.shutdown_background();
    };
    thread.spawn(run).map_err(InitError::Thread)?;
    Ok(Drain::new(waker))
}

struct Exporter {
    engine: &'static Engine,
    receiver: Receiver,
    notify: Arc<Notify>,
    /// What the next request holds.
    batch: VecDeque<Block>,
    tries: u32,
    retry_at: Option<Instant>,
    /// Why blocks are not sent just now: what they are counted under when they grow too old.
    failing: Reason,
}

impl Exporter {
    async fn run(mut self) {
        tokio::spawn(pulse::report(self.engine, self.receiver.clone()));
        let interval = self.engine.flush_interval();
        let mut next_sweep = Instant::now() + interval;
        loop {
            let orders = self.engine.desk().orders();
            let now = Instant::now();
            if orders.is_asked() || now >= next_sweep {
                next_sweep = now + interval;
                self.engine.queue().sweep();
            }
            self.drop_older_than(Tick::now().before(self.engine.hold()));
            if self.is_done() {
                self.engine.desk().flushed(&orders);
            }
            if let Some(deadline) = orders.deadline {
                // For a receiver that is absent nobody waits.
                if self.is_done() || now >= deadline || self.tries > 1 {
                    self.drop_older_than(Some(Tick::now()));
                    return self.engine.desk().end();
                }
            }
            if !self.is_done() && (orders.deadline.is_some() || self.retry_at.is_none_or(|at| now >= at)) {
                self.send().await;
                continue;
            }
            let until = self.retry_at.filter(|_| !self.batch.is_empty()).into_iter().chain(orders.deadline);
            let until = until.fold(next_sweep, Instant::min);
            let _ = tokio::time::timeout_at(until.into(), self.notify.notified()).await;
        }
    }

    fn is_done(&mut self) -> bool {
        let mut bytes: usize = self.batch.iter().map(|block| block.bytes.len()).sum();
        while bytes < REQUEST_BYTES_MAX {
            let Some(block) = self.engine.queue().take() else { break };
            bytes += block.bytes.len();
            self.batch.push_back(block);
        }
        self.batch.is_empty()
    }

    async fn send(&mut self) {
        let request = self.request();
        self.tries += 1;
        match self.export(request).await {
            Ok(rejected) => {
                let spans: u64 = self.batch.iter().map(|block| block.spans).sum();
                let counters = self.engine.counters();
                let rejected = rejected.min(spans);
                counters.sent.fetch_add(spans - rejected, Relaxed);
                counters.drop_spans(Reason::Rejected, rejected);
                counters.packets.fetch_add(1, Relaxed);
                self.finish_batch();
            }
            Err(status) => {
                self.failing =
                    if status.code() == tonic::Code::Unavailable { Reason::NoDaemon } else { Reason::Send };
                match retry::wait(&status, self.tries, id::random(clock::wall_ns())) {
                    Some(wait) => self.retry_at = Some(Instant::now() + wait),
                    None => self.drop_batch(),
                }
            }
        }
    }

    /// Requests one after the other are one request: repeated fields concatenate.
    fn request(&self) -> Bytes {
        let mut request = BytesMut::new();
        let mut head = Vec::new();
        for block in &self.batch {
            self.engine.envelope().head(block.bytes.len(), &mut head);
            request.extend_from_slice(&head);
            request.extend_from_slice(&block.bytes);
        }
        request.freeze()
    }

    /// Sends a request, no longer than until the client has to end.
    async fn export(&self, request: Bytes) -> Result<u64, Status> {
        let mut export = std::pin::pin!(self.receiver.export(request));
        loop {
            let deadline = self.engine.desk().orders().deadline;
            let timeout = deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            tokio::select! {
                answer = &mut export => return answer,
                () = tokio::time::sleep(timeout) => return Err(Status::deadline_exceeded("the client ends")),
                // Asked to end, perhaps.
                () = self.notify.notified() => {}
            }
        }
    }

    fn finish_batch(&mut self) {
        self.batch.drain(..).for_each(|block| self.engine.queue().done(block));
        (self.tries, self.retry_at) = (0, None);
    }

    fn drop_batch(&mut self) {
        let spans = self.batch.iter().map(|block| block.spans).sum();
        self.engine.counters().drop_spans(self.failing, spans);
        self.finish_batch();
    }

    fn drop_older_than(&mut self, limit: Option<Tick>) {
        let is_old = |block: &Block| block.since.zip(limit).is_some_and(|(since, limit)| since <= limit);
        while !self.is_done() {
            if !self.batch.front().is_some_and(is_old) {
                return;
            }
            if let Some(block) = self.batch.pop_front() {
                self.engine.counters().drop_spans(self.failing, block.spans);
                self.engine.queue().done(block);
            }
        }
    }
}
