//! The path of a batch over a real journal and a real roll-up: what is kept, judged, counted, and said to its sender.

use std::time::Instant;

use bytes::Bytes;
use tempfile::TempDir;

use crate::command::load::payload;
use crate::demo::Random;
use crate::outcome::Transport;
use crate::receive::Origin;
use crate::rollup::registry;

use super::*;

const NOW: u64 = 1_800_000_000_000_000_000;
const PATIENCE: Duration = Duration::from_secs(20);

struct Daemon {
    _dir: TempDir,
    clock: Clock,
    path: Path,
}

impl Daemon {
    /// With a destination that takes nothing before it is told to.
    fn start(max_size: u64) -> Daemon {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW);
        let outcomes = Arc::<Outcomes>::default();
        let config = journal::Config {
            dir: dir.path().to_owned(),
            segment_size: 1 << 20,
            max_size,
            max_age: Duration::from_secs(60),
            durability: journal::Durability::Process,
            overflow: journal::Overflow::Reject,
        };
        let journal = journal::start(config, clock.clone(), Arc::clone(&outcomes)).unwrap();
        journal.passed("jaeger", *journal.end().borrow());
        let config = rollup::Config {
            registry: registry::Config::default(),
            providers_max: 64,
            operations_max: 8,
            production: Vec::new(),
        };
        let rollup = rollup::start(config, &journal, clock.clone(), None);
        let masking = Masking::new(Arc::new(spanmill_mask::Masker::standard()), Arc::clone(&outcomes));
        Daemon { _dir: dir, clock, path: Path { masking, journal, rollup, outcomes } }
    }

    async fn send(&self, seed: u64, transport: Transport) -> Result<Accepted, Refusal> {
        self.send_as(request(seed), transport, None).await
    }

    async fn send_as(
        &self,
        body: Bytes,
        transport: Transport,
        origin: Option<Origin>,
    ) -> Result<Accepted, Refusal> {
        let received_unix_ns = self.clock.unix_ns();
        self.path.accept(ReceivedBatch { body, transport, received_unix_ns, hops: 0, origin }).await
    }

    /// Sends until the journal is full.
    async fn fill(&self) -> u64 {
        for seed in 1_000.. {
            if self.send(seed, Transport::Grpc).await.is_err() {
                return seed;
            }
        }
        unreachable!()
    }

    fn empty(&self) {
        self.path.journal.passed("jaeger", *self.path.journal.end().borrow());
    }

    #[track_caller]
    fn until_rolled_up(&self, spans: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.path.rollup.stats().spans < spans {
            assert!(Instant::now() < deadline, "{:?}, wanted {spans}", self.path.rollup.stats());
            std::thread::yield_now();
        }
        assert_eq!(self.path.rollup.stats().spans, spans);
    }

    fn received(&self) -> u64 {
        self.path.outcomes.received_total()
    }
}

/// Ten spans, of the present second.
fn request(seed: u64) -> Bytes {
    payload::request(&mut Random::new(seed), 10, NOW).into()
}

#[tokio::test]
async fn the_spans_of_a_sender_that_hangs_up_are_counted_all_the_same() {
    let daemon = Daemon::start(1 << 30);
    tokio::select! {
        biased;
        // The writer may be quick; the claim holds either way.
        _ = daemon.send(1, Transport::Grpc) => {}
        () = std::future::ready(()) => {}
    }
    daemon.path.journal.close().await;
    assert_eq!((daemon.received(), daemon.path.journal.spans()), (10, 10));
}

#[tokio::test]
async fn what_a_full_journal_refuses_is_rolled_up_once_and_kept_when_it_comes_again() {
    let daemon = Daemon::start(20_000);
    let refused = daemon.fill().await;
    let kept = daemon.received();
    for _ in 0..3 {
        let answer = daemon.send(refused, Transport::Http).await.unwrap_err();
        assert!(
            matches!(answer, Refusal::Overload { ref reason, .. } if reason.contains("full")),
            "{answer}"
        );
    }
    daemon.until_rolled_up(kept + 10);
    assert_eq!(daemon.received(), kept, "what was refused is not received");

    daemon.empty();
    daemon.send(refused, Transport::Http).await.expect("there is room again");
    daemon.send(2, Transport::Http).await.expect("there is room again");
    // The one after it has been seen, so this one has been, too.
    daemon.until_rolled_up(kept + 20);
    assert_eq!(daemon.received(), kept + 20);
    assert_eq!(daemon.path.rollup.stats().unkept, 10);
}

#[tokio::test]
async fn what_was_rolled_up_by_a_process_that_is_gone_is_rolled_up_from_the_journal() {
    let daemon = Daemon::start(1 << 30);
    let received = ReceivedBatch {
        body: request(1),
        transport: Transport::Grpc,
        received_unix_ns: NOW,
        hops: 0,
        origin: None,
    };
    daemon.path.rollup.roll_up_refused(&daemon.path.masking.apply(received).unwrap().batch);
    daemon.send(1, Transport::Grpc).await.unwrap();
    daemon.send(2, Transport::Grpc).await.unwrap();
    daemon.until_rolled_up(20);
    daemon.clock.advance(Duration::from_secs(1));
    let config = rollup::Config {
        registry: registry::Config::default(),
        providers_max: 64,
        operations_max: 8,
        production: Vec::new(),
    };
    let next = rollup::start(config, &daemon.path.journal, daemon.clock.clone(), None);
    let deadline = Instant::now() + PATIENCE;
    while !next.is_ready() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let calls = |rollup: &Rollup| -> u64 {
        rollup.window(Duration::from_secs(900)).providers.iter().map(|provider| provider.count).sum()
    };
    assert!(calls(&next) > 0);
    assert_eq!(calls(&next), calls(&daemon.path.rollup));
}

#[tokio::test]
async fn on_the_local_socket_a_full_journal_costs_the_trace_and_not_the_verdict() {
    let daemon = Daemon::start(20_000);
    daemon.fill().await;
    let kept = daemon.received();
    for seed in 1..4 {
        daemon.send(seed, Transport::Local).await.unwrap_err();
    }
    daemon.until_rolled_up(kept + 40);
    assert_eq!(daemon.path.outcomes.lost_by(Lost::JournalFull), 30);
    assert_eq!(daemon.path.outcomes.lost_by(Lost::JournalUnwritable), 0);
    assert_eq!(daemon.received(), kept);
}

#[tokio::test]
async fn a_batch_of_another_daemon_is_kept_and_rolled_up_once() {
    let daemon = Daemon::start(20_000);
    let origin = |begin, end| Some(Origin { instance: 9, begin, end });
    let send = |seed, origin| daemon.send_as(request(seed), Transport::Grpc, origin);
    send(1, origin(0, 100)).await.unwrap();
    send(2, origin(200, 300)).await.unwrap();
    for _ in 0..2 {
        send(1, origin(0, 100)).await.expect("it is here, so the sender may forget it");
    }
    assert_eq!(send(3, origin(50, 250)).await, Err(Refusal::Overlaps));
    send(4, origin(100, 200)).await.expect("nothing of it is here");
    daemon.until_rolled_up(30);
    assert_eq!((daemon.received(), daemon.path.outcomes.known_total()), (30, 20));

    // A full journal makes nothing unknown.
    daemon.fill().await;
    send(1, origin(0, 100)).await.expect("it is here all the same");
}
