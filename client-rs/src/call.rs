//! A call of a provider: the unit that is counted, timed and judged.

use std::fmt::Display;

use crate::clock::Moment;
use crate::context::{Context, Entered, HasContext};
use crate::engine::Engine;
use crate::fork;
use crate::provider::Name;
use crate::recorder::{Log, Outcome, Record};
use crate::running;
use crate::span::error_type;
use crate::value::Value;

/// A call of a [`Provider`](crate::Provider) that is open. Say how it ended; dropped without a word it counts
/// as cancelled.
///
/// It may be sent to other threads and held over an `.await`. To have HTTP requests inside it counted as its
/// attempts, run them in it: [`in_span`](crate::InSpan::in_span), or [`enter`](Call::enter).
///
/// ```
/// # use spanmill::Provider;
/// # fn post(_: &str) -> Result<(u16, String), std::io::Error> { Ok((5, "no".into())) }
/// static ACME: Provider = Provider::new("acme-bank");
///
/// let mut call = ACME.call("authorize");
/// call.tag("payment.scheme", "visa");
/// match post("/authorize") {
///     Ok((0, _)) => call.ok(),
///     Ok((code, body)) => {
///         call.log("response", |log| log.tag("code", code).tag("body", &body));
///         call.declined("insufficient funds");
///     }
///     Err(error) if error.kind() == std::io::ErrorKind::TimedOut => call.timeout(),
///     Err(error) => call.failed(&error),
/// }
/// ```
#[derive(Debug)]
#[must_use = "a call that is dropped without an outcome counts as cancelled"]
pub struct Call {
    engine: Option<&'static Engine>,
    record: Option<Box<Record>>,
}

impl Call {
    pub(crate) fn start(provider: &Name, operation: &str, parent: Option<&Context>) -> Call {
        let Some(engine) = running::engine() else { return Call { engine: None, record: None } };
        let current = if parent.is_none() { Context::current() } else { None };
        let now = Moment::now();
        let engine = engine.of_process(fork::pid(now.tick()));
        let record = Record::call(engine.record_desk(now), provider, operation, parent.or(current.as_ref()));
        Call { engine: Some(engine), record: Some(record) }
    }

    /// Adds a tag.
    pub fn tag<'v>(&mut self, key: &str, value: impl Into<Value<'v>>) -> &mut Call {
        if let Some(record) = &mut self.record {
            record.tag(key, value);
        }
        self
    }

    /// Adds a log: something that happened during the call, with tags of its own. The closure does not run
    /// when nothing is recorded.
    pub fn log(&mut self, name: &str, write: impl for<'b> FnOnce(Log<'b>) -> Log<'b>) -> &mut Call {
        if let Some(record) = &mut self.record {
            record.log(name, write);
        }
        self
    }

    /// The provider did what was asked.
    pub fn ok(mut self) {
        self.finish(Outcome::Ok, Record::succeed);
    }

    /// The provider answered properly and said no. That is no failure of the provider; `reason` says why,
    /// in one of few texts.
    pub fn declined(mut self, reason: &str) {
        self.finish(Outcome::Declined, |record| record.tag("spanmill.decline_reason", reason));
    }

    /// The provider failed. The type of the error becomes `error.type`, its text the status.
    pub fn failed<E: Display + ?Sized>(mut self, error: &E) {
        self.finish(Outcome::Failed, |record| record.fail(error_type::<E>(), &error.to_string()));
    }

    /// No answer came in time.
    pub fn timeout(mut self) {
        self.finish(Outcome::Timeout, |record| record.fail("timeout", "no answer in time"));
    }

    /// Ends the call with any outcome, and a text for a bad one.
    pub fn end_as(mut self, outcome: Outcome, message: &str) {
        self.finish(outcome, |record| match outcome {
            Outcome::Ok => record.succeed(),
            Outcome::Declined => record.tag("spanmill.decline_reason", message),
            _ => record.fail(outcome.name(), message),
        });
    }

    /// Ends the call with an outcome and the error that goes with it, if it is one: what `#[spanmill::call]` does.
    #[doc(hidden)]
    pub fn end_with<T, E: Display>(self, outcome: Outcome, answer: &Result<T, E>) {
        match answer {
            Ok(_) => self.end_as(outcome, ""),
            Err(error) if outcome == Outcome::Failed => self.failed(error),
            Err(error) => self.end_as(outcome, &error.to_string()),
        }
    }

    /// Ends the call without an outcome: the daemon reads it from what its tags say, an HTTP status for
    /// instance.
    pub fn end(mut self) {
        self.finish_record(|_| {});
    }

    /// How others refer to this call; `None` when nothing is recorded.
    pub fn context(&self) -> Option<Context> {
        self.record.as_ref().map(|record| record.context().clone())
    }

    /// Makes the call current on this thread until the guard is dropped. Futures use
    /// [`InSpan::in_span`](crate::InSpan::in_span).
    #[must_use = "the call is current only as long as the guard lives"]
    pub fn enter(&self) -> Entered {
        self.record.as_ref().map_or_else(Entered::nothing, |record| record.context().enter())
    }

    fn finish(&mut self, outcome: Outcome, describe: impl FnOnce(&mut Record)) {
        self.finish_record(|record| {
            record.outcome(outcome);
            describe(record);
        });
    }

    fn finish_record(&mut self, describe: impl FnOnce(&mut Record)) {
        if let (Some(engine), Some(mut record)) = (self.engine, self.record.take()) {
            describe(&mut record);
            engine.finish(record);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(Outcome::Cancelled, |record| {
            let why = if std::thread::panicking() { "panic" } else { "cancelled" };
            record.fail(why, "dropped without an outcome");
        });
    }
}

impl HasContext for Call {
    fn to_context(&self) -> Option<Context> {
        self.context()
    }
}
