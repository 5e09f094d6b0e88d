//! From what was typed to what each stage uses, with every check that spans more than one key.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Uri;
use rustix::fs::Access;
use spanmill_mask::{ConfigError, Masker, UserRule};
use toml::Spanned;

use super::file::{self, File};
use super::place::{Error, Source};
use super::tls::certificate;
use super::{Config, destination};
use crate::receive::Tokens;
use crate::rollup::registry;
use crate::rotate::Rotating;
use crate::{detect, expose, journal, receive, rollup, store};

/// A segment is the unit of deletion: a journal has eight at least, smaller ones where it is small.
const SEGMENT_SIZE: u64 = 64 << 20;
const SEGMENTS_MIN: u64 = 8;
/// Four of the largest requests that are taken by default.
const JOURNAL_SIZE_MIN: u64 = 64 << 20;
/// A row on a page each, and some 100 KiB of windows.
const PROVIDERS_MAX: usize = 10_000;
/// Each is a label of every provider's metrics; more is a name made of data.
const OPERATIONS_MAX: usize = 1_000;
pub fn resolve(file: File, data_dir: Option<PathBuf>, source: &Source) -> Result<Config, Error> {
    let data_dir = data_dir.unwrap_or(file.data_dir);
    let listeners = [file.receive.otlp_grpc.listen, file.receive.otlp_http.listen, file.expose.listen];
    let forward = file
        .forward
        .into_iter()
        .map(|(name, forward)| destination::resolve(name, forward, &data_dir, &listeners, source))
        .collect::<Result<_, _>>()?;
    let detect = detecting(&file.detect, &file.provider, source)?;
    Ok(Config {
        detect,
        receive: receiving(file.receive, &data_dir, source)?,
        mask: masking(file.mask, source)?,
        journal: journaling(&file.journal, &data_dir, source)?,
        forward,
        rollup: rollup::Config {
            registry: registry::Config { providers: providers(file.provider, source)? },
            providers_max: within(&file.rollup.providers_max, PROVIDERS_MAX, source)?,
            operations_max: within(&file.rollup.operations_max, OPERATIONS_MAX, source)?,
            production: file.rollup.production,
        },
        store: store::Config { path: data_dir.join("spanmill.db") },
        expose: expose::Config {
            listen: file.expose.listen,
            tls: certificate("expose", file.expose.tls, source)?,
            jaeger_ui: jaeger_ui(file.expose.jaeger_ui, source)?,
            writers: tokens("expose", file.expose.auth, source)?
                .map(|tokens| expose::Admit::new(move |headers| tokens.current().admit(headers))),
        },
        data_dir,
    })
}

fn receiving(file: file::Receive, data_dir: &Path, source: &Source) -> Result<receive::Config, Error> {
    let request_max = file.max_request.0;
    if file.memory.get_ref().0 < request_max {
        let message = format!(
            "less than receive.max_request ({}): no request could be taken; raise it",
            file.max_request
        );
        return Err(source.error(file.memory.span(), message));
    }
    Ok(receive::Config {
        grpc: receive::Listen {
            address: file.otlp_grpc.listen,
            connections_max: file.otlp_grpc.max_connections,
            tls: certificate("receive.otlp_grpc", file.otlp_grpc.tls, source)?,
            tokens: tokens("receive.otlp_grpc", file.otlp_grpc.auth, source)?,
        },
        http: receive::Listen {
            address: file.otlp_http.listen,
            connections_max: file.otlp_http.max_connections,
            tls: certificate("receive.otlp_http", file.otlp_http.tls, source)?,
            tokens: tokens("receive.otlp_http", file.otlp_http.auth, source)?,
        },
        local: local(file.local, data_dir, source)?,
        request_max: request_max as usize,
        memory_max: file.memory.get_ref().0 as usize,
    })
}

fn tokens(listener: &str, auth: file::Auth, source: &Source) -> Result<Option<Arc<Rotating<Tokens>>>, Error> {
    let Some(path) = auth.bearer_tokens_file else { return Ok(None) };
    let (file, span) = (path.get_ref().clone(), path.span());
    let read = move || Tokens::read(&file);
    let tokens = Rotating::new(format!("the tokens of {listener}"), vec![path.into_inner()], read);
    Ok(Some(Arc::new(tokens.map_err(|message| source.error(span, message))?)))
}

fn local(file: file::Local, data_dir: &Path, source: &Source) -> Result<receive::Local, Error> {
    let mode = match &file.mode {
        None => 0o660,
        Some(text) => u32::from_str_radix(text.get_ref(), 8)
            .ok()
            .filter(|mode| *mode <= 0o777)
            .ok_or_else(|| source.error(text.span(), "not a file mode; write it in octal, e.g. \"0660\""))?,
    };
    let group = match &file.group {
        None => None,
        Some(name) => Some(group_id(name.get_ref()).ok_or_else(|| {
            source.error(name.span(), "this host has no such group; create it, or name another")
        })?),
    };
    Ok(receive::Local { path: file.path.unwrap_or_else(|| default_socket(data_dir)), mode, group })
}

/// Where the clients look by themselves: `/run/spanmill` for root, `$XDG_RUNTIME_DIR/spanmill` for a user, and
/// `/run/spanmill` again where that variable is missing, as for a service whose manager made that folder. Where
/// it did not, the data directory, which clients must be told.
fn default_socket(data_dir: &Path) -> PathBuf {
    let of_system = Path::new("/run/spanmill");
    if rustix::process::geteuid().is_root() {
        return of_system.join("spanmill.sock");
    }
    if let Some(dir) = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        return PathBuf::from(dir).join("spanmill/spanmill.sock");
    }
    match rustix::fs::access(of_system, Access::WRITE_OK) {
        Ok(()) => of_system.join("spanmill.sock"),
        Err(_) => data_dir.join("spanmill.sock"),
    }
}

fn group_id(name: &str) -> Option<u32> {
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    let line = groups.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

fn masking(file: file::Mask, source: &Source) -> Result<Arc<Masker>, Error> {
    let (added, kept) = (file.keys_add.span(), file.keep_keys.span());
    let rules: Vec<_> =
        file.rule.iter().map(|rule| (rule.name.get_ref().clone(), rule.pattern.span())).collect();
    let names: Vec<_> =
        file.rule.iter().map(|rule| (rule.name.get_ref().clone(), rule.name.span())).collect();
    let config = spanmill_mask::Config {
        pan: match file.pan {
            file::Pan::First6Last4 => spanmill_mask::PanOutput::First6Last4,
            file::Pan::Last4 => spanmill_mask::PanOutput::Last4,
            file::Pan::Full => spanmill_mask::PanOutput::Full,
        },
        keys_add: file.keys_add.into_inner(),
        keep_keys: file.keep_keys.into_inner(),
        email: file.email,
        iban: file.iban,
        rules: file
            .rule
            .into_iter()
            .map(|rule| UserRule { name: rule.name.into_inner(), pattern: rule.pattern.into_inner() })
            .collect(),
    };
    let masker = Masker::new(config).map_err(|error| {
        let of_rule =
            |wanted: &str| rules.iter().find(|(name, _)| name == wanted).map(|(_, span)| span.clone());
        let last = rules.last().map(|(_, span)| span.clone());
        let span = match &error {
            ConfigError::EmptyKey(_) | ConfigError::LongKey(_) => added,
            ConfigError::KeptSecret(_) => kept,
            ConfigError::Rule { name, .. } => of_rule(name).unwrap_or_default(),
            ConfigError::RuleName { name, .. } => {
                // Of two rules with one name the later is at fault.
                let of_name = names.iter().rfind(|(other, _)| other == name);
                of_name.map(|(_, span)| span.clone()).unwrap_or_default()
            }
            ConfigError::TooManyRules { .. } | ConfigError::LargeRules { .. } => last.unwrap_or_default(),
        };
        source.error(span, error.to_string())
    })?;
    Ok(Arc::new(masker))
}

fn journaling(file: &file::Journal, data_dir: &Path, source: &Source) -> Result<journal::Config, Error> {
    let max_size = file.max_size.get_ref().0;
    if max_size < JOURNAL_SIZE_MIN {
        let message = "smaller than four large requests; write at least \"64MiB\"";
        return Err(source.error(file.max_size.span(), message));
    }
    Ok(journal::Config {
        dir: data_dir.join("journal"),
        segment_size: SEGMENT_SIZE.min(max_size / SEGMENTS_MIN),
        max_size,
        max_age: file.max_age.0,
        durability: match file.durability {
            file::Durability::Process => journal::Durability::Process,
            file::Durability::Power => journal::Durability::Power,
        },
        overflow: match file.overflow {
            file::Overflow::Reject => journal::Overflow::Reject,
            file::Overflow::DropOldest => journal::Overflow::DropOldest,
        },
    })
}

fn jaeger_ui(url: Option<Spanned<String>>, source: &Source) -> Result<Option<String>, Error> {
    let Some(url) = url else { return Ok(None) };
    let parsed = url.get_ref().parse::<Uri>().ok();
    if !parsed.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()) {
        return Err(source.error(url.span(), "not a web address; write e.g. \"http://jaeger:16686\""));
    }
    Ok(Some(url.into_inner().trim_end_matches('/').to_owned()))
}

fn detecting(
    file: &file::Detect,
    providers: &[file::Provider],
    source: &Source,
) -> Result<detect::Config, Error> {
    let min_ratio = *file.min_ratio.get_ref();
    if !(1.2..=10.0).contains(&min_ratio) {
        return Err(source.error(file.min_ratio.span(), "write how many times slower, from 1.2 to 10"));
    }
    let failure_ratio = *file.limits.failure_ratio.get_ref();
    if !(failure_ratio > 0.0 && failure_ratio <= 1.0) {
        let message = "write a share above 0 and up to 1, e.g. 0.2";
        return Err(source.error(file.limits.failure_ratio.span(), message));
    }
    let providers = providers.iter().map(|provider| {
        let silences = provider.expected_silence.iter().map(|text| {
            let parsed = text.get_ref().parse();
            parsed.map_err(|wrong: detect::WrongSilence| source.error(text.span(), wrong.to_string()))
        });
        let detect = detect::ProviderConfig {
            sensitivity: provider.sensitivity.map(sensitivity),
            timeout: provider.timeout.map(|time| time.0),
            mute: provider.mute,
            expected_silence: silences.collect::<Result<_, _>>()?,
        };
        Ok((provider.name.get_ref().clone(), detect))
    });
    Ok(detect::Config {
        sensitivity: sensitivity(file.sensitivity),
        min_ratio,
        limits: detect::Limits { p95: file.limits.p95.0, failure_ratio },
        providers: providers.collect::<Result<_, Error>>()?,
    })
}

fn sensitivity(file: file::Sensitivity) -> detect::Sensitivity {
    match file {
        file::Sensitivity::Fast => detect::Sensitivity::Fast,
        file::Sensitivity::Normal => detect::Sensitivity::Normal,
        file::Sensitivity::Calm => detect::Sensitivity::Calm,
    }
}

/// A limit that is at least 1 and at most `max`.
fn within(limit: &Spanned<usize>, max: usize, source: &Source) -> Result<usize, Error> {
    match *limit.get_ref() {
        value if (1..=max).contains(&value) => Ok(value),
        _ => Err(source.error(limit.span(), format!("write a number from 1 to {max}"))),
    }
}

fn providers(files: Vec<file::Provider>, source: &Source) -> Result<Vec<registry::Provider>, Error> {
    let mut names = HashSet::new();
    let mut providers = Vec::with_capacity(files.len());
    for file in files {
        if !names.insert(file.name.get_ref().clone()) {
            let message = "another [[provider]] table has this name; put the rules of both into one";
            return Err(source.error(file.name.span(), message));
        }
        providers.push(named(file, source)?);
    }
    Ok(providers)
}

fn named(file: file::Provider, source: &Source) -> Result<registry::Provider, Error> {
    let name = file.name.get_ref();
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        let message = "a provider's name is 1 to 64 characters of a-z 0-9 . _ -";
        return Err(source.error(file.name.span(), message));
    }
    let cidrs = file.cidrs.iter().map(|text| {
        text.get_ref().parse().map_err(|_| {
            source.error(
                text.span(),
                "not an address range; write e.g. \"203.0.113.0/24\" or \"2001:db8::/32\"",
            )
        })
    });
    let cidrs = cidrs.collect::<Result<_, _>>()?;
    for host in &file.hosts {
        let plain = host.get_ref().strip_prefix("*.").unwrap_or(host.get_ref());
        if plain.is_empty() || plain.contains(['*', '/', ':', ' ']) {
            let message =
                "a host is a name (\"api.bank.example\") or a suffix (\"*.bank.example\"), without port";
            return Err(source.error(host.span(), message));
        }
    }
    if let Some(prefix) = file.path_prefixes.iter().find(|prefix| !prefix.get_ref().starts_with('/')) {
        return Err(source.error(prefix.span(), "a path begins with a slash, e.g. \"/pay\""));
    }
    Ok(registry::Provider {
        name: file.name.into_inner(),
        aliases: file.aliases,
        hosts: file
            .hosts
            .into_iter()
            .map(|host| host.into_inner().trim_end_matches('.').to_ascii_lowercase())
            .collect(),
        cidrs,
        ports: file.ports,
        path_prefixes: file.path_prefixes.into_iter().map(Spanned::into_inner).collect(),
        timeout: file.timeout.map(|time| time.0),
        internal: file.internal,
        decline_when: file.decline_when,
        conversion_operations: file.conversion_operations,
        operation_from_name: file.operation_from_name,
        mute: file.mute,
        owner: file.owner,
        runbook: file.runbook,
        status_page: file.status_page,
    })
}
