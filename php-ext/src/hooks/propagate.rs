//! Sends `traceparent` along, to the hosts that the operator names and to nobody else.
//!
//! The application's own headers stay: they are remembered as it sets them, sent with ours, and put back when
//! the transfer is over, so that a handle that is used again looks as it was left.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use ext_php_rs::boxed::ZBox;
use ext_php_rs::types::{ZendHashTable, Zval};

use super::curl_info::Transfer;
use super::swap::{Around, Call, Function, Swap};
use crate::session::{self, Number};
use crate::settings;

/// `CURLOPT_HTTPHEADER` (curl/curl.h).
const HTTP_HEADER: i64 = 10_023;

static SET: Function = Function::named("curl_setopt");
static SET_OPTION: Swap = Swap::function::<SetOption>("curl_setopt");
static SET_OPTIONS: Swap = Swap::function::<SetOptions>("curl_setopt_array");
static INIT: Swap = Swap::function::<Init>("curl_init");
static COPY: Swap = Swap::function::<Copied>("curl_copy_handle");
static RESET: Swap = Swap::function::<Reset>("curl_reset");

thread_local! {
    /// The headers that the application set, by the number of the handle.
    static HEADERS: RefCell<HashMap<u32, Zval>> = RefCell::default();
    /// Handles that carry a header of ours.
    static INJECTED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    /// We set an option ourselves.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

/// Follows what the application sets, if there is a host to propagate to.
pub fn install() {
    if settings::hosts().is_some_and(|hosts| !hosts.propagated.is_empty()) && SET.find() {
        for swap in [&SET_OPTION, &SET_OPTIONS, &INIT, &COPY, &RESET] {
            swap.install();
        }
    }
}

/// The values belong to the request's memory.
pub fn end_request() {
    HEADERS.with_borrow_mut(HashMap::clear);
    INJECTED.with_borrow_mut(Vec::clear);
}

/// Adds the header to a transfer that begins.
pub fn inject(transfer: &Transfer<'_>, number: Number, host: &str) {
    if !settings::hosts().is_some_and(|hosts| hosts.propagated.matches(host)) {
        return;
    }
    let Some(header) = session::with(|session| session.traceparent(number)) else { return };
    let mut headers = ZendHashTable::new();
    HEADERS.with_borrow(|all| {
        for own in all.get(&transfer.id()).and_then(Zval::array).into_iter().flat_map(ZendHashTable::values) {
            if !own.str().is_some_and(is_traceparent) {
                let _ = headers.push(own.shallow_clone());
            }
        }
    });
    let _ = headers.push(format!("traceparent: {header}"));
    if set(transfer, headers) {
        INJECTED.with_borrow_mut(|injected| injected.push(transfer.id()));
    }
}

/// Puts the application's own headers back.
pub fn restore(transfer: &Transfer<'_>) {
    let was_injected = INJECTED.with_borrow_mut(|injected| {
        injected.iter().position(|id| *id == transfer.id()).map(|at| injected.swap_remove(at)).is_some()
    });
    if was_injected {
        let mut headers = ZendHashTable::new();
        HEADERS.with_borrow(|all| {
            let own = all.get(&transfer.id()).and_then(Zval::array);
            own.into_iter().flat_map(ZendHashTable::values).for_each(|own| {
                let _ = headers.push(own.shallow_clone());
            });
        });
        set(transfer, headers);
    }
}

fn set(transfer: &Transfer<'_>, headers: ZBox<ZendHashTable>) -> bool {
    let (mut option, mut value) = (Zval::new(), Zval::new());
    option.set_long(HTTP_HEADER);
    value.set_hashtable(headers);
    IS_OURS.set(true);
    let done = SET.call([transfer.handle(), option, value]);
    IS_OURS.set(false);
    done.is_some_and(|done| done.is_true())
}

fn is_traceparent(header: &str) -> bool {
    header.split(':').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("traceparent"))
}

fn remember(transfer: Option<Transfer<'_>>, headers: Option<&Zval>) {
    let (Some(transfer), Some(headers)) = (transfer, headers.filter(|headers| headers.is_array())) else {
        return;
    };
    let old = HEADERS.with_borrow_mut(|all| all.insert(transfer.id(), headers.shallow_clone()));
    drop(old);
}

fn forget(transfer: Option<Transfer<'_>>) {
    if let Some(transfer) = transfer {
        let old = HEADERS.with_borrow_mut(|all| all.remove(&transfer.id()));
        drop(old);
        INJECTED.with_borrow_mut(|injected| injected.retain(|id| *id != transfer.id()));
    }
}

struct SetOption;

impl Around for SetOption {
    type Token = ();

    fn swap() -> &'static Swap {
        &SET_OPTION
    }

    fn before(_call: &Call<'_>) {}

    fn after(call: &Call<'_>, returned: &mut Zval, (): ()) {
        let is_header = call.argument(1).and_then(Zval::long) == Some(HTTP_HEADER);
        if is_header && returned.is_true() && !IS_OURS.get() {
            remember(Transfer::of(call.argument(0)), call.argument(2));
        }
    }
}

struct SetOptions;

impl Around for SetOptions {
    type Token = ();

    fn swap() -> &'static Swap {
        &SET_OPTIONS
    }

    fn before(_call: &Call<'_>) {}

    fn after(call: &Call<'_>, _returned: &mut Zval, (): ()) {
        let options = call.argument(1).and_then(Zval::array);
        let headers = options.and_then(|options| options.get(HTTP_HEADER)).map(Zval::dereference);
        remember(Transfer::of(call.argument(0)), headers);
    }
}

/// A new handle may have the number of one that is gone.
struct Init;

impl Around for Init {
    type Token = ();

    fn swap() -> &'static Swap {
        &INIT
    }

    fn before(_call: &Call<'_>) {}

    fn after(_call: &Call<'_>, returned: &mut Zval, (): ()) {
        forget(Transfer::of(Some(returned)));
    }
}

/// A copy has the headers of the original.
struct Copied;

impl Around for Copied {
    type Token = ();

    fn swap() -> &'static Swap {
        &COPY
    }

    fn before(_call: &Call<'_>) {}

    fn after(call: &Call<'_>, returned: &mut Zval, (): ()) {
        forget(Transfer::of(Some(returned)));
        let own = Transfer::of(call.argument(0))
            .and_then(|original| HEADERS.with_borrow(|all| all.get(&original.id()).map(Zval::shallow_clone)));
        remember(Transfer::of(Some(returned)), own.as_ref());
    }
}

struct Reset;

impl Around for Reset {
    type Token = ();

    fn swap() -> &'static Swap {
        &RESET
    }

    fn before(_call: &Call<'_>) {}

    fn after(call: &Call<'_>, _returned: &mut Zval, (): ()) {
        forget(Transfer::of(call.argument(0)));
    }
}
