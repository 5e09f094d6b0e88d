//! Whatever a program records, and wherever it puts it: no card number is found in any byte that leaves.

use proptest::prelude::*;
use spanmill::testing::capture;
use spanmill::{Provider, Secret, Span, Value};

/// Valid card numbers of several schemes and lengths.
const PANS: [&str; 6] = [
    "4111111111111111",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "2200000000000004",
    "3530111333300000",
];

/// Text around a number that does not make it longer, and does not make an id of it.
fn surrounded(pan: &str, before: &str, after: &str) -> String {
    format!("{before} {pan} {after}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_card_number_leaves_in_any_place(
        which in 0..PANS.len(),
        before in "[a-zé ]{0,40}",
        after in "[a-zé ]{0,5000}",
        place in 0u8..9,
    ) {
        let pan = PANS[which];
        let text = surrounded(pan, &before, &after);
        let capture = capture();
        match place {
            0 => drop(Span::start(&text)),
            1 => drop(Span::start("s").tag("note", &text)),
            2 => drop(Span::start("s").tag("note", text.as_bytes())),
            3 => drop(Span::start("s").tag("number", pan.parse::<i64>().unwrap())),
            4 => drop(Span::start("s").log(&text, |log| log)),
            5 => drop(Span::start("s").log("answer", |log| log.tag("body", &text))),
            6 => drop(Span::start("s").failed(&text)),
            7 => Provider::named(text.clone()).call(&text).declined(&text),
            _ => drop(Span::start("s").tag("list", Value::List(vec![text.as_str().into(), Secret(pan).into()]))),
        }
        let leaked = capture.encoded().iter().any(|span| span.windows(pan.len()).any(|bytes| bytes == pan.as_bytes()));
        prop_assert!(!leaked, "place {place}: {text}");
        prop_assert_eq!(capture.spans().len(), 1);
    }
}
