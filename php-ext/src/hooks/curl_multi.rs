//! `curl_multi_*`: one span per transfer, from the moment it is added until curl says that it is done, it is
//! taken out, or its set is closed, in whatever order an application does these.

use std::cell::RefCell;

use ext_php_rs::types::{ZendObject, Zval};

use super::curl;
use super::curl_info::{Transfer, word};
use super::http::Reply;
use super::propagate;
use super::swap::{Around, Call, Swap};
use crate::session::{self, Number, Place};

/// A transfer that runs.
#[derive(Clone, Copy)]
struct Running {
    set: u32,
    transfer: u32,
    number: Number,
    /// The set has said that none of its transfers runs any more.
    is_over: bool,
}

thread_local! {
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}

struct Add;
struct Exec;
struct InfoRead;
struct Remove;
struct Close;

static ADD: Swap = Swap::function::<Add>("curl_multi_add_handle");
static EXEC: Swap = Swap::function::<Exec>("curl_multi_exec");
static INFO_READ: Swap = Swap::function::<InfoRead>("curl_multi_info_read");
static REMOVE: Swap = Swap::function::<Remove>("curl_multi_remove_handle");
static CLOSE: Swap = Swap::function::<Close>("curl_multi_close");

pub fn install() -> bool {
    ADD.install() && [&EXEC, &INFO_READ, &REMOVE, &CLOSE].map(Swap::install).contains(&true)
}

/// The session has ended the spans; the objects are gone.
pub fn end_request() {
    RUNNING.with_borrow_mut(Vec::clear);
}

impl Around for Add {
    type Token = Number;

    fn swap() -> &'static Swap {
        &ADD
    }

    fn before(call: &Call<'_>) -> Number {
        Transfer::of(call.argument(1)).map_or(0, |transfer| curl::begin(&transfer, Place::Beside))
    }

    fn after(call: &Call<'_>, returned: &mut Zval, number: Number) {
        let (Some(set), Some(transfer)) = (call.object(0), Transfer::of(call.argument(1))) else { return };
        if number == 0 {
            return;
        }
        if returned.long() != Some(0) {
            // It was in a set already, and its span runs; this one never did anything.
            return session::with(|session| session.forget(number));
        }
        // An object's number is given again: what still runs under it belonged to one that is gone.
        take(|running| running.transfer == transfer.id()).into_iter().for_each(cancel);
        let running = Running { set: set.get_id(), transfer: transfer.id(), number, is_over: false };
        RUNNING.with_borrow_mut(|all| all.push(running));
    }
}

impl Around for Exec {
    type Token = ();

    fn swap() -> &'static Swap {
        &EXEC
    }

    fn before(_call: &Call<'_>) {}

    fn after(call: &Call<'_>, _returned: &mut Zval, (): ()) {
        let still_running = call.argument(1).and_then(Zval::long);
        let (Some(set), Some(0)) = (call.object(0).map(ZendObject::get_id), still_running) else { return };
        RUNNING.with_borrow_mut(|all| {
            all.iter_mut().filter(|running| running.set == set).for_each(|running| running.is_over = true);
        });
    }
}

impl Around for InfoRead {
    type Token = ();

    fn swap() -> &'static Swap {
        &INFO_READ
    }

    fn before(_call: &Call<'_>) {}

    fn after(_call: &Call<'_>, returned: &mut Zval, (): ()) {
        let Some(message) = returned.array() else { return };
        let Some(transfer) = Transfer::of(message.get("handle")) else { return };
        let errno = message.get("result").and_then(Zval::long).unwrap_or_default();
        for running in take(|running| running.transfer == transfer.id()) {
            end(&transfer, running, errno);
        }
    }
}

impl Around for Remove {
    type Token = ();

    fn swap() -> &'static Swap {
        &REMOVE
    }

    fn before(call: &Call<'_>) {
        let Some(transfer) = Transfer::of(call.argument(1)) else { return };
        for running in take(|running| running.transfer == transfer.id()) {
            end_unread(&transfer, running);
        }
    }

    fn after(_call: &Call<'_>, _returned: &mut Zval, (): ()) {}
}

impl Around for Close {
    type Token = ();

    fn swap() -> &'static Swap {
        &CLOSE
    }

    fn before(call: &Call<'_>) {
        let Some(set) = call.object(0).map(ZendObject::get_id) else { return };
        take(|running| running.set == set).into_iter().for_each(cancel);
    }

    fn after(_call: &Call<'_>, _returned: &mut Zval, (): ()) {}
}

/// Ends a transfer whose result nobody asked for: only that the set is done, or an answer, tells that it is over.
fn end_unread(transfer: &Transfer<'_>, running: Running) {
    let is_answered = transfer.status() > 0;
    if !is_answered && !running.is_over {
        propagate::restore(transfer);
        return cancel(running);
    }
    // Without an answer: errors of the system are those of connecting; 56 is a connection that was lost.
    let errno = match (is_answered, transfer.os_error()) {
        (true, _) => 0,
        (false, 0) => 56,
        (false, _) => 7,
    };
    end(transfer, running, errno);
}

/// It may have been over for a while: others of its set went on, or the application looked late.
fn end(transfer: &Transfer<'_>, running: Running, errno: i64) {
    let total = transfer.total();
    session::with(|session| {
        if let (Some(record), Some(total)) = (session.record(running.number), total) {
            record.took(total);
        }
    });
    curl::end(transfer, running.number, errno);
}

fn cancel(running: Running) {
    let reply = Reply { error: word(42), message: "taken out before it was done", ..Reply::default() };
    session::with(|session| session.end(running.number, |record| reply.write(record)));
}

fn take(wanted: impl Fn(&Running) -> bool) -> Vec<Running> {
    RUNNING.with_borrow_mut(|all| all.extract_if(.., |running| wanted(running)).collect())
}
