//! The server that PHP runs in, and the request that it gave.

use std::ffi::{CStr, c_char};

use ext_php_rs::ffi;
use ext_php_rs::zend::{ProcessGlobals, SapiGlobals};

/// Errors after which a request does not go on (`Zend/zend_errors.h`): error, parse, core, compile, user,
/// recoverable.
const FATAL: i32 = 1 | 4 | 16 | 64 | 256 | 4096;

/// Longer parts of a path are hardly words.
const PART_BYTES_MAX: usize = 40;

/// True on the command line.
pub fn is_command_line() -> bool {
    matches!(name().as_deref(), Some("cli" | "phpdbg" | "embed"))
}

fn name() -> Option<String> {
    // SAFETY: the module of the server exists from before extensions start until after they end; its name is a
    // C string.
    unsafe {
        let module = ffi::ext_php_rs_sapi_module().as_ref()?;
        let name = module.name;
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

/// A web request, as far as its span needs it.
pub struct Request {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub traceparent: Option<String>,
}

impl Request {
    /// The request that runs; `None` on the command line.
    pub fn current() -> Option<Request> {
        if is_command_line() {
            return None;
        }
        let globals = SapiGlobals::get();
        let info = globals.request_info();
        // Under FPM the request's own field is the script's path.
        let uri =
            variable("REQUEST_URI").or_else(|| info.request_uri().map(str::to_owned)).unwrap_or_default();
        Some(Request {
            method: info.request_method()?.to_owned(),
            path: uri.split(['?', '#']).next().unwrap_or("/").to_owned(),
            traceparent: variable("HTTP_TRACEPARENT"),
        })
    }
}

impl Request {
    /// `POST /checkout`: the method and the first part of the path, unless that part is an id or a secret.
    pub fn span_name(&self) -> String {
        let part = self.path.split('/').find(|part| !part.is_empty()).unwrap_or_default();
        let is_word = part.bytes().all(|b| b.is_ascii_alphabetic() || b"._-".contains(&b));
        if is_word && part.len() <= PART_BYTES_MAX {
            format!("{} /{part}", self.method)
        } else {
            format!("{} /…", self.method)
        }
    }
}

/// A variable that the server hands to the request.
fn variable(name: &str) -> Option<String> {
    // SAFETY: the server's own function is asked as PHP asks it; what it gives lives at least for the request
    // and is copied at once.
    unsafe {
        let get = ffi::ext_php_rs_sapi_module().as_ref()?.getenv?;
        let value = get(name.as_ptr().cast::<c_char>(), name.len());
        (!value.is_null()).then(|| CStr::from_ptr(value).to_string_lossy().into_owned())
    }
}

/// The status that is, or will be, answered.
pub fn response_status() -> i64 {
    i64::from(SapiGlobals::get().sapi_headers().http_response_code)
}

/// The text of the error that ended the request, if one did.
pub fn fatal_error() -> Option<String> {
    let globals = ProcessGlobals::get();
    if globals.last_error_type & FATAL == 0 || globals.last_error_message.is_null() {
        return None;
    }
    // SAFETY: the message is a string of the engine's that lives until the next error.
    let message = unsafe { (*globals.last_error_message).as_str() };
    message.ok().map(str::to_owned)
}
