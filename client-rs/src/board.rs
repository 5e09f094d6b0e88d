//! The daemon's verdicts, read from its board in nanoseconds.
//!
//! The board is mapped once for the process. Each thread keeps a reference to the mapping, so that reading takes no
//! lock; a mapping that was replaced goes when the last thread has looked again.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use spanmill_proto::board::{self, Reading};
use spanmill_proto::shared::Shared;

pub use spanmill_proto::verdict::{Scope, Verdict as State};

/// How long an answer of `CLOCK_BOOTTIME` serves, by the coarse clock that costs a fifth of it. With it a dead daemon
/// is noticed after 5.25 s at most.
const CHECK_ALIVE_NS: u64 = 250_000_000;
/// A board that is absent, dead or replaced is looked for once in this time.
const LOOK_AGAIN_NS: u64 = 1_000_000_000;

/// What the daemon thinks of a provider at this moment.
///
/// Everything is "no" and [`State::Unknown`] as long as nobody knows better: no daemon on this host, one that has not
/// given a sign of life for five seconds, or a provider that it has not seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    reading: Reading,
    elsewhere: bool,
}

impl Verdict {
    /// Calls get no answer.
    pub fn is_hung(&self) -> bool {
        self.is(State::Hung)
    }

    /// More calls fail than usual.
    pub fn is_failing(&self) -> bool {
        self.is(State::Failing)
    }

    /// Answers come later than usual.
    pub fn is_slow(&self) -> bool {
        self.is(State::Slow)
    }

    /// It says no more often than usual.
    pub fn is_declining(&self) -> bool {
        self.is(State::Declining)
    }

    /// Hung or failing: calls to it are mostly lost, and another provider would do better.
    pub fn is_down(&self) -> bool {
        self.is_hung() || self.is_failing()
    }

    /// The verdict itself, also one on another host or service than this one.
    pub fn state(&self) -> State {
        self.reading.verdict
    }

    /// Whom the verdict is about. The questions above say no where that is another host or service.
    pub fn scope(&self) -> Scope {
        self.reading.scope
    }

    /// True when the verdict is about another host or another service than this one.
    pub fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// Since when; `None` while it is unknown.
    pub fn since(&self) -> Option<SystemTime> {
        (self.state() != State::Unknown)
            .then(|| UNIX_EPOCH + Duration::from_nanos(self.reading.since_unix_ns))
    }

    /// 95th percentile of the last minute's calls, of all callers.
    pub fn p95(&self) -> Option<Duration> {
        self.reading.p95_ns.map(Duration::from_nanos)
    }

    /// What that percentile usually is.
    pub fn p95_usual(&self) -> Option<Duration> {
        self.reading.p95_usual_ns.map(Duration::from_nanos)
    }

    /// Share of the last minute's calls that failed, from 0 to 1.
    pub fn failure_ratio(&self) -> Option<f64> {
        self.reading.failures_per_million.map(|failures| failures as f64 / 1e6)
    }

    /// How often the verdict has changed: the same number, the same verdict.
    pub fn generation(&self) -> u32 {
        self.reading.generation
    }

    fn is(&self, state: State) -> bool {
        self.reading.verdict == state && !self.elsewhere
    }
}

/// The board of this process, wherever the path leads at the moment.
#[derive(Debug)]
pub(crate) struct Board {
    path: PathBuf,
    /// Hashes of our own names; 0 while they are not known.
    host: AtomicU64,
    service: AtomicU64,
    mapped: Mutex<Option<Arc<Shared>>>,
    /// The number of the mapping, so that threads may keep a reference.
    mapping: AtomicU64,
    /// By the coarse clock: until when the mapping counts as alive, and when to look for another.
    alive_until_ns: AtomicU64,
    look_at_ns: AtomicU64,
}

thread_local! {
    static MAPPED: RefCell<(u64, Option<Arc<Shared>>)> = const { RefCell::new((0, None)) };
}

static BOARD: OnceLock<Board> = OnceLock::new();
/// Mappings that were made in this process.
static MAPPINGS: AtomicU64 = AtomicU64::new(0);

/// The board of this process.
pub(crate) fn board() -> &'static Board {
    BOARD.get_or_init(|| Board::new(path()))
}

fn path() -> PathBuf {
    match std::env::var_os("SPANMILL_BOARD").filter(|path| !path.is_empty()) {
        Some(path) => path.into(),
        None => crate::settings::default_socket().with_file_name("board"),
    }
}

impl Board {
    fn new(path: PathBuf) -> Board {
        Board {
            path,
            host: AtomicU64::new(0),
            service: AtomicU64::new(0),
            mapped: Mutex::default(),
            mapping: AtomicU64::new(0),
            alive_until_ns: AtomicU64::new(0),
            look_at_ns: AtomicU64::new(0),
        }
    }

    /// Names this process, for verdicts that concern one host or one service only.
    pub(crate) fn introduce(&self, host: &str, service: &str) {
        let hash = |name: &str| board::hash(name.to_ascii_lowercase().as_bytes());
        self.host.store(hash(host), Relaxed);
        self.service.store(hash(service), Relaxed);
    }

    /// The verdict on a provider, by its name or an alias.
    pub(crate) fn verdict(&self, provider: &str) -> Verdict {
        let now_ns = clock_ns(ClockId::MonotonicCoarse);
        if now_ns >= self.alive_until_ns.load(Relaxed) && !self.is_alive(now_ns) {
            return Verdict::default();
        }
        let reading = self.with_mapping(|words| {
            let board = board::Board::new(words).ok()?;
            board.read(board.find(provider)?)
        });
        let reading = reading.unwrap_or_default();
        let elsewhere = match reading.scope {
            Scope::Host => reading.scope_hash != self.host.load(Relaxed),
            Scope::Service => reading.scope_hash != self.service.load(Relaxed),
            Scope::Everyone | Scope::Operation | Scope::Endpoint => false,
        };
        Verdict { reading, elsewhere }
    }

    /// Looks at the heartbeat, and for another board where this one is dead, replaced or missing.
    #[cold]
    fn is_alive(&self, now_ns: u64) -> bool {
        let looks_alive = |words: &[AtomicU64]| {
            let board = board::Board::new(words).ok()?;
            (board.is_alive(clock_ns(ClockId::Boottime)) && !board.is_replaced()).then_some(())
        };
        let mut alive = self.with_mapping(looks_alive).is_some();
        if !alive && self.is_my_turn_to_look(now_ns) {
            self.map(Shared::open(&self.path, board::BYTES).ok().map(Arc::new));
            alive = self.with_mapping(looks_alive).is_some();
        }
        if alive {
            self.alive_until_ns.store(now_ns + CHECK_ALIVE_NS, Relaxed);
        }
        alive
    }

    /// True for one thread in a second.
    fn is_my_turn_to_look(&self, now_ns: u64) -> bool {
        let due = self.look_at_ns.load(Relaxed);
        due <= now_ns
            && self.look_at_ns.compare_exchange(due, now_ns + LOOK_AGAIN_NS, Relaxed, Relaxed).is_ok()
    }

    /// Takes this memory for the board, alive or not, until it is given another or none: for tests.
    pub(crate) fn pin(&self, shared: Option<Arc<Shared>>) {
        let alive_until_ns = if shared.is_some() { u64::MAX } else { 0 };
        self.map(shared);
        self.alive_until_ns.store(alive_until_ns, Relaxed);
    }

    fn map(&self, shared: Option<Arc<Shared>>) {
        let mut mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        *mapped = shared;
        self.mapping.store(MAPPINGS.fetch_add(1, Relaxed) + 1, Release);
    }

    /// Runs `read` on the mapping that this thread keeps, after it was renewed if there is another.
    fn with_mapping<T>(&self, read: impl FnOnce(&[AtomicU64]) -> Option<T>) -> Option<T> {
        let mapping = self.mapping.load(Acquire);
        let kept = MAPPED.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.0 != mapping {
                *kept = (mapping, self.mapped.lock().unwrap_or_else(PoisonError::into_inner).clone());
            }
            kept.1.as_ref().and_then(|shared| read(shared.words()))
        });
        // A thread that ends reads nothing any more.
        kept.ok().flatten()
    }
}

fn clock_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanmill_proto::board::Writer;

    struct Daemon {
        shared: Shared,
    }

    impl Daemon {
        /// Puts a board where applications look.
        fn publish(path: &std::path::Path, said: &[(&str, Reading)]) -> Daemon {
            let fresh = path.with_extension("new");
            let daemon = Daemon { shared: Shared::create(&fresh, board::BYTES).unwrap() };
            let mut writer = Writer::format(daemon.shared.words()).unwrap();
            for (provider, reading) in said {
                let entry = writer.provider(provider).unwrap();
                writer.write(entry, reading).unwrap();
            }
            writer.heartbeat(clock_ns(ClockId::Boottime));
            std::fs::rename(fresh, path).unwrap();
            daemon
        }

        fn writer(&self) -> Writer<'_> {
            Writer::resume(self.shared.words()).unwrap()
        }
    }

    fn reading(verdict: State) -> Reading {
        Reading {
            verdict,
            since_unix_ns: 1_795_378_500_000_000_000,
            p95_ns: Some(3_000_000),
            ..Reading::default()
        }
    }

    /// Lets the time pass after which things are looked at again.
    fn forget(board: &Board) {
        board.alive_until_ns.store(0, Relaxed);
        board.look_at_ns.store(0, Relaxed);
    }

    #[test]
    fn what_the_daemon_says_is_read_and_what_it_does_not_say_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::new(folder.path().join("board"));
        assert_eq!(board.verdict("acme-bank"), Verdict::default(), "no board");
        let daemon = Daemon::publish(&board.path, &[("acme-bank", reading(State::Hung))]);
        assert_eq!(board.verdict("acme-bank").state(), State::Unknown, "looked for once a second");
        forget(&board);
        let verdict = board.verdict("Acme-Bank");
        assert!(verdict.is_hung() && verdict.is_down() && !verdict.is_slow());
        assert_eq!(verdict.p95(), Some(Duration::from_millis(3)));
        assert_eq!(verdict.since(), Some(UNIX_EPOCH + Duration::from_secs(1_795_378_500)));
        assert_eq!(board.verdict("nobody"), Verdict::default());
        let mut writer = daemon.writer();
        let entry = writer.provider("acme-bank").unwrap();
        writer.write(entry, &reading(State::Ok)).unwrap();
        assert_eq!(board.verdict("acme-bank").state(), State::Ok, "at once");
    }

    #[test]
    fn a_daemon_that_is_silent_makes_everything_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::new(folder.path().join("board"));
        let daemon = Daemon::publish(&board.path, &[("acme-bank", reading(State::Hung))]);
        assert!(board.verdict("acme-bank").is_hung());
        daemon.writer().heartbeat(clock_ns(ClockId::Boottime).saturating_sub(6_000_000_000));
        forget(&board);
        assert_eq!(board.verdict("acme-bank"), Verdict::default());
        daemon.writer().heartbeat(clock_ns(ClockId::Boottime));
        forget(&board);
        assert!(board.verdict("acme-bank").is_hung());
    }

    #[test]
    fn a_board_that_is_replaced_is_found_at_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::new(folder.path().join("board"));
        let old = Daemon::publish(&board.path, &[("acme-bank", reading(State::Ok))]);
        assert_eq!(board.verdict("acme-bank").state(), State::Ok);
        let _new = Daemon::publish(&board.path, &[("acme-bank", reading(State::Slow))]);
        assert_eq!(board.verdict("acme-bank").state(), State::Ok, "nobody has said so yet");
        old.writer().mark_replaced();
        forget(&board);
        assert!(board.verdict("acme-bank").is_slow());
    }

    #[test]
    fn a_verdict_on_another_host_is_none_for_us() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::new(folder.path().join("board"));
        let on_host = |host: &str| Reading {
            scope: Scope::Host,
            scope_hash: board::hash(host.as_bytes()),
            ..reading(State::Failing)
        };
        let _daemon = Daemon::publish(&board.path, &[("a", on_host("h7")), ("b", on_host("h8"))]);
        board.introduce("H7", "shop");
        assert!(board.verdict("a").is_failing());
        let other = board.verdict("b");
        assert!(!other.is_failing() && other.is_elsewhere());
        assert_eq!((other.state(), other.scope()), (State::Failing, Scope::Host));
    }

    #[test]
    fn a_file_that_is_no_board_is_no_board() {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::new(folder.path().join("board"));
        for bytes in [0, 100, board::BYTES] {
            std::fs::write(&board.path, vec![7; bytes]).unwrap();
            forget(&board);
            assert_eq!(board.verdict("acme-bank"), Verdict::default());
        }
    }
}
