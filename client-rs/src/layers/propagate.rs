//! Whom we tell our trace ids: our own services, and nobody else unless the program says so.

use std::net::IpAddr;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::context::Context;

/// Which hosts get the headers of a trace.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Propagation {
    /// Our own: loopback and private addresses, names without a dot, `.consul`, `.local`, `.internal`, `.svc`.
    #[default]
    Internal,
    /// Internal ones, and hosts whose name is one of these or ends with one: `example.com`, `api.example.com`.
    InternalAnd(Vec<String>),
    /// Everybody. External providers then see your trace ids and your baggage.
    Everyone,
    /// Nobody.
    Nobody,
}

impl Propagation {
    /// Whether `host` gets the headers.
    pub fn reaches(&self, host: &str) -> bool {
        match self {
            Propagation::Internal => is_internal(host),
            Propagation::InternalAnd(more) => {
                is_internal(host) || more.iter().any(|domain| is_below(host, domain))
            }
            Propagation::Everyone => true,
            Propagation::Nobody => false,
        }
    }

    /// Adds the headers of `context`, if `host` gets them.
    pub(super) fn inject(&self, context: Option<&Context>, host: &str, headers: &mut HeaderMap) {
        let Some(context) = context.filter(|_| self.reaches(host)) else { return };
        context.inject(|name, value| {
            // What cannot be a header would have been refused on its way in.
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        });
    }
}

fn is_internal(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    match host.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => {
            let own = ["consul", "local", "internal", "svc", "localhost"];
            !host.contains('.') || own.iter().any(|domain| is_below(host, domain))
        }
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.as_bytes(), domain.trim_start_matches(['*', '.']).as_bytes());
    let Some(at) = host.len().checked_sub(domain.len()) else { return false };
    host[at..].eq_ignore_ascii_case(domain) && (at == 0 || host[at - 1] == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_hosts_get_the_ids_and_strangers_do_not() {
        let internal = Propagation::default();
        for host in [
            "localhost",
            "billing",
            "billing.service.consul",
            "db.INTERNAL.",
            "10.1.2.3",
            "127.0.0.1",
            "192.168.0.9",
            "[::1]",
            "fd00::1",
            "pay.ns.svc",
        ] {
            assert!(internal.reaches(host), "{host}");
        }
        for host in [
            "api.acme.example",
            "8.8.8.8",
            "172.15.0.1",
            "2001:db8::1",
            "consul.example.com",
            "xinternal.com",
        ] {
            assert!(!internal.reaches(host), "{host}");
        }
        let more = Propagation::InternalAnd(vec!["*.partner.example".into()]);
        assert!(
            more.reaches("a.partner.example") && more.reaches("partner.example") && more.reaches("billing")
        );
        assert!(!more.reaches("notpartner.example"));
        assert!(Propagation::Everyone.reaches("8.8.8.8") && !Propagation::Nobody.reaches("localhost"));
    }
}
