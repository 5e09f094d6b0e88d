//! The one thread of the Rust client: sends what the queue holds, waits where the caller must not.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use spanmill_proto::local::Kind;

use super::link::{BackOff, Link, Sent};
use super::packet::Block;
use super::report::Report;
use crate::clock::Tick;
use crate::engine::Engine;
use crate::error::InitError;
use crate::recorder::{Reason, Stats};

/// A daemon that is restarted is found again within this.
const BACK_OFF: BackOff = BackOff { first: Duration::from_millis(100), most: Duration::from_secs(2) };
/// Longest wait on the socket, during which no flush is heard.
const DEAF_MAX: Duration = Duration::from_millis(50);
/// Blocks that the thread has taken over: a send buffer's worth.
const PENDING_MAX: usize = 16;
/// However long spans wait for company: a daemon that comes sees what is open within this, and hears our counters.
const KEEP: Duration = Duration::from_secs(1);
/// Longest time to close in: nothing waits longer for a stuck daemon, and instants do not overflow.
const CLOSE_MAX: Duration = Duration::from_secs(3600);

/// The callers' end of the drain thread.
#[derive(Debug)]
pub(crate) struct Drain {
    waker: Waker,
}

/// How the thread is woken.
#[derive(Debug)]
pub(crate) enum Waker {
    Thread(Thread),
    #[cfg(feature = "otlp")]
    Task(std::sync::Arc<tokio::sync::Notify>),
}

/// What callers ask of the thread, and how far it is.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    orders: Mutex<Orders>,
    news: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Orders {
    flushes_asked: u64,
    flushes_done: u64,
    /// To end by then, whatever is left.
    pub(crate) deadline: Option<Instant>,
    ended: bool,
}

impl Orders {
    /// True when somebody waits for what is recorded so far.
    pub(crate) fn is_asked(&self) -> bool {
        self.deadline.is_some() || self.flushes_asked > self.flushes_done
    }
}

impl Drain {
    pub(crate) fn start(engine: &'static Engine) -> Result<Drain, InitError> {
        let worker = Worker {
            engine,
            link: Link::new(engine.socket(), BACK_OFF, engine.hello(), engine.page().cloned()),
            report: Report::default(),
            pending: VecDeque::new(),
            head: Vec::new(),
            failing: Reason::NoDaemon,
        };
        let thread = std::thread::Builder::new().name("spanmill".into());
        let handle = thread.spawn(move || worker.run()).map_err(InitError::Thread)?;
        Ok(Drain::new(Waker::Thread(handle.thread().clone())))
    }

    pub(crate) fn new(waker: Waker) -> Drain {
        Drain { waker }
    }

    pub(crate) fn wake(&self) {
        match &self.waker {
            Waker::Thread(thread) => thread.unpark(),
            #[cfg(feature = "otlp")]
            Waker::Task(notify) => notify.notify_one(),
        }
    }

    /// Waits until what was recorded before is sent or dropped; false when the time was too short.
    pub(crate) fn flush(&self, desk: &Desk, timeout: Duration) -> bool {
        let mut orders = desk.lock();
        orders.flushes_asked += 1;
        let mine = orders.flushes_asked;
        self.wake();
        let waiting = |orders: &mut Orders| orders.flushes_done < mine && !orders.ended;
        !desk.wait(orders, timeout, waiting)
    }

    /// Ends the thread; what is not sent within `timeout` is dropped.
    pub(crate) fn close(&self, desk: &Desk, timeout: Duration) {
        let timeout = timeout.min(CLOSE_MAX);
        let mut orders = desk.lock();
        orders.deadline = Some(Instant::now() + timeout);
        self.wake();
        // It hears of it within DEAF_MAX; a second more is for a machine that is very busy.
        desk.wait(orders, timeout + DEAF_MAX + Duration::from_secs(1), |orders| !orders.ended);
    }
}

impl Desk {
    pub(crate) fn orders(&self) -> Orders {
        *self.lock()
    }

    /// Everything that was asked for by these orders is sent or dropped.
    pub(crate) fn flushed(&self, orders: &Orders) {
        self.tell(|desk| desk.flushes_done = orders.flushes_asked);
    }

    /// The thread ends.
    pub(crate) fn end(&self) {
        self.tell(|desk| desk.ended = true);
    }

    /// True as soon as the thread is asked to end.
    #[cfg(feature = "otlp")]
    pub(crate) fn is_closing(&self) -> bool {
        self.lock().deadline.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when it is still waiting at the end of its time.
    fn wait(
        &self,
        orders: MutexGuard<'_, Orders>,
        timeout: Duration,
        waiting: impl FnMut(&mut Orders) -> bool,
    ) -> bool {
        let result = self.news.wait_timeout_while(orders, timeout, waiting);
        result.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn tell(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.lock());
        self.news.notify_all();
    }
}

struct Worker {
    engine: &'static Engine,
    link: Link,
    report: Report,
    pending: VecDeque<Block>,
    head: Vec<u8>,
    /// Why blocks are not sent just now: what they are counted under when they grow too old.
    failing: Reason,
}

impl Worker {
    fn run(mut self) {
        let interval = self.engine.flush_interval();
        let mut next_sweep = Instant::now() + interval;
        loop {
            let orders = self.engine.desk().orders();
            let now = Instant::now();
            if orders.is_asked() || now >= next_sweep {
                next_sweep = now + interval;
                self.engine.queue().sweep();
            }
            if orders.deadline.is_some() {
                self.link.retry_now();
            }
            self.link.keep();
            let until = self.send();
            self.drop_older_than(Tick::now().before(self.engine.hold()));
            self.tell();
            if self.is_done() {
                self.engine.desk().flushed(&orders);
            }
            // A daemon that is slow gets the time that is left; for one that is absent nobody waits.
            let give_up = |deadline| now >= deadline || until.is_some();
            if orders.deadline.is_some_and(|deadline| self.is_done() || give_up(deadline)) {
                self.drop_older_than(Some(Tick::now()));
                self.tell_last();
                return self.engine.desk().end();
            }
            let until =
                until.into_iter().chain(orders.deadline).fold(next_sweep.min(now + KEEP), Instant::min);
            self.wait(until.saturating_duration_since(now));
        }
    }

    /// Takes blocks over from the queue, few at a time: what stays there may give way to failures.
    fn refill(&mut self) {
        while self.pending.len() < PENDING_MAX {
            let Some(block) = self.engine.queue().take() else { return };
            self.pending.push_back(block);
        }
    }

    /// True when nothing is left; what is not swept yet does not count.
    fn is_done(&mut self) -> bool {
        self.refill();
        self.pending.is_empty()
    }

    /// Sends what can be sent now; returns when another try is worth it, if the socket cannot tell.
    fn send(&mut self) -> Option<Instant> {
        let counters = self.engine.counters();
        loop {
            self.refill();
            let block = self.pending.pop_front()?;
            self.engine.envelope().head(block.bytes.len(), &mut self.head);
            match self.link.send(Kind::Spans, &self.head, &block.bytes) {
                Sent::Yes => {
                    counters.sent.fetch_add(block.spans, Relaxed);
                    counters.packets.fetch_add(1, Relaxed);
                    counters.connections.store(self.link.connections, Relaxed);
                }
                Sent::Refused => {
                    self.link.skip();
                    counters.drop_spans(Reason::Send, block.spans);
                }
                Sent::Busy => {
                    self.failing = Reason::Send;
                    self.pending.push_front(block);
                    return None;
                }
                Sent::Down { until } => {
                    self.failing = Reason::NoDaemon;
                    self.pending.push_front(block);
                    return Some(until);
                }
            }
            self.engine.queue().done(block);
        }
    }

    fn drop_older_than(&mut self, limit: Option<Tick>) {
        let is_old = |block: &Block| block.since.zip(limit).is_some_and(|(since, limit)| since <= limit);
        loop {
            self.refill();
            let Some(block) =
                self.pending.front().is_some_and(is_old).then(|| self.pending.pop_front()).flatten()
            else {
                return;
            };
            self.engine.counters().drop_spans(self.failing, block.spans);
            self.link.skip();
            self.engine.queue().done(block);
        }
    }

    /// Tells the daemon what was counted, at most once a second.
    fn tell(&mut self) {
        if self.link.socket().is_some() {
            let stats = self.engine.stats();
            if let Some(payload) = self.report.due(&stats, Tick::now()) {
                self.put_counters(&payload, stats);
            }
        }
    }

    /// The same at the end, whenever the last time was.
    fn tell_last(&mut self) {
        let stats = self.engine.stats();
        if let Some(payload) = self.report.news(&stats).filter(|_| self.link.socket().is_some()) {
            self.put_counters(&payload, stats);
        }
    }

    fn put_counters(&mut self, payload: &[u8], stats: Stats) {
        if self.link.send(Kind::Counters, payload, &[]) == Sent::Yes {
            self.report.told(stats);
        }
    }

    fn wait(&self, timeout: Duration) {
        match self.link.socket().filter(|_| !self.pending.is_empty()) {
            None => std::thread::park_timeout(timeout),
            Some(socket) => {
                let timeout = Timespec::try_from(timeout.min(DEAF_MAX)).ok();
                // An error shows again when it is sent to.
                let _ = poll(&mut [PollFd::new(&socket, PollFlags::OUT)], timeout.as_ref());
            }
        }
    }
}
