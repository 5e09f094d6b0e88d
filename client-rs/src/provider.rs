//! Who is called: an external system that somebody else runs.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::board::{self, Verdict};
use crate::call::Call;

/// An external system: a bank, a card scheme, an SMS gateway. Its calls are summed up under its name.
///
/// ```
/// static ACME: spanmill::Provider = spanmill::Provider::new("acme-bank");
/// let call = ACME.call("authorize");
/// call.ok();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    name: Name,
}

impl Provider {
    /// A provider that is known when the program is written; usually a `static`.
    pub const fn new(name: &'static str) -> Provider {
        Provider { name: Name::Static(name) }
    }

    /// A provider that is known when the program runs, for instance from a table of routes. Keep it and
    /// clone it rather than naming it again for each call.
    pub fn named(name: impl Into<String>) -> Provider {
        Provider { name: Name::Shared(Arc::from(name.into())) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the daemon on this host thinks of the provider, for code that can take another one: read from memory that
    /// the daemon keeps up to date, in some forty nanoseconds. Needs no client that runs.
    ///
    /// ```
    /// # use spanmill::Provider;
    /// static FIRST: Provider = Provider::new("acme-bank");
    /// static SECOND: Provider = Provider::new("other-bank");
    /// let bank = if FIRST.verdict().is_down() && !SECOND.verdict().is_down() { &SECOND } else { &FIRST };
    /// # assert_eq!(bank.name(), "acme-bank");
    /// ```
    pub fn verdict(&self) -> Verdict {
        board::board().verdict(&self.name)
    }

    pub(crate) fn shared_name(&self) -> &Name {
        &self.name
    }

    /// Begins a call: a CLIENT span below the current context. `operation` is one of a few names
    /// (`authorize`, `refund`), never an id or a path.
    ///
    /// End it with [`Call::ok`], [`Call::declined`], [`Call::failed`] or [`Call::timeout`]; a call that is
    /// dropped without a word counts as cancelled.
    pub fn call(&self, operation: &str) -> Call {
        Call::start(&self.name, operation, None)
    }
}

/// A provider's name, cheap to hand from a call to the attempts inside it.
#[derive(Clone)]
pub(crate) enum Name {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Name::Static(name) => name,
            Name::Shared(name) => name,
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        **self == **other
    }
}

impl Eq for Name {}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
