//! The board as applications read it, filled by a daemon and by an agent whose centre is a real listener.

use std::path::Path;
use std::time::Instant;

use spanmill_proto::board::{self, Reading};
use spanmill_proto::shared::Shared;
use spanmill_proto::v1::{ScopeKind, Verdict};
use spanmill_proto::verdict;

use super::*;
use crate::clock::Clock;
use crate::dial::{Protocol, Target};
use crate::receive::{
    self, Accepted, Listen, Local, OpenCall, Process, ReceivedBatch, Refusal, Sink, Source,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn told(provider: &str, verdict: Verdict, aliases: &[&str]) -> ProviderVerdict {
    ProviderVerdict {
        provider: provider.to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        verdict: verdict.into(),
        generation: 3,
        since_unix_ns: 77,
        in_flight: Some(9),
        ..ProviderVerdict::default()
    }
}

fn read(path: &Path, name: &str) -> Option<Reading> {
    let shared = Shared::open(path, board::BYTES).ok()?;
    let board = board::Board::new(shared.words()).ok()?;
    board.is_alive(file::boot_ns()).then_some(())?;
    board.read(board.find(name)?)
}

#[test]
fn a_verdict_is_read_by_every_name_of_its_provider() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sub/board");
    let mut file = File::create(&path).unwrap();
    assert_eq!(read(&path, "acme"), None, "no sign of life yet");
    let hung = ProviderVerdict {
        scope: ScopeKind::Host.into(),
        scope_key: "H7".to_owned(),
        ..told("acme", Verdict::Hung, &["acme.example", "acme-bank"])
    };
    file.write(&[&hung, &told("globex", Verdict::Ok, &[])]);
    for name in ["acme", "ACME-bank", "acme.example"] {
        let reading = read(&path, name).unwrap();
        assert_eq!((reading.verdict, reading.scope), (verdict::Verdict::Hung, verdict::Scope::Host));
        assert_eq!((reading.scope_hash, reading.in_flight), (board::hash(b"h7"), Some(9)));
        assert_eq!((reading.generation, reading.since_unix_ns, reading.p95_ns), (3, 77, None));
    }
    assert_eq!(read(&path, "globex").unwrap().verdict, verdict::Verdict::Ok);
    assert_eq!(read(&path, "initech"), None);
    // Who is not named any more is unknown.
    file.write(&[&told("globex", Verdict::Slow, &[])]);
    assert_eq!(read(&path, "acme").unwrap(), Reading::default());
    assert_eq!(read(&path, "globex").unwrap().verdict, verdict::Verdict::Slow);
}

#[test]
fn a_board_that_ends_says_so_and_leaves_another_ones_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board");
    let mut first = File::create(&path).unwrap();
    first.write(&[&told("acme", Verdict::Ok, &[])]);
    let mapped = Shared::open(&path, board::BYTES).unwrap();
    let second = File::create(&path).unwrap();
    drop(first);
    assert!(board::Board::new(mapped.words()).unwrap().is_replaced());
    assert!(path.exists(), "it is the second one's");
    drop(second);
    assert!(!path.exists());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_provider_that_comes_when_the_board_is_full_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board");
    let mut file = File::create(&path).unwrap();
    let many: Vec<_> =
        (0..board::ENTRIES + 5).map(|n| told(&format!("p{n}"), Verdict::Ok, &["same"])).collect();
    file.write(&many.iter().collect::<Vec<_>>());
    assert_eq!(read(&path, "p0").unwrap().verdict, verdict::Verdict::Ok);
    assert_eq!(read(&path, &format!("p{}", board::ENTRIES + 1)), None);
}

#[derive(Clone)]
struct Nobody;

impl Sink for Nobody {
    async fn accept(&self, _: ReceivedBatch) -> Result<Accepted, Refusal> {
        Ok(Accepted { rejected_spans: 0 })
    }

    fn in_flight(&self, _: Source, _: Vec<Process>, _: u64) {}

    fn is_overdue(&self, _: &OpenCall, _: u64) -> bool {
        false
    }
}

async fn wait_for(path: &Path, name: &str, wanted: verdict::Verdict) {
    let deadline = Instant::now() + PATIENCE;
    while read(path, name).map(|reading| reading.verdict) != Some(wanted) {
        assert!(Instant::now() < deadline, "{name} is not {wanted:?} but {:?}", read(path, name));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_agent_shows_what_its_centre_says_and_its_own_verdicts_while_that_is_silent() {
    let dir = tempfile::tempdir().unwrap();
    let (at_centre, watched) = watch::channel(Arc::new(vec![told("acme", Verdict::Hung, &[])]));
    let listen = Listen { address: ([127, 0, 0, 1], 0).into(), connections_max: 10, tokens: None, tls: None };
    let config = receive::Config {
        grpc: listen.clone(),
        http: listen,
        local: Local { path: dir.path().join("socket"), mode: 0o600, group: None },
        request_max: 1 << 20,
        memory_max: 1 << 24,
    };
    let receiver = receive::start(config, &Nobody, &Clock::default(), &Arc::default(), watched).unwrap();
    let authority = receiver.grpc.to_string().parse().unwrap();
    let target = Target { authority, protocol: Protocol::Http2, tls: None };
    let centre = Centre { name: "centre".to_owned(), target, headers: Vec::new() };

    let path = dir.path().join("board");
    let own = Arc::new(vec![told("acme", Verdict::Ok, &[]), told("globex", Verdict::Slow, &[])]);
    let (detector, verdicts) = watch::channel(Arc::clone(&own));
    let board = start(Config { path: path.clone(), centre: Some(centre) }, verdicts).unwrap();
    // The detector of the agent, each second in the daemon.
    let (stop, mut stopped) = watch::channel(false);
    let ticks = tokio::spawn(async move {
        while !*stopped.borrow_and_update() {
            detector.send_replace(Arc::clone(&own));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    wait_for(&path, "acme", verdict::Verdict::Hung).await;
    wait_for(&path, "globex", verdict::Verdict::Slow).await;
    at_centre.send_replace(Arc::new(vec![ProviderVerdict {
        generation: 4,
        ..told("acme", Verdict::Failing, &[])
    }]));
    wait_for(&path, "acme", verdict::Verdict::Failing).await;
    receiver.stop(Duration::from_secs(1)).await;
    wait_for(&path, "acme", verdict::Verdict::Ok).await;
    board.stop().await;
    assert!(!path.exists());
    stop.send_replace(true);
    ticks.await.unwrap();
}
