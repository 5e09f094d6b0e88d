//! The attributes that the roll-up reads, both generations of names. One list; adding a name is one line.

/// What an attribute says. A number is its rank among those that say the same: the lowest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// An explicit provider name.
    Provider(u8),
    Host(u8),
    Port(u8),
    Url(u8),
    Path(u8),
    /// An address of the network layer: a proxy's, where there is one.
    Address(u8),
    /// Names of what is mostly our own: a provider only by name or alias.
    Inner(u8),
    Operation,
    RpcMethod,
    Method(u8),
    Template,
    DbOperation(u8),
    Outcome,
    HttpStatus(u8),
    GrpcStatus(u8),
    ErrorType,
    Attempt,
    SpanType,
    PartialVersion,
}

/// Ascending in length, for [`key`].
const KEYS: [(&str, Key); 44] = [
    ("db.name", Key::Inner(2)),
    ("url.full", Key::Url(0)),
    ("http.url", Key::Url(1)),
    ("url.path", Key::Path(0)),
    ("out.host", Key::Host(4)),
    ("http.host", Key::Host(3)),
    ("db.system", Key::Inner(4)),
    ("error.type", Key::ErrorType),
    ("rpc.method", Key::RpcMethod),
    ("server.port", Key::Port(0)),
    ("http.method", Key::Method(1)),
    ("http.target", Key::Path(1)),
    ("rpc.service", Key::Inner(0)),
    ("net.peer.ip", Key::Address(2)),
    ("peer.service", Key::Provider(2)),
    ("url.template", Key::Template),
    ("db.operation", Key::DbOperation(1)),
    ("db.namespace", Key::Inner(1)),
    ("net.peer.name", Key::Host(1)),
    ("peer.hostname", Key::Host(2)),
    ("net.peer.port", Key::Port(1)),
    ("server.address", Key::Host(0)),
    ("db.system.name", Key::Inner(3)),
    ("rpc.status_code", Key::GrpcStatus(2)),
    ("http.status_code", Key::HttpStatus(1)),
    ("spanmill.outcome", Key::Outcome),
    ("spanmill.attempt", Key::Attempt),
    ("messaging.system", Key::Inner(7)),
    ("spanmill.provider", Key::Provider(0)),
    ("service.peer.name", Key::Provider(1)),
    ("db.operation.name", Key::DbOperation(0)),
    ("network.peer.port", Key::Port(3)),
    ("logfire.span_type", Key::SpanType),
    ("spanmill.operation", Key::Operation),
    ("net.sock.peer.addr", Key::Address(1)),
    ("http.request.method", Key::Method(0)),
    ("_dd.partial_version", Key::PartialVersion),
    ("network.peer.address", Key::Address(0)),
    ("rpc.grpc.status_code", Key::GrpcStatus(1)),
    ("messaging.destination", Key::Inner(6)),
    ("network.destination.name", Key::Host(5)),
    ("rpc.response.status_code", Key::GrpcStatus(0)),
    ("http.response.status_code", Key::HttpStatus(0)),
    ("messaging.destination.name", Key::Inner(5)),
];

const LENGTH_MAX: usize = 26;

/// Where the names of each length begin in [`KEYS`].
const BEGINS: [u8; LENGTH_MAX + 2] = {
    let mut begins = [0; LENGTH_MAX + 2];
    let mut length = 0;
    let mut at = 0;
    while length < LENGTH_MAX + 2 {
        while at < KEYS.len() && KEYS[at].0.len() < length {
            at += 1;
        }
        begins[length] = at as u8;
        length += 1;
    }
    begins
};

/// What the attribute called `name` says, if it is one that the roll-up reads.
#[inline]
pub fn key(name: &[u8]) -> Option<Key> {
    if name.len() > LENGTH_MAX {
        return None;
    }
    let range = usize::from(BEGINS[name.len()])..usize::from(BEGINS[name.len() + 1]);
    // The last byte tells most names of one length apart, and is cheaper than a comparison of all.
    let same = |text: &str| name.last() == text.as_bytes().last() && name == text.as_bytes();
    KEYS[range].iter().find(|(text, _)| same(text)).map(|(_, key)| *key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_found_and_nothing_else() {
        assert!(KEYS.is_sorted_by_key(|(text, _)| text.len()));
        for (text, want) in KEYS {
            assert_eq!(key(text.as_bytes()), Some(want), "{text}");
            assert_eq!(key(&text.as_bytes()[1..]), None, "{text}");
            assert_eq!(key(format!("{text}x").as_bytes()), None, "{text}");
        }
        assert_eq!(key(b""), None);
        assert_eq!(key(&[b'a'; 300]), None);
    }

    #[test]
    fn of_the_same_meaning_no_two_names_have_one_rank() {
        for (i, (text, key)) in KEYS.iter().enumerate() {
            assert!(KEYS[..i].iter().all(|(_, other)| other != key), "{text}");
        }
    }
}
