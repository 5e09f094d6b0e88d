//! The extension's section of `phpinfo()`.

use std::panic::catch_unwind;

use ext_php_rs::zend::ModuleEntry;
use ext_php_rs::{info_table_end, info_table_header, info_table_row, info_table_start};
use spanmill::Reason;

use crate::{session, settings};

unsafe extern "C" {
    fn display_ini_entries(module: *mut ModuleEntry);
}

/// Prints version, state, counters and the ini table.
pub extern "C" fn print(module: *mut ModuleEntry) {
    let _ = catch_unwind(|| {
        info_table_start!();
        info_table_header!("spanmill", state());
        info_table_row!("version", env!("CARGO_PKG_VERSION"));
        for (name, value) in rows() {
            info_table_row!(name, value);
        }
        info_table_end!();
    });
    // SAFETY: PHP gave the pointer to this module for the time of this call.
    unsafe { display_ini_entries(module) };
}

fn state() -> &'static str {
    match settings::process() {
        _ if session::is_broken() => "switched off by a bug in the extension",
        Some(_) => "enabled",
        None => "disabled",
    }
}

fn rows() -> Vec<(&'static str, String)> {
    let Some(settings) = settings::process() else { return Vec::new() };
    let ((stats, over_limit), is_connected) =
        session::with(|session| (session.stats(), session.is_connected()));
    // A path with a zero byte was refused when the settings were read; nothing else here can hold one.
    let mut rows = vec![
        ("socket", settings.socket_path().to_string_lossy().into_owned()),
        ("daemon", if is_connected { "connected" } else { "not connected" }.to_string()),
        ("spans recorded", stats.recorded.to_string()),
        ("spans sent", stats.sent.to_string()),
        ("spans over the limit of open ones", over_limit.to_string()),
        ("values masked", stats.masked.to_string()),
    ];
    rows.extend(Reason::ALL.map(|reason| {
        let label = match reason {
            Reason::QueueFull => "spans dropped: queue full",
            Reason::NoDaemon => "spans dropped: no daemon",
            Reason::TooLong => "spans dropped: too long",
            Reason::Send => "spans dropped: daemon stuck",
            Reason::Closed => "spans dropped: closed",
            Reason::Rejected => "spans dropped: rejected",
            Reason::Displaced => "spans dropped: displaced by failures",
        };
        (label, stats.dropped.by(reason).to_string())
    }));
    rows
}
