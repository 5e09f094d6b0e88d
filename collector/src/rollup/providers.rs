//! The providers of the board and who gets a place there: those of the registry always, others while there is
//! room, and then those with much traffic in place of those with little.

use std::collections::HashMap;

use super::cache::{Cache, Target};
use super::environment::Environments;
use super::heavy::Heaviest;
use super::name::{self, Because, Clues, Who};
use super::names::NameTable;
use super::observed::Name;
use super::operations::Operations;
use super::provider::Provider;
use super::registry::Registry;
use super::totals::Counters;

/// Where providers beyond the limit are counted.
const OTHER: &str = "_other";
/// A newcomer must have twice the calls of the one whose place it takes, and some, or they would take turns.
const NEWCOMER_FACTOR: u64 = 2;
const NEWCOMER_CALLS_MIN: u64 = 10;
/// Newcomers counted at a time; each is a text.
const NEWCOMERS_MAX: usize = 256;

#[derive(Debug)]
pub struct Providers {
    pub(super) list: Vec<Provider>,
    pub(super) names: NameTable,
    pub(super) environments: Environments,
    by_name: HashMap<String, usize>,
    cache: Cache,
    max: usize,
    operations_max: usize,
    /// Calls of the last minute of those that are counted in `_other`.
    newcomers: Heaviest<String>,
    /// Providers that gave their place to a newcomer.
    pub replaced: u64,
}

impl Providers {
    pub fn new(max: usize, operations_max: usize, production: &[String]) -> Providers {
        Providers {
            list: Vec::new(),
            names: NameTable::default(),
            environments: Environments::new(production),
            by_name: HashMap::new(),
            cache: Cache::default(),
            max,
            operations_max,
            newcomers: Heaviest::new(NEWCOMERS_MAX),
            replaced: 0,
        }
    }

    #[inline]
    pub fn at(&mut self, at: usize) -> &mut Provider {
        &mut self.list[at]
    }

    pub fn find(&self, name: &str) -> Option<&Provider> {
        self.by_name.get(name).map(|&at| &self.list[at])
    }

    /// Places for the registry's own, which are on the board before their first call.
    pub fn reserve(&mut self, registry: &Registry) {
        for (table, provider) in registry.providers().iter().enumerate() {
            if !provider.internal && !self.by_name.contains_key(&provider.name) {
                self.insert(provider.name.clone(), Some(table), true, registry);
            }
        }
    }

    /// Where a call with these clues is counted.
    #[inline]
    pub fn target(&mut self, clues: &Clues<'_>, environment: u8, registry: &Registry) -> Target {
        self.cache.find(environment, clues).unwrap_or_else(|| self.new_target(clues, environment, registry))
    }

    fn new_target(&mut self, clues: &Clues<'_>, environment: u8, registry: &Registry) -> Target {
        let named = name::name(clues, registry);
        let provider = self.admit(&named.who, environment, registry);
        let endpoint = clues.endpoint();
        let target = Target {
            provider,
            endpoint: endpoint.map_or(Name::NONE, |endpoint| self.names.free(endpoint.as_bytes())),
            unmapped: match &named.because {
                Because::RegistrableDomain(host) | Because::PublicNetwork(host) if provider.is_some() => {
                    Some(self.names.free(host.to_string().as_bytes()))
                }
                _ => None,
            },
            conflict: named.conflict,
        };
        // Who is in `_other` is looked up each time, so that its calls are counted to its name.
        if provider.is_none_or(|at| self.list[at].name != OTHER) {
            self.cache.remember(target);
        }
        target
    }

    /// The place of a provider; a new one takes the next while there is room, then `_other` is all there is.
    fn admit(&mut self, who: &Who, environment: u8, registry: &Registry) -> Option<usize> {
        let (name, table) = match who {
            Who::Internal => return None,
            Who::Discovered(name) => (name, None),
            Who::Registered(table) => (&registry.provider(*table).name, Some(*table)),
        };
        let name = self.environments.qualify(name, environment);
        Some(self.place(name, table, table.is_some() && environment == 0, registry))
    }

    /// The place of a provider by the name that it has on the board. `None`: the registry says it is internal.
    pub fn by_name(&mut self, name: &str, registry: &Registry) -> Option<usize> {
        if let Some(&at) = self.by_name.get(name) {
            return Some(at);
        }
        let (base, environment) = split_environment(name);
        let table = registry.by_name(base).map(|found| found.provider);
        if table.is_some_and(|table| registry.provider(table).internal) {
            return None;
        }
        let base = table.map_or(base, |table| &registry.provider(table).name);
        let name = environment.map_or_else(|| base.to_owned(), |environment| format!("{base}@{environment}"));
        Some(self.place(name, table, table.is_some() && environment.is_none(), registry))
    }

    fn place(&mut self, name: String, table: Option<usize>, stays: bool, registry: &Registry) -> usize {
        if let Some(&at) = self.by_name.get(&name) {
            return at;
        }
        let taken = self.list.len() - usize::from(self.by_name.contains_key(OTHER));
        if stays || taken < self.max || name == OTHER {
            return self.insert(name, table, stays, registry);
        }
        self.newcomers.add(name, 1);
        match self.by_name.get(OTHER) {
            Some(&at) => at,
            None => self.insert(OTHER.to_owned(), None, false, registry),
        }
    }

    fn insert(&mut self, name: String, table: Option<usize>, stays: bool, registry: &Registry) -> usize {
        let conversion = table.map(|table| registry.provider(table).conversion_operations.clone());
        let operations = Operations::new(self.operations_max, conversion.unwrap_or_default());
        self.by_name.insert(name.clone(), self.list.len());
        let counters = Counters::new(table.and_then(|table| registry.provider(table).timeout));
        self.list.push(Provider::new(self.names.reserved(&name), name, table, stays, operations, counters));
        self.list.len() - 1
    }

    /// Once a second: who has no call that is still known goes, but for the registry's own, and so does the
    /// lightest other where a newcomer has more traffic. Who goes is handed to `leave` first.
    pub fn tick(&mut self, now_s: u64, leave: impl FnMut(&mut Provider, &NameTable)) {
        self.newcomers.tick(now_s);
        let before = self.list.len();
        self.list.retain(|provider| provider.stays || !provider.is_idle());
        let replaced = self.replace_lightest(now_s, leave);
        if replaced || self.list.len() < before {
            self.moved();
        }
    }

    fn replace_lightest(&mut self, now_s: u64, mut leave: impl FnMut(&mut Provider, &NameTable)) -> bool {
        let Some((name, newcomer)) = self.newcomers.list().into_iter().next() else { return false };
        let calls = |provider: &Provider| provider.window.counts(now_s.saturating_sub(60), u64::MAX).calls();
        let others = self.list.iter().enumerate().filter(|(_, own)| !own.stays && own.name != OTHER);
        let Some((lightest, at)) = others.map(|(at, own)| (calls(own), at)).min() else { return false };
        if newcomer < NEWCOMER_CALLS_MIN.max(lightest * NEWCOMER_FACTOR) {
            return false;
        }
        leave(&mut self.list[at], &self.names);
        self.list.remove(at);
        self.newcomers.remove(&name);
        self.replaced += 1;
        true
    }

    /// The registry is another one.
    pub fn reload(&mut self, registry: &Registry) {
        for provider in &mut self.list {
            let (base, environment) = split_environment(&provider.name);
            let found = registry.providers().iter().position(|table| table.name == base && !table.internal);
            provider.registered = found;
            provider.stays = found.is_some() && environment.is_none();
            let conversion = found.map(|table| registry.provider(table).conversion_operations.clone());
            provider.operations.convert(conversion.unwrap_or_default());
            provider.counters.set_timeout(found.and_then(|table| registry.provider(table).timeout));
        }
        self.moved();
        self.reserve(registry);
    }

    fn moved(&mut self) {
        self.cache.clear();
        let names = self.list.iter().enumerate();
        self.by_name = names.map(|(at, provider)| (provider.name.clone(), at)).collect();
    }
}

/// `sberbank@staging` is sberbank in staging.
fn split_environment(name: &str) -> (&str, Option<&str>) {
    name.split_once('@').map_or((name, None), |(base, environment)| (base, Some(environment)))
}
