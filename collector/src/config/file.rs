//! The file as the operator writes it. Unknown keys are errors; what is left out has the default given here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::units::{Size, Time};

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Journal and checkpoints.
    pub data_dir: PathBuf,
    pub receive: Receive,
    pub mask: Mask,
    pub journal: Journal,
    pub rollup: Rollup,
    pub detect: Detect,
    pub expose: Expose,
    /// `[forward.NAME]`, one per destination; none = nothing is forwarded.
    pub forward: BTreeMap<String, Forward>,
    /// `[[provider]]`, the registry.
    pub provider: Vec<Provider>,
}

impl Default for File {
    fn default() -> File {
        File {
            data_dir: "/var/lib/spanmill".into(),
            receive: Receive::default(),
            mask: Mask::default(),
            journal: Journal::default(),
            rollup: Rollup::default(),
            detect: Detect::default(),
            expose: Expose::default(),
            forward: BTreeMap::new(),
            provider: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Receive {
    /// Largest request, inflated.
    pub max_request: Size,
    /// Bytes in flight, whole process.
    pub memory: Spanned<Size>,
    pub otlp_grpc: OtlpGrpc,
    pub otlp_http: OtlpHttp,
    pub local: Local,
}

impl Default for Receive {
    fn default() -> Receive {
        Receive {
            max_request: Size(16 << 20),
            memory: unplaced(Size(256 << 20)),
            otlp_grpc: OtlpGrpc::default(),
            otlp_http: OtlpHttp::default(),
            local: Local::default(),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// One token per line; without a file every sender is let in.
    pub bearer_tokens_file: Option<Spanned<PathBuf>>,
}

/// PEM files; they are read again when they change. None = without TLS.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerTls {
    /// Our chain, the leaf first.
    pub cert_file: Option<Spanned<PathBuf>>,
    pub key_file: Option<Spanned<PathBuf>>,
    /// Who comes without a certificate of this CA is refused.
    pub client_ca_file: Option<Spanned<PathBuf>>,
}

/// Connections per listener: 1,500 hosts with a few processes each fit, and their descriptors, too.
const CONNECTIONS_MAX: usize = 10_000;

macro_rules! otlp_listener {
    ($name:ident, $port:literal) => {
        #[derive(Debug, Clone, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            pub listen: SocketAddr,
            pub max_connections: usize,
            pub tls: ListenerTls,
            pub auth: Auth,
        }

        impl Default for $name {
            fn default() -> $name {
                $name {
                    listen: SocketAddr::from(([127, 0, 0, 1], $port)),
                    max_connections: CONNECTIONS_MAX,
                    tls: ListenerTls::default(),
                    auth: Auth::default(),
                }
            }
        }
    };
}

otlp_listener!(OtlpGrpc, 4317);
otlp_listener!(OtlpHttp, 4318);

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Local {
    /// Default: see `resolve::default_socket`.
    pub path: Option<PathBuf>,
    /// Octal, default `0660`.
    pub mode: Option<Spanned<String>>,
    /// Name of the group that may connect; default: the daemon's own.
    pub group: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mask {
    pub pan: Pan,
    /// Attribute keys that are treated as secret beside the built-in ones.
    pub keys_add: Spanned<Vec<String>>,
    /// Attribute keys whose values stay; never honoured for card verification values, PINs and track data.
    pub keep_keys: Spanned<Vec<String>>,
    /// Local parts of e-mail addresses.
    pub email: bool,
    pub iban: bool,
    /// `[[mask.rule]]`: patterns of the operator's own.
    pub rule: Vec<MaskRule>,
}

impl Default for Mask {
    fn default() -> Mask {
        Mask {
            pan: Pan::First6Last4,
            keys_add: unplaced(Vec::new()),
            keep_keys: unplaced(Vec::new()),
            email: true,
            iban: true,
            rule: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MaskRule {
    pub name: Spanned<String>,
    /// A regular expression; what it matches is removed.
    pub pattern: Spanned<String>,
}

/// What of a card number stays visible.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
pub enum Pan {
    #[serde(rename = "first6_last4")]
    First6Last4,
    #[serde(rename = "last4")]
    Last4,
    #[serde(rename = "full")]
    Full,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    pub max_size: Spanned<Size>,
    pub max_age: Time,
    pub durability: Durability,
    pub overflow: Overflow,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal {
            max_size: unplaced(Size(10 << 30)),
            max_age: Time(Duration::from_secs(24 * 3600)),
            durability: Durability::Process,
            overflow: Overflow::Reject,
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    Process,
    Power,
}

/// What happens when `max_size` is reached.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    Reject,
    DropOldest,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// `http://host:port` of an OTLP receiver, or `https://`; with a path where the protocol is `http`.
    pub endpoint: Spanned<String>,
    #[serde(default)]
    pub kind: Kind,
    #[serde(default)]
    pub protocol: Protocol,
    /// Default: `none`, and `zstd` to another spanmill on another host.
    pub compression: Option<Compression>,
    #[serde(default)]
    pub tls: DestinationTls,
    /// Sent with each request.
    #[serde(default, skip_serializing)]
    pub headers: BTreeMap<String, Spanned<String>>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Grpc,
    Http,
}

/// Who the destination is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Any OTLP receiver.
    #[default]
    Otlp,
    /// A central spanmill, which rolls up everything once.
    Spanmill,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// PEM files; they are read again when they change.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DestinationTls {
    /// The one authority that is trusted; default: those that this host trusts.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// Our own certificate, where the destination wants one.
    pub cert_file: Option<Spanned<PathBuf>>,
    pub key_file: Option<Spanned<PathBuf>>,
    /// Where the certificate's name is not the endpoint's.
    pub server_name: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rollup {
    pub providers_max: Spanned<usize>,
    pub operations_max: Spanned<usize>,
    /// Values of `deployment.environment.name` that are production.
    pub production: Vec<String>,
}

impl Default for Rollup {
    fn default() -> Rollup {
        Rollup {
            providers_max: unplaced(512),
            operations_max: unplaced(32),
            production: ["production", "prod", "live"].map(str::to_owned).to_vec(),
        }
    }
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Detect {
    pub sensitivity: Sensitivity,
    /// A slowdown below this raises nothing.
    pub min_ratio: Spanned<f64>,
    pub limits: DetectLimits,
}

impl Default for Detect {
    fn default() -> Detect {
        Detect { sensitivity: Sensitivity::Normal, min_ratio: unplaced(2.0), limits: DetectLimits::default() }
    }
}

/// Limits that hold whatever is normal.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectLimits {
    pub p95: Time,
    pub failure_ratio: Spanned<f64>,
}

impl Default for DetectLimits {
    fn default() -> DetectLimits {
        DetectLimits { p95: Time(Duration::from_secs(5)), failure_ratio: unplaced(0.2) }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    Fast,
    Normal,
    Calm,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expose {
    pub listen: SocketAddr,
    pub tls: ListenerTls,
    /// `http://jaeger:16686`: where trace links lead.
    pub jaeger_ui: Option<Spanned<String>>,
    /// Who may write where others than this host can reach the port.
    pub auth: Auth,
}

impl Default for Expose {
    fn default() -> Expose {
        Expose {
            listen: SocketAddr::from(([127, 0, 0, 1], 4316)),
            tls: ListenerTls::default(),
            jaeger_ui: None,
            auth: Auth::default(),
        }
    }
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    pub name: Spanned<String>,
    #[serde(default)]
    pub aliases: Vec<String>,
    #[serde(default)]
    pub hosts: Vec<Spanned<String>>,
    #[serde(default)]
    pub cidrs: Vec<Spanned<String>>,
    #[serde(default)]
    pub ports: Vec<u16>,
    #[serde(default)]
    pub path_prefixes: Vec<Spanned<String>>,
    pub timeout: Option<Time>,
    #[serde(default)]
    pub internal: bool,
    #[serde(default)]
    pub decline_when: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub conversion_operations: Vec<String>,
    #[serde(default)]
    pub operation_from_name: bool,
    pub sensitivity: Option<Sensitivity>,
    /// Hours without calls, e.g. "01:00-05:00 Europe/Moscow".
    #[serde(default)]
    pub expected_silence: Vec<Spanned<String>>,
    #[serde(default)]
    pub mute: bool,
    pub owner: Option<String>,
    pub runbook: Option<String>,
    pub status_page: Option<String>,
}

/// A default stands in no file.
fn unplaced<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}
