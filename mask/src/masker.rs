//! The compiled rules, and what the callers do with them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::config::{Config, ConfigError, PanOutput};
use crate::edit::{self, Edit, MASKED};
use crate::kept;
use crate::names::{Class, Names};
use crate::pass::{Options, Pass};
use crate::report::{Hit, Report, Rule};
use crate::rules::pan;
use crate::rules::user::UserRules;
use crate::scan::{Suspect, suspects};
use crate::veil::{Unveiled, unveil};

/// What an attribute key says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// Nothing: only the text itself can tell.
    Plain,
    /// A card number is expected: no Luhn check is asked of it.
    Pan,
    /// The whole value is removed.
    Sensitive,
    /// A number of another kind is expected, such as a merchant's: one that only a rare card could have is none.
    Number,
    /// The operator keeps this value as it is; only sensitive authentication data inside is removed all the same.
    Keep,
}

/// The compiled rules. Immutable and cheap to share; made once.
#[derive(Debug)]
pub struct Masker {
    config: Config,
    names: Names,
    /// Keys of numbers that are no card's.
    numbers: Names,
    rules: Option<UserRules>,
}

/// A text shorter than this holds no secret that can be told without its key (`pin=123`).
const TEXT_LEN_MIN: usize = 7;

/// Nearly every dirty text is clean after one pass. One that is not after these was made so, and is removed whole.
const PASSES_MAX: usize = 6;

/// What stands in the place of a value that could not be masked.
const MASK_ERROR: &[u8] = b"[mask-error]";

/// Candidates inside one long run of digits are this far apart: the shortest card number cannot lie between two.
const CANDIDATE_STEP: usize = 8;

/// From 2⁵³ on not every integer is a double, and the digits are no longer the sender's.
const DOUBLE_EXACT_END: f64 = 9_007_199_254_740_992.0;

impl Key {
    /// What counts for a value under this key, where the key around it says `outer`: a secret list holds secrets.
    pub fn within(self, outer: Key) -> Key {
        match self {
            Key::Plain => outer,
            Key::Number if outer != Key::Plain => outer,
            key => key,
        }
    }
}

impl Masker {
    /// All rules at their defaults.
    pub fn standard() -> Masker {
        Masker::new(Config::default()).expect("the default configuration names no key that could be refused")
    }

    /// Compiles `config`; the error names the entry that cannot be used.
    pub fn new(config: Config) -> Result<Masker, ConfigError> {
        let mut names = Names::new(&config.keys_add)?;
        names.tightens = config.pan != PanOutput::First6Last4;
        let sad = |key: &&String| names.class(key.as_bytes()) == Some(Class::Sad);
        if let Some(key) = config.keep_keys.iter().find(sad) {
            return Err(ConfigError::KeptSecret(key.clone()));
        }
        let rules = UserRules::new(&config.rules)?;
        Ok(Masker { config, names, numbers: Names::of_numbers(), rules })
    }

    /// The names of the operator's rules, in the order of [`Report::user_hits`].
    pub fn user_rules(&self) -> impl Iterator<Item = &str> {
        self.config.rules.iter().map(|rule| rule.name.as_str())
    }

    /// What `key` says of its value.
    pub fn key(&self, key: &[u8]) -> Key {
        if !self.config.keep_keys.is_empty()
            && self.config.keep_keys.iter().any(|kept| kept.as_bytes() == key)
        {
            return Key::Keep;
        }
        match self.names.class(key) {
            None if self.numbers.class(key).is_some() => Key::Number,
            None | Some(Class::Label | Class::Number | Class::Harmless) => Key::Plain,
            Some(Class::Pan) => Key::Pan,
            Some(Class::Sad | Class::Credential | Class::Header) => Key::Sensitive,
        }
    }

    /// Appends to `offsets`, ascending, where in `message` something may be a secret.
    ///
    /// `message` is an encoded request, or one text: one scan of it costs a fraction of one scan per string. There are no false negatives: a string without an offset inside it, under a [`Key::Plain`] key,
    /// is what [`Masker::text`] would return unchanged. What lies behind the first 4 GiB has no offset to name it
    /// by and must be given to `text` string by string.
    pub fn candidates(&self, message: &[u8], offsets: &mut Vec<u32>) {
        let first = offsets.len();
        // A rule that fails here must not let anything through either: then all is looked at, string by string.
        if catch_unwind(AssertUnwindSafe(|| self.scan(message, offsets))).is_err() {
            offsets.truncate(first);
            offsets.extend((0..message.len()).map_while(|at| u32::try_from(at).ok()));
        }
    }

    fn scan(&self, message: &[u8], offsets: &mut Vec<u32>) {
        let first = offsets.len();
        let mut push = |at: usize| offsets.extend(u32::try_from(at).ok());
        suspects(message, &self.names, |suspect| match suspect {
            // Digits around a string (its length may look like one) can make its run longer at either end.
            Suspect::Run { start, end } => (start..end).step_by(CANDIDATE_STEP).for_each(&mut push),
            Suspect::Groups { first_end } | Suspect::Shortened(first_end) => push(first_end - 1),
            Suspect::Separator(at)
            | Suspect::Tag(at)
            | Suspect::Bracket(at)
            | Suspect::At(at)
            | Suspect::Flag(at)
            | Suspect::Pem(at)
            | Suspect::Literal(at)
            | Suspect::Iban(at)
            | Suspect::Veil(at) => push(at),
        });
        if let Some(rules) = &self.rules {
            rules.candidates(message, push);
        }
        // Nearly sorted already: a suspect is noticed at its end or in its middle.
        offsets[first..].sort_unstable();
    }

    /// Masks one text or byte value; `None` = clean. Counts each hit in `report`.
    ///
    /// Masking what was masked changes nothing: a dirty text is looked at again until it is clean, since what one
    /// rule removes can show another one where a secret starts.
    pub fn text(&self, key: Key, text: &[u8], report: &mut Report) -> Option<Vec<u8>> {
        // A rule that fails must not let the value through. Nothing outlives the closure but counts.
        let masked = catch_unwind(AssertUnwindSafe(|| self.passes(key, text, report)));
        masked.unwrap_or_else(|_| {
            report.count(Rule::Error);
            Some(MASK_ERROR.to_vec())
        })
    }

    fn passes(&self, key: Key, text: &[u8], report: &mut Report) -> Option<Vec<u8>> {
        let mut masked = self.pass(key, text, report)?;
        for _ in 1..PASSES_MAX {
            match self.pass(key, &masked, report) {
                Some(again) => masked = again,
                None => return Some(masked),
            }
        }
        Some(MASKED.to_vec())
    }

    fn pass(&self, key: Key, text: &[u8], report: &mut Report) -> Option<Vec<u8>> {
        edit::rewrite(text, self.edits_under(key, text), report)
    }

    fn edits_under(&self, key: Key, text: &[u8]) -> Vec<Edit> {
        match key {
            Key::Keep => {
                let mut edits = self.edits(text, None);
                edits.retain(|edit| matches!(edit.rule, Rule::Sad | Rule::Track));
                edits
            }
            Key::Sensitive => removed(text),
            Key::Pan => self.edits(text, self.announced(text)),
            Key::Number if pan::is_rare(text) => Vec::new(),
            Key::Plain | Key::Number if text.len() < TEXT_LEN_MIN && self.rules.is_none() => Vec::new(),
            Key::Plain | Key::Number => self.edits(text, None),
        }
    }

    /// Where in a text or byte value there is something to mask: for an audit that must say so, and mask nothing.
    pub fn hits(&self, key: Key, text: &[u8]) -> Vec<Hit> {
        let found = catch_unwind(AssertUnwindSafe(|| edit::merged(self.edits_under(key, text))));
        found.map_or_else(
            |_| vec![Hit { range: 0..text.len(), rule: Rule::Error, masked: MASK_ERROR.to_vec() }],
            |edits| edits.into_iter().map(Hit::from).collect(),
        )
    }

    /// Masks an integer; `Some` = the text that takes its place.
    pub fn int(&self, key: Key, value: i64, report: &mut Report) -> Option<String> {
        match key {
            Key::Keep => None,
            // Shorter than any card number and not announced as one: nearly all integers.
            Key::Plain | Key::Number if value < 1_000_000_000_000 && self.rules.is_none() => None,
            _ => self.number(key, &value.to_string(), report),
        }
    }

    /// Masks a floating-point number; `Some` = the text that takes its place.
    pub fn double(&self, key: Key, value: f64, report: &mut Report) -> Option<String> {
        match key {
            Key::Keep => None,
            Key::Plain | Key::Number if self.rules.is_some() => self.number(key, &value.to_string(), report),
            Key::Plain | Key::Number
                if !(1e12..DOUBLE_EXACT_END).contains(&value) || value.fract() != 0.0 =>
            {
                None
            }
            _ => self.number(key, &value.to_string(), report),
        }
    }

    fn number(&self, key: Key, digits: &str, report: &mut Report) -> Option<String> {
        let masked = self.text(key, digits.as_bytes(), report)?;
        Some(String::from_utf8(masked).expect("digits are masked by ASCII"))
    }

    /// The edit for a whole value whose key announces a card number.
    fn announced(&self, text: &[u8]) -> Option<Edit> {
        pan::announced(text, 0, text.len(), self.config.pan)
    }

    fn edits(&self, text: &[u8], first: Option<Edit>) -> Vec<Edit> {
        let pass = Pass::over(text, &self.names, &self.numbers, self.options());
        let mut edits = pass.edits;
        edits.extend(first);
        edits.extend(self.rules.iter().flat_map(|rules| rules.edits(text)));
        let keep = &self.config.keep_keys;
        edits.retain(|edit| !kept::is_kept(text, edit.start, edit.rule, keep));
        if pass.veiled
            && let Some(unveiled) = unveil(text)
        {
            self.veiled_edits(&unveiled, &mut edits);
        }
        edits
    }

    /// What shows only when the text is decoded: more secrets, and keys whose values are kept.
    fn veiled_edits(&self, unveiled: &Unveiled, edits: &mut Vec<Edit>) {
        let keep = &self.config.keep_keys;
        let is_kept = |start: usize, rule: Rule| kept::is_kept(&unveiled.text, start, rule, keep);
        edits.retain(|edit| !unveiled.place(edit.start).is_some_and(|start| is_kept(start, edit.rule)));
        let pass = Pass::over(&unveiled.text, &self.names, &self.numbers, self.options());
        let found = pass.edits.into_iter().filter(|edit| !is_kept(edit.start, edit.rule));
        edits.extend(found.map(|edit| Edit {
            start: unveiled.source(edit.start),
            end: unveiled.source(edit.end),
            quote: edit.quote.map(|quote| unveiled.source(quote.start)..unveiled.source(quote.end)),
            ..edit
        }));
    }

    fn options(&self) -> Options {
        Options { pan: self.config.pan, email: self.config.email, iban: self.config.iban }
    }
}

/// The whole value of a sensitive key; a flag, an empty value and a value that is masked already stay.
fn removed(text: &[u8]) -> Vec<Edit> {
    if matches!(text, b"" | b"true" | b"false" | b"null") || text == MASKED {
        return Vec::new();
    }
    vec![Edit::remove(0, text.len(), Rule::Key)]
}
