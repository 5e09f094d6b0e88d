use super::super::fixture::{provider, registry, span, texts, with_call};
use super::*;

fn rules() -> Registry {
    registry(vec![
        Provider {
            hosts: texts(&["*.sberbank.ru"]),
            aliases: texts(&["sber", "Сбербанк"]),
            ..provider("sberbank")
        },
        Provider { cidrs: vec!["203.0.113.0/24".parse().unwrap()], ..provider("bank-link") },
        Provider {
            hosts: texts(&["gate.example"]),
            path_prefixes: texts(&["/visa"]),
            ports: vec![443],
            ..provider("visa")
        },
        Provider { hosts: texts(&["*.corp.example"]), internal: true, ..provider("corp") },
        Provider { hosts: texts(&["psp.service.consul"]), ..provider("psp") },
        Provider { aliases: texts(&["acquiring.v1.Cards"]), ..provider("cards") },
    ])
}

fn named(attributes: &str, registry: &Registry) -> (String, bool, String) {
    with_call(&span(attributes), |call| {
        let named = name(&Clues::of(&call.peer, registry), registry);
        let name = match named.who {
            Who::Registered(table) => registry.provider(table).name.clone(),
            Who::Discovered(name) => name,
            Who::Internal => "-".to_owned(),
        };
        (name, named.conflict, named.because.to_string())
    })
}

#[test]
fn a_peer_is_named_by_the_first_step_that_matches() {
    let registry = rules();
    let check = |attributes: &str, want: &str| {
        assert_eq!(named(attributes, &registry).0, want, "{attributes}");
    };
    // Explicit names, in their order, wherever the host is.
    check("spanmill.provider=acme-bank", "acme-bank");
    check("spanmill.provider=acme-bank, server.address=127.0.0.1, server.port=#9001", "acme-bank");
    check("spanmill.provider=Acme Bank", "acme-bank");
    check("peer.service=c, service.peer.name=b, spanmill.provider=a", "a");
    check("peer.service=c, service.peer.name=b", "b");
    check("peer.service=c, server.address=api.sberbank.ru", "c");
    check("peer.service=SBER", "sberbank");
    check("service.peer.name=Сбербанк", "sberbank");
    check("spanmill.provider=_other", "other");
    // A name of which nothing is left is none.
    check("spanmill.provider=???, server.address=api.sberbank.ru", "sberbank");
    check("peer.service=Тинькофф, server.address=api.tinkoff.example", "tinkoff.example");
    // Hosts by rule.
    check("server.address=api.sberbank.ru", "sberbank");
    check("net.peer.name=API.sberbank.ru.", "sberbank");
    check("http.host=api.sberbank.ru:8443", "sberbank");
    check("out.host=api.sberbank.ru", "sberbank");
    check("network.destination.name=api.sberbank.ru", "sberbank");
    check("server.address=psp.service.consul", "psp");
    check("server.address=x.corp.example", "-");
    check("url.full=https://user:pw@api.sberbank.ru:8443/pay?pan=4111111111111111", "sberbank");
    check("http.url=https://api.sberbank.ru", "sberbank");
    // A rule for the URL's host beats a host that no rule names.
    check("net.peer.name=10.0.0.1, http.url=https://api.sberbank.ru/pay", "sberbank");
    check("server.address=proxy.example, url.full=https://api.sberbank.ru/pay", "sberbank");
    // Port and path, each from an attribute or from the URL.
    check("server.address=gate.example, server.port=443, url.path=/visa/pay", "visa");
    check("server.address=gate.example, server.port=#443, http.target=/visa?pan=4111111111111111", "visa");
    check("url.full=https://gate.example/visa/pay", "visa");
    check("url.full=http://gate.example/visa/pay", "gate.example");
    check("url.full=https://gate.example/mir", "gate.example");
    // Network addresses by CIDR, after the host.
    check("network.peer.address=203.0.113.9", "bank-link");
    check("net.sock.peer.addr=203.0.113.9", "bank-link");
    check("net.peer.ip=203.0.113.9", "bank-link");
    check("server.address=203.0.113.9", "bank-link");
    check("server.address=api.newbank.example, network.peer.address=203.0.113.9", "bank-link");
    check("server.address=api.sberbank.ru, network.peer.address=203.0.113.9", "sberbank");
    // Inner systems by name or alias only.
    check("rpc.service=acquiring.v1.Cards, server.address=10.0.0.1", "cards");
    check("rpc.service=acquiring.v1.Users, server.address=10.0.0.1", "-");
    check("db.system=mysql, db.name=shop", "-");
    check("messaging.system=kafka, messaging.destination.name=orders", "-");
    // No rule: the domain, the network, or ours.
    check("server.address=api.newbank.example", "newbank.example");
    check("url.full=https://api.newbank.example/pay/4111111111111111", "newbank.example");
    check("server.address=198.51.100.7", "_unmapped.198.51.100.0-24");
    check("network.peer.address=198.51.100.7", "_unmapped.198.51.100.0-24");
    check("server.address=10.0.0.1, network.peer.address=198.51.100.7", "-");
    check("server.address=localhost", "-");
    check("server.address=users", "-");
    check("server.address=users.service.consul", "-");
    check("", "-");
    check("server.address=not a host", "-");
    check("url.full=/relative/path", "-");
}

#[test]
fn the_explicit_name_stays_when_the_host_belongs_to_another_and_that_is_a_conflict() {
    let registry = rules();
    let check = |attributes: &str, want: (&str, bool)| {
        let (name, conflict, _) = named(attributes, &registry);
        assert_eq!((name.as_str(), conflict), want, "{attributes}");
    };
    check("spanmill.provider=psp, server.address=api.sberbank.ru", ("psp", true));
    check("peer.service=whoever, server.address=api.sberbank.ru", ("whoever", true));
    check("peer.service=sber, server.address=api.sberbank.ru", ("sberbank", false));
    check("peer.service=sber, server.address=api.newbank.example", ("sberbank", false));
    check("peer.service=sber", ("sberbank", false));
}

#[test]
fn the_reason_says_which_rule_it_was() {
    let registry = rules();
    let check =
        |attributes: &str, want: &str| assert_eq!(named(attributes, &registry).2, want, "{attributes}");
    check("server.address=api.sberbank.ru", "in its [[provider]] table hosts has \"*.sberbank.ru\"");
    check("peer.service=sber", "the span names it, and in its [[provider]] table aliases has \"sber\"");
    check("peer.service=x", "the span names it");
    check("network.peer.address=203.0.113.9", "in its [[provider]] table cidrs has \"203.0.113.0/24\"");
    check("server.address=api.newbank.example", "no rule names api.newbank.example: its registrable domain");
    check("server.address=8.8.8.8", "no rule names 8.8.8.8: its network");
    check("server.address=db", "db is internal, and no rule names it");
    check("", "the span has no name, host or address of a provider");
}

#[test]
fn urls_are_split_and_keep_neither_user_nor_query() {
    let check = |text: &str, host: &str, port: Option<u16>, path: &str| {
        let want = Url { host: host.as_bytes(), port, path: path.as_bytes() };
        assert_eq!(Url::split(text.as_bytes()), want, "{text}");
    };
    check("https://a.example/x/y?q=1#f", "a.example", Some(443), "/x/y");
    check("http://a.example", "a.example", Some(80), "");
    check("https://a.example:8443?q", "a.example", Some(8443), "");
    check("https://user:p@ss@a.example/x@y", "a.example", Some(443), "/x@y");
    check("https://[2001:db8::1]:8443/x", "2001:db8::1", Some(8443), "/x");
    check("grpc://a.example/x", "a.example", None, "/x");
    check("/x?y=http://b", "", None, "");
    check("a.example/x", "", None, "");
    check("", "", None, "");
}

#[test]
fn the_operation_is_the_first_that_is_there_and_never_the_path_or_the_spans_name() {
    let check = |attributes: &str, want: &str| {
        with_call(&span(attributes), |call| {
            assert_eq!(Operation::of(&call, None).label(), want, "{attributes}");
        });
    };
    check("spanmill.operation=authorize, rpc.method=Pay, http.request.method=POST", "authorize");
    check("rpc.method=Pay, http.request.method=POST, url.template=/pay/{id}", "Pay");
    check("http.request.method=POST, url.template=/pay/{id}, db.operation.name=SELECT", "POST /pay/{id}");
    check("http.method=POST, url.template=/pay/{id}?pan={pan}", "POST /pay/{id}");
    check("url.template=/pay/{id}", "_none");
    check("db.operation=SELECT, http.request.method=POST", "SELECT");
    check("http.request.method=post", "POST");
    check("http.request.method=GET /pay/4111111111111111", "_OTHER");
    check("http.request.method=GET, url.path=/pay/4111111111111111, http.target=/pay?t=s3cret", "GET");
    check("", "_none");
}

#[test]
fn the_spans_name_is_the_operation_where_the_operator_says_so() {
    let table = Provider { operation_from_name: true, ..provider("p") };
    let check = |attributes: &str, want: &str| {
        with_call(&span(attributes), |call| {
            assert_eq!(Operation::of(&call, Some(&table)).label(), want, "{attributes}");
        });
    };
    check("http.request.method=POST", &span("").name);
    check("spanmill.operation=authorize", "authorize");
}
