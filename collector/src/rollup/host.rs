//! What can be told from a peer's address alone: whether it is ours, and what to call it when no rule does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest provider name.
pub const NAME_MAX: usize = 64;
/// Longest host name in the DNS.
const HOST_MAX: usize = 253;
/// Suffixes that never leave the company: service discovery, mDNS and cluster names.
const INTERNAL_SUFFIXES: [&str; 6] = [".consul", ".local", ".internal", ".svc", ".localhost", ".home.arpa"];

/// The host of a peer, lower case, without port, brackets and trailing dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Name(String),
    Ip(IpAddr),
}

/// Splits `host`, `host:port`, `[v6]:port` or a bare v6 address. The port is `None` where there is none.
pub fn split_port(address: &[u8]) -> (&[u8], Option<u16>) {
    let (host, port) = match address.iter().rposition(|&b| b == b':') {
        Some(at) if address[..at].ends_with(b"]") || !address[..at].contains(&b':') => {
            (&address[..at], port(&address[at + 1..]))
        }
        _ => (address, None),
    };
    (host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host), port)
}

/// A port as text; 0 is none.
pub fn port(text: &[u8]) -> Option<u16> {
    std::str::from_utf8(text).ok()?.parse().ok().filter(|&port| port > 0)
}

impl Host {
    /// `None` for what can be no host: empty, too long, or with bytes that no host name has.
    pub fn parse(text: &[u8]) -> Option<Host> {
        let text = std::str::from_utf8(text).ok()?;
        let text = text.strip_suffix('.').unwrap_or(text);
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Host::Ip(ip.to_canonical()));
        }
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        (!text.is_empty() && text.len() <= HOST_MAX && text.chars().all(allowed))
            .then(|| Host::Name(text.to_lowercase()))
    }

    /// Ours, unless a rule says otherwise.
    pub fn is_internal(&self) -> bool {
        match self {
            Host::Name(name) => {
                !name.contains('.') || INTERNAL_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
            }
            Host::Ip(IpAddr::V4(ip)) => is_internal_v4(*ip),
            Host::Ip(IpAddr::V6(ip)) => is_internal_v6(*ip),
        }
    }

    /// The name of a peer that no rule names: its registrable domain, or its network under `_unmapped`
    /// (`_unmapped.203.0.113.0-24`, `_unmapped.2001.db8.1-48`: a name must fit in a URL and a label).
    pub fn discovered_name(&self) -> String {
        match self {
            Host::Name(name) => Some(normalise(registrable(name)))
                .filter(|name| !name.is_empty())
                // Not one letter that a name may have: an address in another script than DNS has on the wire.
                .unwrap_or_else(|| "_unmapped".to_owned()),
            Host::Ip(IpAddr::V4(ip)) => {
                let [a, b, c, _] = ip.octets();
                format!("_unmapped.{a}.{b}.{c}.0-24")
            }
            Host::Ip(IpAddr::V6(ip)) => {
                let [a, b, c, ..] = ip.segments();
                format!("_unmapped.{a:x}.{b:x}.{c:x}-48")
            }
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Ip(ip) => ip.fmt(f),
        }
    }
}

/// What somebody registered of a host name: `newbank.example` of `api.newbank.example`.
pub fn registrable(name: &str) -> &str {
    psl::domain_str(name).unwrap_or(name)
}

/// RFC 1918, loopback, link-local, and what is not routed to any single outside host.
fn is_internal_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let is_shared = a == 100 && (64..128).contains(&b); // RFC 6598: the carrier's side of a NAT
    ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared || a == 0 || a >= 224
}

/// Unique local (ULA), loopback, link-local, unspecified and multicast.
fn is_internal_v6(ip: Ipv6Addr) -> bool {
    ip.is_unique_local()
        || ip.is_loopback()
        || ip.is_unicast_link_local()
        || ip.is_unspecified()
        || ip.is_multicast()
}

/// A provider name: lower case, `[a-z0-9._-]`, at most 64 bytes; anything else becomes `-`.
///
/// Begins and ends with a letter or digit, so that a sender cannot claim `_other`. Empty when nothing is left.
pub fn normalise(text: &str) -> String {
    let mut name = String::with_capacity(text.len().min(NAME_MAX));
    for c in text.chars().flat_map(char::to_lowercase) {
        let allowed = c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        // Dashes of its own stay: punycode has two of them.
        let repeats = !allowed && name.ends_with('-');
        if name.len() < NAME_MAX && !repeats {
            name.push(if allowed { c } else { '-' });
        }
    }
    name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_split_into_host_and_port() {
        let check = |input: &str, host: &str, port: Option<u16>| {
            assert_eq!(split_port(input.as_bytes()), (host.as_bytes(), port), "{input}");
        };
        check("api.bank.example", "api.bank.example", None);
        check("api.bank.example:8443", "api.bank.example", Some(8443));
        check("10.0.0.1:443", "10.0.0.1", Some(443));
        check("[2001:db8::1]:443", "2001:db8::1", Some(443));
        check("[2001:db8::1]", "2001:db8::1", None);
        check("2001:db8::1", "2001:db8::1", None);
        check("host:0", "host", None);
        check("host:http", "host", None);
        check("", "", None);
    }

    #[test]
    fn what_is_ours_is_told_from_what_is_not() {
        let check = |host: &str, internal: bool| {
            assert_eq!(Host::parse(host.as_bytes()).unwrap().is_internal(), internal, "{host}");
        };
        for ours in [
            "localhost",
            "db",
            "db.service.consul",
            "printer.local",
            "metadata.google.internal",
            "shop.default.svc",
            "shop.default.svc.cluster.local",
            "DB.Service.Consul.",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "::",
        ] {
            check(ours, true);
        }
        for theirs in [
            "api.bank.example",
            "local.bank.example",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "203.0.113.7",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "internal.example",
        ] {
            check(theirs, false);
        }
    }

    #[test]
    fn an_unmapped_peer_is_named_by_its_domain_or_network() {
        let check = |host: &str, name: &str| {
            assert_eq!(Host::parse(host.as_bytes()).unwrap().discovered_name(), name, "{host}");
        };
        check("api.newbank.example", "newbank.example");
        check("API.NewBank.Example.", "newbank.example");
        check("pay.shop.co.uk", "shop.co.uk");
        check("co.uk", "co.uk");
        check("3ds.bank.ru", "bank.ru");
        check("203.0.113.77", "_unmapped.203.0.113.0-24");
        check("::ffff:203.0.113.77", "_unmapped.203.0.113.0-24");
        check("2001:db8:1:2::3", "_unmapped.2001.db8.1-48");
        check("\u{43f}\u{43b}\u{430}\u{442}\u{435}\u{436}.\u{440}\u{444}", "_unmapped");
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", ".", "a b", "bank.example/pay", "user@bank.example", "bank.example?card=1"] {
            assert_eq!(Host::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Host::parse(&[b'a'; 254]), None);
        assert_eq!(Host::parse(b"\xff\xfe"), None);
    }

    #[test]
    fn names_are_normalised() {
        let check = |input: &str, want: &str| assert_eq!(normalise(input), want, "{input}");
        check("Acme Bank", "acme-bank");
        check("sber_bank.v2", "sber_bank.v2");
        check("a // b", "a-b");
        check("xn--e1afmkfd.example", "xn--e1afmkfd.example");
        check("_other", "other");
        check("  ", "");
        check("Сбербанк", "");
        check(&"x".repeat(100), &"x".repeat(64));
    }
}
