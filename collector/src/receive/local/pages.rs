//! All open-call pages of this host, looked at once a second.
//!
//! A page stays as long as its process lives, also when the connection that brought it is gone: only a process that
//! is dead has left its calls for good. Bounded in pages, in bytes copied and in calls.

use std::collections::HashMap;

use bytes::Bytes;

use super::page::{Copies, Look, Page, Peer};
use crate::receive::in_flight::Process;

/// Pages held: one for each connection that the socket takes.
pub const PAGES_MAX: usize = super::CONNECTIONS_MAX;
/// Bytes copied in one look at all of them: 40 pages that are full to the last of 4,096 slots, or thousands of real
/// ones. What does not fit is looked at first the next time.
const COPIED_BYTES_MAX: usize = 64 << 20;
/// Calls in flight that are told of at once; a host with 300 workers has 300.
const CALLS_MAX: usize = 65_536;

#[derive(Debug)]
struct Known {
    number: u64,
    page: Page,
    peer: Option<Peer>,
    resource: Bytes,
    /// The connection that announced it last; `None` once that has ended.
    connection: Option<u64>,
    overflows: u64,
}

#[derive(Debug, Default)]
pub struct Pages {
    known: HashMap<(u64, u64), Known>,
    copies: Copies,
    /// Where the next look begins, so that each gets its turn when the bounds are reached.
    begin: u64,
    last_number: u64,
}

/// What a look at all pages has found.
#[derive(Debug, Default)]
pub struct Seen {
    pub alive: Vec<Process>,
    /// Processes that have died since the last look, with the calls that were in flight when they did.
    pub dead: Vec<Process>,
    /// Calls that found no free slot on their page.
    pub overflows: u64,
    /// Pages that were passed over: a bound was reached.
    pub skipped: u64,
    /// Pages that are none any more.
    pub broken: u64,
}

impl Pages {
    /// A connection has announced a page. False where there is no room for another one.
    pub fn announce(&mut self, page: Page, peer: Option<Peer>, resource: Bytes, connection: u64) -> bool {
        let inode = page.inode;
        if let Some(known) = self.known.get_mut(&inode) {
            // It has connected again.
            (known.peer, known.resource, known.connection) = (peer, resource, Some(connection));
            return true;
        }
        // One page for each connection: a second one takes the place of the first.
        self.known.retain(|_, known| known.connection != Some(connection));
        if self.known.len() >= PAGES_MAX {
            return false;
        }
        self.last_number += 1;
        let number = self.last_number;
        let connection = Some(connection);
        self.known.insert(inode, Known { number, page, peer, resource, connection, overflows: 0 });
        true
    }

    /// A connection has ended; its process may live on.
    pub fn disconnected(&mut self, connection: u64) {
        for known in self.known.values_mut() {
            if known.connection == Some(connection) {
                known.connection = None;
            }
        }
    }

    /// Looks at all pages, and forgets those of dead processes.
    pub fn look(&mut self) -> Seen {
        let mut seen = Seen::default();
        let (mut calls, mut bytes) = (0, 0);
        let mut turns: Vec<_> = self.known.iter().map(|(inode, known)| (known.number, *inode)).collect();
        turns.sort_unstable_by_key(|(number, _)| (*number < self.begin, *number));
        for (number, inode) in turns {
            let known = self.known.get_mut(&inode).expect("nobody has taken it out meanwhile");
            if bytes >= COPIED_BYTES_MAX || calls >= CALLS_MAX {
                if seen.skipped == 0 {
                    self.begin = number;
                }
                seen.skipped += 1;
                continue;
            }
            // Asked first: what is read then is what a dead process has left.
            let is_dead = known.peer.as_ref().map_or(known.connection.is_none(), Peer::is_dead);
            match known.page.look(&mut self.copies) {
                Ok(look) => {
                    bytes += look.bytes;
                    calls += look.calls.len();
                    seen.add(known, look, is_dead);
                }
                Err(refused) => {
                    tracing::debug!("open-call page {number}: {refused}");
                    seen.broken += 1;
                    self.known.remove(&inode);
                    continue;
                }
            }
            if is_dead {
                self.known.remove(&inode);
            }
        }
        seen
    }
}

impl Seen {
    fn add(&mut self, known: &mut Known, look: Look, is_dead: bool) {
        self.overflows += look.overflows.saturating_sub(known.overflows).min(u64::from(u32::MAX));
        known.overflows = look.overflows;
        if look.calls.is_empty() && is_dead {
            return;
        }
        let process = Process { number: known.number, resource: known.resource.clone(), calls: look.calls };
        if is_dead { self.dead.push(process) } else { self.alive.push(process) }
    }
}
