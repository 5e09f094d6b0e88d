//! Tests of the board: what is written is read, by any name, whole or not at all.

use proptest::prelude::*;

use super::*;

fn memory() -> Vec<AtomicU64> {
    (0..WORDS).map(|_| AtomicU64::new(0)).collect()
}

fn reading(number: u64) -> Reading {
    Reading {
        verdict: Verdict::from_number((number % 8) as u8),
        scope: Scope::from_number((number % 5) as u8),
        scope_hash: number,
        generation: number as u32,
        since_unix_ns: number,
        p95_ns: Some(number),
        p95_usual_ns: Some(number),
        failures_per_million: Some(number),
        in_flight: Some(number),
    }
}

#[test]
fn a_provider_is_found_by_its_name_and_by_every_alias() {
    let memory = memory();
    let mut writer = Writer::format(&memory).unwrap();
    let acme = writer.provider("acme-bank").unwrap();
    writer.alias(acme, "acme").unwrap();
    writer.alias(acme, "a").unwrap();
    let other = writer.provider("other").unwrap();
    assert_ne!(acme, other);
    assert_eq!(writer.provider("acme"), Ok(acme), "an alias leads to the provider that has it");
    writer.alias(other, "acme").unwrap();
    let said = Reading { verdict: Verdict::Hung, scope: Scope::Host, scope_hash: hash(b"h7"), ..reading(3) };
    writer.write(acme, &said).unwrap();
    let board = Board::new(&memory).unwrap();
    for name in ["acme-bank", "ACME-Bank", "acme", "a"] {
        assert_eq!(board.find(name).and_then(|entry| board.read(entry)), Some(said), "{name}");
    }
    assert_eq!(
        board.read(board.find("other").unwrap()),
        Some(Reading::default()),
        "new, and nothing said of it"
    );
    for name in ["", "acme-bank2", "nobody", &"x".repeat(65)] {
        assert_eq!(board.find(name), None, "{name}");
    }
    assert_eq!(writer.alias(acme, &"x".repeat(65)), Err(NoPlace::Name));
    assert_eq!(writer.write(ENTRIES as u32, &said), Err(NoPlace::Entry));
}

#[test]
fn a_full_board_refuses_names_and_finds_all_it_has() {
    let memory = memory();
    let mut writer = Writer::format(&memory).unwrap();
    for number in 0..ENTRIES {
        assert_eq!(writer.provider(&format!("provider-{number}")), Ok(number as u32));
    }
    assert_eq!(writer.provider("one-more"), Err(NoPlace::Full));
    let aliases = (0..).take_while(|number| writer.alias(0, &format!("alias-{number}")).is_ok()).count();
    assert_eq!(aliases, NAMES_MAX - ENTRIES);
    let board = writer.board();
    assert!((0..ENTRIES).all(|number| board.find(&format!("provider-{number}")) == Some(number as u32)));
    assert!((0..aliases).all(|number| board.find(&format!("alias-{number}")) == Some(0)));
    assert_eq!(board.find("one-more"), None);
}

#[test]
fn a_board_whose_writer_is_gone_is_not_alive() {
    let memory = memory();
    let writer = Writer::format(&memory).unwrap();
    let second = 1_000_000_000;
    writer.heartbeat(100 * second);
    let board = writer.board();
    assert!(board.is_alive(100 * second) && board.is_alive(105 * second));
    assert!(!board.is_alive(105 * second + 1));
    assert!(board.is_alive(100 * second - 1), "two processors may disagree by a moment");
    assert!(!board.is_alive(99 * second), "a heartbeat of the time before a reboot");
    assert!(!board.is_replaced());
    writer.mark_replaced();
    assert!(board.is_replaced());
}

#[test]
fn memory_that_is_no_board_is_refused() {
    let memory = memory();
    assert_eq!(Board::new(&memory).err(), Some(BadBoard::Magic));
    assert_eq!(Board::new(&memory[1..]).err(), Some(BadBoard::Short));
    Writer::format(&memory).unwrap();
    assert!(Board::new(&memory).is_ok());
    memory[1].store(u64::from(VERSION) | 1 << 32, Relaxed);
    assert_eq!(Board::new(&memory).err(), Some(BadBoard::Size));
    memory[1].store(9, Relaxed);
    assert_eq!(Board::new(&memory).err(), Some(BadBoard::Version(9)));
}

#[test]
fn the_hash_is_the_same_in_every_version() {
    // Boards outlive a daemon's update: readers of yesterday look up what today's writer has stored.
    assert_eq!(hash(b""), 9_169_598_296_804_632_971);
    assert_eq!(hash(b"acme-bank"), 16_937_321_021_233_439_321);
}

#[test]
fn a_reader_never_sees_two_writings_at_once() {
    let memory = memory();
    let mut writer = Writer::format(&memory).unwrap();
    let entry = writer.provider("acme").unwrap();
    writer.write(entry, &reading(0)).unwrap();
    let writings = if cfg!(miri) { 50 } else { 50_000 };
    std::thread::scope(|scope| {
        scope.spawn(move || (1..writings).for_each(|number| writer.write(entry, &reading(number)).unwrap()));
        let board = Board::new(&memory).unwrap();
        let mut last = 0;
        while last < writings - 1 {
            let Some(read) = board.read(entry) else { continue };
            assert_eq!(read, reading(read.since_unix_ns));
            assert!(read.since_unix_ns >= last, "and none of them again");
            last = read.since_unix_ns;
        }
    });
}

#[test]
fn an_entry_that_is_always_being_written_is_given_up() {
    let memory = memory();
    let mut writer = Writer::format(&memory).unwrap();
    let entry = writer.provider("acme").unwrap();
    memory[ENTRIES_AT].store(7, Relaxed);
    assert_eq!(writer.board().read(entry), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_board_of_garbage_harms_nothing(words in prop::collection::vec(any::<u64>(), 64), name in "[a-z]{0,70}") {
        let memory: Vec<_> = (0..WORDS).map(|at| AtomicU64::new(words[at % 64])).collect();
        memory[0].store(MAGIC, Relaxed);
        memory[1].store(u64::from(VERSION) | (BUCKETS as u64) << 32, Relaxed);
        memory[2].store(ENTRIES as u64, Relaxed);
        let board = Board::new(&memory).unwrap();
        if let Some(entry) = board.find(&name) {
            prop_assert!((entry as usize) < ENTRIES);
        }
        for entry in [0, 1, ENTRIES as u32, u32::MAX] {
            let _ = board.read(entry);
        }
    }
}
