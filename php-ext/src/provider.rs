//! `Spanmill\Provider` and `Spanmill\Call`: a call of an external system.

use ext_php_rs::flags::ClassFlags;
use ext_php_rs::prelude::*;
use ext_php_rs::types::{ZendHashTable, Zval};
use spanmill::Outcome;
use spanmill::recorder::Record;

use crate::session::{self, Number, Place};
use crate::verdict::Verdict;
use crate::{tags, tracer};

/// Static methods only.
#[php_class]
#[php(name = "Spanmill\\Provider", flags = ClassFlags::Final)]
pub struct Provider;

#[php_impl]
impl Provider {
    /// Begins a call and makes it current: HTTP requests inside it are its attempts.
    #[php(optional = tags)]
    pub fn call(provider: &str, operation: &str, tags: Option<&ZendHashTable>) -> Call {
        let number = session::with(|session| {
            let provider = spanmill::Provider::named(provider);
            let number = session
                .start(Place::Call, |recorder, parent| recorder.start_call(&provider, operation, parent));
            if let Some(record) = session.record(number) {
                tags::tag_all(record, tags);
            }
            number
        });
        Call { number }
    }

    /// What the daemon thinks of a provider, by its name or an alias: read from shared memory in nanoseconds, so it
    /// may be asked before each call.
    pub fn verdict(provider: &str) -> Verdict {
        if !session::is_on() {
            return Verdict::Unknown;
        }
        spanmill::Provider::named(provider).verdict().into()
    }
}

/// A call of a provider. One that goes without a word counts as cancelled.
#[php_class]
#[php(name = "Spanmill\\Call", flags = ClassFlags::Final)]
pub struct Call {
    number: Number,
}

#[php_impl]
impl Call {
    /// Adds a tag.
    pub fn tag(&self, key: &str, value: &Zval) {
        session::with(|session| {
            if let Some(record) = session.record(self.number) {
                tags::tag(record, key, value);
            }
        });
    }

    /// Adds a log: something that happened during the call, with fields of its own.
    #[php(optional = fields)]
    pub fn log(&self, name: &str, fields: Option<&ZendHashTable>) {
        session::with(|session| {
            if let Some(record) = session.record(self.number) {
                tags::log(record, name, fields);
            }
        });
    }

    /// The provider did what was asked.
    pub fn ok(&self) {
        self.finish(Outcome::Ok, Record::succeed);
    }

    /// The provider answered properly and said no: no failure of the provider.
    #[php(optional = reason)]
    pub fn declined(&self, reason: Option<&str>) {
        self.finish(Outcome::Declined, |record| {
            if let Some(reason) = reason {
                record.tag("spanmill.decline_reason", reason);
            }
        });
    }

    /// The provider failed; takes a Throwable or a text.
    #[php(optional = error)]
    pub fn failed(&self, error: Option<&Zval>) {
        let (class, message) = error.map_or_else(|| ("_OTHER".into(), String::new()), tracer::describe);
        self.finish(Outcome::Failed, |record| record.fail(&class, &message));
    }

    /// No answer came in time.
    pub fn timeout(&self) {
        self.finish(Outcome::Timeout, |record| record.fail("timeout", "no answer in time"));
    }

    /// Ends the call without an outcome: the daemon reads it from the tags, an HTTP status for instance.
    pub fn end(&self) {
        session::with(|session| session.end(self.number, |_| {}));
    }
}

impl Call {
    fn finish(&self, outcome: Outcome, describe: impl FnOnce(&mut Record)) {
        session::with(|session| {
            session.end(self.number, |record| {
                record.outcome(outcome);
                describe(record);
            });
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(Outcome::Cancelled, |record| record.fail("cancelled", "dropped without an outcome"));
    }
}
