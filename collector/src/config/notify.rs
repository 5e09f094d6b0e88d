//! `[[notify.webhook]]` and `[[notify.alertmanager]]`: addresses, who is trusted there, and the key of signatures.

use std::path::Path;

use http::Uri;
use http::uri::PathAndQuery;
use toml::Spanned;

use super::destination::headers;
use super::file::{self, Alertmanager as Receiver};
use super::place::{Error, Source};
use super::tls;
use crate::dial::{self, Protocol};
use crate::notify::{Config, Severity, Target, TargetKind};

/// Where Alertmanager takes alerts, behind whatever path it is served at.
const ALERTS: &str = "/api/v2/alerts";

pub fn resolve(file: file::Notify, data_dir: &Path, page: String, source: &Source) -> Result<Config, Error> {
    let mut targets = Vec::new();
    for (number, webhook) in (1_u32..).zip(file.webhook) {
        let file::Webhook { url, secret_file, headers, min_severity, tls } = webhook;
        let kind = TargetKind::Webhook { secret_file: secret(secret_file, source)? };
        let receiver = Receiver { url, headers, min_severity, tls };
        targets.push(target(format!("webhook-{number}"), kind, receiver, source)?);
    }
    for (number, receiver) in (1_u32..).zip(file.alertmanager) {
        let mut target =
            target(format!("alertmanager-{number}"), TargetKind::Alertmanager, receiver, source)?;
        let path = format!("{}{ALERTS}", target.path.path().trim_end_matches('/'));
        target.path = PathAndQuery::try_from(path).expect("a path with a path behind it is one");
        targets.push(target);
    }
    Ok(Config { file: data_dir.join("notify.json"), targets, page, instance: host() })
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// It is read anew for each call; that it is there is checked now.
fn secret(
    file: Option<Spanned<std::path::PathBuf>>,
    source: &Source,
) -> Result<Option<std::path::PathBuf>, Error> {
    let Some(file) = file else { return Ok(None) };
    let wrong = |message: String| source.error(file.span(), message);
    let text =
        std::fs::read(file.get_ref()).map_err(|error| wrong(format!("the file can't be read: {error}")))?;
    if text.trim_ascii().is_empty() {
        return Err(wrong("the file is empty; write the key of the signatures into it".to_owned()));
    }
    Ok(Some(file.into_inner()))
}

fn target(name: String, kind: TargetKind, file: Receiver, source: &Source) -> Result<Target, Error> {
    let span = file.url.span();
    let wrong = |message: &str| source.error(span.clone(), message);
    let example = "not an address; write e.g. \"https://hooks.example/spanmill\"";
    let uri: Uri = file.url.get_ref().parse().map_err(|_| wrong(example))?;
    let is_secure = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong("write http:// or https:// before the address")),
    };
    let Some(authority) = uri.authority().filter(|authority| !authority.as_str().contains('@')) else {
        return Err(wrong("write http://host:port; a user and a password belong into headers"));
    };
    if matches!(kind, TargetKind::Alertmanager) && (uri.query().is_some() || uri.path().ends_with(ALERTS)) {
        return Err(wrong("write Alertmanager's own address, e.g. \"http://alertmanager:9093\""));
    }
    let tls = match (is_secure, tls::any(&file.tls)) {
        (true, _) => {
            let what = format!("notify {name}");
            Some(tls::trust(&what, file.tls, Protocol::Http1.alpn(), span.clone(), source)?)
        }
        (false, Some(key)) => return Err(source.error(key, "only used with TLS: write https:// in url")),
        (false, None) => None,
    };
    Ok(Target {
        name,
        kind,
        server: dial::Target { authority: authority.clone(), protocol: Protocol::Http1, tls },
        path: uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")),
        headers: headers(file.headers, source)?,
        severity_min: match file.min_severity {
            file::Severity::Info => Severity::Info,
            file::Severity::Warning => Severity::Warning,
            file::Severity::Page => Severity::Page,
        },
    })
}
