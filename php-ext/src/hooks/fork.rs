//! `pcntl_fork()`: the child begins with an empty recorder at once, not at its first span.

use ext_php_rs::types::Zval;

use super::swap::{Around, Call, Swap};
use crate::session;

struct Fork;
struct Rfork;

static FORK: Swap = Swap::function::<Fork>("pcntl_fork");
static RFORK: Swap = Swap::function::<Rfork>("pcntl_rfork");

pub fn install() -> bool {
    [&FORK, &RFORK].map(Swap::install).contains(&true)
}

impl Around for Fork {
    type Token = ();

    fn swap() -> &'static Swap {
        &FORK
    }

    fn before(_call: &Call<'_>) {}

    fn after(_call: &Call<'_>, returned: &mut Zval, (): ()) {
        if returned.long() == Some(0) {
            session::with(session::Session::notice_fork);
        }
    }
}

impl Around for Rfork {
    type Token = ();

    fn swap() -> &'static Swap {
        &RFORK
    }

    fn before(_call: &Call<'_>) {}

    fn after(call: &Call<'_>, returned: &mut Zval, (): ()) {
        Fork::after(call, returned, ());
    }
}
