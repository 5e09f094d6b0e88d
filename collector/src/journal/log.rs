//! The log as its one writer sees it: a state machine over a [`Disk`], without a thread or a clock of its own.
//!
//! A write either is whole, or is cut off again and refused. Whatever fails, the next write starts afresh.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::disk::{self, Disk, File};
use super::record;
use super::recover::{origins, recover};
use super::reserve;
use super::segment;
use super::shared::{Segment, Shared};
use super::{Config, Durability, Overflow, Position, Record};
use crate::mask::MaskedBatch;

/// Records in one writev: two parts each, and the kernel takes 1,024 parts.
const GROUP_MAX: usize = 512;

/// Limits and promises, as [`super::Config`] has them.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub segment_size: u64,
    pub max_size: u64,
    pub max_age_ns: u64,
    pub durability: Durability,
    pub overflow: Overflow,
}

impl From<Config> for Limits {
    fn from(config: Config) -> Limits {
        Limits {
            // Whole segments are deleted, so a small journal needs small ones; one of a few bytes is all header.
            segment_size: config.segment_size.min(config.max_size / 4).max(4096),
            max_size: config.max_size,
            max_age_ns: u64::try_from(config.max_age.as_nanos()).unwrap_or(u64::MAX),
            durability: config.durability,
            overflow: config.overflow,
        }
    }
}

#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    limits: Limits,
    /// The segment that is written to; none before the first write and after a failure.
    active: Option<Active>,
    /// Where the next segment may begin at the earliest.
    reserved: u64,
    /// The reserve is looked after again when this time has come.
    reserve_due_unix_ns: u64,
}

/// How often the reserve is looked for: it is needed once in a year, and gone a minute at most.
const RESERVE_NS: u64 = 60_000_000_000;

#[derive(Debug)]
struct Active {
    header: segment::Header,
    file: Arc<dyn File>,
    /// Bytes of whole records.
    len: u64,
    /// A failed write could not be cut off yet.
    torn: bool,
}

/// As much as a small batch, and nothing that could be read as a record.
const PROBE: [u8; 4096] = [0; 4096];

/// A batch to write, with the checksum of its bytes.
pub trait Pending {
    fn batch(&self) -> &MaskedBatch;
    fn body_crc(&self) -> u32;

    fn record_len(&self) -> u64 {
        (record::header_len(self.batch().origin()) + self.batch().bytes().len()) as u64
    }
}

impl Log {
    /// Opens what is on the disk; `fresh` names the log if there is none yet.
    pub fn open(disk: Arc<dyn Disk>, limits: Limits, fresh: u128) -> io::Result<Log> {
        let (state, reserved) = recover(&*disk, limits.segment_size, fresh)?;
        let origins = origins(&*disk, &state)?;
        reserve::hold(&*disk);
        let shared = Arc::new(Shared::new(disk, state));
        *shared.origins() = origins;
        Ok(Log { shared, limits, active: None, reserved, reserve_due_unix_ns: 0 })
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Writes as many of `group` as go into one segment, in their order, and publishes them. Says where the first
    /// one lies and how many they are. On an error none of them is in the log.
    pub fn write(&mut self, group: &[impl Pending], now_unix_ns: u64) -> io::Result<(Position, usize)> {
        let result = self.write_group(group, now_unix_ns);
        self.shared.writable.store(result.is_ok(), std::sync::atomic::Ordering::Relaxed);
        result
    }

    /// Finds out whether a batch could be written now; leaves nothing behind. For when the last one could not be
    /// and no other comes: whoever routes by readiness sends none before it is said that they are welcome.
    pub fn probe(&mut self, now_unix_ns: u64) -> io::Result<()> {
        let result = self.write_and_cut(now_unix_ns);
        self.shared.writable.store(result.is_ok(), std::sync::atomic::Ordering::Relaxed);
        result
    }

    fn write_and_cut(&mut self, now_unix_ns: u64) -> io::Result<()> {
        let mut active = self.take_active(PROBE.len() as u64, now_unix_ns)?;
        let at = segment::HEADER_LEN + active.len;
        let written = disk::write_all(&*active.file, &mut [IoSlice::new(&PROBE)], at);
        active.cut();
        self.active = Some(active);
        written
    }

    fn write_group(&mut self, group: &[impl Pending], now_unix_ns: u64) -> io::Result<(Position, usize)> {
        let mut active = self.take_active(group[0].record_len(), now_unix_ns)?;
        let group = fitting(group, active.header.capacity - active.len);
        let start = active.header.first + active.len;
        let spans = self.shared.state().spans;
        let headers = headers(group, start, spans);
        let written = write_records(&*active.file, segment::HEADER_LEN + active.len, &headers, group);
        if let Err(error) = written {
            active.cut();
            self.active = Some(active);
            return Err(error);
        }
        if self.limits.durability == Durability::Power
            && let Err(error) = active.file.sync()
        {
            // The kernel forgets what it failed to write, so this file is not to be trusted with more.
            active.cut();
            self.active = active.torn.then_some(active);
            return Err(error);
        }
        active.len += group.iter().map(Pending::record_len).sum::<u64>();
        self.active = Some(active);
        self.shared.publish(group.iter().zip(&headers).map(|(pending, (header, _))| Record {
            position: Position(header.position),
            next: Position(header.position + header.record_len()),
            spans_before: header.spans_before,
            batch: pending.batch().clone(),
        }));
        Ok((Position(start), group.len()))
    }

    /// The segment that a record of `len` bytes goes to; a new one if it does not fit into the present one.
    fn take_active(&mut self, len: u64, now_unix_ns: u64) -> io::Result<Active> {
        if let Some(mut active) = self.active.take() {
            if active.torn {
                active.cut();
            }
            if active.torn {
                self.active = Some(active);
                return Err(io::Error::other("a failed write cannot be cut off"));
            }
            if active.len + len <= active.header.capacity {
                return Ok(active);
            }
            active.seal();
        }
        self.begin_segment(len, now_unix_ns)
    }

    fn begin_segment(&mut self, len: u64, now_unix_ns: u64) -> io::Result<Active> {
        let header = {
            let state = self.shared.state();
            segment::Header {
                version: segment::VERSION,
                instance: state.instance,
                first: self.reserved,
                capacity: self.limits.segment_size.max(len),
                spans_before: state.spans,
                created_unix_ns: now_unix_ns,
            }
        };
        let disk = &*self.shared.disk;
        let file = match segment::create(disk, &header) {
            Ok(file) => file,
            Err(error) => {
                // Best effort: an empty file that stays is known as such at the next start.
                let _ = disk.remove(&segment::file_name(header.first));
                return Err(error);
            }
        };
        self.reserved = header.first + header.capacity;
        let origins = self.shared.origins().encode(header.instance, header.first);
        let mut state = self.shared.state();
        state.origins_due = Some((header.first, origins));
        let bytes_before = state.segments.last().map_or(0, |last| last.bytes_before + last.len);
        state.segments.push(Segment { header, len: 0, newest_unix_ns: now_unix_ns, bytes_before });
        state.end = header.first;
        Ok(Active { header, file, len: 0, torn: false })
    }

    /// Closes the present segment when its first records come of age, and deletes what nobody needs any more.
    pub fn retain(&mut self, now_unix_ns: u64) {
        let age = |active: &Active| now_unix_ns.saturating_sub(active.header.created_unix_ns);
        // A quarter, so that nothing stays much longer than `max_age` where little is written.
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.len > 0 && age(active) > self.limits.max_age_ns / 4)
        {
            self.close_segment();
        }
        while (self.expired(now_unix_ns) || self.overflows()) && self.delete_oldest() {}
        let is_writable = self.shared.writable.load(std::sync::atomic::Ordering::Relaxed);
        if is_writable && now_unix_ns >= self.reserve_due_unix_ns {
            self.reserve_due_unix_ns = now_unix_ns + RESERVE_NS;
            reserve::hold(&*self.shared.disk);
        }
    }

    /// Makes room on a full disk: gives up the oldest segment that is only kept for look-up, or the oldest there is
    /// where the operator wants it so.
    pub fn make_room(&mut self, now_unix_ns: u64) -> bool {
        let (is_passed, is_single) = {
            let state = self.shared.state();
            let passed = state.passed_by_all();
            let is_passed =
                state.segments.first().is_some_and(|oldest| oldest.len > 0 && oldest.end() <= passed);
            (is_passed || self.limits.overflow == Overflow::DropOldest, state.segments.len() < 2)
        };
        is_passed && (!is_single || self.renew(now_unix_ns)) && self.delete_oldest()
    }

    /// Begins another segment, so that the only one there is can be deleted: the newest has to stay, for it knows
    /// where the log goes on. Its header takes what the reserve gives up.
    fn renew(&mut self, now_unix_ns: u64) -> bool {
        self.close_segment();
        if self.active.is_some() {
            return false;
        }
        reserve::give_up(&*self.shared.disk);
        match self.begin_segment(0, now_unix_ns) {
            Ok(active) => self.active = Some(active),
            Err(error) => tracing::warn!("cannot begin a segment on the full disk: {error}"),
        }
        self.active.is_some()
    }

    fn is_oldest_passed(&self) -> bool {
        let state = self.shared.state();
        state.segments.len() > 1 && state.segments[0].end() <= state.passed_by_all()
    }

    fn expired(&self, now_unix_ns: u64) -> bool {
        if !self.is_oldest_passed() {
            return false;
        }
        let state = self.shared.state();
        let is_old = now_unix_ns.saturating_sub(state.segments[0].newest_unix_ns) > self.limits.max_age_ns;
        is_old || state.bytes() > self.limits.max_size
    }

    /// More waits than may, and the operator wants the newest rather than the oldest. Whoever had not passed what is
    /// deleted is told by its reader, and counts it.
    fn overflows(&self) -> bool {
        let state = self.shared.state();
        self.limits.overflow == Overflow::DropOldest
            && state.segments.len() > 1
            && self.shared.waiting_bytes.load(std::sync::atomic::Ordering::Relaxed) > self.limits.max_size
    }

    fn delete_oldest(&mut self) -> bool {
        let disk = &*self.shared.disk;
        let (first, is_passed) = {
            let state = self.shared.state();
            (state.segments[0].header.first, state.segments[0].end() <= state.passed_by_all())
        };
        let name = segment::file_name(first);
        // A reader that waits for its destination in the middle of it has it open, which would keep its room.
        let still_read = disk.open(&name).ok().filter(|_| !is_passed);
        let mut removed = disk.remove(&name);
        if removed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
            && reserve::give_up(disk)
        {
            removed = disk.remove(&name);
        }
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("cannot delete an old journal segment: {error}");
                false
            }
            _ => {
                if !is_passed {
                    tracing::warn!(
                        "the journal is full: its oldest segment is dropped, though a destination has not had all of it"
                    );
                }
                self.shared.deleted_oldest();
                // Only now: whoever finds it empty finds it gone as well, and counts what was in it as deleted.
                let _ = still_read.map(|file| file.truncate(0));
                // An index that stays behind is cleared away at the next start.
                let _ = disk.remove(&segment::index_name(first));
                self.shared.index().forget(first);
                true
            }
        }
    }

    /// Makes everything written so far survive a power cut; the next write begins a new segment.
    pub fn close_segment(&mut self) {
        if let Some(active) = self.active.take_if(|active| !active.torn) {
            active.seal();
            if let Err(error) = active.file.sync() {
                tracing::warn!("cannot sync the journal: {error}");
            }
        }
    }
}

impl Active {
    /// Cuts off what a failed write left.
    fn cut(&mut self) {
        self.torn = self.file.truncate(segment::HEADER_LEN + self.len).is_err();
    }

    /// Gives back what was reserved and not used.
    fn seal(&self) {
        // Without it the file holds a little more of the disk until it is deleted.
        let _ = self.file.truncate(segment::HEADER_LEN + self.len);
    }
}

/// The first ones that fit into `room` bytes and one writev.
fn fitting<P: Pending>(group: &[P], room: u64) -> &[P] {
    let mut bytes = 0;
    let fits = |pending: &&P| {
        bytes += pending.record_len();
        bytes <= room
    };
    let count = group.iter().take(GROUP_MAX).take_while(fits).count();
    &group[..count]
}

type EncodedHeader = (record::Header, record::Encoded);

fn headers(group: &[impl Pending], mut position: u64, mut spans_before: u64) -> Vec<EncodedHeader> {
    let mut out = Vec::with_capacity(group.len());
    for pending in group {
        let batch = pending.batch();
        let header = record::Header {
            body_len: batch.bytes().len() as u32,
            spans: batch.spans(),
            received_unix_ns: batch.received_unix_ns(),
            spans_before,
            position,
            hops: batch.hops(),
            rolled_up_before_ms: batch.rolled_up_unix_ns().map(|at| before_ms(batch, at)),
            origin: batch.origin(),
        };
        position += header.record_len();
        spans_before += u64::from(header.spans);
        out.push((header, header.encode(pending.body_crc())));
    }
    out
}

/// Milliseconds are more than enough: what this is compared with lies seconds apart.
fn before_ms(batch: &MaskedBatch, at_unix_ns: u64) -> u32 {
    u32::try_from(batch.received_unix_ns().saturating_sub(at_unix_ns) / 1_000_000).unwrap_or(u32::MAX)
}

fn write_records(
    file: &dyn File,
    at: u64,
    headers: &[EncodedHeader],
    group: &[impl Pending],
) -> io::Result<()> {
    let parts = headers.iter().zip(group).flat_map(|((_, header), pending)| {
        [IoSlice::new(header.bytes()), IoSlice::new(pending.batch().bytes())]
    });
    disk::write_all(file, &mut parts.collect::<Vec<_>>(), at)
}
