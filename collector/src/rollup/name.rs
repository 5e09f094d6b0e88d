//! Who is called and what is done there: the order of the steps, the same for the roll-up and for `explain`.
//!
//! An explicit name wins; then a rule of the registry for the host, the URL's host, the network address and
//! the names of inner systems; then what the first of those addresses tells by itself.

use std::fmt;
use std::net::IpAddr;

use super::host::{self, Host, normalise};
use super::registry::{Match, Place, Provider, Registry, Rule};
use super::span::{Call, Peer};

/// The provider of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub who: Who,
    pub because: Because,
    /// The span names one provider and the registry knows its host as another.
    pub conflict: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Index into the registry.
    Registered(usize),
    /// No rule names it.
    Discovered(String),
    /// Our own, or nothing tells: not on the board.
    Internal,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// The span names it.
    Explicit(Option<Rule>),
    Rule(Rule),
    RegistrableDomain(Host),
    PublicNetwork(Host),
    InternalHost(Host),
    NoAddress,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Because::Explicit(None) => write!(f, "the span names it"),
            Because::Explicit(Some(rule)) => {
                write!(f, "the span names it, and in its [[provider]] table {rule}")
            }
            Because::Rule(rule) => write!(f, "in its [[provider]] table {rule}"),
            Because::RegistrableDomain(host) => write!(f, "no rule names {host}: its registrable domain"),
            Because::PublicNetwork(host) => write!(f, "no rule names {host}: its network"),
            Because::InternalHost(host) => write!(f, "{host} is internal, and no rule names it"),
            Because::NoAddress => write!(f, "the span has no name, host or address of a provider"),
        }
    }
}

/// The parts of a peer that decide its name, borrowed: what the cache of the roll-up is keyed by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clues<'a> {
    pub provider: &'a [u8],
    pub host: &'a [u8],
    pub url_host: &'a [u8],
    pub address: &'a [u8],
    pub inner: &'a [u8],
    pub port: Option<u16>,
    pub path_class: &'a str,
}

impl<'a> Clues<'a> {
    /// Collects what may decide; what cannot, under this registry, stays out, so that few keys are cached.
    #[inline]
    pub fn of(peer: &Peer<'a>, registry: &'a Registry) -> Clues<'a> {
        let (host, own_port) = host::split_port(peer.host.get().unwrap_or_default());
        let url = peer.url.get().map(Url::split).unwrap_or_default();
        let address = match host.is_empty() && url.host.is_empty() || registry.has_cidrs() {
            true => peer.address.get().unwrap_or_default(),
            false => b"",
        };
        Clues {
            provider: peer.provider.get().unwrap_or_default(),
            host,
            url_host: if url.host.eq_ignore_ascii_case(host) { b"" } else { url.host },
            address,
            inner: peer.inner.get().unwrap_or_default(),
            port: peer.port.get().or(own_port).or(url.port),
            path_class: registry.path_class(peer.path.get().unwrap_or(url.path)),
        }
    }

    /// `host:port`, or what of it the span tells.
    pub fn endpoint(&self) -> Option<String> {
        let host = [self.host, self.url_host, self.address].into_iter().find_map(Host::parse)?;
        Some(match (&host, self.port) {
            (_, None) => host.to_string(),
            (Host::Ip(IpAddr::V6(ip)), Some(port)) => format!("[{ip}]:{port}"),
            (_, Some(port)) => format!("{host}:{port}"),
        })
    }
}

/// Names the peer.
pub fn name(clues: &Clues<'_>, registry: &Registry) -> Named {
    let place = Place { port: clues.port, path: clues.path_class };
    let hosts = [clues.host, clues.url_host, clues.address].map(Host::parse);
    let by_rule = hosts.iter().flatten().find_map(|host| registry.by_host(host, place));
    if let Some(named) = explicit(clues.provider, by_rule.as_ref(), registry) {
        return named;
    }
    let inner = || registry.by_name(std::str::from_utf8(clues.inner).ok()?);
    if let Some(Match { provider, rule }) = by_rule.or_else(inner) {
        let who = registered(provider, registry);
        return Named { who, because: Because::Rule(rule), conflict: false };
    }
    let (who, because) = match hosts.into_iter().flatten().next() {
        None => (Who::Internal, Because::NoAddress),
        Some(host) if host.is_internal() => (Who::Internal, Because::InternalHost(host)),
        Some(host) => {
            let name = host.discovered_name();
            let because = match host {
                Host::Name(_) => Because::RegistrableDomain(host),
                Host::Ip(_) => Because::PublicNetwork(host),
            };
            (Who::Discovered(name), because)
        }
    };
    Named { who, because, conflict: false }
}

/// The name that the span gives counts wherever the host is: also on loopback.
fn explicit(name: &[u8], by_host: Option<&Match>, registry: &Registry) -> Option<Named> {
    let name = String::from_utf8_lossy(name);
    let (who, rule) = match registry.by_name(&name) {
        Some(Match { provider, rule }) => (registered(provider, registry), Some(rule)),
        None => (Who::Discovered(Some(normalise(&name)).filter(|name| !name.is_empty())?), None),
    };
    let conflict = by_host.is_some_and(|found| who != registered(found.provider, registry));
    Some(Named { who, because: Because::Explicit(rule), conflict })
}

fn registered(provider: usize, registry: &Registry) -> Who {
    if registry.provider(provider).internal { Who::Internal } else { Who::Registered(provider) }
}

/// The parts of a URL that matter here. User, query and fragment never leave this function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Url<'a> {
    pub host: &'a [u8],
    /// Written, or the default of the scheme.
    pub port: Option<u16>,
    pub path: &'a [u8],
}

impl<'a> Url<'a> {
    /// Splits `scheme://user@host:port/path?query`. Without a scheme there is no host.
    pub fn split(text: &'a [u8]) -> Url<'a> {
        let at = text.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        let Some(rest) = text[at..].strip_prefix(b"://") else { return Url::default() };
        let default_port = match &text[..at] {
            b"https" | b"wss" => Some(443),
            b"http" | b"ws" => Some(80),
            _ => None,
        };
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
        let authority = &rest[..end];
        let host_at = authority.iter().rposition(|&b| b == b'@').map_or(0, |at| at + 1);
        let (host, port) = host::split_port(&authority[host_at..]);
        Url { host, port: port.or(default_port), path: without_query(&rest[end..]) }
    }
}

fn without_query(path: &[u8]) -> &[u8] {
    let end = path.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(path.len());
    &path[..end]
}

/// What is done at the provider: at most two words, `POST /v1/payments/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation<'a> {
    pub first: &'a [u8],
    /// Empty where one word is all.
    pub second: &'a [u8],
}

/// Longest operation name: a template of some ten segments.
const OPERATION_MAX: usize = 128;
/// Methods of RFC 9110, RFC 5789 and QUERY; any other text there is nobody's operation.
const METHODS: [&[u8]; 10] =
    [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE", b"QUERY"];

impl<'a> Operation<'a> {
    /// `spanmill.operation`, `rpc.method`, method and `url.template`, `db.operation.name`, method; the span's
    /// name only where the registry says so. `_none` when nothing tells.
    #[inline]
    pub fn of(call: &Call<'a>, provider: Option<&Provider>) -> Operation<'a> {
        let doing = &call.doing;
        let method = doing.method.get().map(known_method);
        let one = |first| Operation { first, second: b"" };
        let from_name =
            provider.is_some_and(|provider| provider.operation_from_name) && !call.name.is_empty();
        if let Some(first) = doing.operation.or(doing.rpc_method) {
            one(first)
        } else if let (Some(first), Some(second)) = (method, doing.template) {
            Operation { first, second: without_query(second) }
        } else if let Some(first) = doing.db_operation.get() {
            one(first)
        } else if from_name {
            one(call.name)
        } else {
            one(method.unwrap_or(b"_none"))
        }
    }

    /// The label: one line, of bounded length.
    pub fn label(&self) -> String {
        let mut label = String::from_utf8_lossy(self.first).into_owned();
        if !self.second.is_empty() {
            label.push(' ');
            label.push_str(&String::from_utf8_lossy(self.second));
        }
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let mut length = 0;
        let fits = |c: &char| {
            length += c.len_utf8();
            length <= OPERATION_MAX
        };
        label.chars().map(clean).take_while(fits).collect()
    }
}

fn known_method(method: &[u8]) -> &'static [u8] {
    METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(method)).unwrap_or(b"_OTHER")
}

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
