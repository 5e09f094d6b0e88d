//! `curl_exec()`: one span per call, visible as open while PHP waits in it.

use ext_php_rs::types::Zval;

use super::curl_info::Transfer;
use super::http::{self, Target};
use super::propagate;
use super::swap::{Around, Call, Swap};
use crate::session::{self, Number, Place};

struct Exec;

static EXEC: Swap = Swap::function::<Exec>("curl_exec");

pub fn install() -> bool {
    EXEC.install()
}

impl Around for Exec {
    type Token = Number;

    fn swap() -> &'static Swap {
        &EXEC
    }

    fn before(call: &Call<'_>) -> Number {
        Transfer::of(call.argument(0)).map_or(0, |transfer| begin(&transfer, Place::Inner))
    }

    fn after(call: &Call<'_>, _returned: &mut Zval, number: Number) {
        let Some(transfer) = Transfer::of(call.argument(0)).filter(|_| number > 0) else { return };
        let errno = transfer.errno();
        end(&transfer, number, errno);
    }
}

/// Begins the span of a transfer; 0 when it is not recorded.
pub fn begin(transfer: &Transfer<'_>, place: Place) -> Number {
    if !session::is_on() {
        return 0;
    }
    let url = transfer.url();
    let Some(target) = url.as_ref().and_then(Zval::str).and_then(Target::of) else { return 0 };
    // curl decides on the method when it begins.
    let number = http::begin(place, "GET", &target);
    propagate::inject(transfer, number, target.host);
    number
}

/// Ends it, with what curl knows.
pub fn end(transfer: &Transfer<'_>, number: Number, errno: i64) {
    propagate::restore(transfer);
    session::with(|session| session.end(number, |record| transfer.write(errno, record)));
}
