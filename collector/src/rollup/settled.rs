//! What the roll-up hands to the store: windows of 10 s whose figures have changed since the last look, and what
//! it takes back after a restart.

use super::breakdown::{MINUTE_S, minute_of};
use super::counts::Counts;
use super::dimension::{Dimension, RowSum};
use super::fold::Fold;
use super::names::NameTable;
use super::provider::Provider;
use super::window::{SECONDS, Sum, begin_of};
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

/// One key of one provider over a minute: all that is known of it.
#[derive(Debug, Clone)]
pub struct StoredBreakdown {
    pub provider: String,
    pub by: Dimension,
    /// `_other` = the keys that have no row of their own.
    pub key: String,
    /// Unix second, a multiple of 60.
    pub begin_s: u64,
    pub counts: Counts,
    /// As [`StoredWindow::answered`].
    pub answered: Vec<(u16, u64)>,
}

/// What has changed, and how far the journal is part of it. Stored in one transaction.
#[derive(Debug, Clone)]
pub struct Changed {
    pub windows: Vec<StoredWindow>,
    pub breakdowns: Vec<StoredBreakdown>,
    /// Every record before it is in the windows, none after it.
    pub position: Position,
}

/// What was stored before the start, as of one transaction.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// The windows that begin in the 15 minutes before the end of the newest one, of all providers. Calls that
    /// come in late are added to them, and the sums go back to the store.
    pub windows: Vec<StoredWindow>,
    /// The minutes that any of these seconds are in.
    pub breakdowns: Vec<StoredBreakdown>,
    /// Where the journal is read on from; `None` = nothing was stored yet.
    pub position: Option<Position>,
    /// Unix second in which it was stored; 0 = nothing was. What was rolled up before it is in the windows.
    pub at_s: u64,
}

/// How far the fold has come, and what the store has still to be told.
#[derive(Debug, Default)]
pub struct Settling {
    /// Somebody stores: nothing leaves memory without being handed over.
    is_stored: bool,
    /// Windows before it are no more; what ended in them is too late.
    floor_s: u64,
    position: Position,
    leaving: Leaving,
    lost: u64,
    row: RowSum,
}

#[derive(Debug, Default)]
struct Leaving {
    windows: Vec<StoredWindow>,
    breakdowns: Vec<StoredBreakdown>,
}

impl Settling {
    pub fn floor_s(&self) -> u64 {
        self.floor_s
    }

    /// Windows that the store was never told of.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes what has changed of a provider before `to_s`.
    fn take(&mut self, provider: &mut Provider, names: &NameTable, to_s: u64, sum: &mut Sum) {
        for begin_s in provider.window.take_changed(to_s) {
            if self.leaving.windows.len() == LEAVING_MAX {
                self.lost += 1;
                continue;
            }
            sum.clear();
            provider.window.sum_into(begin_s, begin_s + STORED_S, sum);
            self.leaving.windows.push(StoredWindow {
                provider: provider.name.clone(),
                begin_s,
                counts: sum.counts,
                answered: sum.answered.buckets(),
                other: sum.other.buckets(),
                late: sum.late,
            });
        }
        for by in Dimension::ALL {
            for (key, begin_s) in provider.breakdown.of_mut(by).take_changed(minute_of(to_s)) {
                provider.breakdown.of(by).sum_into(key, begin_s, begin_s + MINUTE_S, &mut self.row);
                let (counts, answered) = (self.row.counts, self.row.answered.buckets());
                self.leave_row(provider, by, names.text(key), begin_s, counts, answered);
            }
        }
    }

    fn leave_row(
        &mut self,
        provider: &Provider,
        by: Dimension,
        key: &str,
        begin_s: u64,
        counts: Counts,
        answered: Vec<(u16, u64)>,
    ) {
        if self.leaving.breakdowns.len() == LEAVING_MAX {
            self.lost += 1;
            return;
        }
        let (provider, key) = (provider.name.clone(), key.to_owned());
        self.leaving.breakdowns.push(StoredBreakdown { provider, by, key, begin_s, counts, answered });
    }

    /// Rows for the heaviest sources of bad calls. What loses its row goes on in the other one, so its minutes
    /// are told again, as nothing.
    fn replace_rows(&mut self, provider: &mut Provider, names: &NameTable, now_s: u64) {
        for by in Dimension::ALL {
            let Some((key, minutes)) = provider.breakdown.of_mut(by).replace_lightest(now_s) else {
                continue;
            };
            let minutes = if self.is_stored { minutes } else { Vec::new() };
            for begin_s in minutes {
                self.leave_row(provider, by, names.text(key), begin_s, Counts::default(), Vec::new());
            }
        }
    }
}

impl Fold {
    /// From now on windows are kept for [`Fold::changed`] until it is asked; begins with what was stored.
    pub fn restore(&mut self, restored: Restored) {
        self.settling.is_stored = true;
        self.settling.position = restored.position.unwrap_or_default();
        for stored in restored.windows {
            let Some(at) = self.providers.by_name(&stored.provider, &self.registry) else { continue };
            let provider = self.providers.at(at);
            provider.window.restore(&stored);
            if stored.counts.of(super::outcome::Outcome::Ok) > 0 {
                provider.last_ok_ns = provider.last_ok_ns.max(stored.begin_s * 1_000_000_000);
            }
        }
        for stored in restored.breakdowns {
            let Some(at) = self.providers.by_name(&stored.provider, &self.registry) else { continue };
            let key = match stored.by {
                Dimension::Operation => self.providers.names.reserved(&stored.key),
                _ => self.providers.names.free(stored.key.as_bytes()),
            };
            let keys = self.providers.at(at).breakdown.of_mut(stored.by);
            keys.restore(key, stored.begin_s, &stored.counts, &stored.answered);
        }
    }

    /// The journal is read up to `position`.
    pub fn reached(&mut self, position: Position) {
        self.settling.position = position;
    }

    /// The windows that have changed since this was last asked, with the journal's position that they contain.
    pub fn changed(&mut self) -> Changed {
        let Fold { providers, settling, sum, .. } = self;
        settling.is_stored = true;
        for provider in &mut providers.list {
            settling.take(provider, &providers.names, u64::MAX, sum);
        }
        let Leaving { windows, breakdowns } = std::mem::take(&mut settling.leaving);
        Changed { windows, breakdowns, position: settling.position }
    }

    /// Packs the seconds that are over and forgets those that are too old, after 15 minutes by whole windows.
    pub(super) fn settle(&mut self, now_s: u64) {
        let floor_s = begin_of(now_s.saturating_sub(SECONDS));
        let Fold { providers, settling, sum, .. } = self;
        // Our own clock was put back: what comes now would be too late until it has caught up.
        let was_put_back = floor_s + SECONDS < settling.floor_s;
        let moves = floor_s > settling.floor_s;
        if moves || was_put_back {
            settling.floor_s = floor_s;
        }
        for provider in &mut providers.list {
            provider.window.settle(now_s);
            if !moves {
                continue;
            }
            if settling.is_stored {
                settling.take(provider, &providers.names, floor_s, sum);
            }
            settling.replace_rows(provider, &providers.names, now_s);
            provider.window.forget(floor_s);
            provider.breakdown.tick(now_s, minute_of(floor_s));
            provider.exemplars.forget(floor_s);
        }
        providers.tick(now_s, |provider, names| {
            if settling.is_stored {
                settling.take(provider, names, u64::MAX, sum);
            }
        });
    }
}

#[cfg(test)]
#[path = "settled_tests.rs"]
mod tests;
