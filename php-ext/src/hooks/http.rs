//! An HTTP request that goes out, whoever makes it: its span, its host, its answer.

use spanmill::recorder::{Kind, Record};

use crate::session::{self, Number, Place};
use crate::settings;

/// Longest host that is looked at; DNS allows 253 bytes.
const HOST_BYTES_MAX: usize = 253;
/// The methods that a span's name may hold; others are `_OTHER`, so that a name stays one of few.
const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"];

/// The parts of a URL that say who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'u> {
    pub url: &'u str,
    pub host: &'u str,
    pub port: Option<u16>,
}

impl Target<'_> {
    /// `None` for what is not an HTTP URL.
    pub fn of(url: &str) -> Option<Target<'_>> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let default_port = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => 80,
            _ if scheme.eq_ignore_ascii_case("https") => 443,
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        let address = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match address.strip_prefix('[').and_then(|address| address.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match address.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (address, None),
            },
        };
        let port = port.map_or(Some(default_port), |port| port.parse().ok());
        (!host.is_empty() && host.len() <= HOST_BYTES_MAX).then_some(Target { url, host, port })
    }
}

/// The method as spans say it.
pub fn known(method: &str) -> &'static str {
    METHODS.iter().find(|known| known.eq_ignore_ascii_case(method)).copied().unwrap_or("_OTHER")
}

/// Begins the span of a request; 0 when it is not recorded. The method may be a guess: [`Reply`] may know better.
pub fn begin(place: Place, method: &str, target: &Target<'_>) -> Number {
    let Some(hosts) = settings::hosts() else { return 0 };
    if hosts.ignored.matches(target.host) {
        return 0;
    }
    session::with(|session| {
        let name = known(method);
        let number = session.start(place, |recorder, parent| recorder.start(name, Kind::Client, parent));
        session.peer(number, target.host, target.port);
        if let Some(record) = session.record(number)
            && !hosts.bare.matches(target.host)
        {
            record.tag("url.full", target.url);
        }
        number
    })
}

/// How a request went.
#[derive(Debug, Default)]
pub struct Reply<'r> {
    /// Empty: nobody knows.
    pub method: &'r str,
    /// 0: there was none.
    pub status: i64,
    /// A word for what went wrong: one of few.
    pub error: Option<&'r str>,
    pub message: &'r str,
}

impl Reply<'_> {
    /// Writes it into the span, with the status that OpenTelemetry's conventions ask for.
    pub fn write(&self, record: &mut Record) {
        if !self.method.is_empty() {
            let method = known(self.method);
            record.rename(method);
            record.tag("http.request.method", method);
        }
        if self.status > 0 {
            record.tag("http.response.status_code", self.status);
        }
        match self.error {
            Some(error) => record.fail(error, self.message),
            None if self.status >= 400 => {
                let mut digits = [0; 20];
                record.fail(decimal(self.status, &mut digits), "");
            }
            None => {}
        }
    }
}

/// A positive number in decimal digits, without an allocation.
fn decimal(mut number: i64, digits: &mut [u8; 20]) -> &str {
    let mut at = digits.len();
    while number > 0 && at > 0 {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    std::str::from_utf8(&digits[at..]).unwrap_or_default()
}
