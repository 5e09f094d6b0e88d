//! The same hour of the last four weeks: when calls are expected at all.

use serde::{Deserialize, Serialize};

const HOURS: usize = 168;
const WEEKS: usize = 4;
/// A provider with fewer calls than this is not missed within a minute.
const EXPECTED_PER_S: f64 = 1.0;
/// So long without any.
pub const SILENT_S: u64 = 60;

/// Calls by hour of the week, newest week last; an hour without the daemon is not stored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Week {
    hours: Vec<Vec<u32>>,
    #[serde(skip)]
    hour: Option<u64>,
    #[serde(skip)]
    seconds: u32,
    #[serde(skip)]
    calls: u32,
}

impl Week {
    pub fn call(&mut self) {
        self.calls = self.calls.saturating_add(1);
    }

    /// Once a second.
    pub fn tick(&mut self, now_s: u64) {
        let hour = now_s / 3600;
        if self.hour != Some(hour) {
            if let Some(before) = self.hour {
                self.store(before);
            }
            (self.hour, self.seconds, self.calls) = (Some(hour), 0, 0);
        }
        self.seconds += 1;
    }

    /// An hour that was seen for less than three quarters says too little.
    fn store(&mut self, hour: u64) {
        if self.seconds < 2700 {
            return;
        }
        if self.hours.is_empty() {
            self.hours = vec![Vec::new(); HOURS];
        }
        let weeks = &mut self.hours[hour as usize % HOURS];
        if weeks.len() == WEEKS {
            weeks.remove(0);
        }
        weeks.push((u64::from(self.calls) * 3600 / u64::from(self.seconds)) as u32);
    }

    /// Calls per second to be expected now: the median of four weeks, once there are four.
    pub fn expected_per_s(&self, now_s: u64) -> Option<f64> {
        let weeks = self.hours.get((now_s / 3600) as usize % HOURS)?;
        if weeks.len() < WEEKS {
            return None;
        }
        let mut sorted = weeks.clone();
        sorted.sort_unstable();
        Some(f64::from(sorted[WEEKS / 2 - 1] + sorted[WEEKS / 2]) / 2.0 / 3600.0)
    }

    /// Calls are expected now, and there was none for a minute.
    pub fn is_silent(&self, now_s: u64, last_call_s: u64) -> Option<f64> {
        let expected = self.expected_per_s(now_s).filter(|expected| *expected >= EXPECTED_PER_S)?;
        (now_s >= last_call_s + SILENT_S).then_some(expected)
    }

    pub fn is_whole(&self) -> bool {
        self.hours.is_empty()
            || (self.hours.len() == HOURS && self.hours.iter().all(|weeks| weeks.len() <= WEEKS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_said_after_four_weeks_and_only_where_calls_are_usual() {
        let mut week = Week::default();
        let busy = |hour: u64| (8..20).contains(&(hour % 24));
        for second in 0..4 * 168 * 3600 {
            week.tick(second);
            if busy(second / 3600) {
                (0..3).for_each(|_| week.call());
            }
            let is_silent = week.is_silent(second, second.saturating_sub(100));
            assert_eq!(is_silent, None, "{second}");
        }
        let later = |hour: u64| 4 * 168 * 3600 + hour * 3600 + 1800;
        week.tick(later(0));
        assert!(week.is_silent(later(9), later(9) - 60).is_some());
        assert!(week.is_silent(later(9), later(9) - 59).is_none());
        assert!(week.is_silent(later(3), later(3) - 600).is_none());
    }
}
