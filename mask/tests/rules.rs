//! What the operator sets: own rules, added and kept keys, switches.

use proptest::prelude::*;
use spanmill_mask::{Config, ConfigError, Key, Masker, Report, Rule, UserRule};

fn with_rules(patterns: &[&str]) -> Result<Masker, ConfigError> {
    let name = |index: usize| if index == 0 { "mine".into() } else { format!("mine-{index}") };
    let rules = patterns.iter().enumerate();
    let rules =
        rules.map(|(index, pattern)| UserRule { name: name(index), pattern: (*pattern).into() }).collect();
    Masker::new(Config { rules, ..Config::default() })
}

fn masked(masker: &Masker, text: &str) -> Option<String> {
    let masked = masker.text(Key::Plain, text.as_bytes(), &mut Report::default())?;
    Some(String::from_utf8_lossy(&masked).into_owned())
}

#[test]
fn a_rule_of_the_operator_removes_what_it_matches() {
    let masker = with_rules(&[r"passport [A-Z]{2}\d{6}", r"(?i)inn[:= ]*\d{10}"]).unwrap();
    let check = |text, want: Option<&str>| assert_eq!(masked(&masker, text).as_deref(), want, "{text}");
    check("his passport AB123456, ok", Some("his [masked], ok"));
    check("ИНН inn: 7707083893 4111111111111111", Some("ИНН [masked] 411111******1111"));
    check("passport AB12", None);
    let mut report = Report::default();
    masker.text(Key::Plain, b"passport AB123456", &mut report);
    assert_eq!(report.hits[Rule::User as usize], 1);
    assert_eq!(masker.int(Key::Plain, 5, &mut report), None);
}

#[test]
fn a_rule_that_cannot_work_is_refused_with_its_name() {
    for (pattern, why) in
        [("a(b", "unclosed"), ("x*", "empty text"), ("mas.ed", "[masked]"), (&"a".repeat(2000), "longer")]
    {
        let error = with_rules(&[pattern]).unwrap_err();
        assert!(matches!(&error, ConfigError::Rule { name, .. } if name == "mine"), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    assert!(matches!(
        with_rules(&[r"(x{1000}){1000}"]),
        Err(ConfigError::Rule { .. } | ConfigError::LargeRules { .. })
    ));
    assert!(matches!(with_rules(&["abc"; 65]), Err(ConfigError::TooManyRules { given: 65, max: 64 })));
}

#[test]
fn a_rule_that_matches_single_bytes_leaves_whole_characters() {
    let masker = with_rules(&[r"x(?-u:.)"]).unwrap();
    assert_eq!(masked(&masker, "axпb xx").unwrap(), "a[masked]b [masked]");
    let masker = with_rules(&[r"(?-u:[\x80-\xbf])b"]).unwrap();
    assert_eq!(masked(&masker, "aпb €b").unwrap(), "a[masked] [masked]");
}

#[test]
fn added_keys_are_sensitive_and_kept_keys_are_left_alone() {
    let masker = Masker::new(Config {
        keys_add: vec!["customer.passport".into()],
        keep_keys: vec!["order.id".into(), "session.id".into()],
        ..Config::default()
    })
    .unwrap();
    assert_eq!(masker.key(b"customer.passport"), Key::Sensitive);
    assert_eq!(masker.key(b"order.id"), Key::Keep);
    assert_eq!(masker.key(b"session.id"), Key::Keep);
    assert_ne!(masker.key(b"x.order.id"), Key::Keep);
    assert_eq!(
        masked(&masker, r#"{"customerPassport":"AB1"}"#).unwrap(),
        r#"{"customerPassport":"[masked]"}"#
    );
    let keep = |text: &str| masker.text(Key::Keep, text.as_bytes(), &mut Report::default());
    assert_eq!(keep("4111111111111111"), None);
    assert_eq!(
        keep(r#"{"id":4111111111111111,"cvv":"123"}"#).unwrap(),
        br#"{"id":4111111111111111,"cvv":"[masked]"}"#
    );
}

#[test]
fn sensitive_authentication_data_cannot_be_kept() {
    let error = Masker::new(Config { keep_keys: vec!["card.cvv".into()], ..Config::default() }).unwrap_err();
    assert_eq!(error, ConfigError::KeptSecret("card.cvv".into()));
}

#[test]
fn addresses_and_accounts_can_be_left_alone() {
    let masker = Masker::new(Config { email: false, iban: false, ..Config::default() }).unwrap();
    assert_eq!(masked(&masker, "joe@shop.example DE89370400440532013000"), None);
    assert!(masked(&masker, "https://user:pass@shop.example").is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_that_a_rule_matches_is_without_a_candidate(
        before in prop::collection::vec(any::<u8>(), 0..40),
        text in "[xXab0-9 ]{0,3}(passport [A-Z]{2}[0-9]{6}|id[0-9]{3}|[0-9]{3}-[0-9]{2})[xXab0-9 ]{0,3}",
        after in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        for patterns in [&[r"passport [A-Z]{2}\d{6}", "id[0-9]{3}"][..], &[r"\b\d{3}-\d{2}", "id[0-9]{3}"], &["^..[0-9]"]] {
            let masker = with_rules(patterns).unwrap();
            let message = [&before[..], text.as_bytes(), &after[..]].concat();
            let mut offsets = Vec::new();
            masker.candidates(&message, &mut offsets);
            let field = before.len()..=before.len() + text.len();
            if !offsets.iter().any(|&at| field.contains(&(at as usize))) {
                prop_assert_eq!(masked(&masker, &text), None);
            }
        }
    }
}

#[test]
fn kept_keys_are_kept_inside_texts_too() {
    let masker = Masker::new(Config { keep_keys: vec!["order_id".into()], ..Config::default() }).unwrap();
    for text in [
        r#"{"order_id":4111111111111111}"#,
        r#"{"b":"{\"order_id\":\"4111111111111111\"}"}"#,
        "a=1&order_id=4111111111111111&b=2",
        "p=%7B%22order_id%22%3A4111111111111111%7D",
        "<order_id>4111111111111111</order_id>",
    ] {
        assert_eq!(masked(&masker, text), None, "{text}");
    }
    for text in [r#"{"x":4111111111111111,"order_id":1}"#, "my_order_id=4111111111111111"] {
        assert!(masked(&masker, text).is_some(), "{text}");
    }
}

#[test]
fn each_rule_of_the_operator_is_counted() {
    let rules = [("a", "aa[0-9]+"), ("b", "bb[0-9]+")];
    let rules = rules.map(|(name, pattern)| UserRule { name: name.into(), pattern: pattern.into() });
    let masker = Masker::new(Config { rules: rules.to_vec(), ..Config::default() }).unwrap();
    let mut report = Report::default();
    masker.text(Key::Plain, b"bb1 aa2 bb3", &mut report).unwrap();
    assert_eq!(report.user_hits, [1, 2]);
    assert_eq!(report.hits[Rule::User as usize], 3);
    assert_eq!(masker.user_rules().collect::<Vec<_>>(), ["a", "b"]);
}
