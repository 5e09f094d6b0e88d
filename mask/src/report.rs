//! What a masker tells about its work: which rule hit how often, never what it hit.

use std::ops::Range;

use crate::edit::Edit;

/// The rules, one variant each; [`Rule::name`] is the label in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Rule {
    /// A card number: issuer prefix, length and check digit.
    Pan,
    /// What a magnetic stripe or a chip holds behind the card number.
    Track,
    /// The value of a key of sensitive authentication data inside a text: CVV, PIN, one-time password.
    Sad,
    /// The value of any other sensitive key: an attribute key, or a key inside a text.
    Key,
    /// Something that shows what it is: a vendor's key, a token, a private key.
    Literal,
    /// User and password in a URL.
    Url,
    /// A bank account number.
    Iban,
    /// An e-mail address.
    Email,
    /// A rule of the operator.
    User,
    /// A rule failed, and the value was dropped whole.
    Error,
}

impl Rule {
    /// Every rule, in the order of [`Report::hits`].
    pub const ALL: [Rule; 10] = [
        Rule::Pan,
        Rule::Track,
        Rule::Sad,
        Rule::Key,
        Rule::Literal,
        Rule::Url,
        Rule::Iban,
        Rule::Email,
        Rule::User,
        Rule::Error,
    ];

    /// The name in metrics and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Pan => "pan",
            Rule::Track => "track",
            Rule::Sad => "sad",
            Rule::Key => "key",
            Rule::Literal => "literal",
            Rule::Url => "url",
            Rule::Iban => "iban",
            Rule::Email => "email",
            Rule::User => "user",
            Rule::Error => "error",
        }
    }
}

/// One place in a text that is to be masked, and what would stand there; never what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Where in the text, in bytes.
    pub range: Range<usize>,
    /// What found it.
    pub rule: Rule,
    /// The replacement.
    pub masked: Vec<u8>,
}

impl From<Edit> for Hit {
    fn from(edit: Edit) -> Hit {
        Hit { range: edit.start..edit.end, rule: edit.rule, masked: edit.put }
    }
}

/// How often each rule hit; never what it hit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Hits by rule, indexed by `Rule as usize`.
    pub hits: [u64; Rule::ALL.len()],
    /// Of the hits of [`Rule::User`], how many each of the operator's rules had, in their order; may be shorter.
    pub user_hits: Vec<u64>,
}

impl Report {
    /// Counts one hit of `rule`.
    pub fn count(&mut self, rule: Rule) {
        self.hits[rule as usize] += 1;
    }

    /// Counts that the hit was one of the operator's rule `index`.
    pub(crate) fn count_user(&mut self, index: u8) {
        let index = usize::from(index);
        if self.user_hits.len() <= index {
            self.user_hits.resize(index + 1, 0);
        }
        self.user_hits[index] += 1;
    }

    /// Hits of all rules together.
    pub fn total(&self) -> u64 {
        self.hits.iter().sum()
    }
}
