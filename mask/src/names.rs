//! The names of sensitive keys: which there are, and how a key is compared with them.
//!
//! A key is split at `_ - . [ ]`, at spaces and at changes of case, and its *last* segments are compared exactly:
//! `card.cvv`, `cardCvv` and `CARD_CVV` are `cvv`; `cvvResult` and `shipping` (for `pin`) are nothing. Where several
//! names fit, the longest counts, so `page_token` can be harmless although `token` is not.

use crate::config::ConfigError;
use crate::sensitive::NAMES;

/// What a sensitive key's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A card number is expected.
    Pan,
    /// Sensitive authentication data: never stored, not even in part (PCI DSS 3.3.1).
    Sad,
    /// Whoever has it can act as somebody else.
    Credential,
    /// A credential that fills the rest of its line.
    Header,
    /// Its value is the name of something, and a secret may stand beside it.
    Label,
    /// Its value is a number of another kind, which only looks like that of a rare card.
    Number,
    /// Looks like one of the above and is not.
    Harmless,
}

/// Letters and digits in the longest name that is compared.
pub(crate) const NAME_LEN_MAX: usize = 40;

/// A name as it is compared: lower case, without separators.
#[derive(Debug)]
struct Name {
    text: Vec<u8>,
    class: Class,
    /// The name must be the whole key, not only its end.
    whole: bool,
}

/// All names of one masker, ready for look-up.
#[derive(Debug)]
pub(crate) struct Names {
    names: Vec<Name>,
    /// Open addressing by [`hash`]; 0 is free, otherwise the index in `names` plus one.
    slots: Vec<u16>,
    /// One bit per low five bits of a name's last three bytes: most keys end here.
    ends: Box<[u64; ENDS / 64]>,
    /// One bit per [`hash`] of each end of each name: a comparison stops where no name goes on.
    stems: Box<[u64; ENDS / 64]>,
    /// Whether numbers that are masked already may show too much.
    pub tightens: bool,
}

const ENDS: usize = 1 << 15;

/// Operators' own names; a longer list is a mistake, and `u16` slots hold it with ease.
const ADDED_MAX: usize = 4096;

impl Names {
    /// The built-in names and the exact keys `added` by the operator.
    pub(crate) fn new(added: &[String]) -> Result<Names, ConfigError> {
        let mut names = Names::of(|class| class != Class::Number);
        for key in added.iter().take(ADDED_MAX) {
            let letters = key.bytes().filter(u8::is_ascii_alphanumeric).count();
            match letters {
                0 => return Err(ConfigError::EmptyKey(key.clone())),
                1..=NAME_LEN_MAX => names.add(key, Class::Credential, true),
                _ => return Err(ConfigError::LongKey(key.clone())),
            }
        }
        names.index();
        Ok(names)
    }

    /// The names of numbers that are no card's, in a table of their own: `id` ends too many keys of any text.
    pub(crate) fn of_numbers() -> Names {
        let mut names = Names::of(|class| class == Class::Number);
        names.index();
        names
    }

    fn of(is_wanted: impl Fn(Class) -> bool) -> Names {
        let mut names = Names {
            names: Vec::new(),
            slots: Vec::new(),
            ends: Box::new([0; ENDS / 64]),
            stems: Box::new([0; ENDS / 64]),
            tightens: false,
        };
        for (class, list) in NAMES.iter().filter(|(class, _)| is_wanted(*class)) {
            for name in *list {
                names.add(name, *class, false);
            }
        }
        names
    }

    fn add(&mut self, name: &str, class: Class, whole: bool) {
        let text: Vec<u8> =
            name.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_lowercase()).collect();
        self.mark_ends(name);
        text.iter().rev().fold(HASH_START, |hash, &b| {
            let hash = hash_step(hash, b);
            let stem = stem_index(hash);
            self.stems[stem / 64] |= 1 << (stem % 64);
            hash
        });
        self.names.push(Name { text, class, whole });
    }

    /// Marks each form that the last three bytes of this name can take, separators included.
    fn mark_ends(&mut self, name: &str) {
        let segments: Vec<&str> =
            name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|s| !s.is_empty()).collect();
        for separator in ["", "_", "-", ".", " ", "["] {
            let joined = segments.join(separator);
            let tail = &joined.as_bytes()[joined.len().saturating_sub(3)..];
            for first in 0..32 {
                let (a, b, c) = match *tail {
                    [a, b, c] => (a, b, c),
                    [b, c] => (first, b, c),
                    [c] => {
                        (0..32).for_each(|second| self.mark(end_index(first, second, c)));
                        continue;
                    }
                    _ => continue,
                };
                self.mark(end_index(a, b, c));
            }
        }
    }

    fn mark(&mut self, end: usize) {
        self.ends[end / 64] |= 1 << (end % 64);
    }

    fn index(&mut self) {
        self.slots = vec![0; (self.names.len() * 4).next_power_of_two()];
        for i in 0..self.names.len() {
            let mut slot = self.slot(hash(&self.names[i].text));
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = u16::try_from(i + 1).expect("the built-in names and ADDED_MAX fit in 16 bits");
        }
    }

    /// Whether the key that ends with `key` may be sensitive; a few operations, mostly no.
    #[inline]
    pub(crate) fn may_end(&self, key: &[u8]) -> bool {
        let end = match *key {
            [.., a, b, c] => end_index(a, b, c),
            [b, c] => end_index(0, b, c),
            _ => end_index(0, 0, key.last().copied().unwrap_or(0)),
        };
        self.ends[end / 64] & (1 << (end % 64)) != 0
    }

    /// The class of the key at the end of `text`; other text may stand before it.
    pub(crate) fn class(&self, text: &[u8]) -> Option<Class> {
        let text = trimmed(text);
        if !self.may_end(text) {
            return None;
        }
        self.longest(text, |i| starts_segment(text, i))
    }

    /// The class of some name at the end of `text` if what stands before it is not looked at.
    ///
    /// There is one whenever [`Names::class`] would find one in any text that ends like this one, and it is a
    /// label only if that would find nothing but a label.
    pub(crate) fn may_name(&self, text: &[u8]) -> Option<Class> {
        let text = trimmed(text);
        if !self.may_end(text) {
            return None;
        }
        self.longest_of(text, |_| true, true)
    }

    fn longest(&self, text: &[u8], starts: impl Fn(usize) -> bool) -> Option<Class> {
        match self.longest_of(text, starts, false) {
            Some(Class::Harmless) => None,
            class => class,
        }
    }

    /// Compares growing ends of `text`, back to front, at each place where a name may start.
    fn longest_of(&self, text: &[u8], starts: impl Fn(usize) -> bool, any: bool) -> Option<Class> {
        let mut folded = [0; NAME_LEN_MAX];
        let (mut len, mut hash, mut best) = (0, HASH_START, None);
        for i in (0..text.len()).rev() {
            let b = text[i];
            if is_joint(b) {
                continue;
            }
            if !b.is_ascii_alphanumeric() || len == NAME_LEN_MAX {
                break;
            }
            len += 1;
            folded[NAME_LEN_MAX - len] = b.to_ascii_lowercase();
            hash = hash_step(hash, b.to_ascii_lowercase());
            let stem = stem_index(hash);
            if self.stems[stem / 64] & (1 << (stem % 64)) == 0 {
                break;
            }
            if starts(i)
                && let Some(name) = self.find(hash, &folded[NAME_LEN_MAX - len..])
                && (any || !name.whole || starts_key(text, i))
            {
                if !(any && name.class == Class::Harmless) {
                    best = Some(name.class);
                }
                if any && !matches!(name.class, Class::Harmless | Class::Label) {
                    return best;
                }
            }
        }
        best
    }

    fn find(&self, hash: u32, text: &[u8]) -> Option<&Name> {
        let mut slot = self.slot(hash);
        loop {
            let name = &self.names[usize::from(self.slots[slot]).checked_sub(1)?];
            if name.text == text {
                return Some(name);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    fn slot(&self, hash: u32) -> usize {
        (hash ^ hash >> 15) as usize & (self.slots.len() - 1)
    }
}

/// `text` without joints at its end: the key in `card[cvv]` ends before the bracket.
fn trimmed(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&b| !is_joint(b)).map_or(0, |last| last + 1);
    &text[..end]
}

fn end_index(a: u8, b: u8, c: u8) -> usize {
    usize::from(a & 31) << 10 | usize::from(b & 31) << 5 | usize::from(c & 31)
}

/// Whether `b` joins the segments of one key.
pub(crate) fn is_joint(b: u8) -> bool {
    matches!(b, b'_' | b'-' | b'.' | b'[' | b']' | b' ')
}

/// Whether a segment starts at the letter or digit `text[i]`.
fn starts_segment(text: &[u8], i: usize) -> bool {
    let Some(before) = i.checked_sub(1).map(|at| text[at]) else { return true };
    let here = text[i];
    if !before.is_ascii_alphanumeric() || is_percent_code(&text[..i]) || is_definition(&text[..i]) {
        return true;
    }
    if !here.is_ascii_uppercase() {
        // The digit of "track2" is a segment of its own only where a name says so: names are compared joined.
        return false;
    }
    !before.is_ascii_uppercase() || text.get(i + 1).is_some_and(u8::is_ascii_lowercase)
}

/// `card%5Bcvv` is `card[cvv` in a query.
fn is_percent_code(before: &[u8]) -> bool {
    matches!(before, [.., b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

/// `-Dpassword=x` defines a property.
fn is_definition(before: &[u8]) -> bool {
    matches!(before, [.., b'-', b'D']) && !matches!(before, [.., b, b'-', _] if b.is_ascii_alphanumeric())
}

/// Whether nothing of the same key stands before `text[i]`.
fn starts_key(text: &[u8], i: usize) -> bool {
    i.checked_sub(1)
        .is_none_or(|at| !text[at].is_ascii_alphanumeric() && (text[at] == b' ' || !is_joint(text[at])))
}

const HASH_START: u32 = 0x811c_9dc5;

/// FNV-1a, fed from the last byte to the first.
fn hash_step(hash: u32, b: u8) -> u32 {
    (hash ^ u32::from(b)).wrapping_mul(0x0100_0193)
}

fn stem_index(hash: u32) -> usize {
    (hash ^ hash >> 15) as usize & (ENDS - 1)
}

fn hash(text: &[u8]) -> u32 {
    text.iter().rev().fold(HASH_START, |hash, &b| hash_step(hash, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(key: &str) -> Option<Class> {
        Names::new(&[]).unwrap().class(key.as_bytes())
    }

    #[test]
    fn the_last_segments_decide() {
        for key in [
            "cvv",
            "CVV",
            "card.cvv",
            "cardCvv",
            "CARD_CVV",
            "card[cvv]",
            "x-cvv2",
            "securityCode",
            "pinBlock",
            "PINBlock",
        ] {
            assert_eq!(class(key), Some(Class::Sad), "{key}");
        }
        for key in [
            "password",
            "db.password",
            "apiKey",
            "APIKey",
            "X-Api-Token",
            "client_secret",
            "PHPSESSID",
            "session.id",
        ] {
            assert_eq!(class(key), Some(Class::Credential), "{key}");
        }
        for key in ["Authorization", "http.request.header.authorization", "http.response.header.set-cookie"] {
            assert_eq!(class(key), Some(Class::Header), "{key}");
        }
        for key in ["pan", "cardNumber", "card_no", "payment.card.number", "PANNumber"] {
            assert_eq!(class(key), Some(Class::Pan), "{key}");
        }
    }

    #[test]
    fn lookalikes_are_no_secrets() {
        let keys = [
            "cvvResult",
            "authCode",
            "token_type",
            "author",
            "passenger",
            "shipping",
            "max_tokens",
            "bin",
            "last4",
            "rrn",
            "stan",
            "mid",
            "japan",
            "company",
            "span",
            "next_page_token",
            "pageToken",
            "url.full",
            "http.status_code",
            "mapping",
            "spin",
            "timespan",
            "",
            "_",
            "card",
            "number",
        ];
        for key in keys {
            assert_eq!(class(key), None, "{key}");
        }
    }

    #[test]
    fn an_added_key_is_compared_as_a_whole() {
        let names = Names::new(&["customer.passport".into(), "pw".into()]).unwrap();
        assert_eq!(names.class(b"customer.passport"), Some(Class::Credential));
        assert_eq!(names.class(b"customerPassport"), Some(Class::Credential));
        assert_eq!(names.class(b"old.customer.passport"), None);
        assert_eq!(names.class(b"pw"), Some(Class::Credential));
        assert_eq!(names.class(b"x_pw"), None);
    }

    #[test]
    fn a_key_without_letters_or_too_long_is_refused() {
        assert_eq!(Names::new(&["..".into()]).unwrap_err(), ConfigError::EmptyKey("..".into()));
        assert!(matches!(Names::new(&["k".repeat(41)]), Err(ConfigError::LongKey(_))));
    }

    #[test]
    fn what_stands_before_a_key_never_hides_it_from_the_first_look() {
        let names = Names::new(&[]).unwrap();
        for key in ["cvv", "next_page_token", "session_id", "card[pin", "API KEY"] {
            for before in ["", "x", "Q", "_", "page_", "\u{e9}"] {
                assert!(names.may_name(format!("{before}{key}").as_bytes()).is_some(), "{before}{key}");
            }
        }
    }
}
