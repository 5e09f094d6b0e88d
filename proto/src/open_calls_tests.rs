//! Tests of the open-call page: as a client writes it, and as a stranger might.

use proptest::prelude::*;

use super::*;

fn memory(slots: usize) -> Vec<AtomicU64> {
    (0..page_bytes(slots) / 8).map(|_| AtomicU64::new(0)).collect()
}

fn copy(words: &[AtomicU64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect()
}

fn call<'a>(target: Target<'a>, operation: &'a str) -> OpenCall<'a> {
    OpenCall {
        trace_id: [7; 16],
        span_id: [9; 8],
        start_unix_ns: 1_795_378_500_000_000_001,
        target,
        operation,
        is_attempt: false,
    }
}

#[test]
fn what_is_opened_is_read_until_it_is_closed() {
    let memory = memory(4);
    let page = Page::format(&memory, 4711);
    let (acme, other) = (
        call(Target::Provider("acme-bank"), "authorize"),
        OpenCall { is_attempt: true, ..call(Target::Address("api.acme.example", 443), "") },
    );
    page.open(0, &acme);
    page.open(2, &other);
    page.raise_high_water(3);
    page.count_overflow();
    let bytes = copy(&memory);
    let snapshot = read(&bytes, &bytes).unwrap();
    assert_eq!((snapshot.pid, snapshot.overflows, snapshot.slots), (4711, 1, 3));
    assert_eq!(snapshot.open_calls().collect::<Vec<_>>(), [(0, 1, acme), (2, 1, other)]);
    page.close(0);
    page.open(0, &call(Target::Provider("b"), "x"));
    let later = copy(&memory);
    let again = read(&later, &later).unwrap().open_calls().next().unwrap();
    assert_eq!(
        again,
        (0, 2, call(Target::Provider("b"), "x")),
        "shorter texts leave nothing of the longer ones"
    );
    page.close(0);
    page.close(2);
    let bytes = copy(&memory);
    assert_eq!(read(&bytes, &bytes).unwrap().open_calls().count(), 0);
}

#[test]
fn a_slot_that_changes_between_the_copies_is_passed_over() {
    let memory = memory(1);
    let page = Page::format(&memory, 1);
    page.raise_high_water(1);
    page.open(0, &call(Target::Provider("acme"), "pay"));
    let before = copy(&memory);
    page.close(0);
    page.open(0, &call(Target::Provider("acme"), "pay"));
    let after = copy(&memory);
    assert_eq!(read(&before, &after).unwrap().open_calls().count(), 0);
    assert_eq!(read(&after, &after).unwrap().open_calls().count(), 1);
}

#[test]
fn long_names_are_cut_where_it_harms_least() {
    let memory = memory(1);
    let page = Page::format(&memory, 1);
    page.raise_high_water(1);
    let host = format!("{}.acme.example", "é".repeat(60));
    page.open(0, &call(Target::Address(&host, 1), &"ä".repeat(40)));
    let bytes = copy(&memory);
    let (_, _, read) = read(&bytes, &bytes).unwrap().open_calls().next().unwrap();
    let Target::Address(kept, 1) = read.target else { panic!("{:?}", read.target) };
    assert!(host.ends_with(kept) && kept.ends_with(".acme.example") && kept.len() >= TARGET_BYTES_MAX - 1);
    assert_eq!(read.operation, "ä".repeat(OPERATION_BYTES_MAX / 2));
}

#[test]
fn the_offsets_are_those_of_the_picture() {
    let memory = memory(1);
    let page = Page::format(&memory, 0x0102_0304);
    page.raise_high_water(1);
    page.open(0, &OpenCall { is_attempt: true, ..call(Target::Address("host", 0x1bb), "op") });
    let bytes = copy(&memory);
    assert_eq!(&bytes[..24], b"SPMLCALL\x01\0\0\0\x01\0\0\0\xc0\0\0\0\x04\x03\x02\x01");
    let slot = &bytes[192..];
    assert_eq!(slot[0], 1 << 2 | 2);
    assert_eq!((&slot[16..24], &slot[24..40]), (&[9u8; 8][..], &[7u8; 16][..]));
    assert_eq!(&slot[40..48], [3, 4, 2, 0, 0xbb, 1, 0, 0]);
    assert_eq!((&slot[48..52], &slot[136..138]), (&b"host"[..], &b"op"[..]));
    assert_eq!(worth_copying(&bytes), page_bytes(1));
}

#[test]
fn memory_that_is_no_page_is_refused() {
    let memory = memory(1);
    Page::format(&memory, 1);
    let good = copy(&memory);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        read(&bytes, &bytes).err()
    };
    assert_eq!(with(0, b'X'), Some(BadPage::Magic));
    assert_eq!(with(8, 2), Some(BadPage::Version(2)));
    assert_eq!(with(16, 64), Some(BadPage::SlotBytes(64)));
    assert_eq!(read(&good, &good[..100]).err(), Some(BadPage::Short));
    assert_eq!(read(&good, &good).err(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hostile_page_harms_nothing(
        mut bytes in prop::collection::vec(any::<u8>(), 0..2000),
        other in prop::collection::vec(any::<u8>(), 0..2000),
        states in prop::collection::vec((0usize..8, any::<u64>()), 0..8),
        slots: u32,
        high_water: u64,
    ) {
        // With a good header, so that the slots are looked at.
        if bytes.len() >= HEADER_BYTES {
            bytes[..8].copy_from_slice(b"SPMLCALL");
            bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
            bytes[12..16].copy_from_slice(&slots.to_le_bytes());
            bytes[16..20].copy_from_slice(&(SLOT_BYTES as u32).to_le_bytes());
            bytes[32..40].copy_from_slice(&high_water.to_le_bytes());
            for (slot, state) in states {
                let at = HEADER_BYTES + slot * SLOT_BYTES;
                if let Some(place) = bytes.get_mut(at..at + 8) {
                    place.copy_from_slice(&(state & !3 | 2).to_le_bytes());
                }
            }
        }
        for (first, second) in [(&bytes, &bytes), (&bytes, &other), (&other, &bytes)] {
            if let Ok(snapshot) = read(first, second) {
                prop_assert!(snapshot.slots == 0 || page_bytes(snapshot.slots) <= first.len().min(second.len()));
                for (slot, _, call) in snapshot.open_calls() {
                    prop_assert!(slot < snapshot.slots);
                    prop_assert!(call.operation.len() <= OPERATION_BYTES_MAX);
                }
            }
            prop_assert!(worth_copying(first) <= page_bytes(SLOTS_MAX));
        }
    }
}
