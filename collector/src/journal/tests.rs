//! The journal through its public face, on real files.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const SECOND_NS: u64 = 1_000_000_000;
const NOW: u64 = 1_795_378_503 * SECOND_NS;

fn config(dir: &Path) -> Config {
    Config {
        dir: dir.to_owned(),
        segment_size: 4096,
        max_size: 1 << 30,
        max_age: Duration::from_secs(3600),
        durability: Durability::Process,
        overflow: Overflow::Reject,
    }
}

fn open(config: Config) -> Journal {
    start(config, Clock::manual(NOW), Arc::default()).expect("the directory is free and writable")
}

fn batch(bytes: Vec<u8>, spans: u32) -> MaskedBatch {
    MaskedBatch::restored(Bytes::from(bytes), spans, NOW, 1)
}

/// Different in every byte position and for every `i`.
fn body(i: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + i * 7) as u8).collect()
}

fn read_all(reader: &mut Reader) -> Vec<Record> {
    let mut out = Vec::new();
    loop {
        let before = out.len();
        reader.read(1000, &mut out).expect("the disk can be read");
        if out.len() == before {
            return out;
        }
    }
}

fn bodies(records: &[Record]) -> Vec<Vec<u8>> {
    records.iter().map(|record| record.batch.bytes().to_vec()).collect()
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    files.sort();
    files
}

async fn append_all(journal: &Journal, sizes: impl IntoIterator<Item = usize>) {
    for (i, size) in sizes.into_iter().enumerate() {
        journal.append(batch(body(i, size), 2)).await.expect("there is room");
    }
}

#[tokio::test]
async fn what_was_appended_is_read_back_in_order_over_segments_and_restarts() {
    let dir = TempDir::new().unwrap();
    let sizes = [1, 0, 500, 3000, 10_000, 7, 4096, 2000, 2000, 2000];
    let mut expected: Vec<Vec<u8>> = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..3 {
        let journal = open(config(dir.path()));
        append_all(&journal, sizes).await;
        expected.extend(sizes.iter().enumerate().map(|(i, size)| body(i, *size)));
        let records = read_all(&mut journal.reader(Position(0)));
        assert_eq!(bodies(&records), expected);
        for (i, pair) in records.windows(2).enumerate() {
            assert!(pair[0].next <= pair[1].position);
            assert_eq!(pair[1].spans_before, 2 * (i as u64 + 1));
        }
        assert_eq!(records[0].batch.hops(), 1);
        assert_eq!(records[0].batch.received_unix_ns(), NOW);
        assert_eq!(journal.spans(), expected.len() as u64 * 2);
        ends.push(*journal.end().borrow());
        journal.close().await;
    }
    assert!(ends.is_sorted() && ends[0] < ends[1] && ends[1] < ends[2]);
    assert!(segment_files(dir.path()).len() > 9);
}

#[tokio::test]
async fn readers_from_memory_and_from_disk_are_given_the_same() {
    let dir = TempDir::new().unwrap();
    let journal = open(config(dir.path()));
    append_all(&journal, (0..200).map(|i| i * 13)).await;
    let memory = read_all(&mut journal.reader(Position(0)));
    journal.shared.state().tail = tail::Tail::default();
    let disk = read_all(&mut journal.reader(Position(0)));
    let facts = |records: &[Record]| -> Vec<_> {
        let fact =
            |r: &Record| (r.position, r.next, r.spans_before, r.batch.spans(), r.batch.bytes().clone());
        records.iter().map(fact).collect()
    };
    assert_eq!(facts(&memory), facts(&disk));
    // From anywhere, too, also from between two records.
    for record in &disk {
        for from in [record.position.0, record.position.0 + 1] {
            let first = read_all(&mut journal.reader(Position(from))).into_iter().next();
            let expected = memory.iter().find(|record| record.position.0 >= from);
            assert_eq!(first.map(|record| record.position), expected.map(|record| record.position));
        }
    }
    assert_eq!(journal.status().corrupt_records, 0);
}

#[tokio::test]
async fn a_reader_that_falls_behind_goes_on_from_disk_and_catches_up() {
    let dir = TempDir::new().unwrap();
    let journal = open(Config { segment_size: 8 << 20, ..config(dir.path()) });
    let mut reader = journal.reader(Position(0));
    let mut out = Vec::new();
    let large = 1 << 20;
    for i in 0..40 {
        journal.append(batch(body(i, large), 1)).await.unwrap();
        if i % 3 == 0 {
            reader.read(large, &mut out).unwrap();
        }
    }
    out.extend(read_all(&mut reader));
    assert_eq!(out.len(), 40);
    assert!(out.iter().enumerate().all(|(i, record)| record.batch.bytes() == &body(i, large)));
    assert_eq!(reader.skipped(), Skipped::default());
}

#[tokio::test]
async fn a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on() {
    let dir = TempDir::new().unwrap();
    let journal = open(config(dir.path()));
    append_all(&journal, [100, 50]).await;
    let last = read_all(&mut journal.reader(Position(0)))[1].position.0;
    journal.close().await;
    let file = segment_files(dir.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let start = (segment::HEADER_LEN + last) as usize;
    for end in start..whole.len() {
        let torn = TempDir::new().unwrap();
        let copy = torn.path().join(file.file_name().unwrap());
        fs::write(&copy, &whole[..end]).unwrap();
        let journal = open(config(torn.path()));
        assert_eq!(fs::metadata(&copy).unwrap().len(), start as u64, "torn at {end}");
        assert_eq!(journal.spans(), 2);
        journal.append(batch(body(9, 30), 5)).await.unwrap();
        let records = read_all(&mut journal.reader(Position(0)));
        assert_eq!(bodies(&records), [body(0, 100), body(9, 30)]);
        assert_eq!(records[1].spans_before, 2);
        assert_eq!(journal.status().corrupt_records, 0, "a torn tail is no damage");
    }
}

#[tokio::test]
async fn a_flipped_byte_costs_its_record_and_no_other() {
    let dir = TempDir::new().unwrap();
    let journal = open(config(dir.path()));
    append_all(&journal, [60, 80, 70, 1500, 3000, 60]).await;
    let records = read_all(&mut journal.reader(Position(0)));
    journal.close().await;
    let files = segment_files(dir.path());
    let whole = fs::read(&files[0]).unwrap();
    let first_segment = records.iter().filter(|record| record.next.0 <= 4096).count();
    assert!(first_segment >= 3 && files.len() >= 2);
    for at in (segment::HEADER_LEN as usize..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&files[0], &damaged).unwrap();
        let position = at as u64 - segment::HEADER_LEN;
        let hit = records.iter().position(|record| position < record.next.0).unwrap();
        let journal = open(config(dir.path()));
        let mut reader = journal.reader(Position(0)).with_spans_before(0);
        let expected: Vec<_> =
            records.iter().enumerate().filter(|(i, _)| *i != hit).map(|(_, r)| r.position).collect();
        let read = read_all(&mut reader);
        assert_eq!(read.iter().map(|record| record.position).collect::<Vec<_>>(), expected, "byte {at}");
        assert_eq!(reader.skipped(), Skipped { deleted: 0, corrupt: 2 });
        read_all(&mut journal.reader(Position(0)).with_spans_before(0));
        assert_eq!(journal.status().corrupt_records, 1, "counted once, however often it is met");
        journal.close().await;
    }
}

#[tokio::test]
async fn a_damaged_segment_header_costs_no_record() {
    let dir = TempDir::new().unwrap();
    let journal = open(config(dir.path()));
    append_all(&journal, [2000, 2000, 2000]).await;
    let instance = journal.instance();
    journal.close().await;
    for file in segment_files(dir.path()) {
        let whole = fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        damaged[20] ^= 1;
        fs::write(&file, &damaged).unwrap();
        let journal = open(config(dir.path()));
        assert_eq!(read_all(&mut journal.reader(Position(0))).len(), 3);
        assert_eq!((journal.spans(), journal.instance()), (6, instance));
        assert_eq!(journal.status().corrupt_records, 1);
        journal.close().await;
        fs::write(&file, &whole).unwrap();
    }
}

#[tokio::test]
async fn a_second_writer_is_refused_and_told_who_holds_the_directory() {
    let dir = TempDir::new().unwrap();
    let journal = open(config(dir.path()));
    let refused = start(config(dir.path()), Clock::manual(NOW), Arc::default()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
    let message = refused.to_string();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    assert!(message.contains(&dir.path().display().to_string()), "{message}");
    journal.close().await;
    open(config(dir.path()));
}

#[tokio::test]
async fn a_closed_journal_refuses_and_keeps_what_it_took() {
    let dir = TempDir::new().unwrap();
    let journal = open(config(dir.path()));
    let appends: Vec<_> = (0..50)
        .map(|i| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(batch(body(i, 300), 1)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    journal.close().await;
    let mut kept = 0;
    for append in appends {
        match append.await.unwrap() {
            Ok(_) => kept += 1,
            Err(refused) => assert_eq!(refused, Refused::Closed),
        }
    }
    assert_eq!(journal.append(batch(vec![1], 1)).await, Err(Refused::Closed));
    assert_eq!(read_all(&mut journal.reader(Position(0))).len(), kept);
    drop(journal);
    assert_eq!(read_all(&mut open(config(dir.path())).reader(Position(0))).len(), kept);
}

#[tokio::test]
async fn full_is_what_a_destination_has_not_passed_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let journal = open(Config { max_size: 20_000, ..config(dir.path()) });
    append_all(&journal, [5000; 10]).await;
    journal.passed("jaeger", *journal.end().borrow());
    let mut accepted = 0;
    let refused = loop {
        match journal.append(batch(body(0, 5000), 1)).await {
            Ok(_) => accepted += 1,
            Err(refused) => break refused,
        }
        assert!(accepted < 100);
    };
    assert_eq!((accepted, refused), (4, Refused::Full { max_size: 20_000 }));
    // One of two destinations alone frees nothing.
    let mut reader = journal.reader(Position(0));
    let waiting = read_all(&mut reader);
    journal.passed("centre", waiting[waiting.len() - 4].position);
    journal.passed("centre", reader.position());
    assert!(journal.append(batch(vec![0], 1)).await.is_err());
    journal.passed("jaeger", waiting[waiting.len() - 3].position);
    journal.append(batch(body(0, 5000), 1)).await.expect("one record was passed by both");
    assert!(journal.append(batch(vec![0], 1)).await.is_err());
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn passed_segments_go_when_they_are_too_many_and_waiting_ones_never() {
    let dir = TempDir::new().unwrap();
    let journal = open(Config { max_size: 40_000, ..config(dir.path()) });
    journal.passed("jaeger", Position(0));
    append_all(&journal, [3000; 12]).await;
    let mut behind = journal.reader(Position(0)).with_spans_before(0);
    behind.read(1, &mut Vec::new()).unwrap();
    assert_eq!(journal.first(), Position(0));
    let records = read_all(&mut journal.reader(Position(0)));
    journal.passed("jaeger", records[6].position);
    append_all(&journal, [3000; 6]).await;
    until("old segments are deleted", || journal.status().bytes <= 40_000).await;
    assert!(journal.first() > Position(0) && journal.first() <= records[6].position);
    // From memory the reader misses nothing; from disk it is told what it missed.
    journal.shared.state().tail = tail::Tail::default();
    let rest = read_all(&mut behind);
    let missed = rest[0].spans_before - 2;
    assert!(missed > 0);
    assert_eq!(behind.skipped(), Skipped { deleted: missed, corrupt: 0 });
    assert_eq!(segment_files(dir.path()).len(), journal.shared.state().segments.len());
    until("an index goes with its segment", || {
        let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut indexes =
            files.filter(|path| path.extension().is_some_and(|extension| extension == "traces"));
        indexes.all(|path| path.with_extension("segment").exists())
    })
    .await;
}

#[tokio::test]
async fn where_the_oldest_is_dropped_nothing_is_refused_and_what_is_missed_is_told() {
    let dir = TempDir::new().unwrap();
    let dropping = Config { max_size: 40_000, overflow: Overflow::DropOldest, ..config(dir.path()) };
    let journal = open(dropping);
    journal.passed("jaeger", Position(0));
    let mut reader = journal.reader(Position(0)).with_spans_before(0);
    append_all(&journal, [3000; 40]).await;
    until("the oldest are deleted", || !journal.is_full()).await;
    assert!(journal.first() > Position(0));
    journal.shared.state().tail = tail::Tail::default();
    let read = read_all(&mut reader);
    assert_eq!(bodies(&read).last(), Some(&body(39, 3000)));
    let missed = reader.skipped();
    assert!(missed.deleted > 0 && missed.corrupt == 0, "{missed:?}");
    assert_eq!(missed.deleted + 2 * read.len() as u64, 80);
}

/// What deleted files of `dir` still take of the disk, for somebody has them open.
fn held_bytes(dir: &Path) -> u64 {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let is_deleted = |path: &PathBuf| {
        let target = fs::read_link(path).unwrap_or_default();
        target.starts_with(dir) && target.to_string_lossy().ends_with(" (deleted)")
    };
    descriptors.filter(is_deleted).filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum()
}

#[tokio::test]
async fn a_segment_that_is_deleted_gives_back_its_room_though_a_reader_has_just_finished_it() {
    let dir = TempDir::new().unwrap();
    let config = Config { max_size: 16_384, ..config(dir.path()) };
    let before = open(config.clone());
    append_all(&before, [1000; 3]).await;
    before.close().await;
    drop(before);
    let journal = open(config);
    let mut reader = journal.reader(Position(0));
    assert_eq!(read_all(&mut reader).len(), 3, "from disk");
    let finished = segment_files(dir.path()).pop().unwrap();
    append_all(&journal, [1000; 20]).await;
    until("its segment is deleted", || !finished.exists()).await;
    until("and no longer open", || held_bytes(dir.path()) == 0).await;
    assert_eq!((read_all(&mut reader).len(), reader.skipped()), (20, Skipped::default()));
}

#[tokio::test]
async fn a_dropped_segment_gives_back_its_room_though_a_reader_waits_in_the_middle_of_it() {
    let dir = TempDir::new().unwrap();
    let config = Config {
        segment_size: 4 << 20,
        max_size: 16 << 20,
        overflow: Overflow::DropOldest,
        ..config(dir.path())
    };
    let before = open(config.clone());
    append_all(&before, [512 << 10; 7]).await;
    before.close().await;
    drop(before);
    let journal = open(config);
    journal.passed("jaeger", Position(0));
    let mut reader = journal.reader(Position(0)).with_spans_before(0);
    let mut first = Vec::new();
    reader.read(1, &mut first).unwrap();
    let waits_in = segment_files(dir.path()).pop().unwrap();
    append_all(&journal, [512 << 10; 40]).await;
    until("its segment is dropped", || !waits_in.exists()).await;
    until("and takes no room", || held_bytes(dir.path()) == 0).await;
    let read = 2 * (first.len() + read_all(&mut reader).len()) as u64;
    let skipped = reader.skipped();
    assert!(skipped.deleted > 0, "{skipped:?}");
    assert_eq!((read + skipped.deleted, skipped.corrupt), (2 * 47, 0));
    assert_eq!(journal.status().corrupt_records, 0);
}

fn from_afar(i: usize, begin: u64, end: u64) -> MaskedBatch {
    batch(body(i, 1000), 2).with_origin(Some(crate::mask::Origin { instance: 77, begin, end }))
}

#[tokio::test]
async fn what_came_from_another_log_is_known_over_restarts_and_when_its_segment_is_gone() {
    let dir = TempDir::new().unwrap();
    let origins = dir.path().join("origins");
    for round in 0..3u64 {
        let journal = open(Config { max_size: 20_000, ..config(dir.path()) });
        for i in 0..10 {
            let begin = round * 1000 + i * 100;
            journal.append(from_afar(i as usize, begin, begin + 100)).await.unwrap();
        }
        for begin in (0..round * 1000 + 1000).step_by(100) {
            let again = journal.append(from_afar(0, begin, begin + 100)).await;
            assert_eq!(again, Err(Refused::Known), "round {round}: {begin}");
        }
        let end = round * 1000 + 1000;
        assert_eq!(journal.append(from_afar(0, end - 50, end + 50)).await, Err(Refused::Overlaps));
        if round < 2 {
            until("the ranges are stored", || fs::metadata(&origins).is_ok_and(|file| file.len() > 48)).await;
        }
        journal.close().await;
        drop(journal);
        if round == 0 {
            // Without its file they are read from the records.
            fs::remove_file(&origins).unwrap();
        }
    }
    let journal = open(config(dir.path()));
    assert!(journal.first() > Position(0), "the first segments are gone");
}

#[tokio::test]
async fn two_copies_that_arrive_together_are_written_once() {
    let dir = TempDir::new().unwrap();
    let journal = open(config(dir.path()));
    let copies = (0..20).map(|_| journal.append(from_afar(1, 0, 100)));
    let answers = futures_util::future::join_all(copies).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let others =
        |answer: &&Result<Position, Refused>| matches!(answer, Err(Refused::Known | Refused::BeingWritten));
    assert_eq!(answers.iter().filter(others).count(), 19);
    assert_eq!(journal.append(from_afar(1, 0, 100)).await, Err(Refused::Known));
    assert_eq!(journal.spans(), 2);
}

#[tokio::test]
async fn passed_segments_go_when_they_are_too_old() {
    let dir = TempDir::new().unwrap();
    let clock = Clock::manual(NOW);
    let journal = start(config(dir.path()), clock.clone(), Arc::default()).unwrap();
    journal.passed("jaeger", Position(0));
    append_all(&journal, [3000; 4]).await;
    let passed = read_all(&mut journal.reader(Position(0)))[2].position;
    clock.advance(Duration::from_secs(3601));
    journal.passed("jaeger", passed);
    append_all(&journal, [100]).await;
    until("two segments are deleted", || journal.first() == passed).await;
    assert!((journal.status().oldest_s - 3601.0).abs() < 1.0);
    // In time all go, also the one that was being written to.
    journal.passed("jaeger", *journal.end().borrow());
    clock.advance(Duration::from_secs(3601));
    append_all(&journal, [100]).await;
    until("only the newest stays", || segment_files(dir.path()).len() == 1).await;
}

#[tokio::test]
async fn a_newer_layout_is_refused_with_the_way_out() {
    let dir = TempDir::new().unwrap();
    let journal = open(config(dir.path()));
    append_all(&journal, [10]).await;
    journal.close().await;
    let file = segment_files(dir.path()).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] = segment::VERSION as u8 + 1;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..64]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    fs::write(&file, bytes).unwrap();
    let refused = start(config(dir.path()), Clock::manual(NOW), Arc::default()).unwrap_err();
    assert!(refused.to_string().contains("newer spanmill"), "{refused}");
}

#[tokio::test]
async fn a_journal_of_the_first_layout_is_read_on_and_written_on_in_a_new_segment() {
    let dir = TempDir::new().unwrap();
    let journal = open(config(dir.path()));
    append_all(&journal, [10, 20]).await;
    journal.close().await;
    // Records without an origin have the same form in both.
    let file = segment_files(dir.path()).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] = 1;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..64]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    fs::write(&file, &bytes).unwrap();
    let journal = open(config(dir.path()));
    append_all(&journal, [30]).await;
    assert_eq!(bodies(&read_all(&mut journal.reader(Position(0)))), [body(0, 10), body(1, 20), body(0, 30)]);
    assert_eq!(journal.status().corrupt_records, 0);
    let files = segment_files(dir.path());
    assert_eq!(fs::read(&files[0]).unwrap(), bytes, "nothing is written into an old segment");
    assert_eq!(fs::read(&files[1]).unwrap()[8], segment::VERSION as u8);
}

#[tokio::test]
async fn with_power_durability_the_same_holds() {
    let dir = TempDir::new().unwrap();
    let journal = open(Config { durability: Durability::Power, ..config(dir.path()) });
    append_all(&journal, [3000; 5]).await;
    assert_eq!(read_all(&mut journal.reader(Position(0))).len(), 5);
    journal.close().await;
    assert_eq!(read_all(&mut open(config(dir.path())).reader(Position(0))).len(), 5);
}

#[tokio::test]
async fn with_power_durability_ok_is_said_when_a_power_cut_can_take_nothing_any_more() {
    for seed in 0..20 {
        let disk = Arc::new(simulated_disk::SimulatedDisk::default());
        let limits = Limits::from(Config { durability: Durability::Power, ..config(Path::new("")) });
        let open =
            || start_on(Arc::clone(&disk) as _, None, limits, Clock::manual(NOW), Arc::default()).unwrap();
        let journal = open();
        append_all(&journal, [300; 20]).await;
        disk.power_cut(&mut simulated_disk::Random(seed));
        let after = open();
        let expected: Vec<_> = (0..20).map(|i| body(i, 300)).collect();
        assert_eq!(bodies(&read_all(&mut after.reader(Position(0)))), expected, "seed {seed}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<usize>),
    Read(usize),
    Forget,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(0usize..6000, 1..8).prop_map(Step::Append),
        4 => (1usize..20_000).prop_map(Step::Read),
        1 => Just(Step::Forget),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The model is a list; whatever is done, a reader sees the list in order, each record once.
    #[test]
    fn the_log_behaves_as_a_list(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run_against_list(&steps));
    }
}

async fn run_against_list(steps: &[Step]) {
    let dir = TempDir::new().unwrap();
    let mut journal = open(config(dir.path()));
    let mut reader = journal.reader(Position(0)).with_spans_before(0);
    let mut list: Vec<Vec<u8>> = Vec::new();
    let mut seen = Vec::new();
    for step in steps {
        match step {
            Step::Append(sizes) => {
                let new: Vec<_> = (list.len()..).zip(sizes).map(|(i, size)| body(i, *size)).collect();
                let appends = new.iter().map(|body| journal.append(batch(body.clone(), 1)));
                for result in futures_util::future::join_all(appends).await {
                    result.unwrap();
                }
                list.extend(new);
            }
            Step::Read(bytes) => reader.read(*bytes, &mut seen).unwrap(),
            Step::Forget => journal.shared.state().tail = tail::Tail::default(),
            Step::Restart => {
                let position = reader.position();
                let spans = seen.len() as u64;
                journal.close().await;
                drop(journal);
                journal = open(config(dir.path()));
                reader = journal.reader(position).with_spans_before(spans);
            }
        }
    }
    seen.extend(read_all(&mut reader));
    assert_eq!(bodies(&seen), list);
    assert_eq!(bodies(&read_all(&mut journal.reader(Position(0)))), list);
    assert_eq!((journal.spans(), reader.skipped()), (list.len() as u64, Skipped::default()));
}
