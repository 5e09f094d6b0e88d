//! PHP extension of spanmill: calls of external providers as spans, masked and sent to the daemon on this
//! host.
//!
//! It starts no thread and does no I/O that can block: spans are recorded in memory and leave in one
//! non-blocking send at the end of the request. Nothing here throws, whether it is disabled, over a limit,
//! without a daemon, or wrong.
//!
//! `unsafe` is where PHP calls us and where we call PHP: the entry points below, `settings::ini_text`, `sapi`,
//! `info`, `hooks/`, and what the macros of ext-php-rs expand to.
#![allow(unsafe_code)]

mod context;
mod hooks;
mod info;
mod mask;
mod provider;
mod sapi;
mod session;
mod settings;
mod span;
mod startup;
mod tags;
mod tracer;
mod verdict;

use std::panic::catch_unwind;

use ext_php_rs::prelude::*;

/// What PHP takes for success.
const SUCCESS: i32 = 0;

#[php_module]
pub fn get_module(module: ModuleBuilder<'_>) -> ModuleBuilder<'_> {
    module
        .name("spanmill")
        .version(env!("CARGO_PKG_VERSION"))
        .startup_function(module_startup)
        .shutdown_function(module_shutdown)
        .request_startup_function(request_startup)
        .request_shutdown_function(request_shutdown)
        .info_function(info::print)
        .globals(&session::GLOBALS)
        .enumeration::<verdict::Verdict>()
        .class::<tracer::Tracer>()
        .class::<context::Context>()
        .class::<mask::Mask>()
        .class::<span::Span>()
        .class::<provider::Provider>()
        .class::<provider::Call>()
}

// A panic that left one of these would end PHP, so none does. What is lost is the tracing.

unsafe extern "C" fn module_startup(_kind: i32, module: i32) -> i32 {
    let _ = catch_unwind(|| {
        session::silence_panics();
        settings::register(module);
        startup::follow();
        hooks::user::follow();
    });
    SUCCESS
}

unsafe extern "C" fn module_shutdown(_kind: i32, module: i32) -> i32 {
    let _ = catch_unwind(|| settings::unregister(module));
    SUCCESS
}

unsafe extern "C" fn request_startup(_kind: i32, _module: i32) -> i32 {
    session::with(session::Session::begin_request);
    SUCCESS
}

unsafe extern "C" fn request_shutdown(_kind: i32, _module: i32) -> i32 {
    session::with(session::Session::end_request);
    hooks::swap::guarded(hooks::end_request);
    SUCCESS
}
