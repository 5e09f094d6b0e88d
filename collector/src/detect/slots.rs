//! The last half minute, second by second of END time: what still changes when a span comes in late.

use super::channel::PerChannel;
use super::cusum::Count;

/// A span that arrives this much after its end still counts in its own second: SDKs send every 5 s, queues
/// hold some more.
pub const LATE_S: u64 = 30;
const SLOTS: usize = 32;
/// Durations learned of one second and provider; more of them say nothing new.
const DURATIONS_MAX: usize = 256;

#[derive(Debug, Clone, Default)]
pub struct Slot {
    pub second: u64,
    pub counts: PerChannel<Count>,
    /// Nothing ended for unusually long while calls are open past L2.
    pub stalled: bool,
    /// Operation by its place, and bucket of the duration.
    pub durations: Vec<(u16, u16)>,
    /// Calls that say how fast the provider is, with those above.
    pub answers: u32,
}

impl Slot {
    pub fn is_empty(&self) -> bool {
        !self.stalled && self.answers == 0 && self.counts.iter().all(|count| count.calls() == 0)
    }

    pub fn learn(&mut self, operation: u16, bucket: u16) {
        self.answers += 1;
        if self.durations.len() < DURATIONS_MAX {
            self.durations.push((operation, bucket));
        }
    }
}

#[derive(Debug, Clone)]
pub struct Slots {
    ring: Vec<Slot>,
    /// Every second before is settled.
    begin_s: u64,
}

impl Slots {
    pub fn new(now_s: u64) -> Slots {
        Slots { ring: vec![Slot::default(); SLOTS], begin_s: now_s.saturating_sub(LATE_S) }
    }

    /// The slot of a second that is neither settled nor more than a second ahead; otherwise the nearest.
    pub fn at(&mut self, second: u64) -> &mut Slot {
        let second = second.clamp(self.begin_s, self.begin_s + SLOTS as u64 - 1);
        let slot = &mut self.ring[second as usize % SLOTS];
        if slot.second != second {
            *slot = Slot { second, durations: std::mem::take(&mut slot.durations), ..Slot::default() };
            slot.durations.clear();
        }
        slot
    }

    /// Whether what happened in `second` still counts.
    pub fn is_open(&self, second: u64) -> bool {
        second >= self.begin_s
    }

    /// The slots that are not settled, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Slot> {
        let begin_s = self.begin_s;
        (begin_s..begin_s + SLOTS as u64)
            .map(move |second| (second, &self.ring[second as usize % SLOTS]))
            .filter(|(second, slot)| slot.second == *second)
            .map(|(_, slot)| slot)
    }

    /// Takes the oldest slot that is more than [`LATE_S`] old and not empty; `None` when none is left.
    pub fn settle(&mut self, now_s: u64) -> Option<Slot> {
        let end_s = now_s.saturating_sub(LATE_S);
        while self.begin_s < end_s {
            let second = self.begin_s;
            if second + (SLOTS as u64) < end_s && self.ring.iter().all(|slot| slot.second < second) {
                self.begin_s = end_s; // nothing for long
                return None;
            }
            self.begin_s += 1;
            let slot = &mut self.ring[second as usize % SLOTS];
            if slot.second == second && !slot.is_empty() {
                return Some(std::mem::take(slot));
            }
        }
        None
    }

    /// Forgets what is not settled.
    pub fn clear(&mut self) {
        self.ring.iter_mut().for_each(|slot| *slot = Slot::default());
    }
}
