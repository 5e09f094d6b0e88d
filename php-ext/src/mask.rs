//! `Spanmill\\Mask`: what is masked beside what always is.

use ext_php_rs::error::php_error;
use ext_php_rs::flags::{ClassFlags, ErrorType};
use ext_php_rs::prelude::*;

use crate::session;

/// Static methods only.
#[php_class]
#[php(name = "Spanmill\\Mask", flags = ClassFlags::Final)]
pub struct Mask;

#[php_impl]
impl Mask {
    /// Removes what matches a pattern from everything that is recorded from here on, in this process: a regular
    /// expression without delimiters, in the syntax of Rust's `regex`. Nothing can be masked less than it was. False,
    /// with a warning, for a pattern that cannot be used.
    pub fn add(pattern: &str) -> bool {
        let added = session::with(|session| Some(session.mask_also(pattern)));
        match added {
            Some(Err(message)) => {
                php_error(&ErrorType::Warning, &format!("Spanmill\\Mask::add(): {message}"));
                false
            }
            _ => true,
        }
    }
}
