//! `spanmill explain`: which rule names a peer or a span, its outcome and operation, and why.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::{Value, json};
use spanmill_proto::otlp::{SpanAt, for_each_span};
use spanmill_proto::wire::Malformed;

use crate::config::{self, Config};
use crate::rollup::environment::Environments;
use crate::rollup::host::Host;
use crate::rollup::name::{self, Because, Clues, Named, Operation, Url, Who};
use crate::rollup::registry::Registry;
use crate::rollup::span::{self, Call, Resource};
use crate::rollup::{self, outcome, unmapped};

/// Says which provider a peer or a span belongs to, its outcome and operation, and why.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanmill explain api.sberbank.ru\n  \
    spanmill explain --config /etc/spanmill/spanmill.toml gate.example:8443/visa\n  \
    spanmill explain span.json\n\n\
    A file holds an OTLP/JSON request or one span of it.")]
pub struct Explain {
    /// Configuration with the [[provider]] tables; without it there are no rules
    #[arg(long)]
    config: Option<PathBuf>,
    /// A peer, or a file that ends in .json
    #[arg(value_name = "HOST[:PORT][/PATH]|FILE.json")]
    what: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error("cannot read {}: {cause}", path.display())]
    File { path: PathBuf, cause: std::io::Error },
    #[error("{} is neither an OTLP/JSON request nor a span: {cause}", path.display())]
    Json { path: PathBuf, cause: serde_json::Error },
    #[error("{0:?} is no host: write a name or an address, with :PORT and /PATH if rules ask for them")]
    Host(String),
}

impl Explain {
    pub fn run(self) -> Result<String, Error> {
        let config = Config::load(self.config.as_deref(), None)?;
        explain(&self.what, config.rollup)
    }
}

/// The explanation of `what`: a peer, or the name of a file.
pub fn explain(what: &str, config: rollup::Config) -> Result<String, Error> {
    let registry = Registry::new(config.registry);
    let path = Path::new(what);
    if path.extension().is_none_or(|extension| extension != "json") {
        return peer(what, &registry);
    }
    let text = std::fs::read(path).map_err(|cause| Error::File { path: path.to_owned(), cause })?;
    let request = request(&text).map_err(|cause| Error::Json { path: path.to_owned(), cause })?;
    let mut explained =
        Spans { registry, environments: Environments::new(&config.production), text: String::new() };
    // What prost wrote is well-formed, so the walk reads all of it.
    for_each_span(&request, |at| explained.span(at)).expect("prost writes what the wire walk reads");
    Ok(explained.text)
}

/// The protobuf form of a request, or of a request around one span.
fn request(json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let value: Value = serde_json::from_slice(json)?;
    let is_request = value.get("resourceSpans").is_some();
    let value =
        if is_request { value } else { json!({"resourceSpans": [{"scopeSpans": [{"spans": [value]}]}]}) };
    Ok(serde_json::from_value::<ExportTraceServiceRequest>(value)?.encode_to_vec())
}

fn peer(what: &str, registry: &Registry) -> Result<String, Error> {
    let with_scheme = if what.contains("://") { what.to_owned() } else { format!("any://{what}") };
    let url = Url::split(with_scheme.as_bytes());
    if Host::parse(url.host).is_none() {
        return Err(Error::Host(what.to_owned()));
    }
    let path_class = registry.path_class(url.path);
    let clues = Clues { host: url.host, port: url.port, path_class, ..Clues::default() };
    let mut text = format!("{what}\n");
    named(&mut text, &name::name(&clues, registry), registry, |name| name.to_owned());
    Ok(text)
}

struct Spans {
    registry: Registry,
    environments: Environments,
    text: String,
}

impl Spans {
    fn span(&mut self, at: SpanAt<'_>) -> Result<(), Malformed> {
        let resource = Resource::read(&at.resource_spans)?;
        let service = String::from_utf8_lossy(resource.service.unwrap_or(b"an unnamed service"));
        let host = String::from_utf8_lossy(resource.host.unwrap_or(b"an unnamed host"));
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        line(&mut self.text, format_args!("span of {service} on {host}"));
        let environment = self.environments.number(resource.environment.get());
        match span::read(at.span.bytes()?)? {
            Some(call) if call.is_pending => {
                line(
                    &mut self.text,
                    "  the notice that a call has begun: open until its span comes, never forwarded",
                );
                self.call(&call, environment)
            }
            Some(call) => self.call(&call, environment),
            None => {
                let text = &mut self.text;
                line(text, "  not an outgoing call: those are CLIENT and PRODUCER spans that have ended,");
                line(text, "  and INTERNAL ones with spanmill.provider");
                Ok(())
            }
        }
    }

    fn call(&mut self, call: &Call<'_>, environment: u8) -> Result<(), Malformed> {
        let Spans { registry, environments, text } = self;
        let found = name::name(&Clues::of(&call.peer, registry), registry);
        named(text, &found, registry, |name| environments.qualify(name, environment));
        let table = match found.who {
            Who::Registered(table) => Some(registry.provider(table)),
            _ => None,
        };
        let verdict = outcome::decide(call, table)?;
        line(text, format_args!("  outcome    {}: {}", verdict.outcome.name(), verdict.because));
        line(text, format_args!("  operation  {}", Operation::of(call, table).label()));
        if call.is_attempt {
            line(text, "  counts     as an attempt inside a call, not as a call");
        }
        Ok(())
    }
}

fn named(text: &mut String, found: &Named, registry: &Registry, qualify: impl Fn(&str) -> String) {
    match &found.who {
        Who::Registered(table) => {
            line(text, format_args!("  provider   {}", qualify(&registry.provider(*table).name)));
        }
        Who::Discovered(name) => line(text, format_args!("  provider   {}", qualify(name))),
        Who::Internal => line(text, "  provider   none: not on the board"),
    }
    line(text, format_args!("  because    {}", found.because));
    if found.conflict {
        line(text, "  conflict   a rule knows the host as another provider; the name of the span stays");
    }
    let (Because::RegistrableDomain(host) | Because::PublicNetwork(host) | Because::InternalHost(host)) =
        &found.because
    else {
        return;
    };
    line(text, "  to name it:");
    for row in unmapped::rule(host).lines() {
        line(text, format_args!("    {row}"));
    }
}

fn line(text: &mut String, what: impl std::fmt::Display) {
    writeln!(text, "{what}").expect("a String takes what it is given");
}

#[cfg(test)]
mod tests {
    use crate::rollup::registry;

    use super::*;

    fn config() -> rollup::Config {
        let provider = |name: &str, hosts: &[&str]| registry::Provider {
            name: name.to_owned(),
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            ..registry::Provider::default()
        };
        let visa = registry::Provider {
            path_prefixes: vec!["/visa".to_owned()],
            ports: vec![8443],
            ..provider("visa", &["gate.example"])
        };
        rollup::Config {
            registry: registry::Config { providers: vec![provider("sberbank", &["*.sberbank.ru"]), visa] },
            providers_max: 512,
            operations_max: 32,
            production: vec!["production".to_owned()],
        }
    }

    fn explained(what: &str) -> String {
        explain(what, config()).unwrap()
    }

    fn explained_json(json: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spans.json");
        std::fs::write(&path, json).unwrap();
        explained(path.to_str().unwrap())
    }

    #[test]
    fn a_peer_is_named_with_its_rule() {
        let check =
            |what: &str, want: &str| assert!(explained(what).contains(want), "{what}: {}", explained(what));
        check(
            "api.sberbank.ru",
            "provider   sberbank\n  because    in its [[provider]] table hosts has \"*.sberbank.ru\"",
        );
        check("https://api.sberbank.ru/pay?x=1", "provider   sberbank\n");
        check("gate.example:8443/visa/pay", "provider   visa\n");
        check("gate.example:443/visa/pay", "provider   gate.example\n");
        check("users.service.consul", "provider   none: not on the board");
    }

    #[test]
    fn an_unmapped_peer_gets_the_rule_to_paste() {
        let check =
            |what: &str, want: &str| assert!(explained(what).ends_with(want), "{what}: {}", explained(what));
        check(
            "api.newbank.example",
            "    [[provider]]\n    name = \"newbank\"\n    hosts = [\"*.newbank.example\"]\n",
        );
        check("203.0.113.7:443", "    name = \"203.0.113.7\"\n    cidrs = [\"203.0.113.7/32\"]\n");
        check("[2001:db8::1]:443", "    name = \"2001-db8--1\"\n    cidrs = [\"2001:db8::1/128\"]\n");
        check("psp.service.consul", "    name = \"psp\"\n    hosts = [\"psp.service.consul\"]\n");
    }

    #[test]
    fn a_span_is_named_with_outcome_and_operation() {
        let text = explained_json(
            r#"{"name":"POST /pay","kind":3,"attributes":[
            {"key":"server.address","value":{"stringValue":"api.sberbank.ru"}},
            {"key":"http.request.method","value":{"stringValue":"POST"}},
            {"key":"http.response.status_code","value":{"intValue":"504"}}]}"#,
        );
        let want = "span of an unnamed service on an unnamed host\n  provider   sberbank\n  \
            because    in its [[provider]] table hosts has \"*.sberbank.ru\"\n  \
            outcome    timeout: by the status of HTTP\n  operation  POST\n";
        assert_eq!(text, want);
    }

    #[test]
    fn each_span_of_a_request_is_explained() {
        let text = explained_json(
            r#"{"resourceSpans":[{"resource":{"attributes":[
            {"key":"service.name","value":{"stringValue":"shop"}},
            {"key":"deployment.environment.name","value":{"stringValue":"staging"}}]},"scopeSpans":[{"spans":[
            {"name":"a","kind":2},
            {"name":"b","kind":3,"attributes":[
                {"key":"peer.service","value":{"stringValue":"psp"}},
                {"key":"spanmill.attempt","value":{"boolValue":true}},
                {"key":"server.address","value":{"stringValue":"api.sberbank.ru"}}]}]}]}]}"#,
        );
        for want in [
            "span of shop on an unnamed host\n  not an outgoing call",
            "provider   psp@staging\n  because    the span names it\n  conflict",
            "outcome    ok",
            "operation  _none",
            "counts     as an attempt",
        ] {
            assert!(text.contains(want), "{want} in {text}");
        }
    }

    #[test]
    fn what_cannot_be_explained_is_an_error_that_says_so() {
        let check = |what: &str, want: &str| {
            let error = explain(what, config()).unwrap_err().to_string();
            assert!(error.contains(want), "{what}: {error}");
        };
        check("not a host", "is no host");
        check("", "is no host");
        check("/no/such/file.json", "cannot read /no/such/file.json");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        std::fs::write(&path, "[1, 2").unwrap();
        check(path.to_str().unwrap(), "is neither an OTLP/JSON request nor a span");
    }
}
