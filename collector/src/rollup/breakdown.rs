//! A provider's calls by operation, by host, by service and by endpoint, each by itself and never crossed.

use super::counts::Sample;
use super::dimension::{Dimension, Keys};
use super::observed::{Labels, Name};

/// Seconds of a cell: a trailing minute is not off by more.
pub const FINE_S: u64 = 10;
/// Older cells are joined to minutes, as the store has them.
pub const MINUTE_S: u64 = 60;
/// How long cells stay fine.
const FINE_FOR_S: u64 = 120;

#[derive(Debug, Default)]
pub struct Breakdown([Keys; Dimension::COUNT]);

impl Breakdown {
    /// One call. Without an endpoint it stays out of the endpoints: its attempts have one.
    #[inline]
    pub fn call(&mut self, labels: &Labels, end_s: u64, sample: &Sample) {
        let begin_s = end_s / FINE_S * FINE_S;
        let [operations, hosts, services, endpoints] = &mut self.0;
        operations.add(labels.operation, begin_s, sample);
        hosts.add(labels.host, begin_s, sample);
        services.add(labels.service, begin_s, sample);
        if labels.endpoint != Name::NONE {
            endpoints.add(labels.endpoint, begin_s, sample);
        }
    }

    /// One attempt inside a call: only the endpoint that it went to has anything to do with it.
    pub fn attempt(&mut self, endpoint: Name, end_s: u64, sample: &Sample) {
        if endpoint != Name::NONE {
            self.of_mut(Dimension::Endpoint).add(endpoint, end_s / FINE_S * FINE_S, sample);
        }
    }

    pub fn of(&self, by: Dimension) -> &Keys {
        &self.0[by as usize]
    }

    pub fn of_mut(&mut self, by: Dimension) -> &mut Keys {
        &mut self.0[by as usize]
    }

    /// Packs what is over, joins what is old and forgets what lies before `floor_s`.
    pub fn tick(&mut self, now_s: u64, floor_s: u64) {
        let fine_s = minute_of(now_s.saturating_sub(FINE_FOR_S));
        self.0.iter_mut().for_each(|keys| keys.tick(now_s, fine_s, floor_s));
    }
}

/// The first second of the minute that `second` is in.
pub fn minute_of(second: u64) -> u64 {
    second / MINUTE_S * MINUTE_S
}
