//! Card numbers in texts and numbers, and what looks like one.

use spanmill_mask::{Config, Key, Masker, PanOutput, Report, Rule};

fn masked(key: Key, text: &str) -> Option<String> {
    let masked = Masker::standard().text(key, text.as_bytes(), &mut Report::default())?;
    Some(String::from_utf8_lossy(&masked).into_owned())
}

fn check(text: &str, want: &str) {
    assert_eq!(masked(Key::Plain, text).as_deref(), Some(want), "{text}");
    assert_eq!(masked(Key::Plain, want), None, "{want} is masked already");
}

fn check_clean(text: &str) {
    assert_eq!(masked(Key::Plain, text), None, "{text}");
}

#[test]
fn card_numbers_of_every_length_keep_at_most_six_and_four() {
    check("4111111111111111", "411111******1111");
    check("378282246310005", "378282*****0005");
    check("30569309025904", "**********5904");
    check("4000000000000000006", "400000*********0006");
    check("pay 2200000000000004, please", "pay 220000******0004, please");
}

#[test]
fn card_numbers_in_groups_keep_their_separators() {
    check("4111 1111 1111 1111", "4111 11** **** 1111");
    check("4111-1111-1111-1111 x", "4111-11**-****-1111 x");
    check("4111 - 1111 - 1111 - 1111", "4111 - 11** - **** - 1111");
    check("c=4111%201111%201111%201111&d=1", "c=4111%2011**%20****%201111&d=1");
    check("3782 822463 10005", "3782 82**** *0005");
    check("3056 930902 5904", "**** ****** 5904");
    check("4111\u{a0}1111\u{a0}1111\u{a0}1111", "4111\u{a0}11**\u{a0}****\u{a0}1111");
    check("4111\u{2011}1111\u{2011}1111\u{2011}1111", "4111\u{2011}11**\u{2011}****\u{2011}1111");
    check("no 1234 4111 1111 1111 1111 12/27 ok", "no 1234 4111 11** **** 1111 12/27 ok");
}

#[test]
fn letters_beside_the_digits_do_not_hide_a_card_number() {
    check("card_4111111111111111_x", "card_411111******1111_x");
    check("PAN4111111111111111PAN", "PAN411111******1111PAN");
}

#[test]
fn lookalikes_stay_as_they_are() {
    check_clean("1763843523123");
    check_clean("1763843523123456");
    check_clean("4111111111111112");
    check_clean("41111111111111111111");
    check_clean("0.4111111111111111");
    check_clean("411111111111111");
    check_clean("4111-1111 1111-1111");
    check_clean("4111 1111 1111 11112");
    check_clean("7111111111111111");
    check_clean("deadbeef4111111111111111deadbeef");
    check_clean("call +62 or +621111111111117 now");
    check_clean("");
}

#[test]
fn track_data_behind_a_card_number_is_removed() {
    check(";4111111111111111=25121010000012300?", ";411111******1111=[masked]?");
    check("4111111111111111D25121010000012300F", "411111******1111D[masked]");
    check("%B4111111111111111^DOE/JOHN^25121010000012300?", "%B411111******1111^[masked]?");
    check("card=4111111111111111=ok", "card=411111******1111=ok");
}

#[test]
fn a_card_number_key_needs_no_check_digit() {
    let check =
        |text: &str, want: Option<&str>| assert_eq!(masked(Key::Pan, text).as_deref(), want, "{text}");
    check("4111111111111112", Some("411111******1112"));
    check("1234567890123", Some("*********0123"));
    check("41111111", Some("********"));
    check("4111 1111 1", Some("**** **** *"));
    check("1111", None);
    check("411111******1111", None);
    check("tok_visa", None);
    check("visa 4111111111111111", Some("visa 411111******1111"));
}

#[test]
fn the_output_can_be_tightened() {
    let check = |pan, want: &str| {
        let masker = Masker::new(Config { pan, ..Config::default() }).unwrap();
        let masked = masker.text(Key::Plain, b"4111 1111 1111 1111", &mut Report::default()).unwrap();
        assert_eq!(String::from_utf8(masked).unwrap(), want);
    };
    check(PanOutput::Last4, "**** **** **** 1111");
    check(PanOutput::Full, "**** **** **** ****");
}

#[test]
fn integers_and_doubles_can_be_card_numbers() {
    let masker = Masker::standard();
    let report = &mut Report::default();
    assert_eq!(masker.int(Key::Plain, 4_111_111_111_111_111, report).as_deref(), Some("411111******1111"));
    assert_eq!(masker.int(Key::Plain, 4_111_111_111_111_112, report), None);
    assert_eq!(masker.int(Key::Plain, -4_111_111_111_111_111, report), None);
    assert_eq!(masker.int(Key::Plain, i64::MIN, report), None);
    assert_eq!(masker.int(Key::Pan, 4_111_111_111_111_112, report).as_deref(), Some("411111******1112"));
    assert_eq!(masker.int(Key::Sensitive, 123, report).as_deref(), Some("[masked]"));
    assert_eq!(masker.int(Key::Keep, 4_111_111_111_111_111, report), None);
    assert_eq!(
        masker.double(Key::Plain, 4_111_111_111_111_111.0, report).as_deref(),
        Some("411111******1111")
    );
    assert_eq!(masker.double(Key::Plain, 4_111_111_111_111_111.5, report), None);
    for odd in [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, -0.0] {
        assert_eq!(masker.double(Key::Plain, odd, report), None);
    }
    assert_eq!(masker.double(Key::Sensitive, 1.5, report).as_deref(), Some("[masked]"));
    assert_eq!(report.hits[Rule::Pan as usize], 3);
    assert_eq!(report.hits[Rule::Key as usize], 2);
}

#[test]
fn card_numbers_in_the_data_of_a_chip_are_found_by_their_tag() {
    check("9F2608A1B25A0841111111111111115F2A020978", "9F2608A1B25A08411111******11115F2A020978");
    check("5A0A4000000000000000006F9F36", "5A0A400000*********0006F9F36");
    check("8202390057134111111111111111D25121010000012300F9F36", "820239005713411111******1111D[masked]");
}

#[test]
fn numbers_of_other_kinds_are_no_rare_cards() {
    let rare = "655343494930003";
    check(rare, "655343*****0003");
    let masker = Masker::standard();
    assert_eq!(masker.key(b"merchant.id"), Key::Number);
    assert_eq!(masked(Key::Number, rare), None);
    check_clean(&format!("mid={rare} x"));
    check_clean(&format!("{{\"merchantId\":{rare}}}"));
    check("mid=4111111111111111", "mid=411111******1111");
    assert!(masked(Key::Number, "4111111111111111").is_some());
    assert_eq!(Key::Number.within(Key::Sensitive), Key::Sensitive);
    assert_eq!(Key::Number.within(Key::Plain), Key::Number);
}

#[test]
fn what_a_client_has_masked_is_tightened_and_never_loosened() {
    let masker = |pan| Masker::new(Config { pan, ..Config::default() }).unwrap();
    let (last4, full) = (masker(PanOutput::Last4), masker(PanOutput::Full));
    let cards = [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "3056 930902 5904",
        "4000000000000000006",
        "4111%201111%201111%201111",
        "4111\u{a0}1111\u{a0}1111\u{a0}1111",
        "4111 - 1111 - 1111 - 1111",
    ];
    for shape in ["{}", "card {} declined", r#"{"n":"{}"}"#, "pan={}&x=1", "a{}b"] {
        for card in cards {
            let text = |card: &str| shape.replace("{}", card);
            let by = |masker: &Masker, text: &str| {
                let masked = masker.text(Key::Plain, text.as_bytes(), &mut Report::default());
                masked.map_or_else(|| text.to_owned(), |masked| String::from_utf8(masked).unwrap())
            };
            let (loose, tight) = (by(&Masker::standard(), &text(card)), by(&last4, &text(card)));
            assert_eq!(by(&last4, &loose), tight, "{loose}");
            assert_eq!(by(&full, &loose), by(&full, &text(card)), "{loose}");
            assert_eq!(by(&full, &tight), by(&full, &text(card)), "{tight}");
            for masker in [&Masker::standard(), &last4] {
                assert_eq!(by(masker, &by(&full, &text(card))), by(&full, &text(card)));
            }
            assert_eq!(by(&Masker::standard(), &tight), tight);
        }
    }
    for text in [
        "2 ** 10 = 1024",
        "**1234**",
        "rate 5****",
        "411111******11",
        "* 1111",
        "1234 *** 5678",
        "/* 2026 */",
    ] {
        assert_eq!(full.text(Key::Plain, text.as_bytes(), &mut Report::default()), None, "{text}");
    }
}
