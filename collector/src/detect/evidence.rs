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
        let calls = self.recent.since(since_s).calls;
        let what = match (rule, kind) {
            (Some(rule), _) => of_rule(rule),
            (None, Kind::Hung) => self.hung(since_s),
            (None, Kind::Failing) => self.failing(),
            (None, _) => self.slow(since_s),
        };
        let (bad, all) = self.recent.hosts(since_s);
        let hosts = if all > 0 { format!(", {bad} of {all} hosts") } else { String::new() };
        format!("{what}, {calls} calls{hosts}")
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
            format!("p95 above {}: {over} of {calls} calls took longer", seconds(limit_s))
        }
        Rule::FailureRatio { failed, calls } => format!("{failed} of {calls} calls failed"),
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
