//! What an append to the journal costs: `cargo bench -p spanmill-collector --bench journal [-- DIR]`.
//!
//! DIR lies on the disk to measure (default: the temporary directory). CPU is user and system time of the whole
//! process, checksums included; eight senders, each waiting for its answer as a client of the daemon does.

use std::env;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use spanmill_collector::clock::Clock;
use spanmill_collector::command::load::payload;
use spanmill_collector::demo::Random;
use spanmill_collector::journal::{self, Config, Durability, Journal, Overflow};
use spanmill_collector::mask::{MaskedBatch, Masking};
use spanmill_collector::outcome::Transport;
use spanmill_collector::receive::ReceivedBatch;
use spanmill_mask::Masker;
use tokio::task::JoinSet;

const SENDERS: usize = 8;

/// Each case writes about this much, so that segments are begun, closed and deleted on the way.
const BYTES: usize = 1 << 30;

fn main() {
    // cargo adds `--bench` of its own.
    let dir = env::args().skip(1).find(|argument| !argument.starts_with('-')).map(PathBuf::from);
    let dir = tempfile::tempdir_in(dir.unwrap_or_else(env::temp_dir)).expect("the directory can be written");
    println!("{:<40} {:>12} {:>12} {:>12} {:>10}", "", "µs/append", "CPU ns/span", "CPU s/Mspan", "MB/s");
    for durability in [Durability::Process, Durability::Power] {
        for spans in [512, 10] {
            for is_followed in [false, true] {
                let config = Config {
                    dir: dir.path().join(format!("{durability:?}-{spans}-{is_followed}")),
                    segment_size: 64 << 20,
                    max_size: 256 << 20,
                    max_age: Duration::from_secs(3600),
                    durability,
                    overflow: Overflow::Reject,
                };
                measure(config, spans, is_followed);
            }
        }
    }
}

fn measure(config: Config, spans: usize, is_followed: bool) {
    let name =
        format!("{:?}, {spans} spans{}", config.durability, if is_followed { ", with a reader" } else { "" });
    let power = config.durability == Durability::Power;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
    let journal = journal::start(config, Clock::default(), Arc::default()).expect("the directory is free");
    let batch = batch(spans);
    let bytes = batch.bytes().len();
    // A sync takes the disk's time, not ours: fewer are enough to see it.
    let appends = (BYTES / bytes).min(if power { 2_000 } else { usize::MAX });
    let follower = is_followed.then(|| follow(&journal, appends));
    let (started, cpu) = (Instant::now(), cpu_time());
    runtime.block_on(async {
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            let (journal, batch) = (journal.clone(), batch.clone());
            senders.spawn(async move {
                for _ in 0..appends / SENDERS {
                    journal.append(batch.clone()).await.expect("there is room");
                }
            });
        }
        while senders.join_next().await.is_some() {}
    });
    if let Some(follower) = follower {
        follower.join().expect("the reader does not panic");
    }
    let (wall, cpu) = (started.elapsed(), cpu_time() - cpu);
    let appends = (appends / SENDERS * SENDERS) as f64;
    let per_span = cpu.as_nanos() as f64 / (appends * spans as f64);
    println!(
        "{name:<40} {:>12.1} {per_span:>12.0} {:>12.3} {:>10.0}",
        wall.as_micros() as f64 / appends,
        per_span / 1e3,
        appends * bytes as f64 / 1e6 / wall.as_secs_f64(),
    );
    runtime.block_on(journal.close());
}

fn batch(spans: usize) -> MaskedBatch {
    let body: Bytes = payload::request(&mut Random::new(1), spans, 1_800_000_000_000_000_000).into();
    let received =
        ReceivedBatch { body, transport: Transport::Grpc, received_unix_ns: 0, hops: 0, origin: None };
    let masking = Masking::new(Arc::new(Masker::standard()), Arc::default());
    masking.apply(received).expect("the payload is well-formed").batch
}

/// Reads everything as a destination does, and says so.
fn follow(journal: &Journal, appends: usize) -> std::thread::JoinHandle<()> {
    let mut reader = journal.reader(*journal.end().borrow());
    let mut end = journal.end();
    let journal = journal.clone();
    let expected = appends / SENDERS * SENDERS;
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
        let (mut seen, mut records) = (0, Vec::new());
        while seen < expected {
            reader.read(4 << 20, &mut records).expect("the journal can be read");
            if records.is_empty() {
                runtime.block_on(end.changed()).expect("the journal is open");
            }
            seen += records.drain(..).count();
            journal.passed("reader", reader.position());
        }
    })
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
