//! Which provider a peer is by the operator's rules: exact host, longest suffix, CIDR, port, path prefix, alias.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

use super::host::{Host, normalise};

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

/// Where a peer is, as far as rules care.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    pub port: Option<u16>,
    /// Without query and fragment.
    pub path: &'a str,
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Index into [`Config::providers`].
    pub provider: usize,
    pub rule: Rule,
}

/// What of a `[[provider]]` table matched; what `spanmill explain` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    Name(String),
    Alias(String),
    Host(String),
    Suffix(String),
    Cidr(IpNet),
    /// A table with only `ports` or `path_prefixes`: any host.
    AnyHost,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Name(name) => write!(f, "its name is {name:?}"),
            Rule::Alias(alias) => write!(f, "aliases has {alias:?}"),
            Rule::Host(host) => write!(f, "hosts has {host:?}"),
            Rule::Suffix(suffix) => write!(f, "hosts has \"*.{suffix}\""),
            Rule::Cidr(net) => write!(f, "cidrs has \"{net}\""),
            Rule::AnyHost => write!(f, "its ports and path_prefixes match, and it names no host"),
        }
    }
}

/// The rules, indexed.
#[derive(Debug)]
pub struct Registry {
    providers: Vec<Provider>,
    exact: HashMap<String, Vec<Condition>>,
    suffixes: HashMap<String, Vec<Condition>>,
    /// Longest network first.
    cidrs: Vec<(IpNet, Condition)>,
    any_host: Vec<Condition>,
    /// Names and aliases, as written in lower case and normalised.
    names: HashMap<String, Match>,
    path_prefixes: Vec<String>,
}

/// What a rule asks beside the host. The order of a list of these is the order in which they are tried.
#[derive(Debug, Clone)]
struct Condition {
    provider: usize,
    ports: Vec<u16>,
    /// Empty = any path.
    path_prefix: String,
}

impl Registry {
    pub fn new(config: Config) -> Registry {
        let mut registry = Registry {
            providers: Vec::new(),
            exact: HashMap::new(),
            suffixes: HashMap::new(),
            cidrs: Vec::new(),
            any_host: Vec::new(),
            names: HashMap::new(),
            path_prefixes: Vec::new(),
        };
        for (index, provider) in config.providers.iter().enumerate() {
            registry.add(index, provider);
        }
        for conditions in registry.exact.values_mut().chain(registry.suffixes.values_mut()) {
            conditions.sort_by_key(Condition::breadth);
        }
        registry.any_host.sort_by_key(Condition::breadth);
        registry.cidrs.sort_by_key(|(net, condition)| (128 - net.prefix_len(), condition.breadth()));
        // Names before aliases, whatever the order of the tables; of two equal aliases the first table has it.
        for (provider, table) in config.providers.iter().enumerate() {
            registry.name(&table.name, provider, &Rule::Name(table.name.clone()));
        }
        for (provider, table) in config.providers.iter().enumerate() {
            for alias in &table.aliases {
                registry.name(alias, provider, &Rule::Alias(alias.clone()));
            }
        }
        registry.providers = config.providers;
        registry
    }

    fn add(&mut self, index: usize, provider: &Provider) {
        let any_path = [String::new()];
        let prefixes =
            if provider.path_prefixes.is_empty() { &any_path[..] } else { &provider.path_prefixes };
        for path_prefix in prefixes {
            let condition = || Condition {
                provider: index,
                ports: provider.ports.clone(),
                path_prefix: path_prefix.clone(),
            };
            for host in &provider.hosts {
                match host.strip_prefix("*.") {
                    Some(suffix) => self.suffixes.entry(suffix.to_lowercase()).or_default().push(condition()),
                    None => self.exact.entry(host.to_lowercase()).or_default().push(condition()),
                }
            }
            self.cidrs.extend(provider.cidrs.iter().map(|net| (*net, condition())));
            let names_no_host = provider.hosts.is_empty() && provider.cidrs.is_empty();
            if names_no_host && !(provider.ports.is_empty() && path_prefix.is_empty()) {
                self.any_host.push(condition());
            }
            if !path_prefix.is_empty() && !self.path_prefixes.contains(path_prefix) {
                self.path_prefixes.push(path_prefix.clone());
            }
        }
    }

    fn name(&mut self, name: &str, provider: usize, rule: &Rule) {
        for key in [name.to_lowercase(), normalise(name)] {
            if !key.is_empty() {
                self.names.entry(key).or_insert_with(|| Match { provider, rule: rule.clone() });
            }
        }
    }

    pub fn provider(&self, index: usize) -> &Provider {
        &self.providers[index]
    }

    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    pub fn has_cidrs(&self) -> bool {
        !self.cidrs.is_empty()
    }

    /// The provider with this name or alias.
    pub fn by_name(&self, name: &str) -> Option<Match> {
        self.names.get(&name.to_lowercase()).or_else(|| self.names.get(&normalise(name))).cloned()
    }

    /// The provider of this peer: exact host, longest suffix, longest network, then tables without a host.
    ///
    /// `*.bank.example` also matches `bank.example`: who writes it means all of the bank. Within one pattern
    /// the table with the longest path prefix wins, then one that names ports, then the earlier one.
    pub fn by_host(&self, host: &Host, place: Place<'_>) -> Option<Match> {
        let by_pattern = match host {
            Host::Name(name) => self.by_host_name(name, place),
            Host::Ip(ip) => self.by_pattern(&self.exact, &ip.to_string(), place, Rule::Host).or_else(|| {
                let mut matching = self.cidrs.iter().filter(|(net, _)| net.contains(ip));
                let (net, condition) = matching.find(|(_, condition)| condition.holds(place))?;
                Some(Match { provider: condition.provider, rule: Rule::Cidr(*net) })
            }),
        };
        by_pattern.or_else(|| {
            let condition = self.any_host.iter().find(|condition| condition.holds(place))?;
            Some(Match { provider: condition.provider, rule: Rule::AnyHost })
        })
    }

    fn by_host_name(&self, name: &str, place: Place<'_>) -> Option<Match> {
        let suffixes = std::iter::successors(Some(name), |name| Some(name.split_once('.')?.1));
        self.by_pattern(&self.exact, name, place, Rule::Host).or_else(|| {
            suffixes.filter_map(|suffix| self.by_pattern(&self.suffixes, suffix, place, Rule::Suffix)).next()
        })
    }

    fn by_pattern(
        &self,
        patterns: &HashMap<String, Vec<Condition>>,
        pattern: &str,
        place: Place<'_>,
        rule: fn(String) -> Rule,
    ) -> Option<Match> {
        let condition = patterns.get(pattern)?.iter().find(|condition| condition.holds(place))?;
        Some(Match { provider: condition.provider, rule: rule(pattern.to_owned()) })
    }

    /// The longest path prefix of any rule that `path` has, or nothing: all that rules can tell of a path.
    pub fn path_class(&self, path: &[u8]) -> &str {
        let matching = self.path_prefixes.iter().filter(|prefix| has_prefix(path, prefix.as_bytes()));
        matching.max_by_key(|prefix| prefix.len()).map_or("", String::as_str)
    }
}

impl Condition {
    fn holds(&self, place: Place<'_>) -> bool {
        let port_fits = self.ports.is_empty() || place.port.is_some_and(|port| self.ports.contains(&port));
        port_fits && has_prefix(place.path.as_bytes(), self.path_prefix.as_bytes())
    }

    /// Smaller is more particular, so tried earlier.
    fn breadth(&self) -> (usize, bool, usize) {
        (usize::MAX - self.path_prefix.len(), self.ports.is_empty(), self.provider)
    }
}

/// Whole segments: `/pay` is a prefix of `/pay` and `/pay/card`, not of `/payments`.
fn has_prefix(path: &[u8], prefix: &[u8]) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => {
            let at_boundary = matches!(rest.first(), None | Some(b'/' | b'?' | b'#'));
            at_boundary || prefix.is_empty() || prefix.ends_with(b"/")
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{provider, texts};
    use super::*;

    fn registry() -> Registry {
        Registry::new(Config {
            providers: vec![
                Provider {
                    hosts: texts(&["*.sberbank.ru"]),
                    aliases: texts(&["Сбербанк", "sber"]),
                    ..provider("sberbank")
                },
                Provider { hosts: texts(&["3ds.sberbank.ru", "*.acs.sberbank.ru"]), ..provider("sber-3ds") },
                Provider { hosts: texts(&["gate.example"]), ports: vec![8443], ..provider("gate-admin") },
                Provider { hosts: texts(&["gate.example"]), ..provider("gate") },
                Provider {
                    hosts: texts(&["gate.example"]),
                    path_prefixes: texts(&["/visa", "/visa/3ds/"]),
                    ..provider("gate-visa")
                },
                Provider { cidrs: vec!["203.0.113.0/24".parse().unwrap()], ..provider("bank-link") },
                Provider {
                    cidrs: vec!["203.0.113.64/26".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
                    ..provider("bank-vip")
                },
                Provider { hosts: texts(&["198.51.100.7"]), ..provider("one-host") },
                Provider { ports: vec![15000], ..provider("by-port") },
                Provider { name: "sber".into(), ..Provider::default() },
            ],
        })
    }

    #[test]
    fn the_most_particular_rule_names_the_peer() {
        let registry = registry();
        let check = |host: &str, port: u16, path: &str, want: &str, rule: &str| {
            let host = Host::parse(host.as_bytes()).unwrap();
            let place = Place { port: Some(port).filter(|&port| port > 0), path };
            let found = registry.by_host(&host, place);
            let name = found.as_ref().map_or("-", |found| &registry.provider(found.provider).name);
            assert_eq!(name, want, "{host}:{port}{path}");
            assert_eq!(
                found.map_or(String::new(), |found| found.rule.to_string()),
                rule,
                "{host}:{port}{path}"
            );
        };
        check("api.sberbank.ru", 0, "", "sberbank", "hosts has \"*.sberbank.ru\"");
        check("a.b.SBERBANK.ru.", 0, "", "sberbank", "hosts has \"*.sberbank.ru\"");
        check("sberbank.ru", 0, "", "sberbank", "hosts has \"*.sberbank.ru\"");
        check("notsberbank.ru", 0, "", "-", "");
        check("sberbank.ru.evil.example", 0, "", "-", "");
        check("3ds.sberbank.ru", 0, "", "sber-3ds", "hosts has \"3ds.sberbank.ru\"");
        check("x.acs.sberbank.ru", 0, "", "sber-3ds", "hosts has \"*.acs.sberbank.ru\"");
        check("gate.example", 443, "/", "gate", "hosts has \"gate.example\"");
        check("gate.example", 8443, "/", "gate-admin", "hosts has \"gate.example\"");
        check("gate.example", 443, "/visa", "gate-visa", "hosts has \"gate.example\"");
        check("gate.example", 8443, "/visa/pay", "gate-visa", "hosts has \"gate.example\"");
        check("gate.example", 443, "/visas", "gate", "hosts has \"gate.example\"");
        check("203.0.113.1", 0, "", "bank-link", "cidrs has \"203.0.113.0/24\"");
        check("203.0.113.70", 0, "", "bank-vip", "cidrs has \"203.0.113.64/26\"");
        check("::ffff:203.0.113.70", 0, "", "bank-vip", "cidrs has \"203.0.113.64/26\"");
        check("2001:db8::1", 0, "", "bank-vip", "cidrs has \"2001:db8::/32\"");
        check("198.51.100.7", 0, "", "one-host", "hosts has \"198.51.100.7\"");
        check("127.0.0.1", 15000, "", "by-port", "its ports and path_prefixes match, and it names no host");
        check("127.0.0.1", 15001, "", "-", "");
    }

    #[test]
    fn names_win_over_aliases_and_case_does_not_matter() {
        let registry = registry();
        let check = |name: &str, want: &str| {
            let found = registry.by_name(name).map(|found| registry.provider(found.provider).name.clone());
            assert_eq!(found.as_deref().unwrap_or("-"), want, "{name}");
        };
        check("SberBank", "sberbank");
        check("Сбербанк", "sberbank");
        check("СБЕРБАНК", "sberbank");
        check("sber", "sber");
        check("Gate Visa", "gate-visa");
        check("other", "-");
    }

    #[test]
    fn a_path_is_only_its_longest_prefix_of_a_rule() {
        let registry = registry();
        let check = |path: &str, want: &str| assert_eq!(registry.path_class(path.as_bytes()), want, "{path}");
        check("/visa/3ds/1?card=4111", "/visa/3ds/");
        check("/visa/pay/4111111111111111", "/visa");
        check("/visa/3dsx", "/visa");
        check("/visa?pan=4111111111111111", "/visa");
        check("/other", "");
    }
}
