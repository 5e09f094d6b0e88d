//! How long a restart with a large journal takes: `cargo bench -p spanmill-collector --bench restart [-- DIR]`.
//!
//! DIR lies on the disk to measure (default: the temporary directory). A GiB of calls of the last 15 minutes, all of
//! which the roll-up reads again; as after a kill, when the system still has the files in memory.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use spanmill_collector::clock::Clock;
use spanmill_collector::command::load::payload;
use spanmill_collector::demo::Random;
use spanmill_collector::journal::{self, Config, Durability, Journal, Overflow};
use spanmill_collector::mask::Masking;
use spanmill_collector::outcome::Transport;
use spanmill_collector::receive::ReceivedBatch;
use spanmill_collector::rollup::{self, registry};
use spanmill_mask::Masker;
use tokio::task::JoinSet;

const BYTES: u64 = 1 << 30;
const SPANS: usize = 512;
const AGE: Duration = Duration::from_secs(890);
const SENDERS: usize = 8;

fn main() {
    // cargo adds `--bench` of its own.
    let dir = env::args().skip(1).find(|argument| !argument.starts_with('-')).map(PathBuf::from);
    let dir = tempfile::tempdir_in(dir.unwrap_or_else(env::temp_dir)).expect("the directory can be written");
    let config = Config {
        dir: dir.path().to_owned(),
        segment_size: 64 << 20,
        max_size: 4 << 30,
        max_age: Duration::from_secs(3600),
        durability: Durability::Process,
        overflow: Overflow::Reject,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    let spans = runtime.block_on(fill(config.clone()));

    let (started, cpu) = (Instant::now(), cpu_time());
    let clock = Clock::default();
    let journal = journal::start(config, clock.clone(), Arc::default()).expect("the directory is free");
    let opened = started.elapsed();
    let rollup = rollup::Config {
        registry: registry::Config::default(),
        providers_max: 512,
        operations_max: 32,
        production: Vec::new(),
    };
    let rollup = rollup::start(rollup, &journal, clock, None);
    while !rollup.is_ready() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let board = rollup.window(Duration::from_secs(900));
    let calls: u64 = board.providers.iter().map(|provider| provider.count).sum();
    println!(
        "{spans} spans, {calls} calls: open after {} ms, ready after {} ms, {} ms CPU",
        opened.as_millis(),
        started.elapsed().as_millis(),
        (cpu_time() - cpu).as_millis()
    );
}

/// Writes batches that arrived evenly over the time.
async fn fill(config: Config) -> u64 {
    let clock = Clock::default();
    let journal = journal::start(config, clock.clone(), Arc::default()).expect("the directory is free");
    let masking = Masking::new(Arc::new(Masker::standard()), Arc::default());
    let mut random = Random::new(1);
    let now = clock.unix_ns();
    let mut written = JoinSet::new();
    while journal.end().borrow().0 < BYTES {
        let done = journal.end().borrow().0 as f64 / BYTES as f64;
        let received_unix_ns = now - AGE.mul_f64(1.0 - done.min(1.0)).as_nanos() as u64;
        let body = payload::request(&mut random, SPANS, received_unix_ns).into();
        let received =
            ReceivedBatch { body, transport: Transport::Grpc, received_unix_ns, hops: 0, origin: None };
        let batch = masking.apply(received).expect("the payload is well-formed").batch;
        append(&mut written, &journal, batch).await;
    }
    while written.join_next().await.is_some() {}
    journal.close().await;
    journal.spans()
}

async fn append(written: &mut JoinSet<()>, journal: &Journal, batch: spanmill_collector::mask::MaskedBatch) {
    let journal = journal.clone();
    written.spawn(async move { assert!(journal.append(batch).await.is_ok(), "there is room") });
    while written.len() >= SENDERS {
        written.join_next().await;
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
