//! What the operator may set, and what is wrong with it when it cannot be compiled.

/// How values are masked; what the operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// What of a card number stays visible.
    pub pan: PanOutput,
    /// Exact keys that are treated as sensitive beside the built-in ones; case and `_ - .` do not matter.
    pub keys_add: Vec<String>,
    /// Exact keys whose values stay as they are, of attributes and inside texts; never honoured for sensitive authentication data.
    pub keep_keys: Vec<String>,
    /// Whether the part before the `@` of an e-mail address is removed.
    pub email: bool,
    /// Whether bank account numbers are masked down to country, check digits and the last four.
    pub iban: bool,
    /// The operator's own rules: what they match is removed.
    pub rules: Vec<UserRule>,
}

/// A rule of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRule {
    /// How errors call it.
    pub name: String,
    /// A regular expression in the syntax of the crate `regex`; the whole match is removed.
    ///
    /// One that starts with two or more fixed letters or digits costs least: it is not run where they do not stand.
    pub pattern: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            pan: PanOutput::default(),
            keys_add: Vec::new(),
            keep_keys: Vec::new(),
            email: true,
            iban: true,
            rules: Vec::new(),
        }
    }
}

/// What of a card number stays visible.
///
/// Of a number with fewer than 15 digits never more than the last four stay: six and four would leave
/// fewer than five hidden.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PanOutput {
    /// `411111******1111`, at most what PCI DSS 3.4.1 lets a display show.
    #[default]
    First6Last4,
    /// `************1111`
    Last4,
    /// `****************`
    Full,
}

/// Why a configuration cannot be used; names the entry at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An entry of `keys_add` has nothing to compare with.
    #[error(
        "keys_add: {0:?} has no letter or digit; write the key as it is sent, e.g. \"customer.passport\""
    )]
    EmptyKey(String),
    /// An entry of `keys_add` is longer than any key that is compared.
    #[error("keys_add: {0:?} is longer than {max} letters and digits", max = crate::names::NAME_LEN_MAX)]
    LongKey(String),
    /// An entry of `keep_keys` names data that must never be stored.
    #[error(
        "keep_keys: {0:?} is sensitive authentication data, which PCI DSS 3.3.1 forbids to keep; remove it"
    )]
    KeptSecret(String),
    /// A rule cannot be compiled, or would do harm.
    #[error("mask.rule {name:?}: {why}")]
    Rule {
        /// The rule's name.
        name: String,
        /// What is wrong with its pattern.
        why: String,
    },
    /// A rule's name cannot be shown in a metric, or is taken.
    #[error("mask.rule {name:?}: {why}")]
    RuleName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There are too many rules.
    #[error("mask.rule: {given} rules, at most {max} are compiled; words go into keys_add")]
    TooManyRules {
        /// How many were given.
        given: usize,
        /// How many are allowed.
        max: usize,
    },
    /// The rules together need too much memory.
    #[error(
        "mask.rule: all rules together need more than {max_bytes} bytes; shorten repetitions such as {{500}}"
    )]
    LargeRules {
        /// How much is allowed.
        max_bytes: usize,
    },
}
