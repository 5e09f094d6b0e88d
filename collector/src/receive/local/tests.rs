//! Pages of clients, honest and hostile, through the real socket and beside it.

use std::fs::File;
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use proptest::prelude::*;
use prost::Message;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::Pid;
use spanmill_proto::local::{Header, Kind};
use spanmill_proto::open_calls::{self, HEADER_BYTES, SLOT_BYTES, page_bytes};
use spanmill_proto::shared::Shared;
use tokio::sync::mpsc;

use super::page::{Copies, Refused};
use super::*;
use crate::receive::{Accepted, OpenCall, Process, Refusal, Target};

const NOW: u64 = 1_800_000_000_000_000_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// `service.name` = `shop`
const RESOURCE: &[u8] = b"\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04shop";

/// A client's page and its descriptor.
fn page(slots: usize) -> (Shared, OwnedFd) {
    let (shared, memory) = Shared::sealed("test", page_bytes(slots)).unwrap();
    open_calls::Page::format(shared.words(), 1);
    (shared, memory)
}

fn open(shared: &Shared, slot: usize, provider: &str) {
    let page = open_calls::Page::format(shared.words(), 1);
    let call = open_calls::OpenCall {
        trace_id: [7; 16],
        span_id: [(slot % 250) as u8 + 1; 8],
        start_unix_ns: NOW - 3_000_000_000,
        target: open_calls::Target::Provider(provider),
        operation: "authorize",
        is_attempt: false,
    };
    page.open(slot, &call);
    page.raise_high_water(slot + 1);
}

fn close(shared: &Shared, slot: usize) {
    open_calls::Page::format(shared.words(), 1).close(slot);
}

fn call(slot: usize, provider: &str) -> OpenCall {
    OpenCall {
        trace_id: [7; 16],
        span_id: [(slot % 250) as u8 + 1; 8],
        started_unix_ns: NOW - 3_000_000_000,
        target: Target::Provider(provider.into()),
        operation: "authorize".into(),
        is_attempt: false,
    }
}

#[derive(Clone)]
struct Taker {
    batches: mpsc::UnboundedSender<ReceivedBatch>,
    in_flight: mpsc::UnboundedSender<Vec<Process>>,
}

impl Sink for Taker {
    async fn accept(&self, batch: ReceivedBatch) -> Result<Accepted, Refusal> {
        self.batches.send(batch).unwrap();
        Ok(Accepted { rejected_spans: 0 })
    }

    fn in_flight(&self, source: Source, processes: Vec<Process>, _: u64) {
        assert_eq!(source, Source::Pages);
        self.in_flight.send(processes).unwrap();
    }

    fn is_overdue(&self, call: &OpenCall, now_unix_ns: u64) -> bool {
        now_unix_ns - call.started_unix_ns > 2_000_000_000
    }
}

/// The served socket.
struct Daemon {
    local: Local,
    outcomes: Arc<Outcomes>,
    in_flight: mpsc::UnboundedReceiver<Vec<Process>>,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Daemon {
        let dir = tempfile::tempdir().unwrap();
        let local = Local { path: dir.path().join("spanmill.sock"), mode: 0o600, group: None };
        let socket = bind(&local).unwrap();
        let (batches, _) = mpsc::unbounded_channel();
        let (sender, in_flight) = mpsc::unbounded_channel();
        let outcomes = Arc::<Outcomes>::default();
        let shared = LocalSocket {
            sink: Taker { batches, in_flight: sender },
            clock: Clock::manual(NOW),
            outcomes: Arc::clone(&outcomes),
            pulses: Pulses::new(Clock::manual(NOW), Arc::default(), watch::channel(false).1),
        };
        let (stop, stopped) = watch::channel(false);
        let path = local.path.clone();
        let thread = Some(std::thread::spawn(move || serve(shared, socket, &path, stopped)));
        Daemon { local, outcomes, in_flight, stop, thread, _dir: dir }
    }

    fn connect(&self) -> OwnedFd {
        let socket = net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        net::connect(&socket, &SocketAddrUnix::new(&self.local.path).unwrap()).unwrap();
        socket
    }

    /// Waits for a look that shows what is wanted.
    fn wait_for(&mut self, what: &str, is_so: impl Fn(&[Process]) -> bool) -> Vec<Process> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "{what}");
            let processes = self.in_flight.blocking_recv().unwrap();
            if is_so(&processes) {
                return processes;
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn send(socket: &OwnedFd, kind: Kind, payload: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let header = Header { kind, flags: 0, length: payload.len() as u32, sequence: 0, sent_unix_ns: NOW };
    let packet = [&header.encode()[..], payload].concat();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    net::sendmsg(socket, &[IoSlice::new(&packet)], &mut control, SendFlags::empty()).unwrap();
}

fn hello(slots: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    let hello = Hello { client_version: "test 1", resource: RESOURCE, pid: 1, ..Hello::default() };
    hello.with_page(slots).encode(&mut payload);
    payload
}

#[test]
fn a_call_in_flight_is_seen_until_it_is_closed_whoever_holds_the_connection() {
    let mut daemon = Daemon::start();
    let (shared, memory) = page(64);
    let socket = daemon.connect();
    send(&socket, Kind::Hello, &hello(64), &[memory.as_fd()]);
    open(&shared, 3, "acme");
    open(&shared, 5, "globex");
    let seen =
        daemon.wait_for("both calls", |processes| processes.len() == 1 && processes[0].calls.len() == 2);
    assert_eq!(seen[0].resource, RESOURCE);
    assert_eq!(seen[0].calls, [call(3, "acme"), call(5, "globex")]);
    close(&shared, 3);
    daemon.wait_for("one call", |processes| processes[0].calls == [call(5, "globex")]);
    // The process, which is this one, lives on; and it connects again with the same page.
    drop(socket);
    daemon.wait_for("the call without connection", |processes| processes[0].calls.len() == 1);
    let again = daemon.connect();
    send(&again, Kind::Hello, &hello(64), &[memory.as_fd()]);
    open(&shared, 7, "acme");
    let seen = daemon.wait_for("the page once", |processes| processes[0].calls.len() == 2);
    assert_eq!(seen.len(), 1);
}

#[test]
fn descriptors_that_are_no_page_are_refused_and_closed() {
    let mut daemon = Daemon::start();
    let unsealed = rustix::fs::memfd_create("u", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&unsealed, page_bytes(64) as u64).unwrap();
    let (pipe, _other_end) = std::io::pipe().unwrap();
    let file = tempfile::tempfile().unwrap();
    file.set_len(page_bytes(64) as u64).unwrap();
    let device = File::open("/dev/zero").unwrap();
    let (_, zeros) = Shared::sealed("zeros", page_bytes(64)).unwrap();
    let (_, large) = Shared::sealed("large", page_bytes(open_calls::SLOTS_MAX) + 4096).unwrap();
    let bad = [unsealed.as_fd(), pipe.as_fd(), file.as_fd(), device.as_fd(), zeros.as_fd(), large.as_fd()];
    let sockets: Vec<_> = bad.iter().map(|_| daemon.connect()).collect();
    for (socket, descriptor) in sockets.iter().zip(bad) {
        send(socket, Kind::Hello, &hello(64), &[descriptor]);
    }
    // Descriptors where none belong, and more than one, and a hello that is none.
    let (shared, memory) = page(64);
    let many = [memory.as_fd(); 50];
    let socket = daemon.connect();
    send(&socket, Kind::Spans, b"one", &many);
    send(&socket, Kind::Counters, b"\xff", &many);
    send(&socket, Kind::Hello, b"\xff\xff", &many);
    send(&socket, Kind::Hello, &hello(64), &many);
    open(&shared, 0, "acme");
    daemon.wait_for("the one real page", |processes| processes.iter().any(|one| !one.calls.is_empty()));
    assert_eq!(daemon.outcomes.pages_refused_total(), bad.len() as u64);
    assert_eq!(daemon.outcomes.rejected_by(Rejected::Malformed), 2);
    drop((sockets, socket));
    // Only the page is held: the inode of every other descriptor would show here.
    let ours = rustix::fs::fstat(&memory).unwrap().st_ino;
    let held = || {
        let all = std::fs::read_dir("/proc/self/fd").unwrap();
        let inode = |entry: std::io::Result<std::fs::DirEntry>| {
            use std::os::unix::fs::MetadataExt;
            std::fs::metadata(entry.ok()?.path()).ok().map(|data| data.ino())
        };
        all.filter_map(inode).filter(|inode| *inode == ours).count()
    };
    let deadline = Instant::now() + PATIENCE;
    while held() > 2 {
        assert!(Instant::now() < deadline, "{} descriptors of the page", held());
        std::thread::yield_now();
    }
}

#[test]
fn what_clients_count_is_added_up() {
    let daemon = Daemon::start();
    let socket = daemon.connect();
    let counters = ClientCounters {
        sent: 10,
        dropped: vec![("queue_full", 3), ("of a later version", 4)],
        masked: u64::MAX,
        ..Default::default()
    };
    let mut payload = Vec::new();
    counters.encode(&mut payload);
    send(&socket, Kind::Counters, &payload, &[]);
    send(&socket, Kind::Counters, &payload, &[]);
    let deadline = Instant::now() + PATIENCE;
    while daemon.outcomes.client_totals().sent < 20 {
        assert!(Instant::now() < deadline, "{:?}", daemon.outcomes.client_totals());
        std::thread::yield_now();
    }
    let totals = daemon.outcomes.client_totals();
    assert_eq!((totals.dropped, totals.masked), ([6, 0, 0, 0, 0, 8], 2 * u64::from(u32::MAX)));
}

fn announced(pages: &mut Pages, memory: OwnedFd, peer: Option<Peer>, connection: u64) -> bool {
    pages.announce(Page::new(memory).unwrap(), peer, Bytes::from_static(RESOURCE), connection)
}

#[test]
fn the_calls_of_a_dead_process_are_told_once() {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let (shared, memory) = page(4);
    open(&shared, 1, "acme");
    let mut pages = Pages::default();
    let peer = Peer::of_process(Pid::from_child(&child));
    assert!(announced(&mut pages, memory, peer, 1));
    // A child of its own may hold the connection; it is the process that counts.
    let seen = pages.look();
    assert_eq!((seen.alive.len(), seen.dead.len()), (1, 0));
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = pages.look();
    assert_eq!((seen.alive.len(), seen.dead.len()), (0, 1));
    assert_eq!(seen.dead[0].calls, [call(1, "acme")]);
    let seen = pages.look();
    assert_eq!((seen.alive.len(), seen.dead.len()), (0, 0));
}

#[test]
fn where_the_kernel_does_not_know_the_process_the_end_of_the_connection_is_its_death() {
    let (shared, memory) = page(4);
    open(&shared, 0, "acme");
    let mut pages = Pages::default();
    assert!(announced(&mut pages, memory, None, 1));
    assert_eq!(pages.look().dead.len(), 0);
    pages.disconnected(1);
    assert_eq!(pages.look().dead.len(), 1);
}

#[test]
fn a_connection_has_one_page() {
    let mut pages = Pages::default();
    let (first, second) = (page(4), page(4));
    open(&first.0, 0, "acme");
    open(&second.0, 0, "globex");
    assert!(announced(&mut pages, first.1, None, 1));
    assert!(announced(&mut pages, second.1, None, 1));
    let seen = pages.look();
    assert_eq!(seen.alive.len(), 1);
    assert_eq!(seen.alive[0].calls, [call(0, "globex")]);
}

#[test]
fn a_page_that_stops_being_one_is_forgotten() {
    let (shared, memory) = page(4);
    open(&shared, 0, "acme");
    let mut pages = Pages::default();
    assert!(announced(&mut pages, memory, None, 1));
    shared.words()[0].store(0, std::sync::atomic::Ordering::Relaxed);
    let seen = pages.look();
    assert_eq!((seen.alive.len(), seen.dead.len(), seen.broken), (0, 0, 1));
    assert_eq!(pages.look().broken, 0);
}

#[test]
fn pages_that_are_full_take_turns_within_the_bounds() {
    let mut pages = Pages::default();
    let made: Vec<_> = (0..20).map(|_| page(open_calls::SLOTS_MAX)).collect();
    for (connection, (shared, memory)) in made.iter().enumerate() {
        for slot in 0..open_calls::SLOTS_MAX {
            open(shared, slot, "acme");
        }
        assert!(announced(&mut pages, memory.try_clone().unwrap(), None, connection as u64));
    }
    let first = pages.look();
    let numbers = |seen: &pages::Seen| seen.alive.iter().map(|one| one.number).collect::<Vec<_>>();
    assert_eq!((first.alive.len(), first.skipped), (16, 4));
    let second = pages.look();
    assert!((17..=20).all(|number| numbers(&second).contains(&number)), "{:?}", numbers(&second));
}

fn memfd(bytes: &[u8]) -> OwnedFd {
    let memory = rustix::fs::memfd_create("t", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::io::pwrite(&memory, bytes, 0).unwrap();
    rustix::fs::fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW).unwrap();
    memory
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_on_a_page_harm_nothing(
        slots in proptest::collection::vec(any::<[u8; SLOT_BYTES]>(), 1..6),
        said: u32,
        used: u64,
        has_a_real_header: bool,
    ) {
        let (shared, _) = page(4);
        let mut bytes = vec![0; HEADER_BYTES];
        for (chunk, word) in bytes.chunks_mut(8).zip(shared.words()) {
            chunk.copy_from_slice(&word.load(std::sync::atomic::Ordering::Relaxed).to_le_bytes());
        }
        bytes[12..16].copy_from_slice(&said.to_le_bytes());
        bytes[32..40].copy_from_slice(&used.to_le_bytes());
        if !has_a_real_header {
            bytes[..8].copy_from_slice(&slots[0][..8]);
        }
        for slot in &slots {
            let mut slot = *slot;
            // Open, with lengths that may be true.
            slot[0] = slot[0] & !3 | 2;
            slot[41] %= 100;
            bytes.extend_from_slice(&slot);
        }
        if let Ok(page) = Page::new(memfd(&bytes)) {
            let look = page.look(&mut Copies::default()).unwrap();
            prop_assert!(look.calls.len() <= slots.len());
        }
    }
}

#[test]
fn a_page_is_sealed_memory_of_a_size_that_clients_make() {
    let unsealed = rustix::fs::memfd_create("u", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&unsealed, page_bytes(4) as u64).unwrap();
    assert_eq!(Page::new(unsealed).unwrap_err(), Refused::Seals);
    assert_eq!(Page::new(memfd(&[0; 10])).unwrap_err(), Refused::Size);
    assert_eq!(Page::new(memfd(&[1; page_bytes(4)])).unwrap_err(), open_calls::BadPage::Magic.into());
    assert_eq!(Page::new(File::open("/dev/null").unwrap().into()).unwrap_err(), Refused::Kind);
}

#[test]
fn abandoned_calls_become_spans_that_say_how_they_ended() {
    let calls = vec![
        OpenCall { started_unix_ns: NOW - 9, ..call(0, "acme") },
        OpenCall {
            target: Target::Address("10.0.0.1".into(), 443),
            operation: "".into(),
            is_attempt: true,
            ..call(1, "")
        },
    ];
    let process = Process { number: 1, resource: Bytes::from_static(RESOURCE), calls };
    let body = abandoned::request(&process, NOW, |call| NOW - call.started_unix_ns > 2_000_000_000);
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(resource.attributes[0].key, "service.name");
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    let attributes = |at: usize| -> Vec<(String, String)> {
        let text = |value: &Value| match value {
            Value::StringValue(text) => text.clone(),
            other => format!("{other:?}"),
        };
        let value = |one: &opentelemetry_proto::tonic::common::v1::KeyValue| {
            text(one.value.as_ref().unwrap().value.as_ref().unwrap())
        };
        spans[at].attributes.iter().map(|one| (one.key.clone(), value(one))).collect()
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        attributes(0),
        [
            pair("spanmill.provider", "acme"),
            pair("spanmill.operation", "authorize"),
            pair("spanmill.outcome", "cancelled"),
            pair("spanmill.abandoned", "BoolValue(true)"),
        ]
    );
    assert_eq!(
        attributes(1),
        [
            pair("server.address", "10.0.0.1"),
            pair("server.port", "IntValue(443)"),
            pair("spanmill.outcome", "timeout"),
            pair("spanmill.abandoned", "BoolValue(true)"),
            pair("spanmill.attempt", "BoolValue(true)"),
        ]
    );
    assert_eq!((spans[0].start_time_unix_nano, spans[0].end_time_unix_nano), (NOW - 9, NOW));
    assert_eq!((spans[0].kind, spans[1].name.as_str()), (3, "call"));
}
