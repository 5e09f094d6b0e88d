//! One pass of the exact rules over one text.

use crate::config::PanOutput;
use crate::edit::Edit;
use crate::names::Names;
use crate::rules;
use crate::scan::suspects;

/// What the operator can set of the rules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub pan: PanOutput,
    pub email: bool,
    pub iban: bool,
}

/// The text, what the rules need to know, and what they have found so far.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    pub text: &'a [u8],
    pub names: &'a Names,
    /// Keys of numbers that are no card's.
    pub numbers: &'a Names,
    pub options: Options,
    pub edits: Vec<Edit>,
    /// Everything before this is removed already: no key in it is looked at, which keeps the pass linear.
    pub done: usize,
    /// Objects and arrays under a card number key are looked at up to here.
    pub walked: usize,
    /// The rows of a statement are looked at up to here.
    pub listed: usize,
    /// The last `@` behind a URL's user, and where the user starts.
    pub user: Option<(usize, usize)>,
    /// Something is written in another way than plainly.
    pub veiled: bool,
    /// How many layers of base64 are around this text.
    pub depth: u8,
}

impl<'a> Pass<'a> {
    /// Runs all rules over `text`.
    pub(crate) fn over(text: &'a [u8], names: &'a Names, numbers: &'a Names, options: Options) -> Pass<'a> {
        Pass::at_depth(text, names, numbers, options, 0)
    }

    /// What there is to mask in a text that this one wraps.
    pub(crate) fn inside(&self, text: &[u8]) -> Vec<Edit> {
        Pass::at_depth(text, self.names, self.numbers, self.options, self.depth + 1).edits
    }

    fn at_depth(
        text: &'a [u8],
        names: &'a Names,
        numbers: &'a Names,
        options: Options,
        depth: u8,
    ) -> Pass<'a> {
        let mut pass = Pass {
            text,
            names,
            numbers,
            options,
            edits: Vec::new(),
            done: 0,
            walked: 0,
            listed: 0,
            user: None,
            veiled: false,
            depth,
        };
        suspects(text, names, |suspect| rules::judge(&mut pass, suspect));
        pass
    }

    /// Notes a removal; what it removes is not looked at again.
    pub(crate) fn remove(&mut self, edit: Option<Edit>) {
        if let Some(edit) = edit {
            self.done = self.done.max(edit.end);
            self.edits.push(edit);
        }
    }
}
