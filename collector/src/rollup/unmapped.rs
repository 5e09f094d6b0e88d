//! Peers that no rule names, by traffic, so that the operator can give them one.

use std::collections::HashMap;

use super::host::{Host, normalise, registrable};
use super::observed::Name;

/// Peers at a time: more than anybody writes rules for. Further ones are not listed.
const PEERS_MAX: usize = 512;
/// Services named with each.
const SERVICES_MAX: usize = 8;
/// What is counted: the present quarter of an hour and the one before.
const GENERATION_S: u64 = 900;

#[derive(Debug, Clone, Default)]
struct Traffic {
    present: u64,
    before: u64,
    services: Vec<Name>,
}

/// One peer that no rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub host: Name,
    pub calls: u64,
    pub services: Vec<Name>,
}

#[derive(Debug, Default)]
pub struct Unmapped {
    peers: HashMap<Name, Traffic>,
    generation: u64,
}

impl Unmapped {
    pub fn saw(&mut self, host: Name, service: Name, calls: u64) {
        if host == Name::OTHER || self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&host) {
            return;
        }
        let traffic = self.peers.entry(host).or_default();
        traffic.present += calls;
        if traffic.services.len() < SERVICES_MAX
            && service != Name::NONE
            && !traffic.services.contains(&service)
        {
            traffic.services.push(service);
        }
    }

    pub fn tick(&mut self, now_s: u64) {
        let generation = now_s / GENERATION_S;
        if generation > self.generation {
            self.generation = generation;
            for traffic in self.peers.values_mut() {
                traffic.before = std::mem::take(&mut traffic.present);
            }
            self.peers.retain(|_, traffic| traffic.before > 0);
        }
    }

    /// There are other rules now.
    pub fn clear(&mut self) {
        self.peers.clear();
    }

    /// The busiest first.
    pub fn list(&self) -> Vec<Peer> {
        let peer = |(host, traffic): (&Name, &Traffic)| Peer {
            host: *host,
            calls: traffic.present + traffic.before,
            services: traffic.services.clone(),
        };
        let mut peers: Vec<Peer> = self.peers.iter().map(peer).collect();
        peers.sort_by_key(|peer| (u64::MAX - peer.calls, peer.host));
        peers
    }
}

/// The `[[provider]]` table to paste for a peer that no rule names.
pub fn rule(host: &Host) -> String {
    let (name, key, value) = match host {
        Host::Name(name) if host.is_internal() => (label(name), "hosts", name.clone()),
        Host::Name(name) => (label(registrable(name)), "hosts", format!("*.{}", registrable(name))),
        Host::Ip(ip) => (
            normalise(&ip.to_string().replace(':', "-")),
            "cidrs",
            format!("{ip}/{}", if ip.is_ipv4() { 32 } else { 128 }),
        ),
    };
    format!("[[provider]]\nname = \"{name}\"\n{key} = [\"{value}\"]")
}

/// The first label of a domain that says something.
fn label(domain: &str) -> String {
    let mut names = domain.split('.').map(normalise);
    names.find(|name| !name.is_empty()).unwrap_or_else(|| "provider".to_owned())
}
