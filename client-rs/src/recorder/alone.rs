//! A recorder that its owner drives: no thread, no lock, no waiting.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use spanmill_mask::{ConfigError, UserRule};
use spanmill_proto::local::Kind as PacketKind;
use spanmill_proto::open_calls::SLOTS_PHP;

use super::{Counters, Desk, Kind, Reason, Record, Rules, Settings, Stats, trim};
use crate::board::board;
use crate::clock::{Moment, Tick};
use crate::context::Context;
use crate::error::InitError;
use crate::fork;
use crate::open_calls::OpenCalls;
use crate::provider::Provider;
use crate::resource::Resource;
use crate::transport::link::{BackOff, Link, Sent};
use crate::transport::packet::{Block, Envelope};
use crate::transport::report::{Report, hello};

/// Blocks that wait for the next flush while the daemon is slow: 256 KiB, a quarter of a send buffer.
const WAITING_MAX: usize = 4;
/// Patterns that a process may add. Each makes the rules anew, and the old ones stay: open spans use them.
const PATTERNS_MAX: usize = 64;
/// An absent daemon costs a process one attempt to connect in this time.
const BACK_OFF: BackOff = BackOff { first: Duration::from_secs(1), most: Duration::from_secs(30) };

/// Records spans and sends them when it is told to, for a runtime that must not have threads of ours.
///
/// Not shared between threads: each has its own.
#[derive(Debug)]
pub struct Recorder {
    settings: Settings,
    rules: &'static Rules,
    envelope: Envelope,
    /// What is open at this moment; `None` where the system does not allow it.
    page: Option<Arc<OpenCalls>>,
    link: Link,
    report: Report,
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
        Ok(Recorder::with(settings.clone(), settings.rules()?))
    }

    fn with(settings: Settings, rules: &'static Rules) -> Recorder {
        let resource = settings.resource.clone().masked(&rules.masker);
        let envelope = Envelope::new(&resource);
        let page = OpenCalls::new(SLOTS_PHP).ok().map(Arc::new);
        let hello = hello(&envelope, &resource, page.as_deref());
        introduce(&resource);
        Recorder {
            envelope,
            link: Link::new(&settings.socket, BACK_OFF, hello, page.clone()),
            report: Report::default(),
            page,
            settings,
            rules,
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
            let resource = settings.resource.clone().masked(&self.rules.masker);
            self.envelope = Envelope::new(&resource);
            self.settings = settings;
            self.link.introduce(hello(&self.envelope, &resource, self.page.as_deref()));
            introduce(&resource);
        }
    }

    /// Removes what matches `pattern`, a regular expression in the syntax of the crate `regex`, from every value that
    /// is recorded from here on. Only ever more is masked; a pattern that is there already changes nothing.
    pub fn mask_also(&mut self, pattern: &str) -> Result<(), InitError> {
        let rules = &self.settings.mask.rules;
        if rules.iter().any(|rule| rule.pattern == pattern) {
            return Ok(());
        }
        if rules.len() >= PATTERNS_MAX {
            let why = format!("a process may add {PATTERNS_MAX} patterns, and has");
            return Err(InitError::Mask(ConfigError::Rule { name: pattern.to_owned(), why }));
        }
        let mut settings = self.settings.clone();
        let name = format!("added-{}", rules.len());
        settings.mask.rules.push(UserRule { name, pattern: pattern.to_owned() });
        self.rules = settings.rules()?;
        self.settings = settings;
        Ok(())
    }

    /// Begins a span below `parent`, or a new trace.
    pub fn start(&self, name: &str, kind: Kind, parent: Option<&Context>) -> Box<Record> {
        Record::start(self.desk(), name, kind, parent)
    }

    /// Begins a call of a provider.
    pub fn start_call(&self, provider: &Provider, operation: &str, parent: Option<&Context>) -> Box<Record> {
        Record::call(self.desk(), provider.shared_name(), operation, parent)
    }

    /// Says where the request of a [`Kind::Client`] span goes, before it goes: the daemon sees it as open from here
    /// on, unless a call around it shows already.
    pub fn peer(&self, record: &mut Record, host: &str, port: Option<u16>) {
        record.peer(self.page.as_deref(), host, port);
    }

    fn desk(&self) -> Desk<'_> {
        Desk { rules: self.rules, page: self.page.as_deref(), now: Moment::now() }
    }

    /// Connects, if it is not connected and it is time to try: what is open shows from here on. One system call where
    /// it is connected already. True when the daemon is there.
    pub fn connect(&mut self) -> bool {
        self.notice_fork(std::process::id());
        self.link.keep().is_none()
    }

    /// Ends a span and keeps it for the next flush. Sends by itself only what no longer fits.
    pub fn finish(&mut self, mut record: Box<Record>) {
        let slot = record.take_slot();
        let finished = record.finish();
        // A forked child has a page of its own; the slot is one of its parent's.
        if !self.notice_fork(fork::pid(finished.end)) {
            self.page.iter().zip(slot).for_each(|(page, slot)| page.close(slot));
        }
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

    fn keep(&mut self, span: &[u8], now: Tick) {
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
        self.tell();
        true
    }

    /// Tells the daemon what was counted, at most once a second.
    fn tell(&mut self) {
        if !self.is_connected() {
            return;
        }
        let stats = self.stats();
        if let Some(payload) = self.report.due(&stats, Tick::now())
            && self.link.send(PacketKind::Counters, &payload, &[]) == Sent::Yes
        {
            self.report.told(stats);
        }
    }

    /// The counters of this process.
    pub fn stats(&self) -> Stats {
        let calls_without_slot = self.page.as_ref().map_or(0, |page| page.overflows());
        Stats { calls_without_slot, ..self.counters.read(self.accepted) }
    }

    /// How long the oldest span has been waiting for a flush.
    pub fn waiting(&self) -> Option<Duration> {
        self.blocks.front().and_then(|block| block.since).map(|since| Tick::now().since(since))
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
    fn notice_fork(&mut self, pid: u32) -> bool {
        let is_child = pid != self.pid;
        if is_child {
            *self = Recorder::with(self.settings.clone(), self.rules);
        }
        is_child
    }
}

/// Verdicts may concern one host or one service only.
fn introduce(resource: &Resource) {
    let own = |key| resource.value(key).unwrap_or_default();
    board().introduce(own("host.name"), own("service.name"));
}
