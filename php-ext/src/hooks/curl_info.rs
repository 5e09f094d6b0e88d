//! What curl knows of a transfer, asked one value at a time: a single value costs 50 ns, the array of all 3 µs.

use std::time::Duration;

use ext_php_rs::types::{ZendObject, Zval};
use spanmill::recorder::Record;

use super::http::Reply;
use super::swap::Function;

static GETINFO: Function = Function::named("curl_getinfo");
static ERRNO: Function = Function::named("curl_errno");
static ERROR: Function = Function::named("curl_error");

// Numbers of `CURLINFO` (curl/curl.h): the type of the value in the upper bits, a count below.
const TEXT: i64 = 0x10_0000;
const LONG: i64 = 0x20_0000;
const OFF_T: i64 = 0x60_0000;
const EFFECTIVE_URL: i64 = TEXT + 1;
const RESPONSE_CODE: i64 = LONG + 2;
const OS_ERRNO: i64 = LONG + 25;
const PRIMARY_IP: i64 = TEXT + 32;
const TOTAL_TIME: i64 = OFF_T + 50;
const EFFECTIVE_METHOD: i64 = TEXT + 58;
/// Moments of a transfer in microseconds from its begin, with the name of the tag in milliseconds.
const MOMENTS: [(i64, &str); 4] = [
    (OFF_T + 51, "http.timing.dns_ms"),
    (OFF_T + 52, "http.timing.connect_ms"),
    (OFF_T + 56, "http.timing.tls_ms"),
    (OFF_T + 54, "http.timing.first_byte_ms"),
];

/// Finds curl's functions; false without curl.
pub fn find() -> bool {
    ERROR.find();
    GETINFO.find() & ERRNO.find()
}

/// A transfer: the object that curl_init() gave.
pub struct Transfer<'h>(&'h Zval);

impl<'h> Transfer<'h> {
    pub fn of(handle: Option<&'h Zval>) -> Option<Transfer<'h>> {
        handle.filter(|handle| handle.is_object()).map(Transfer)
    }

    /// Identifies it among all that live.
    pub fn id(&self) -> u32 {
        self.0.object().map_or(0, ZendObject::get_id)
    }

    /// The URL as it stands now: what was set, later what was followed to.
    pub fn url(&self) -> Option<Zval> {
        self.info(EFFECTIVE_URL)
    }

    /// 0 while there is no answer.
    pub fn status(&self) -> i64 {
        self.info(RESPONSE_CODE).and_then(|code| code.long()).unwrap_or_default()
    }

    /// How long it took, when it is over.
    pub fn total(&self) -> Option<Duration> {
        let us = self.info(TOTAL_TIME).and_then(|us| us.long()).filter(|us| *us > 0)?;
        u64::try_from(us).ok().map(Duration::from_micros)
    }

    /// The error of the operating system, 0 without one.
    pub fn os_error(&self) -> i64 {
        self.info(OS_ERRNO).and_then(|number| number.long()).unwrap_or_default()
    }

    /// The number of the last transfer's error; 0 = none.
    pub fn errno(&self) -> i64 {
        ERRNO.call([self.handle()]).and_then(|number| number.long()).unwrap_or_default()
    }

    /// Writes all that is known of a transfer that has ended with `errno` into its span.
    pub fn write(&self, errno: i64, record: &mut Record) {
        if let Some(address) = self.info(PRIMARY_IP).as_ref().and_then(Zval::str).filter(|ip| !ip.is_empty())
        {
            record.tag("network.peer.address", address);
        }
        for (moment, name) in MOMENTS {
            match self.info(moment).and_then(|us| us.long()) {
                // 0 is a step that was not taken: a connection that was open already, no TLS.
                Some(us) if us > 0 => record.tag(name, us as f64 / 1e3),
                _ => {}
            }
        }
        let message = if errno > 0 { ERROR.call([self.handle()]) } else { None };
        let message = message.as_ref().and_then(Zval::str).unwrap_or_default();
        let method = self.info(EFFECTIVE_METHOD);
        let method = method.as_ref().and_then(Zval::str).unwrap_or_default();
        Reply { method, status: self.status(), error: word(errno), message }.write(record);
        if errno > 0 {
            record.tag("curl.errno", errno);
        }
    }

    fn info(&self, option: i64) -> Option<Zval> {
        let mut number = Zval::new();
        number.set_long(option);
        GETINFO.call([self.handle(), number])
    }

    /// The object as an argument: one more reference for the time of a call.
    pub fn handle(&self) -> Zval {
        self.0.shallow_clone()
    }
}

/// The word for an error of libcurl (`CURLcode`, curl.se/libcurl/c/libcurl-errors.html); `None` for none.
pub fn word(errno: i64) -> Option<&'static str> {
    Some(match errno {
        0 => return None,
        28 => "timeout",
        5 | 6 => "dns",
        7 => "connect",
        35 | 51 | 53 | 54 | 58..=60 | 64 | 66 | 77 | 80 | 82 | 83 | 90 | 91 | 98 => "tls",
        // A callback of the application said stop.
        23 | 26 | 42 => "cancelled",
        1 | 3 | 4 | 43 | 48 => "client_fault",
        52 => "empty_reply",
        55 | 56 => "connection_lost",
        18 => "partial_reply",
        47 => "too_many_redirects",
        _ => "curl_error",
    })
}
