//! What the roll-up hands to the store: windows of 10 s whose figures have changed since the last look, and what
//! it takes back after a restart.

use super::counts::Counts;
use super::fold::Fold;
use super::window::{SECONDS, Sum, Window};
use crate::journal::Position;

/// Length of a stored window.
pub const STORED_S: u64 = 10;
/// Windows that leave memory before the store has asked for them, as after a start with much to read again:
/// 20 MiB. More are lost to the store, and counted.
const LEAVING_MAX: usize = 65_536;

/// One provider over [`STORED_S`] seconds: all that is known of them, never a difference, so that writing it twice
/// changes nothing.
#[derive(Debug, Clone)]
pub struct StoredWindow {
    pub provider: String,
    /// Unix second, a multiple of [`STORED_S`].
    pub begin_s: u64,
    pub counts: Counts,
    /// Bucket of [`super::latency`] and count, ascending: durations of ok and declined calls.
    pub answered: Vec<(u16, u64)>,
    /// The same of all other calls.
    pub other: Vec<(u16, u64)>,
    /// Calls that came in more than 30 s after their end.
    pub late: u64,
}

/// What has changed, and how far the journal is part of it. Stored in one transaction.
#[derive(Debug, Clone)]
pub struct Changed {
    pub windows: Vec<StoredWindow>,
    /// Every record before it is in the windows, none after it.
    pub position: Position,
}

/// What was stored before the start, as of one transaction.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// The windows that begin in the 15 minutes before the end of the newest one, of all providers. Calls that
    /// come in late are added to them, and the sums go back to the store.
    pub windows: Vec<StoredWindow>,
    /// Where the journal is read on from; `None` = nothing was stored yet.
    pub position: Option<Position>,
}

/// How far the fold has come, and what the store has still to be told.
#[derive(Debug, Default)]
pub struct Settling {
    /// Somebody stores: nothing leaves memory without being handed over.
    is_stored: bool,
    /// Windows before it are no more; what ended in them is too late.
    floor_s: u64,
    position: Position,
    leaving: Vec<StoredWindow>,
    lost: u64,
}

impl Settling {
    pub fn floor_s(&self) -> u64 {
        self.floor_s
    }

    /// Windows that the store was never told of.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn leave(&mut self, window: StoredWindow) {
        if self.leaving.len() < LEAVING_MAX {
            self.leaving.push(window);
        } else {
            self.lost += 1;
        }
    }
}

impl Fold {
    /// From now on windows are kept for [`Fold::changed`] until it is asked; begins with what was stored.
    pub fn restore(&mut self, restored: Restored) {
        self.settling.is_stored = true;
        self.settling.position = restored.position.unwrap_or_default();
        for stored in restored.windows {
            let Fold { providers, registry, names, .. } = self;
            let Some(at) = providers.by_name(&stored.provider, registry, names) else { continue };
            let provider = providers.at(at);
            provider.window.restore(&stored);
            if stored.counts.of(super::outcome::Outcome::Ok) > 0 {
                provider.last_ok_ns = provider.last_ok_ns.max(stored.begin_s * 1_000_000_000);
            }
        }
    }

    /// The journal is read up to `position`.
    pub fn reached(&mut self, position: Position) {
        self.settling.position = position;
    }

    /// The windows that have changed since this was last asked, with the journal's position that they contain.
    pub fn changed(&mut self) -> Changed {
        self.settling.is_stored = true;
        let mut windows = std::mem::take(&mut self.settling.leaving);
        let sum = &mut self.sum;
        for provider in self.providers.list_mut() {
            take_changed(&provider.name, &mut provider.window, u64::MAX, sum, |window| windows.push(window));
        }
        Changed { windows, position: self.settling.position }
    }

    /// Packs the seconds that are over and forgets those that are too old, after 15 minutes by whole windows.
    pub(super) fn settle(&mut self, now_s: u64) {
        let floor_s = super::window::begin_of(now_s.saturating_sub(SECONDS));
        let Fold { providers, settling, sum, .. } = self;
        let moves = floor_s > settling.floor_s;
        settling.floor_s = settling.floor_s.max(floor_s);
        for provider in providers.list_mut() {
            provider.window.settle(now_s);
            if moves && settling.is_stored {
                take_changed(&provider.name, &mut provider.window, floor_s, sum, |window| {
                    settling.leave(window);
                });
            }
            provider.window.forget(floor_s);
        }
    }
}

fn take_changed(
    provider: &str,
    window: &mut Window,
    to_s: u64,
    sum: &mut Sum,
    mut hand: impl FnMut(StoredWindow),
) {
    for begin_s in window.take_changed(to_s) {
        sum.clear();
        window.sum_into(begin_s, begin_s + STORED_S, sum);
        hand(StoredWindow {
            provider: provider.to_owned(),
            begin_s,
            counts: sum.counts,
            answered: sum.answered.buckets(),
            other: sum.other.buckets(),
            late: sum.late,
        });
    }
}

#[cfg(test)]
#[path = "settled_tests.rs"]
mod tests;
