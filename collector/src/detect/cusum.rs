//! The sequential test of one channel: a cumulative sum of log-likelihood ratios, one step per second.

/// What fires: e^12 to one that the calls come from the bad share rather than from the normal one.
pub const FIRES_AT: f64 = 12.0;
/// The sum goes no higher, so that a long incident does not take long to end.
const SUM_MAX: f64 = 1.5 * FIRES_AT;

/// Bad and good calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub bad: u32,
    pub good: u32,
}

impl Count {
    pub fn add(&mut self, is_bad: bool) {
        let place = if is_bad { &mut self.bad } else { &mut self.good };
        *place = place.saturating_add(1);
    }

    pub fn plus(self, other: Count) -> Count {
        Count { bad: self.bad.saturating_add(other.bad), good: self.good.saturating_add(other.good) }
    }

    pub fn minus(self, other: Count) -> Count {
        Count { bad: self.bad.saturating_sub(other.bad), good: self.good.saturating_sub(other.good) }
    }

    pub fn calls(self) -> u32 {
        self.bad.saturating_add(self.good)
    }

    /// 0 without calls.
    pub fn share(self) -> f64 {
        f64::from(self.bad) / f64::from(self.calls().max(1))
    }
}

/// The test of one share of bad calls against another.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// The share that is normal, with what it varies by.
    pub normal: f64,
    /// The share that is an incident.
    pub incident: f64,
    of_bad: f64,
    of_good: f64,
    /// The most that one second says: distinct bad seconds are what raises an alarm.
    pub step_max: f64,
}

impl Test {
    /// `clip` = the least number of distinct bad seconds that fire.
    pub fn new(normal: f64, incident: f64, clip: f64) -> Test {
        let of_bad = (incident / normal).ln();
        let of_good = ((1.0 - incident) / (1.0 - normal)).ln();
        Test { normal, incident, of_bad, of_good, step_max: FIRES_AT / clip }
    }

    /// How much more likely an incident is than the normal, by these calls alone.
    pub fn evidence(&self, count: Count) -> f64 {
        f64::from(count.bad) * self.of_bad + f64::from(count.good) * self.of_good
    }

    /// The sum after one more second.
    pub fn step(&self, sum: f64, count: Count) -> f64 {
        self.step_up_to(SUM_MAX, sum, count)
    }

    /// The same with another highest sum.
    pub fn step_up_to(&self, sum_max: f64, sum: f64, count: Count) -> f64 {
        (sum + self.evidence(count).min(self.step_max)).clamp(0.0, sum_max)
    }

    /// The sum after a second that is bad in whole.
    pub fn step_bad(&self, sum: f64) -> f64 {
        (sum + self.step_max).clamp(0.0, SUM_MAX)
    }

    /// The same the other way round: towards `FIRES_AT` while calls are normal, back when they are not.
    pub fn step_back(&self, sum: f64, count: Count) -> f64 {
        let evidence = (-self.evidence(count)).clamp(-2.0 * self.step_max, self.step_max);
        (sum + evidence).clamp(0.0, FIRES_AT)
    }

    /// What a call says on average if this is the share of bad ones.
    pub fn expected(&self, share: f64) -> f64 {
        share * self.of_bad + (1.0 - share) * self.of_good
    }
}

pub fn fires(sum: f64) -> bool {
    sum >= FIRES_AT - 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_bad_seconds_as_clip_says_fire_and_not_one_less() {
        for clip in [5, 7, 12] {
            let test = Test::new(0.002, 0.1, f64::from(clip));
            let after = |seconds| (0..seconds).fold(0.0, |sum, _| test.step(sum, Count { bad: 99, good: 0 }));
            assert!(fires(after(clip)) && !fires(after(clip - 1)), "{clip}");
        }
    }

    #[test]
    fn good_calls_take_back_what_bad_ones_said() {
        let test = Test::new(0.05, 0.5, 7.0);
        let raised = test.step(0.0, Count { bad: 1, good: 0 });
        assert!(raised > 0.0);
        assert!(test.step(raised, Count { bad: 0, good: 9 }) == 0.0);
        assert!(test.step(1e9, Count::default()) <= 1.5 * FIRES_AT);
    }
}
