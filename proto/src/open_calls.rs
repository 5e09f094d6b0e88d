//! The open-call page: which calls of a process are open at this moment, in memory that it shares with the daemon.
//!
//! Opening and closing a call is a few stores by the client; the daemon looks each second. The page is a sealed
//! `memfd` of one header and then 64 (PHP) or 1,024 (Rust) slots, each [`SLOT_BYTES`] long. All numbers are
//! little-endian, all stores are of whole aligned 64-bit words.
//!
//! ```text
//! header  0 magic "SPMLCALL" │ 8 version u32 │ 12 slots u32 │ 16 slot bytes u32 │ 20 pid u32
//!        24 overflows u64: calls that found no free slot, since the page was made
//!        32 high water u64: slots from this number on were never used │ 40 … zero
//! slot    0 state u64: generation << 2 | phase (0 free, 1 being written, 2 open)
//!         8 start, unix ns: the same number as in the span │ 16 span id │ 24 trace id
//!        40 flags u8 (1 attempt, 2 the target is an address) │ 41 target length │ 42 operation length │ 43 zero
//!        44 port u16 │ 46 zero │ 48 target, 88 bytes │ 136 operation, 56 bytes
//! ```
//! The generation grows with each opening, so a slot whose state is the same at two moments was not touched between
//! them. That is all a reader needs: it takes two copies of the page, one after the other, and believes the slots
//! that are open and equal in both ([`read`]). Two `pread(2)` of the descriptor do it, without mapping memory that
//! somebody else may shrink.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::Release, fence};

/// Bytes of a slot, and of the header: three cache lines.
pub const SLOT_BYTES: usize = 192;
/// Bytes before the first slot.
pub const HEADER_BYTES: usize = SLOT_BYTES;
/// Slots of a PHP worker, which does one thing at a time, a few with `curl_multi`.
pub const SLOTS_PHP: usize = 64;
/// Slots of a Rust service: calls that are open at the same moment.
pub const SLOTS_RUST: usize = 1024;
/// More slots than any client has; a larger page is refused.
pub const SLOTS_MAX: usize = 4096;
/// Version of the layout.
pub const VERSION: u32 = 1;
/// Bytes of a provider's name or a peer's address. Of a longer address the end is kept: rules look at suffixes.
pub const TARGET_BYTES_MAX: usize = 88;
/// Bytes of an operation.
pub const OPERATION_BYTES_MAX: usize = 56;

const MAGIC: u64 = u64::from_le_bytes(*b"SPMLCALL");
const WORDS: usize = SLOT_BYTES / 8;
const OVERFLOWS_WORD: usize = 3;
const HIGH_WATER_WORD: usize = 4;
const TARGET_WORD: usize = 6;
const OPERATION_WORD: usize = 17;
const PHASE: u64 = 3;
const WRITING: u64 = 1;
const OPEN: u64 = 2;
const FLAG_ATTEMPT: u8 = 1;
const FLAG_ADDRESS: u8 = 2;

/// Bytes of a page with this many slots.
pub const fn page_bytes(slots: usize) -> usize {
    HEADER_BYTES + slots * SLOT_BYTES
}

/// Whom a call goes to, as far as its client knows when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The provider's name, said by the program.
    Provider(&'a str),
    /// `server.address` and `server.port`; the port is 0 where it is not known.
    Address(&'a str, u16),
}

/// A call that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCall<'a> {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    /// Start by the wall clock, the same number as in the span that will follow.
    pub start_unix_ns: u64,
    pub target: Target<'a>,
    /// Empty where it is not known.
    pub operation: &'a str,
    /// An attempt inside a call that has a slot of its own.
    pub is_attempt: bool,
}

/// The writer's view of a page: its words, shared or not.
#[derive(Debug, Clone, Copy)]
pub struct Page<'m> {
    words: &'m [AtomicU64],
}

impl<'m> Page<'m> {
    /// Makes zeroed memory a page; as many slots as fit.
    pub fn format(words: &'m [AtomicU64], pid: u32) -> Page<'m> {
        let page = Page::resume(words);
        words[1].store(u64::from(VERSION) | (page.slots() as u64) << 32, Relaxed);
        words[2].store(SLOT_BYTES as u64 | u64::from(pid) << 32, Relaxed);
        // Last: what has the magic number is a page.
        words[0].store(MAGIC, Release);
        page
    }

    /// Goes on with a page that this process has formatted before.
    pub fn resume(words: &'m [AtomicU64]) -> Page<'m> {
        let slots = (words.len() / WORDS).saturating_sub(1).min(SLOTS_MAX);
        Page { words: &words[..(1 + slots) * WORDS] }
    }

    pub fn slots(&self) -> usize {
        self.words.len() / WORDS - 1
    }

    /// Writes a call into a slot that is free and that nobody else writes at the same time.
    pub fn open(&self, slot: usize, call: &OpenCall<'_>) {
        let words = self.slot(slot);
        let generation = words[0].load(Relaxed) & !PHASE;
        let next = generation.wrapping_add(PHASE + 1);
        words[0].store(next | WRITING, Relaxed);
        // A reader that sees one of the stores below sees the slot being written, too.
        fence(Release);
        let (target, flag, port) = match call.target {
            Target::Provider(name) => (beginning(name, TARGET_BYTES_MAX), 0, 0),
            Target::Address(host, port) => (ending(host, TARGET_BYTES_MAX), FLAG_ADDRESS, port),
        };
        let operation = beginning(call.operation, OPERATION_BYTES_MAX);
        let flags = flag | if call.is_attempt { FLAG_ATTEMPT } else { 0 };
        let lengths = [flags, target.len() as u8, operation.len() as u8, 0];
        let about = u64::from(u32::from_le_bytes(lengths)) | u64::from(port) << 32;
        words[1].store(call.start_unix_ns, Relaxed);
        store(&words[2..3], &call.span_id);
        store(&words[3..5], &call.trace_id);
        words[5].store(about, Relaxed);
        store(&words[TARGET_WORD..OPERATION_WORD], target.as_bytes());
        store(&words[OPERATION_WORD..], operation.as_bytes());
        words[0].store(next | OPEN, Release);
    }

    /// The call in a slot has ended.
    pub fn close(&self, slot: usize) {
        let state = &self.slot(slot)[0];
        state.store(state.load(Relaxed) & !PHASE, Release);
    }

    /// A slot below this number may be in use; readers stop there.
    pub fn raise_high_water(&self, used: usize) {
        let mark = &self.words[HIGH_WATER_WORD];
        if mark.load(Relaxed) < used as u64 {
            mark.fetch_max(used as u64, Relaxed);
        }
    }

    /// A call found no free slot.
    pub fn count_overflow(&self) {
        self.words[OVERFLOWS_WORD].fetch_add(1, Relaxed);
    }

    /// No slot from this number on was ever used.
    pub fn high_water(&self) -> usize {
        usize::try_from(self.words[HIGH_WATER_WORD].load(Relaxed)).unwrap_or(usize::MAX)
    }

    /// Calls that found no free slot so far.
    pub fn overflows(&self) -> u64 {
        self.words[OVERFLOWS_WORD].load(Relaxed)
    }

    fn slot(&self, slot: usize) -> &'m [AtomicU64] {
        &self.words[(1 + slot) * WORDS..][..WORDS]
    }
}

/// Stores bytes as words; what is beyond them in the last word becomes zero, further words stay as they are.
#[inline]
fn store(words: &[AtomicU64], bytes: &[u8]) {
    for (word, chunk) in words.iter().zip(bytes.chunks(8)) {
        let mut whole = [0; 8];
        whole[..chunk.len()].copy_from_slice(chunk);
        word.store(u64::from_le_bytes(whole), Relaxed);
    }
}

fn beginning(text: &str, bytes_max: usize) -> &str {
    let to = text.len().min(bytes_max);
    &text[..(0..=to).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)]
}

fn ending(text: &str, bytes_max: usize) -> &str {
    let from = text.len().saturating_sub(bytes_max);
    &text[(from..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())..]
}

/// Why memory is not a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPage {
    #[error("the page is shorter than its header of {HEADER_BYTES} bytes")]
    Short,
    #[error("the page does not begin with SPMLCALL")]
    Magic,
    #[error("page layout {0}, this daemon reads {VERSION}")]
    Version(u32),
    #[error("slots of {0} bytes, this daemon reads {SLOT_BYTES}")]
    SlotBytes(u32),
}

/// What a page says, from two copies of it. The memory belongs to a stranger: nothing in it is believed but what
/// was checked here, and names are text of a stranger still.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'c> {
    first: &'c [u8],
    second: &'c [u8],
    /// The client's process id, as it says.
    pub pid: u32,
    /// Calls that found no free slot.
    pub overflows: u64,
    /// Slots that are worth a look.
    pub slots: usize,
}

/// Reads a page from two copies, the second begun after the first was complete. Slots that do not lie in both copies
/// are left out.
pub fn read<'c>(first: &'c [u8], second: &'c [u8]) -> Result<Snapshot<'c>, BadPage> {
    let header = second.get(..HEADER_BYTES).ok_or(BadPage::Short)?;
    let half = |at: usize| word(header, at / 8) >> (at % 8 * 8);
    if word(header, 0) != MAGIC {
        return Err(BadPage::Magic);
    }
    let (version, slot_bytes) = (half(8) as u32, half(16) as u32);
    if version != VERSION {
        return Err(BadPage::Version(version));
    }
    if slot_bytes != SLOT_BYTES as u32 {
        return Err(BadPage::SlotBytes(slot_bytes));
    }
    let there = (first.len().min(second.len()) / SLOT_BYTES).saturating_sub(1).min(SLOTS_MAX);
    let said =
        (half(12) as u32 as usize).min(usize::try_from(word(header, HIGH_WATER_WORD)).unwrap_or(usize::MAX));
    Ok(Snapshot {
        first,
        second,
        pid: half(20) as u32,
        overflows: word(header, OVERFLOWS_WORD),
        slots: said.min(there),
    })
}

/// Bytes from the beginning of the page that the next copies need, by the header of an earlier one.
pub fn worth_copying(header: &[u8]) -> usize {
    read(header, header).map_or(HEADER_BYTES, |_| {
        let used = usize::try_from(word(header, HIGH_WATER_WORD)).unwrap_or(usize::MAX);
        page_bytes(used.min(SLOTS_MAX))
    })
}

impl<'c> Snapshot<'c> {
    /// The calls that are open, each with its slot and generation, which together name it as long as it is open.
    /// Slots that change at this moment, or hold what no client of ours writes, are passed over.
    pub fn open_calls(&self) -> impl Iterator<Item = (usize, u64, OpenCall<'c>)> + use<'c> {
        let (first, second) = (self.first, self.second);
        (0..self.slots).filter_map(move |slot| {
            let at = HEADER_BYTES + slot * SLOT_BYTES;
            let bytes = second.get(at..at + SLOT_BYTES)?;
            let state = word(bytes, 0);
            let is_steady = state & PHASE == OPEN && first.get(at..at + SLOT_BYTES) == Some(bytes);
            is_steady.then(|| open_call(bytes)).flatten().map(|call| (slot, state >> 2, call))
        })
    }
}

fn open_call(bytes: &[u8]) -> Option<OpenCall<'_>> {
    let [flags, target_bytes, operation_bytes, _, port_low, port_high, ..] = *bytes.get(40..48)? else {
        return None;
    };
    let target = text(bytes, TARGET_WORD * 8, target_bytes, TARGET_BYTES_MAX)?;
    let operation = text(bytes, OPERATION_WORD * 8, operation_bytes, OPERATION_BYTES_MAX)?;
    let port = u16::from_le_bytes([port_low, port_high]);
    let call = OpenCall {
        trace_id: bytes.get(24..40)?.try_into().ok()?,
        span_id: bytes.get(16..24)?.try_into().ok()?,
        start_unix_ns: word(bytes, 1),
        target: if flags & FLAG_ADDRESS == 0 {
            Target::Provider(target)
        } else {
            Target::Address(target, port)
        },
        operation,
        is_attempt: flags & FLAG_ATTEMPT != 0,
    };
    // An empty target names nobody, and ids of zeros belong to no span.
    (!target.is_empty() && call.span_id != [0; 8] && call.trace_id != [0; 16]).then_some(call)
}

fn text(bytes: &[u8], at: usize, length: u8, bytes_max: usize) -> Option<&str> {
    let length = usize::from(length);
    let text = bytes.get(at..at + length).filter(|_| length <= bytes_max)?;
    std::str::from_utf8(text).ok()
}

/// Word number `number` of `bytes`; 0 beyond them.
fn word(bytes: &[u8], number: usize) -> u64 {
    bytes.get(number * 8..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

#[cfg(test)]
#[path = "open_calls_tests.rs"]
mod tests;
