//! A recorder that its owner drives: no thread, no lock, no waiting.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use spanmill_mask::Masker;
use spanmill_proto::local::Kind as PacketKind;

use super::{Counters, Kind, Reason, Record, Settings, Stats, trim};
use crate::context::Context;
use crate::error::InitError;
use crate::fork;
use crate::provider::Provider;
use crate::transport::link::{BackOff, Link, Sent};
use crate::transport::packet::{Block, Envelope};

/// Blocks that wait for the next flush while the daemon is slow: 256 KiB, a quarter of a send buffer.
const WAITING_MAX: usize = 4;
/// An absent daemon costs a process one attempt to connect in this time.
const BACK_OFF: BackOff = BackOff { first: Duration::from_secs(1), most: Duration::from_secs(30) };

/// Records spans and sends them when it is told to, for a runtime that must not have threads of ours.
///
/// Not shared between threads: each has its own.
#[derive(Debug)]
pub struct Recorder {
    settings: Settings,
    masker: &'static Masker,
    envelope: Envelope,
    link: Link,
    /// Full blocks, and behind them the one that is being filled.
    blocks: VecDeque<Block>,
    spare: Block,
    head: Vec<u8>,
    counters: Counters,
    accepted: u64,
    pid: u32,
}

impl Recorder {
    /// A recorder with these settings; connects when there is something to send.
    pub fn new(settings: &Settings) -> Result<Recorder, InitError> {
        settings.check()?;
        Ok(Recorder::with(settings.clone(), settings.masker()?))
    }

    fn with(settings: Settings, masker: &'static Masker) -> Recorder {
        Recorder {
            envelope: Envelope::new(&settings.resource.clone().masked(masker)),
            link: Link::new(&settings.socket, BACK_OFF),
            settings,
            masker,
            blocks: VecDeque::new(),
            spare: Block::default(),
            head: Vec::new(),
            counters: Counters::default(),
            accepted: 0,
            pid: std::process::id(),
        }
    }

    /// Names the service from here on; what is recorded already is sent under the old name first.
    pub fn set_service(&mut self, name: &str) {
        let settings = self.settings.clone().service(name);
        if settings.resource != self.settings.resource {
            self.flush();
            self.drop_waiting(0, Reason::Send);
            self.envelope = Envelope::new(&settings.resource.clone().masked(self.masker));
            self.settings = settings;
        }
    }

    /// Begins a span below `parent`, or a new trace.
    pub fn start(&self, name: &str, kind: Kind, parent: Option<&Context>) -> Box<Record> {
        Record::start(self.masker, name, kind, parent)
    }

    /// Begins a call of a provider.
    pub fn start_call(&self, provider: &Provider, operation: &str, parent: Option<&Context>) -> Box<Record> {
        Record::start_call(self.masker, provider, operation, parent)
    }

    /// Ends a span and keeps it for the next flush. Sends by itself only what no longer fits.
    pub fn finish(&mut self, mut record: Box<Record>) {
        let finished = record.finish();
        self.notice_fork(fork::pid(finished.end));
        Counters::note(&self.counters.masked, finished.masked);
        Counters::note(&self.counters.truncated, finished.truncated);
        let bytes_max = self.envelope.span_bytes_max();
        let trimmed;
        let mut span = Some(finished.span);
        if finished.span.len() > bytes_max {
            Counters::note(&self.counters.trimmed, 1);
            trimmed = trim(finished.span, bytes_max);
            span = trimmed.as_deref();
        }
        match span {
            None => self.counters.drop_spans(Reason::TooLong, 1),
            Some(span) => self.keep(span, finished.end),
        }
        record.recycle();
    }

    fn keep(&mut self, span: &[u8], now: Instant) {
        let block_bytes_max = self.envelope.block_bytes_max();
        if self.blocks.back().is_some_and(|block| !block.has_room(span.len(), block_bytes_max)) {
            self.flush();
        }
        if !self.blocks.back().is_some_and(|block| block.has_room(span.len(), block_bytes_max)) {
            self.blocks.push_back(std::mem::take(&mut self.spare));
        }
        let block = self.blocks.back_mut().expect("one was pushed if there was none");
        block.push(span, now);
        self.accepted += 1;
    }

    /// Sends what is recorded, each packet tried once; true when nothing is left. While the daemon is slow
    /// the newest 256 KiB wait for the next flush; while it is absent nothing waits.
    pub fn flush(&mut self) -> bool {
        self.notice_fork(std::process::id());
        while let Some(block) = self.blocks.front() {
            self.envelope.head(block.bytes.len(), &mut self.head);
            match self.link.send(PacketKind::Spans, &self.head, &block.bytes) {
                Sent::Yes => {
                    self.counters.sent.fetch_add(block.spans, Relaxed);
                    self.counters.packets.fetch_add(1, Relaxed);
                    self.counters.connections.store(self.link.connections, Relaxed);
                    self.pop();
                }
                Sent::Refused => self.drop_waiting(self.blocks.len() - 1, Reason::Send),
                Sent::Busy => {
                    self.drop_waiting(WAITING_MAX, Reason::Send);
                    return false;
                }
                Sent::Down { .. } => self.drop_waiting(0, Reason::NoDaemon),
            }
        }
        true
    }

    /// The counters of this process.
    pub fn stats(&self) -> Stats {
        self.counters.read(self.accepted)
    }

    /// How long the oldest span has been waiting for a flush.
    pub fn waiting(&self) -> Option<Duration> {
        self.blocks.front().and_then(|block| block.since).map(|since| since.elapsed())
    }

    /// True in a forked child, as long as the recorder is still its parent's. What is open then belongs to
    /// the parent; the next span that is finished, and the next flush, begin with an empty recorder.
    pub fn is_inherited(&self) -> bool {
        self.pid != std::process::id()
    }

    /// True while it is connected to the daemon.
    pub fn is_connected(&self) -> bool {
        self.link.socket().is_some()
    }

    /// Drops the oldest blocks until `kept` are left.
    fn drop_waiting(&mut self, kept: usize, reason: Reason) {
        while self.blocks.len() > kept {
            let spans = self.blocks.front().map_or(0, |block| block.spans);
            self.counters.drop_spans(reason, spans);
            self.link.skip();
            self.pop();
        }
    }

    /// Takes the front block out and keeps its buffer.
    fn pop(&mut self) {
        if let Some(mut block) = self.blocks.pop_front() {
            block.clear();
            self.spare = block;
        }
    }

    /// A forked child starts anew: what it inherited, its parent sends.
    fn notice_fork(&mut self, pid: u32) {
        if pid != self.pid {
            *self = Recorder::with(self.settings.clone(), self.masker);
        }
    }
}
