//! The connection to the daemon on this host: one `SOCK_SEQPACKET` socket that never blocks.
//!
//! It never waits and never retries in a loop: a send succeeds, or says why not and when to come again.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType,
};
use spanmill_proto::local::{Header, Kind};

use crate::clock;
use crate::id;
use crate::open_calls::OpenCalls;

/// Asked of the kernel, which may grant less (`wmem_max`): 16 full packets may wait for a slow daemon.
const SEND_BUFFER_BYTES: usize = 1024 * 1024;

/// How long to wait between attempts to connect: doubling from `first` to `most`, with jitter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackOff {
    pub(crate) first: Duration,
    pub(crate) most: Duration,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The kernel has it.
    Yes,
    /// The daemon does not keep up; the packet may be tried again when the socket is writable.
    Busy,
    /// Nobody is connected; not worth another try before this instant.
    Down { until: Instant },
    /// The system will never take this packet.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Link {
    path: PathBuf,
    back_off: BackOff,
    /// The first packet of each connection, and the page whose descriptor rides with it.
    hello: Vec<u8>,
    page: Option<Arc<OpenCalls>>,
    socket: Option<OwnedFd>,
    sequence: u32,
    retry_at: Option<Instant>,
    wait: Duration,
    pub(crate) connections: u64,
}

impl Link {
    pub(crate) fn new(path: &Path, back_off: BackOff, hello: Vec<u8>, page: Option<Arc<OpenCalls>>) -> Link {
        Link {
            path: path.to_path_buf(),
            back_off,
            hello,
            page,
            socket: None,
            sequence: 0,
            retry_at: None,
            wait: back_off.first,
            connections: 0,
        }
    }

    /// Sends one packet: a header, and `head` and `body` behind it.
    pub(crate) fn send(&mut self, kind: Kind, head: &[u8], body: &[u8]) -> Sent {
        let now = Instant::now();
        // A daemon that was restarted shows as a broken pipe: then once more, on a new connection.
        for _ in 0..2 {
            if !self.connect(now) {
                return Sent::Down { until: self.retry_at.unwrap_or(now) };
            }
            match self.put(kind, head, body, None) {
                Ok(()) => {
                    self.wait = self.back_off.first;
                    return Sent::Yes;
                }
                Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => return Sent::Busy,
                Err(Errno::MSGSIZE | Errno::INVAL) => return Sent::Refused,
                Err(_) => self.socket = None,
            }
        }
        self.fall_back(now)
    }

    /// Connects before there is something to send, so that open calls are seen, and notices a daemon that went away.
    /// Returns when another try is worth it, where nobody is there.
    pub(crate) fn keep(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if let Some(socket) = &self.socket {
            let mut socket = [PollFd::new(socket, PollFlags::empty())];
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            // POLLERR and POLLHUP need not be asked for.
            if poll(&mut socket, Some(&at_once)).is_ok_and(|ready| ready > 0) {
                self.socket = None;
            }
        }
        if self.connect(now) { None } else { Some(self.retry_at.unwrap_or(now)) }
    }

    /// Says hello anew: the sender is another from here on.
    pub(crate) fn introduce(&mut self, hello: Vec<u8>) {
        self.hello = hello;
        if self.socket.is_some() {
            let hello = std::mem::take(&mut self.hello);
            // The page is known there already. What goes wrong shows again when spans are sent.
            let _ = self.put(Kind::Hello, &hello, &[], None);
            self.hello = hello;
        }
    }

    fn put(
        &mut self,
        kind: Kind,
        head: &[u8],
        body: &[u8],
        page: Option<&OpenCalls>,
    ) -> rustix::io::Result<()> {
        let socket = self.socket.as_ref().ok_or(Errno::NOTCONN)?;
        let header = Header {
            kind,
            flags: 0,
            length: (head.len() + body.len()) as u32,
            sequence: self.sequence,
            sent_unix_ns: clock::wall_ns(),
        }
        .encode();
        let parts = [IoSlice::new(&header), IoSlice::new(head), IoSlice::new(body)];
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let descriptor = page.map(|page| [page.descriptor()]);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        if let Some(descriptor) = &descriptor {
            rights.push(SendAncillaryMessage::ScmRights(descriptor));
        }
        rustix::net::sendmsg(socket, &parts, &mut rights, flags)?;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }

    /// Forgets the back-off: the next packet may be the last.
    pub(crate) fn retry_now(&mut self) {
        self.retry_at = None;
    }

    /// A packet was given up: the daemon sees the gap in the sequence.
    pub(crate) fn skip(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// The socket, to wait on, while there is one.
    pub(crate) fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Connects, unless it is connected or should not try yet; true when it is.
    fn connect(&mut self, now: Instant) -> bool {
        if self.socket.is_none() && self.retry_at.is_none_or(|at| now >= at) {
            match connect(&self.path) {
                Ok(socket) => {
                    self.socket = Some(socket);
                    self.sequence = 0;
                    self.retry_at = None;
                    self.connections += 1;
                    self.greet(now);
                }
                Err(_) => {
                    self.fall_back(now);
                }
            }
        }
        self.socket.is_some()
    }

    fn greet(&mut self, now: Instant) {
        let (hello, page) = (std::mem::take(&mut self.hello), self.page.take());
        // The socket is new and its buffer empty: what does not go now never will.
        if self.put(Kind::Hello, &hello, &[], page.as_deref()).is_err() {
            self.socket = None;
            self.fall_back(now);
        }
        (self.hello, self.page) = (hello, page);
    }

    fn fall_back(&mut self, now: Instant) -> Sent {
        // Up to a quarter more, so that the processes of a host do not knock in step.
        let jitter = self.wait.mul_f64((id::random(clock::wall_ns()) % 256) as f64 / 1024.0);
        let until = now + self.wait + jitter;
        self.retry_at = Some(until);
        self.wait = (self.wait * 2).min(self.back_off.most);
        Sent::Down { until }
    }
}

fn connect(path: &Path) -> rustix::io::Result<OwnedFd> {
    // Non-blocking before connect: a daemon with a full backlog would otherwise hold us up.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    // Less is fine as well: the default passes a full packet.
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER_BYTES);
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}
