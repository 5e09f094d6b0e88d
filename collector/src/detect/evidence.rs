//! The sentence that explains a verdict, with its figures.

use super::alert::Kind;
use super::channel::{FAILED, FAULT, SLOW};
use super::provider::Provider;
use super::recent::WINDOW_S;
use super::statics::Rule;

impl Provider {
    /// Why it is `kind`, as of now.
    pub fn sentence(&self, kind: Kind, rule: Option<Rule>, now_s: u64) -> String {
        let since_s = now_s.saturating_sub(WINDOW_S / 2);
        let what = match (rule, kind) {
            // It counts over a window of its own, and says how many.
            (Some(rule), _) => of_rule(rule),
            (None, kind) => {
                let what = match kind {
                    Kind::Hung => self.hung(since_s),
                    Kind::Failing => self.failing(),
                    _ => self.slow(since_s),
                };
                format!("{what}, {} calls", self.recent.since(since_s).calls)
            }
        };
        let (bad, all) = self.recent.hosts(since_s);
        let hosts = if all > 0 { format!(", {bad} of {all} hosts") } else { String::new() };
        format!("{what}{hosts}")
    }

    fn slow(&self, since_s: u64) -> String {
        let count = self.latest_count(SLOW);
        let normal = self.tests.map_or(0.05, |tests| tests[SLOW].normal);
        let share = format!("{} slow, normally {}", percent(count.share()), percent(normal));
        match (self.recent.p95_s(since_s), self.p95_s()) {
            (Some(now), Some(normally)) => {
                format!("p95 {}, normally {}, {share}", seconds(now), seconds(normally))
            }
            (Some(now), None) => format!("p95 {}", seconds(now)),
            _ => share,
        }
    }

    fn hung(&self, since_s: u64) -> String {
        let lately = self.recent.since(since_s);
        let open = self.open;
        if open.past_tail > 0 {
            let oldest = seconds(open.oldest_ns as f64 / 1e9);
            let limit = self.tail_s().map(|s| format!(" for more than {}", seconds(s))).unwrap_or_default();
            return format!(
                "{} of {} open calls wait{limit}, the oldest {oldest}",
                open.past_tail, open.calls
            );
        }
        format!("{} calls were not answered in time", lately.long_failures)
    }

    fn failing(&self) -> String {
        let refused = self.sums[FAULT] > self.sums[FAILED];
        let channel = if refused { FAULT } else { FAILED };
        let normal = self.tests.map_or(0.0, |tests| tests[channel].normal);
        let share = percent(self.latest_count(channel).share());
        match refused {
            true => format!("they refuse {share} of our requests, normally at most {}", percent(normal)),
            false => format!("{share} failed, normally at most {}", percent(normal)),
        }
    }

    /// The usual 95th percentile, over all operations.
    pub fn p95_s(&self) -> Option<f64> {
        self.weighed(|limits| limits.p95_ns)
    }

    fn tail_s(&self) -> Option<f64> {
        self.weighed(|limits| limits.tail_ns as f64)
    }

    fn weighed(&self, of: impl Fn(&super::operation::Limits) -> f64) -> Option<f64> {
        let mut sum = (0.0, 0.0);
        for operation in &self.operations {
            if let Some(limits) = &operation.limits {
                let weight = operation.learned.durations.total();
                sum = (sum.0 + weight * of(limits), sum.1 + weight);
            }
        }
        (sum.1 > 0.0).then(|| sum.0 / sum.1 / 1e9)
    }
}

fn of_rule(rule: Rule) -> String {
    match rule {
        Rule::P95 { limit_s, over, calls } => {
            format!("p95 above {}: {over} of {calls} calls of the last minute took longer", seconds(limit_s))
        }
        Rule::FailureRatio { failed, calls } => {
            format!("{failed} of {calls} calls of the last minute failed")
        }
        Rule::PastTimeout { past, open } => format!("{past} of {open} open calls are past the timeout"),
        Rule::Run { failures, seconds } => {
            format!("{failures} failures in a row over {seconds} s, no success")
        }
    }
}

/// With two digits that say something.
pub fn seconds(s: f64) -> String {
    match s {
        s if s < 0.01 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 10.0 => format!("{s:.1} s"),
        s => format!("{s:.0} s"),
    }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        share if share < 1.0 => format!("{share:.1} %"),
        share => format!("{share:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use crate::detect::simulated::{SECOND, Texts, call};
    use crate::detect::{Change, Config, Detector};
    use crate::rollup::Observed;
    use crate::rollup::outcome::Outcome;

    #[test]
    fn a_limit_that_holds_says_one_number_of_calls_and_of_which_time() {
        let mut detector = Detector::new(Config::default());
        let changes = (1_000..1_060u64).flat_map(|second| {
            let outcome = |number| if number % 2 == 0 { Outcome::Failed } else { Outcome::Ok };
            let finished = (0..10).map(|number| call(second, number, 100.0, outcome(number))).collect();
            detector.tick((second + 1) * SECOND, &Observed { finished, ..Observed::default() }, &Texts)
        });
        let changes: Vec<Change> = changes.collect();
        let evidence = &changes.first().expect("half of all calls fail").alert().evidence;
        assert_eq!(evidence.matches(" calls").count(), 1, "{evidence}");
        assert!(evidence.contains("calls of the last minute failed, 5 of 5 hosts"), "{evidence}");
    }
}
