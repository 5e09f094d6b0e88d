//! Which provider a peer is: the operator's rules first, then what can be told from the host itself.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

/// The `[[provider]]` tables, validated.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub providers: Vec<Provider>,
}

/// One `[[provider]]` table.
#[derive(Debug, Clone, Default)]
pub struct Provider {
    pub name: String,
    pub aliases: Vec<String>,
    /// Exact hosts, or `*.suffix`.
    pub hosts: Vec<String>,
    pub cidrs: Vec<IpNet>,
    /// Empty = any port.
    pub ports: Vec<u16>,
    /// Empty = any path.
    pub path_prefixes: Vec<String>,
    pub timeout: Option<Duration>,
    pub internal: bool,
    /// Attribute → values that make an otherwise successful call a decline.
    pub decline_when: BTreeMap<String, Vec<String>>,
    pub conversion_operations: Vec<String>,
    pub operation_from_name: bool,
    pub mute: bool,
    pub owner: Option<String>,
    pub runbook: Option<String>,
    pub status_page: Option<String>,
}
