//! The open-call page of one process: a descriptor that the client sent, and what can be read of it.
//!
//! The memory belongs to a stranger. It is never mapped, only copied with `pread(2)`, so a page that shrinks, changes
//! or lies costs a look and nothing else; only a sealed `memfd` is taken, whose reading cannot block.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{FileType, SealFlags};
use rustix::process::{Pid, PidfdFlags};
use rustix::time::Timespec;
use spanmill_proto::open_calls::{self, HEADER_BYTES, SLOTS_MAX, page_bytes};

use crate::receive::in_flight::{OpenCall, Target};

/// Two buffers as large as the largest page, shared by all pages.
#[derive(Debug)]
pub struct Copies {
    first: Vec<u8>,
    second: Vec<u8>,
}

impl Default for Copies {
    fn default() -> Copies {
        let bytes = page_bytes(SLOTS_MAX);
        Copies { first: vec![0; bytes], second: vec![0; bytes] }
    }
}

/// Why a descriptor is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the descriptor is no memfd")]
    Kind,
    #[error("the page is not sealed against shrinking")]
    Seals,
    #[error("the page has a size that no client makes")]
    Size,
    #[error(transparent)]
    Page(#[from] open_calls::BadPage),
    #[error("the page can't be read")]
    Unreadable,
}

/// What a page says now.
#[derive(Debug, Default)]
pub struct Look {
    pub calls: Vec<OpenCall>,
    /// Bytes copied for it.
    pub bytes: usize,
    /// Calls that found no free slot, since the page was made.
    pub overflows: u64,
}

#[derive(Debug)]
pub struct Page {
    memory: OwnedFd,
    /// Of the memory: the same page announced again is the same page.
    pub inode: (u64, u64),
    bytes: usize,
}

impl Page {
    /// Checks the descriptor and the header.
    pub fn new(memory: OwnedFd) -> Result<Page, Refused> {
        let seals = rustix::fs::fcntl_get_seals(&memory).map_err(|_| Refused::Kind)?;
        if !seals.contains(SealFlags::SHRINK) {
            return Err(Refused::Seals);
        }
        let stat = rustix::fs::fstat(&memory).map_err(|_| Refused::Unreadable)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Refused::Kind);
        }
        let bytes = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
        if !(page_bytes(1)..=page_bytes(SLOTS_MAX)).contains(&bytes) {
            return Err(Refused::Size);
        }
        let page = Page { memory, inode: (stat.st_dev, stat.st_ino), bytes };
        page.header()?;
        Ok(page)
    }

    /// The calls in flight at this moment.
    pub fn look(&self, copies: &mut Copies) -> Result<Look, Refused> {
        let header = self.header()?;
        let bytes = open_calls::worth_copying(&header).min(self.bytes);
        let Copies { first, second } = copies;
        // The second copy begins when the first is complete: slots that are equal in both were not touched.
        let first = self.copy(first, bytes)?;
        let second = self.copy(second, bytes)?;
        let snapshot = open_calls::read(first, second)?;
        let calls = snapshot.open_calls().map(|(_, _, call)| owned(&call)).collect();
        Ok(Look { calls, bytes: 2 * bytes + HEADER_BYTES, overflows: snapshot.overflows })
    }

    fn header(&self) -> Result<[u8; HEADER_BYTES], Refused> {
        let mut header = [0; HEADER_BYTES];
        let there = self.copy(&mut header, HEADER_BYTES)?;
        open_calls::read(there, there)?;
        Ok(header)
    }

    fn copy<'b>(&self, buffer: &'b mut [u8], bytes: usize) -> Result<&'b [u8], Refused> {
        let bytes =
            rustix::io::pread(&self.memory, &mut buffer[..bytes], 0).map_err(|_| Refused::Unreadable)?;
        Ok(&buffer[..bytes])
    }
}

fn owned(call: &open_calls::OpenCall<'_>) -> OpenCall {
    OpenCall {
        trace_id: call.trace_id,
        span_id: call.span_id,
        started_unix_ns: call.start_unix_ns,
        target: match call.target {
            open_calls::Target::Provider(name) => Target::Provider(Arc::from(name)),
            open_calls::Target::Address(host, port) => Target::Address(Arc::from(host), port),
        },
        operation: Arc::from(call.operation),
        is_attempt: call.is_attempt,
    }
}

/// A process as the kernel knows it, so that its death is seen whoever still holds its connection.
#[derive(Debug)]
pub struct Peer(OwnedFd);

impl Peer {
    /// The process at the other end of a connection; `None` where the kernel can't say (another host's process id
    /// space, a kernel before 5.3): then the end of the connection is taken for its death.
    pub fn of(connection: impl AsFd) -> Option<Peer> {
        let credentials = rustix::net::sockopt::socket_peercred(connection).ok()?;
        let process = Pid::from_raw(credentials.pid.as_raw_pid())?;
        Peer::of_process(process)
    }

    pub fn of_process(process: Pid) -> Option<Peer> {
        rustix::process::pidfd_open(process, PidfdFlags::empty()).ok().map(Peer)
    }

    pub fn is_dead(&self) -> bool {
        let mut ended = [PollFd::new(&self.0, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut ended, Some(&now)).is_ok_and(|number| number > 0)
    }
}
