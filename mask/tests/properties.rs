//! What must hold for every text, held against a slow checker that shares no code with the engine.

use proptest::prelude::*;
use spanmill_mask::{Key, Masker, Report, Rule};

fn masker() -> &'static Masker {
    static MASKER: std::sync::LazyLock<Masker> = std::sync::LazyLock::new(Masker::standard);
    &MASKER
}

fn masked(masker: &Masker, key: Key, text: &[u8]) -> Option<Vec<u8>> {
    let mut report = Report::default();
    let masked = masker.text(key, text, &mut report);
    assert_eq!(report.hits[Rule::Error as usize], 0, "a rule panicked");
    masked
}

/// The digits of a card number with a right check digit: an issuer's prefix, filled up to its length.
fn card() -> impl Strategy<Value = String> {
    let prefix = prop::sample::select(vec![
        ("4", 16),
        ("4", 19),
        ("51", 16),
        ("55", 16),
        ("2221", 16),
        ("2720", 16),
        ("34", 15),
        ("37", 15),
        ("300", 14),
        ("36", 14),
        ("3528", 16),
        ("6011", 16),
        ("644", 16),
        ("65", 16),
        ("62", 16),
        ("62", 19),
        ("50", 18),
        ("2200", 16),
        ("9792", 16),
        ("81", 17),
    ]);
    (prefix, prop::collection::vec(0u8..10, 19)).prop_map(|((prefix, length), fill)| {
        let mut digits: Vec<u8> = prefix.bytes().map(|b| b - b'0').chain(fill).take(length - 1).collect();
        let check = (0..10).find(|&check| sums_to_ten(&digits, check)).expect("one of ten check digits fits");
        digits.push(check);
        digits.iter().map(|d| char::from(b'0' + d)).collect()
    })
}

/// Luhn's sum, written another way than in the engine: by the digit sums of doubled digits.
fn sums_to_ten(payload: &[u8], check: u8) -> bool {
    let mut sum = u32::from(check);
    for (place, digit) in payload.iter().rev().enumerate() {
        let digit = u32::from(*digit);
        sum += if place % 2 == 0 { (2 * digit) / 10 + (2 * digit) % 10 } else { digit };
    }
    sum % 10 == 0
}

fn grouped(card: &str, separator: &str) -> String {
    let sizes: &[usize] = match card.len() {
        14 => &[4, 6, 4],
        15 => &[4, 6, 5],
        16 => &[4, 4, 4, 4],
        19 => &[4, 4, 4, 4, 3],
        n => return card[..n].to_owned(),
    };
    let mut at = 0;
    let groups: Vec<&str> = sizes
        .iter()
        .map(|size| {
            at += size;
            &card[at - size..at]
        })
        .collect();
    groups.join(separator)
}

/// Whether the digits of `card` stand in `text`, whatever else stands between them.
fn shows(text: &[u8], card: &str) -> bool {
    let text = String::from_utf8_lossy(text).replace("%20", "");
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.contains(card)
}

/// A debug build needs a few seconds for these; `PROPTEST_CASES` asks for more.
const CASES: u32 = 3000;

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(CASES), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_planted_card_number_survives(
        card in card(),
        separator in prop::sample::select(vec!["", " ", "-", ".", "_", "/", "+", "\t", "%20", "\u{a0}", "\u{2009}", "\u{2011}", " - ", "  "]),
        before in "[a-z \"':=,/&?]{0,80}",
        after in "[a-z \"':=,/&?]{0,80}",
    ) {
        let masker = masker();
        let text = format!("{before}{}{after}", grouped(&card, separator));
        let masked = masked(masker, Key::Plain, text.as_bytes());
        prop_assert!(masked.is_some_and(|masked| !shows(&masked, &card)), "{text}");
    }

    #[test]
    fn masking_twice_is_masking_once(text in dirty_text()) {
        let masker = masker();
        for key in [Key::Plain, Key::Pan, Key::Sensitive] {
            if let Some(once) = masked(masker, key, text.as_bytes()) {
                prop_assert_eq!(masked(masker, key, &once), None, "{:?} {} -> {}", key, text, String::from_utf8_lossy(&once));
            }
        }
    }

    #[test]
    fn valid_utf8_stays_valid(text in dirty_text()) {
        let masker = masker();
        for key in [Key::Plain, Key::Pan, Key::Sensitive] {
            if let Some(masked) = masked(masker, key, text.as_bytes()) {
                prop_assert!(String::from_utf8(masked).is_ok());
            }
        }
    }

    #[test]
    fn any_bytes_are_masked_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let masker = masker();
        for key in [Key::Plain, Key::Pan, Key::Sensitive, Key::Keep] {
            let mut report = Report::default();
            masker.text(key, &bytes, &mut report);
            prop_assert_eq!(report.hits[Rule::Error as usize], 0, "a rule panicked");
        }
        masker.key(&bytes);
    }

    #[test]
    fn a_string_without_a_candidate_is_clean(
        before in surroundings(),
        text in dirty_text(),
        after in surroundings(),
    ) {
        let masker = masker();
        let message = [&before[..], text.as_bytes(), &after[..]].concat();
        let mut offsets = Vec::new();
        masker.candidates(&message, &mut offsets);
        prop_assert!(offsets.is_sorted());
        let field = before.len()..=before.len() + text.len();
        if !offsets.iter().any(|&at| field.contains(&(at as usize))) {
            prop_assert_eq!(masked(masker, Key::Plain, text.as_bytes()), None, "{}", text);
        }
    }
}

/// Pieces that make and break secrets, in any order.
fn dirty_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => card(),
        2 => (card(), prop::sample::select(vec![" ", "-", "%20", "\u{a0}", " - "])).prop_map(|(card, s)| grouped(&card, s)),
        2 => "[0-9]{1,20}",
        2 => "[a-zA-Z]{1,6}",
        9 => prop::sample::select(PIECES.to_vec()).prop_map(str::to_owned),
        1 => ".{0,3}",
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// Bytes as they stand around a string in an encoded request, digits and letters on purpose.
fn surroundings() -> impl Strategy<Value = Vec<u8>> {
    let byte =
        prop_oneof![any::<u8>(), b'0'..=b'9', b'a'..=b'z', prop::sample::select(b"\"':= -_\\{".to_vec())];
    prop::collection::vec(byte, 0..80)
}

const PIECES: &[&str] = &[
    " ",
    " ",
    "-",
    "--",
    "-----",
    "_",
    ".",
    "+",
    "=",
    "&",
    ":",
    "\"",
    "\"",
    "'",
    "\\\"",
    "\\\\\\\"",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    "\n",
    "\\n",
    "\r\n",
    "\r\n\r\n",
    "<",
    ">",
    "</",
    "/",
    "@",
    "?",
    "*",
    "*****",
    "[masked]",
    "%20",
    "%22",
    "%3D",
    "%5B",
    "%5D",
    "&quot;",
    "&lt;",
    "\\u003",
    "\\u0022",
    "D",
    "^",
    ";",
    "=>",
    "://",
    "card",
    "cvv",
    "pin",
    "password",
    "token",
    "secret",
    "session_id",
    "page_",
    "\"cvv\":",
    "\\\"cvv\\\":",
    "\"pan\":",
    "pan=",
    "cvv=",
    "\"password\":\"",
    "password: ",
    "null",
    "true",
    "name=",
    "\"name\":\"cvv\"",
    "\"value\":",
    "value=\"",
    "<cvv>",
    "</cvv>",
    "<pan>",
    "<![CDATA[",
    "]]>",
    "[cvv] => ",
    ":protected]",
    ":private]",
    "string(3) ",
    "Some(",
    "Authorization: ",
    "Cookie=",
    "Bearer ",
    "Basic ",
    "eyJhbGciOiJIUzI1NiJ9",
    "eyJzdWIiOiIxIn0",
    "abcDEF123456",
    "YTpi",
    "BEGIN RSA PRIVATE KEY",
    "END RSA PRIVATE KEY",
    "MIIEabc",
    "ghp_",
    "AKIA",
    "0123456789abcdefghij",
    "IOSFODNN7EXAMPLE",
    "https://",
    "user:pass@",
    "host.example",
    "joe",
    "@shop.example",
    "DE89370400440532013000",
    "GB82 WEST 1234 5698 7654 32",
    "４１１１",
    "１１１１",
    "١١١١",
    "5A08",
    "5713",
];
