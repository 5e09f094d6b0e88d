//! `http://` and `https://` as files: `file_get_contents()`, `fopen()` and their like, and whatever else opens
//! such a stream.
//!
//! Two halves: the functions, which know when the work is done and what PHP said went wrong, and the opener of
//! the stream wrapper, which sees the answer's status. A stream that another function opens has the opener
//! alone.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ext_php_rs::ffi;
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::StreamWrapper;

use super::http::{self, Reply, Target};
use super::swap::{Around, Call, Function, Swap, guarded};
use crate::session::{self, Number, Place};

/// A request that fails without a word after this long has run into its timeout: PHP says only that it failed.
const SILENCE: Duration = Duration::from_secs(1);

static LAST_ERROR: Function = Function::named("error_get_last");
static CLEAR_ERROR: Function = Function::named("error_clear_last");

thread_local! {
    /// The span of the function that runs; 0 = none.
    static RUNNING: Cell<Number> = const { Cell::new(0) };
    /// Status of the last answer that the opener saw.
    static STATUS: Cell<i64> = const { Cell::new(0) };
}

pub fn install() -> bool {
    LAST_ERROR.find();
    CLEAR_ERROR.find();
    let functions = [&FILE_GET_CONTENTS, &FOPEN, &COPY, &READFILE, &FILE].map(Swap::install);
    replace_wrapper() && functions.contains(&true)
}

/// What a function leaves for its end.
#[derive(Clone, Copy, Default)]
struct Began {
    number: Number,
    method: &'static str,
    outer: Number,
    at: Option<Instant>,
}

fn before(call: &Call<'_>) -> Began {
    let Some(target) = call.text(0).filter(|path| is_url(path)).and_then(Target::of) else {
        return Began::default();
    };
    let method = http::known(&method(call));
    let number = http::begin(Place::Inner, method, &target);
    if number > 0 {
        STATUS.set(0);
        CLEAR_ERROR.call([]);
    }
    Began { number, method, outer: RUNNING.replace(number), at: Some(Instant::now()) }
}

fn after(returned: &Zval, began: Began) {
    if began.at.is_none() {
        return;
    }
    RUNNING.set(began.outer);
    if began.number == 0 {
        return;
    }
    let error = if returned.is_false() { LAST_ERROR.call([]) } else { None };
    let message = error.as_ref().and_then(Zval::array).and_then(|error| error.get("message")?.str());
    let message = message.unwrap_or_default();
    let status = match STATUS.get() {
        0 => status_in(message),
        status => status,
    };
    let waited = began.at.map_or(Duration::ZERO, |at| at.elapsed());
    let error = (returned.is_false() && status < 400).then(|| word(message, waited));
    session::with(|session| {
        session
            .end(began.number, |record| Reply { method: began.method, status, error, message }.write(record));
    });
}

macro_rules! hooked {
    ($($swap:ident $hook:ident $name:literal)*) => {$(
        struct $hook;
        static $swap: Swap = Swap::function::<$hook>($name);
        impl Around for $hook {
            type Token = Began;
            fn swap() -> &'static Swap {
                &$swap
            }
            fn before(call: &Call<'_>) -> Began {
                before(call)
            }
            fn after(_call: &Call<'_>, returned: &mut Zval, began: Began) {
                after(returned, began);
            }
        }
    )*};
}

hooked! {
    FILE_GET_CONTENTS FileGetContents "file_get_contents"
    FOPEN Fopen "fopen"
    COPY Copied "copy"
    READFILE ReadFile "readfile"
    FILE File "file"
}

fn is_url(path: &str) -> bool {
    let begins = |scheme: &str| path.get(..scheme.len()).is_some_and(|p| p.eq_ignore_ascii_case(scheme));
    begins("http://") || begins("https://")
}

/// The method that the stream's context asks for.
fn method(call: &Call<'_>) -> String {
    (1..=3)
        .filter_map(|at| call.argument(at).and_then(Zval::resource))
        .find_map(|resource| {
            // SAFETY: the resource is an argument of the call; `ptr` of a stream context is what is read here,
            // and the context's own check of its type comes first.
            unsafe {
                let context = context_of(resource)?;
                let options = (*context).options.array()?;
                let http = options.get("http")?.dereference().array()?;
                http.get("method")?.dereference().string()
            }
        })
        .unwrap_or_else(|| "GET".to_owned())
}

unsafe extern "C" {
    fn php_le_stream_context() -> c_int;
}

/// # Safety
/// `resource` must be a live resource.
unsafe fn context_of(resource: *mut ffi::zend_resource) -> Option<*mut ffi::php_stream_context> {
    // SAFETY: by the caller; a resource of this type holds a context.
    unsafe { ((*resource).type_ == php_le_stream_context()).then(|| (*resource).ptr.cast()) }
}

/// `HTTP/1.1 503 …` somewhere in a text.
fn status_in(text: &str) -> i64 {
    let status = text.rsplit_once("HTTP/").and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1));
    status.and_then(|status| status.parse().ok()).filter(|status| (100..600).contains(status)).unwrap_or(0)
}

/// The word for what PHP says of a stream that could not be opened (`main/streams/xp_socket.c`, `network.c`).
fn word(message: &str, waited: Duration) -> &'static str {
    let says = |text: &str| message.contains(text);
    match () {
        () if says("timed out") => "timeout",
        () if says("getaddrinfo") => "dns",
        () if says("SSL") || says("crypto") => "tls",
        () if says("refused") || says("unreachable") || says("No route") => "connect",
        () if says("HTTP request failed!") && waited >= SILENCE => "timeout",
        () if says("HTTP request failed!") => "empty_reply",
        () => "stream_error",
    }
}

/// What opens a stream. A PHP that is built for debugging takes places in its source as well; there this does
/// not compile.
type Opener = unsafe extern "C" fn(
    *mut StreamWrapper,
    *const c_char,
    *const c_char,
    c_int,
    *mut *mut ffi::zend_string,
    *mut ffi::php_stream_context,
) -> *mut ffi::php_stream;

/// PHP's opener of http, and its operations with ours in its place.
struct Operations {
    original: Opener,
    ours: ffi::php_stream_wrapper_ops,
}

/// The wrapper of http and https, for they are one.
struct Wrapper(StreamWrapper);

static OPERATIONS: OnceLock<Operations> = OnceLock::new();
static WRAPPER: OnceLock<Wrapper> = OnceLock::new();
// SAFETY: they hold functions and names of PHP's own, and each other's address; none of it ever changes.
unsafe impl Send for Operations {}
unsafe impl Sync for Operations {}
unsafe impl Send for Wrapper {}
unsafe impl Sync for Wrapper {}

fn replace_wrapper() -> bool {
    [(c"http://h", c"http"), (c"https://h", c"https")].map(|(url, name)| replace(url, name)).contains(&true)
}

fn replace(url: &CStr, name: &CStr) -> bool {
    // SAFETY: while the process starts the table of wrappers is the process's own; PHP's wrapper is a constant, and
    // ours a static that is never written again.
    unsafe {
        let found = ffi::php_stream_locate_url_wrapper(url.as_ptr(), ptr::null_mut(), 0);
        let Some(wrapper) = found.as_ref() else { return false };
        let Some(operations) = wrapper.wops.as_ref() else { return false };
        let Some(original) = operations.stream_opener else { return false };
        let known = OPERATIONS.get_or_init(|| Operations {
            original,
            ours: ffi::php_stream_wrapper_ops { stream_opener: Some(open), ..*operations },
        });
        // A wrapper that is not PHP's is left alone.
        if known.original as usize != original as usize {
            return false;
        }
        let Wrapper(ours) = WRAPPER.get_or_init(|| Wrapper(StreamWrapper { wops: &known.ours, ..*wrapper }));
        ffi::php_unregister_url_stream_wrapper(name.as_ptr());
        ffi::php_register_url_stream_wrapper(name.as_ptr(), ours) == 0
    }
}

/// The opener of ours.
///
/// # Safety
/// Only PHP calls it, as it would call its own.
unsafe extern "C" fn open(
    wrapper: *mut StreamWrapper,
    path: *const c_char,
    mode: *const c_char,
    options: c_int,
    opened: *mut *mut ffi::zend_string,
    context: *mut ffi::php_stream_context,
) -> *mut ffi::php_stream {
    let Some(operations) = OPERATIONS.get() else { return ptr::null_mut() };
    // SAFETY: PHP gives the path as a C string that lives over the call.
    let alone = guarded(|| unsafe { begin_alone(path) });
    // SAFETY: as PHP called us, with its own opener.
    let stream = unsafe { (operations.original)(wrapper, path, mode, options, opened, context) };
    // SAFETY: the stream is null or one that was just opened.
    guarded(|| {
        session::break_for_test("open");
        unsafe { opened_one(stream, alone) }
    });
    stream
}

/// A span of its own, unless a function's runs.
///
/// # Safety
/// `path` must be a C string.
unsafe fn begin_alone(path: *const c_char) -> Number {
    if RUNNING.get() > 0 {
        return 0;
    }
    // SAFETY: by the caller.
    let path = unsafe { CStr::from_ptr(path) }.to_str().ok();
    path.and_then(Target::of).map_or(0, |target| http::begin(Place::Inner, "GET", &target))
}

/// # Safety
/// `stream` must be null or an open stream.
unsafe fn opened_one(stream: *mut ffi::php_stream, alone: Number) {
    // SAFETY: by the caller; the wrapper keeps the answer's header lines as an array, or nothing.
    let status = unsafe { stream.as_ref() }.map(|stream| {
        let lines = stream.wrapperdata.array().into_iter().flat_map(ZendHashTable::values);
        // The last status line counts: those before it were redirects.
        lines.filter_map(Zval::str).rfind(|line| line.starts_with("HTTP/")).map_or(0, status_in)
    });
    STATUS.set(status.unwrap_or_default());
    if alone > 0 {
        let error = status.is_none().then_some("stream_error");
        let reply = Reply { status: status.unwrap_or_default(), error, ..Reply::default() };
        session::with(|session| session.end(alone, |record| reply.write(record)));
    }
}
