//! The functions of PHP that are seen without a line of tracing code. Adding one is a file and a line in
//! [`HOOKS`].

mod curl;
mod curl_info;
mod curl_multi;
mod fork;
mod http;
mod propagate;
mod soap;
mod stream;
pub mod swap;
pub mod user;

use std::sync::OnceLock;

use crate::settings;

/// One kind of hook.
struct Hook {
    /// Its name in `spanmill.hook`.
    name: &'static str,
    /// Takes the places of its functions; false when this PHP has none of them.
    install: fn() -> bool,
}

const HOOKS: [Hook; 4] = [
    Hook { name: "curl", install: install_curl },
    Hook { name: "stream", install: stream::install },
    Hook { name: "soap", install: soap::install },
    Hook { name: "pcntl", install: fork::install },
];

/// The hooks that are in place.
static INSTALLED: OnceLock<Vec<&'static str>> = OnceLock::new();

/// Once all modules have started, so that their classes are known, and before the first request.
pub fn install() {
    let Some(wanted) = settings::hooks() else { return };
    let installed = HOOKS.iter().filter(|hook| wanted.has(hook.name) && (hook.install)());
    INSTALLED.get_or_init(|| installed.map(|hook| hook.name).collect());
}

/// The hooks that are in place, for phpinfo().
pub fn installed() -> &'static [&'static str] {
    INSTALLED.get().map_or(&[], Vec::as_slice)
}

/// The names that `spanmill.hook` may hold.
pub fn names() -> impl Iterator<Item = &'static str> {
    HOOKS.iter().map(|hook| hook.name)
}

/// What a request leaves behind is not the next one's.
pub fn end_request() {
    curl_multi::end_request();
    propagate::end_request();
    user::end_request();
}

fn install_curl() -> bool {
    curl_info::find() && {
        propagate::install();
        curl::install() | curl_multi::install()
    }
}
