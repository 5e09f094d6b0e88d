//! `Spanmill\Span`: a piece of the application's own work.

use ext_php_rs::flags::ClassFlags;
use ext_php_rs::prelude::*;
use ext_php_rs::types::{ZendHashTable, Zval};
use spanmill::recorder::{Kind, Record};

use crate::session::{self, Number};
use crate::{sapi, tags, tracer};

/// A span. Made by `Tracer::start()`; ends with `end()`, or when the object goes.
#[php_class]
#[php(name = "Spanmill\\Span", flags = ClassFlags::Final)]
pub struct Span {
    number: Number,
    /// False for what `Tracer::current()` gives: looking at a span does not end it.
    owns: bool,
}

impl Span {
    pub fn owning(number: Number) -> Span {
        Span { number, owns: true }
    }

    pub fn borrowing(number: Number) -> Span {
        Span { number, owns: false }
    }
}

#[php_impl]
impl Span {
    pub const INTERNAL: i64 = 1;
    pub const SERVER: i64 = 2;
    pub const CLIENT: i64 = 3;
    pub const PRODUCER: i64 = 4;
    pub const CONSUMER: i64 = 5;

    /// Adds a tag.
    pub fn tag(&self, key: &str, value: &Zval) {
        session::with(|session| {
            if let Some(record) = session.record(self.number) {
                tags::tag(record, key, value);
            }
        });
    }

    /// Adds tags.
    pub fn tags(&self, tags: &ZendHashTable) {
        session::with(|session| {
            if let Some(record) = session.record(self.number) {
                tags::tag_all(record, Some(tags));
            }
        });
    }

    /// Adds a log: something that happened during the span, with fields of its own.
    #[php(optional = fields)]
    pub fn log(&self, name: &str, fields: Option<&ZendHashTable>) {
        session::with(|session| {
            if let Some(record) = session.record(self.number) {
                tags::log(record, name, fields);
            }
        });
    }

    /// Says that the work failed; takes a Throwable or a text.
    pub fn failed(&self, error: &Zval) {
        let (class, message) = tracer::describe(error);
        session::with(|session| {
            if let Some(record) = session.record(self.number) {
                record.fail(&class, &message);
            }
        });
    }

    /// Ends the span.
    pub fn end(&self) {
        session::with(|session| session.end(self.number, |_| {}));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if self.owns {
            session::with(|session| session.end(self.number, end_unasked));
        }
    }
}

/// How a span ends whose object goes without a word: it went out of scope, or a fatal error took everything.
fn end_unasked(record: &mut Record) {
    match sapi::fatal_error() {
        Some(_) => record.fail("aborted", "a fatal error ended the request"),
        None => record.tag("spanmill.auto_end", true),
    }
}

/// The kind that a number stands for; what is unknown is internal.
pub fn kind(number: Option<i64>) -> Kind {
    match number {
        Some(Span::SERVER) => Kind::Server,
        Some(Span::CLIENT) => Kind::Client,
        Some(Span::PRODUCER) => Kind::Producer,
        Some(Span::CONSUMER) => Kind::Consumer,
        _ => Kind::Internal,
    }
}
