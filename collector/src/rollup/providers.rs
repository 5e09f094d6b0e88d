//! The providers of the board and who gets a place there: those of the registry always, others while there is
//! room.

use std::collections::HashMap;

use super::environment::Environments;
use super::name::Who;
use super::names::NameTable;
use super::operations::Operations;
use super::provider::Provider;
use super::registry::Registry;

/// Where providers beyond the limit are counted.
const OTHER: &str = "_other";

#[derive(Debug)]
pub struct Providers {
    list: Vec<Provider>,
    by_name: HashMap<String, usize>,
    max: usize,
    operations_max: usize,
}

impl Providers {
    pub fn new(max: usize, operations_max: usize) -> Providers {
        Providers { list: Vec::new(), by_name: HashMap::new(), max, operations_max }
    }

    pub fn list(&self) -> &[Provider] {
        &self.list
    }

    pub fn list_mut(&mut self) -> &mut [Provider] {
        &mut self.list
    }

    #[inline]
    pub fn at(&mut self, at: usize) -> &mut Provider {
        &mut self.list[at]
    }

    pub fn find(&self, name: &str) -> Option<&Provider> {
        self.by_name.get(name).map(|&at| &self.list[at])
    }

    /// Places for the registry's own, which are on the board before their first call.
    pub fn reserve(&mut self, registry: &Registry, names: &mut NameTable) {
        for (table, provider) in registry.providers().iter().enumerate() {
            if !provider.internal && !self.by_name.contains_key(&provider.name) {
                self.insert(provider.name.clone(), Some(table), true, registry, names);
            }
        }
    }

    /// The place of a provider; a new one takes the next while there is room, then `_other` is all there is.
    pub fn admit(
        &mut self,
        who: &Who,
        environment: u8,
        environments: &Environments,
        registry: &Registry,
        names: &mut NameTable,
    ) -> Option<usize> {
        let (name, table) = match who {
            Who::Internal => return None,
            Who::Discovered(name) => (name, None),
            Who::Registered(table) => (&registry.provider(*table).name, Some(*table)),
        };
        let name = environments.qualify(name, environment);
        let stays = table.is_some() && environment == 0;
        Some(self.place(name, table, stays, registry, names))
    }

    /// The place of a provider by the name that it has on the board. `None`: the registry says it is internal.
    pub fn by_name(&mut self, name: &str, registry: &Registry, names: &mut NameTable) -> Option<usize> {
        if let Some(&at) = self.by_name.get(name) {
            return Some(at);
        }
        let (base, environment) = name.split_once('@').map_or((name, None), |(base, own)| (base, Some(own)));
        let table = registry.by_name(base).map(|found| found.provider);
        if table.is_some_and(|table| registry.provider(table).internal) {
            return None;
        }
        let base = table.map_or(base, |table| &registry.provider(table).name);
        let name = environment.map_or_else(|| base.to_owned(), |environment| format!("{base}@{environment}"));
        Some(self.place(name, table, table.is_some() && environment.is_none(), registry, names))
    }

    fn place(
        &mut self,
        name: String,
        table: Option<usize>,
        stays: bool,
        registry: &Registry,
        names: &mut NameTable,
    ) -> usize {
        if let Some(&at) = self.by_name.get(&name) {
            return at;
        }
        if stays || self.list.len() < self.max {
            return self.insert(name, table, stays, registry, names);
        }
        match self.by_name.get(OTHER) {
            Some(&at) => at,
            None => self.insert(OTHER.to_owned(), None, false, registry, names),
        }
    }

    fn insert(
        &mut self,
        name: String,
        registered: Option<usize>,
        stays: bool,
        registry: &Registry,
        names: &mut NameTable,
    ) -> usize {
        let conversion = registered.map(|table| registry.provider(table).conversion_operations.clone());
        self.by_name.insert(name.clone(), self.list.len());
        self.list.push(Provider {
            label: names.reserved(&name),
            name,
            registered,
            stays,
            operations: Operations::new(self.operations_max, conversion.unwrap_or_default()),
            window: Default::default(),
            counters: Default::default(),
            carry: Default::default(),
            last_ok_ns: 0,
        });
        self.list.len() - 1
    }

    /// Those without a call that is still known go, but for the registry's; true when places have moved.
    pub fn forget_idle(&mut self) -> bool {
        let before = self.list.len();
        self.list.retain(|provider| provider.stays || !provider.window.is_empty());
        if self.list.len() == before {
            return false;
        }
        let names = self.list.iter().enumerate();
        self.by_name = names.map(|(at, provider)| (provider.name.clone(), at)).collect();
        true
    }
}
