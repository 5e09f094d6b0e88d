//! The cast of the tests: a daemon that keeps what it receives, one that is stuck, and a turn for each test,
//! because a process has one client.
#![allow(dead_code)] // each test file uses its part
#![allow(clippy::unwrap_used)] // as in tests; the lint knows them by their attribute only

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix, SocketFlags,
    SocketType, recvmsg,
};
use spanmill_proto::local::{Header, Kind, PACKET_MAX};
use spanmill_proto::open_calls::{SLOTS_RUST, page_bytes, read};
use spanmill_proto::otlp::count_spans;

/// Longest wait for anything; a machine under load gets all of it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for this test's turn to be the process's client.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `done`, or fails with `what` it waited for.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One packet that came in.
#[derive(Clone)]
pub struct Packet {
    pub connection: usize,
    pub header: Header,
    pub payload: Vec<u8>,
}

impl Packet {
    pub fn request(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(&self.payload[..]).expect("the payload is an export request")
    }
}

/// A daemon that keeps what it receives.
pub struct Daemon {
    packets: Arc<Mutex<Vec<Packet>>>,
    pages: Arc<Mutex<Vec<OwnedFd>>>,
    /// Spans in them, counted as they come: decoding a hundred thousand again and again takes its time.
    count: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
}

impl Daemon {
    pub fn start(path: &Path) -> Daemon {
        let listener = listen(path);
        let (packets, stop) = (Arc::<Mutex<Vec<Packet>>>::default(), Arc::<AtomicBool>::default());
        let count = Arc::<AtomicUsize>::default();
        let pages = Arc::<Mutex<Vec<OwnedFd>>>::default();
        let sent = pages.clone();
        let (kept, counted, stopped) = (packets.clone(), count.clone(), stop.clone());
        let thread = std::thread::spawn(move || serve(&listener, &kept, &sent, &counted, &stopped));
        Daemon { packets, pages, count, stop, thread: Some(thread), path: path.to_path_buf() }
    }

    pub fn packets(&self) -> Vec<Packet> {
        self.packets.lock().unwrap().clone()
    }

    pub fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        self.of_kind(Kind::Spans).iter().map(Packet::request).collect()
    }

    pub fn of_kind(&self, kind: Kind) -> Vec<Packet> {
        self.packets().into_iter().filter(|packet| packet.header.kind == kind).collect()
    }

    /// Operations on the open-call page of the newest connection.
    pub fn open_calls(&self) -> Vec<String> {
        let pages = self.pages.lock().unwrap();
        let Some(page) = pages.last() else { return Vec::new() };
        let copy = || {
            let mut copy = vec![0; page_bytes(SLOTS_RUST)];
            assert_eq!(rustix::io::pread(page, &mut copy, 0), Ok(copy.len()));
            copy
        };
        let (first, second) = (copy(), copy());
        let calls = read(&first, &second).expect("a page").open_calls();
        calls.map(|(_, _, call)| format!("{:?} {}", call.target, call.operation)).collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// Waits for at least this many spans and returns them in the order in which they came.
    pub fn wait_for(&self, spans: usize) -> Vec<Span> {
        wait_until(&format!("{spans} spans came"), || self.count.load(Ordering::Acquire) >= spans);
        self.spans()
    }
}

/// Ends like a daemon that is killed: connections break, the socket file stays.
impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the daemon's thread does not panic");
        }
    }
}

fn serve(
    listener: &OwnedFd,
    packets: &Mutex<Vec<Packet>>,
    pages: &Mutex<Vec<OwnedFd>>,
    count: &AtomicUsize,
    stop: &AtomicBool,
) {
    let mut connections: Vec<OwnedFd> = Vec::new();
    let mut buffer = vec![0; PACKET_MAX + 1];
    let tick = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
    loop {
        let mut ready: Vec<PollFd<'_>> = vec![PollFd::new(listener, PollFlags::IN)];
        ready.extend(connections.iter().map(|connection| PollFd::new(connection, PollFlags::IN)));
        let stopping = stop.load(Ordering::Relaxed);
        let ready_count = poll(&mut ready, Some(&tick)).unwrap_or(0);
        if ready_count == 0 && stopping {
            return;
        }
        let readable: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
        for (at, connection) in connections.iter().enumerate() {
            if !readable[at + 1] {
                continue;
            }
            let length = receive(connection, &mut buffer, pages);
            if length > 0 {
                let (header, payload) = Header::decode(&buffer[..length]).expect("a well-formed packet");
                let packet = Packet { connection: at, header, payload: payload.to_vec() };
                let is_spans = header.kind == Kind::Spans;
                let spans = if is_spans { count_spans(payload).expect("an export request") } else { 0 };
                packets.lock().unwrap().push(packet);
                count.fetch_add(spans as usize, Ordering::Release);
            } else if stopping {
                return;
            }
        }
        if readable[0] {
            connections.push(rustix::net::accept(listener).expect("a connection to accept"));
        }
    }
}

/// The length of the next packet; 0 at the end.
fn receive(connection: &OwnedFd, buffer: &mut [u8], pages: &Mutex<Vec<OwnedFd>>) -> usize {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(connection, &mut [IoSliceMut::new(buffer)], &mut rights, RecvFlags::CMSG_CLOEXEC);
    for message in rights.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            pages.lock().unwrap().extend(descriptors);
        }
    }
    received.map_or(0, |received| received.bytes)
}

/// A socket that accepts connections (the kernel does) and never reads.
pub fn listen(path: &Path) -> OwnedFd {
    let _ = std::fs::remove_file(path);
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(socket.as_fd(), 64).unwrap();
    socket
}

/// The value of a tag, as text.
pub fn tag(attributes: &[KeyValue], key: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    attribute.value.as_ref().map(text)
}

fn text(value: &AnyValue) -> String {
    match value.value.as_ref() {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::BytesValue(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(any_value::Value::IntValue(value)) => value.to_string(),
        Some(any_value::Value::DoubleValue(value)) => value.to_string(),
        Some(any_value::Value::BoolValue(value)) => value.to_string(),
        Some(any_value::Value::ArrayValue(array)) => {
            array.values.iter().map(text).collect::<Vec<_>>().join(",")
        }
        other => panic!("a kind of value that the client does not write: {other:?}"),
    }
}

pub fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span is named {name}"))
}
