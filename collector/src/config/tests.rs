use std::path::Path;

use super::place::Source;
use super::*;
use crate::forward::Compression;
use crate::tls::testing::Authority;

fn parse(text: &str) -> Result<Config, Error> {
    let variable = |name: &str| (name == "TENANT").then(|| "blue \"1\"".to_owned());
    let source = Source::new(Path::new("spanmill.toml"), text, variable)?;
    let file = toml::from_str(source.text()).map_err(|error| source.toml_error(&error))?;
    resolve::resolve(file, None, &source)
}

#[test]
fn an_empty_file_is_loopback_only_and_forwards_nothing() {
    let config = parse("").unwrap();
    let listeners = [config.receive.grpc.address, config.receive.http.address, config.expose.listen];
    assert_eq!(listeners.map(|address| address.port()), [4317, 4318, 4316]);
    assert!(listeners.iter().all(|address| address.ip().is_loopback()));
    assert!(config.forward.is_empty());
    assert_eq!(config.data_dir, Path::new("/var/lib/spanmill"));
    assert_eq!(Config::load(None, None).unwrap().data_dir, Path::new("./spanmill-data"));
    assert_eq!(Config::load(None, Some("/x".into())).unwrap().journal.dir, Path::new("/x/journal"));
}

#[test]
fn an_error_names_line_key_value_and_fix() {
    let check = |text: &str, wanted: &[&str]| {
        let error = parse(text).expect_err(text).to_string();
        for part in wanted {
            assert!(error.contains(part), "{text:?} gave {error:?}, without {part:?}");
        }
    };
    check(
        "[journal]\nmax_size = \"10GB\"\n",
        &["spanmill.toml:2: ", "journal.max_size = \"10GB\"", "not a size", "64MiB"],
    );
    check("[journal]\n\nmax_age = \"1w\"", &["spanmill.toml:3: ", "journal.max_age = \"1w\"", "90s"]);
    check("[journal]\nmax_size = \"32MiB\"", &[":2: ", "journal.max_size", "four large requests", "64MiB"]);
    check("[journal]\nsize = 1", &[":2: ", "journal.size = 1", "unknown field", "max_size"]);
    check("[journl]\n", &[":1: ", "unknown field", "journl"]);
    check("[journal]\ndurability = \"always\"", &[":2: ", "process", "power"]);
    check("data_dir = 7", &[":1: ", "data_dir = 7", "string"]);
    check("[receive]\nmemory = \"1MiB\"", &[":2: ", "receive.memory", "max_request", "raise"]);
    check("[receive.otlp_grpc]\nlisten = \"localhost\"", &[":2: ", "receive.otlp_grpc.listen", "localhost"]);
    check("[receive.local]\nmode = \"rw\"", &[":2: ", "receive.local.mode", "octal"]);
    check("[receive.local]\ngroup = \"no-such-group-here\"", &[":2: ", "group"]);
    check("[[provider]]\nname = \"Big Bank\"", &[":2: ", "provider.name", "a-z"]);
    check(
        "[[provider]]\nname = \"b\"\nhosts = [\"https://b.example\"]",
        &[":3: ", "provider.hosts", "suffix"],
    );
    check("[[provider]]\nname = \"b\"\ncidrs = [\n \"10.0.0.0/99\"]", &[":4: ", "203.0.113.0/24"]);
    check("[forward.jaeger]\nprotocol = \"grpc\"", &["endpoint"]);
    check(
        "[forward.jaeger]\nendpoint = \"jaeger:4317\"",
        &[":2: ", "forward.jaeger.endpoint", "http://host:port"],
    );
    check("[forward.jaeger]\nendpoint = \"http://jaeger\"", &[":2: ", "port is missing"]);
    check("[forward.jaeger]\nendpoint = \"http://jaeger:1/v1/traces\"", &[":2: ", "gRPC has no path"]);
    check("[forward.jaeger]\nendpoint = \"http://me:secret@jaeger:1\"", &[":2: ", "headers"]);
    check("[forward.\"a/b\"]\nendpoint = \"http://jaeger:1\"", &[":2: ", "names files"]);
    check("[forward.j]\nendpoint = \"http://j:1\"\ncompression = \"lzma\"", &[":3: ", "lzma", "zstd"]);
    check("[forward.j]\nendpoint = \"http://j:1\"\ntls.server_name = \"j\"", &[":3: ", "https://"]);
    check("[forward.j]\nendpoint = \"https://j:1\"\ntls.ca_file = \"/nowhere\"", &[":3: ", "cannot be read"]);
    check("[forward.j]\nendpoint = \"https://j:1\"\ntls.key_file = \"/nowhere\"", &[":3: ", "cert_file"]);
    check("[receive.otlp_grpc.tls]\ncert_file = \"/nowhere\"", &[":2: ", "cert_file", "set key_file"]);
    check("[expose.tls]\nclient_ca_file = \"/nowhere\"", &[":2: ", "there is no TLS"]);
    check("[mask]\nkeep_keys = [\"cvv\"]", &[":2: ", "mask.keep_keys", "remove it"]);
    check("[mask]\npan = \"full\"\nkeys_add = [\"--\"]", &[":3: ", "mask.keys_add", "no letter"]);
    check("[[mask.rule]]\nname = \"a\"\npattern = \"(\"", &[":3: ", "mask.rule.pattern", "\"a\""]);
    let rule =
        |name: &str, pattern: &str| format!("[[mask.rule]]\nname = \"{name}\"\npattern = '{pattern}'\n");
    check(&rule("a b", "x+"), &[":2: ", "mask.rule.name", "letters"]);
    check(&(rule("a", "x+") + &rule("a", "y+")), &[":5: ", "mask.rule.name", "same name"]);
    check(&rule("a", "x*"), &[":3: ", "mask.rule.pattern", "empty text"]);
    check(&rule("a", "(\\pL{500}){500}"), &[":3: ", "mask.rule"]);
    check("[rollup]\noperations_max = 0", &[":2: ", "rollup.operations_max = 0", "1 to"]);
    check("[[provider]]\nname = \"b\"\n[[provider]]\nname = \"b\"", &[":4: ", "provider.name", "one"]);
    check("[[provider]]\nname = \"b\"\npath_prefixes = [\"pay\"]", &[":3: ", "slash"]);
    check("[expose]\njaeger_ui = \"jaeger\"", &[":2: ", "http://jaeger:16686"]);
    check("[receive.otlp_grpc.auth]\nbearer_tokens_file = \"/nowhere/t\"", &[":2: ", "can't be read"]);
    check("x = \"${NOWHERE}\"", &[":1: ", "${NOWHERE}", "environment"]);
}

#[test]
fn a_destination_that_is_the_daemon_itself_is_refused() {
    for endpoint in
        ["http://127.0.0.1:4317", "http://localhost:4318", "http://0.0.0.0:4316", "http://[::1]:4317"]
    {
        let listen = "[receive.otlp_grpc]\nlisten = \"[::]:4317\"\n";
        let listen = if endpoint.contains("::1") { listen } else { "" };
        let error =
            parse(&format!("{listen}[forward.jaeger]\nendpoint = \"{endpoint}\"")).expect_err(endpoint);
        assert!(error.to_string().contains("own listener"), "{error}");
    }
    assert!(parse("[forward.jaeger]\nendpoint = \"http://127.0.0.1:14317\"").is_ok());
    assert!(parse("[forward.jaeger]\nendpoint = \"http://jaeger.example:4317\"").is_ok());
}

#[test]
fn a_destination_is_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let forward = |rest: &str| parse(&format!("[forward.x]\n{rest}")).map(|config| config.forward[0].clone());
    let one = forward("endpoint = \"http://j:4318\"\nprotocol = \"http\"").unwrap();
    assert_eq!((one.path.as_str(), one.compression), ("/v1/traces", Compression::None));
    let one = forward("endpoint = \"http://j:4318/otlp/v1/traces?x=1\"\nprotocol = \"http\"").unwrap();
    assert_eq!(one.path.as_str(), "/otlp/v1/traces?x=1");
    for (endpoint, compression) in
        [("http://centre:4317", Compression::Zstd), ("http://[::1]:14317", Compression::None)]
    {
        let one = forward(&format!("endpoint = {endpoint:?}\nkind = \"spanmill\"")).unwrap();
        assert_eq!(one.compression, compression);
    }
    let secure = format!("endpoint = \"https://j\"\ntls.ca_file = {:?}\n", ca.file);
    assert!(forward(&secure).unwrap().target.tls.is_some());
    assert_eq!(forward(&secure).unwrap().poison_dir, Path::new("/var/lib/spanmill/poison/x"));
    let error = forward(&format!("{secure}tls.server_name = \"\"")).unwrap_err().to_string();
    assert!(error.contains("tls.server_name") && error.contains(":4: "), "{error}");
}

#[test]
fn a_listener_with_tls_needs_files_that_belong_together() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let (cert, key) = ca.issue(dir.path(), "server", "localhost");
    let (_, other) = ca.issue(dir.path(), "other", "localhost");
    let listener = |key: &Path, more: &str| {
        parse(&format!("[receive.otlp_http.tls]\ncert_file = {cert:?}\nkey_file = {key:?}\n{more}"))
    };
    assert!(listener(&key, "").unwrap().receive.http.tls.is_some());
    let error = listener(&other, "").unwrap_err().to_string();
    assert!(error.contains(":3: ") && error.contains("does not belong to"), "{error}");
    let error = listener(&key, &format!("client_ca_file = {key:?}")).unwrap_err().to_string();
    assert!(error.contains(":4: ") && error.contains("no certificate"), "{error}");
}

#[test]
fn the_environment_is_filled_in_and_never_shown() {
    let text = "# ${UNSET} in a comment is left alone\n[forward.jaeger] # \"${UNSET}\"\nendpoint = \"http://j:4317\"\n\
                headers = { tenant = \"${TENANT}\" }\n";
    let config = parse(text).unwrap();
    assert_eq!(config.forward[0].headers[0].1, "blue \"1\"");
    let error = parse("[journal]\nmax_size = \"${TENANT}\"").unwrap_err().to_string();
    assert!(error.contains("journal.max_size") && !error.contains("blue"), "{error}");
    let source = Source::new(Path::new("f"), "a = \"${T}\"", |_| Some("b\"lue".to_owned())).unwrap();
    assert_eq!(source.without_environment("a = \"b\\\"lue\"".to_owned()), "a = \"${T}\"");
}

#[test]
fn a_provider_is_read_whole() {
    let text = r#"
[[provider]]
name = "sberbank"
aliases = ["sber"]
hosts = ["*.Sberbank.ru"]
cidrs = ["203.0.113.0/24"]
ports = [443]
path_prefixes = ["/pay"]
timeout = "45s"
decline_when = { "payment.code" = ["05", "51"] }
conversion_operations = ["authorize"]
owner = "payments"
"#;
    let provider = &parse(text).unwrap().rollup.registry.providers[0];
    assert_eq!((provider.name.as_str(), provider.hosts[0].as_str()), ("sberbank", "*.sberbank.ru"));
    assert_eq!(provider.decline_when["payment.code"], ["05", "51"]);
    assert_eq!(provider.timeout.map(|timeout| timeout.as_secs()), Some(45));
}

#[test]
fn what_check_prints_is_a_file_that_means_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spanmill.toml");
    let text = "[journal]\nmax_age = \"90s\"\n[forward.jaeger]\nendpoint = \"http://j:4317\"\n\
                headers = { authorization = \"very secret\" }\n[[provider]]\nname = \"bank\"\n";
    std::fs::write(&path, text).unwrap();
    let printed = Config::check(&path).unwrap();
    assert!(printed.contains("max_age = \"90s\"") && printed.contains("max_size = \"10GiB\""), "{printed}");
    assert!(!printed.contains("very secret"), "{printed}");
    std::fs::write(&path, &printed).unwrap();
    assert_eq!(Config::check(&path).unwrap(), printed);
}

#[test]
fn the_rule_for_an_unmapped_peer_is_one_that_this_reads() {
    use crate::rollup::host::Host;
    for host in [
        "api.newbank.example",
        "pay.shop.co.uk",
        "3ds.bank.ru",
        "203.0.113.7",
        "2001:db8::1",
        "psp.service.consul",
        "\u{43f}\u{43b}\u{430}\u{442}\u{435}\u{436}.\u{440}\u{444}",
        "_dmarc.bank.example",
        "localhost",
    ] {
        let peer = Host::parse(host.as_bytes()).unwrap();
        let text = crate::rollup::unmapped::rule(&peer);
        let config = parse(&text).unwrap_or_else(|error| panic!("{host}: {text}: {error}"));
        let registry = crate::rollup::registry::Registry::new(config.rollup.registry);
        let found = registry.by_host(&peer, Default::default());
        assert_eq!(found.map(|found| found.provider), Some(0), "{host}: {text}");
    }
}
