//! The table of incidents: how soon each is told, over many trials.

use super::random::Random;
use super::world::{Provider, Told, World};

/// Before the first incident: baselines are known.
pub const WARM_UP_S: f64 = 2400.0;
/// Providers in one simulation; their incidents do not come together.
const PER_WORLD: usize = 12;
const APART_S: f64 = 45.0;

/// What is done to a provider from a time on for a while.
pub type Incident = fn(Provider, f64, f64) -> Provider;

pub struct Row {
    pub name: &'static str,
    pub rates: (f64, f64),
    pub incident: Incident,
    pub lasts_s: f64,
    pub in_flight: bool,
    pub p90_max_s: f64,
    pub missed_max: f64,
}

pub const ROWS: [Row; 12] = [
    Row {
        name: "hang, 2-50/s",
        rates: (2.0, 50.0),
        incident: |p, a, b| p.hangs(a, b, 1.0),
        lasts_s: 120.0,
        in_flight: true,
        p90_max_s: 15.0,
        missed_max: 0.0,
    },
    Row {
        name: "hang, 0.5-1/s",
        rates: (0.5, 1.0),
        incident: |p, a, b| p.hangs(a, b, 1.0),
        lasts_s: 180.0,
        in_flight: true,
        p90_max_s: 35.0,
        missed_max: 0.0,
    },
    Row {
        name: "hang, without in-flight",
        rates: (0.5, 50.0),
        incident: |p, a, b| p.hangs(a, b, 1.0),
        lasts_s: 180.0,
        in_flight: false,
        p90_max_s: 75.0,
        missed_max: 0.0,
    },
    Row {
        name: "x3, 5-50/s",
        rates: (5.0, 50.0),
        incident: |p, a, b| p.slows(a, b, 3.0),
        lasts_s: 180.0,
        in_flight: true,
        p90_max_s: 20.0,
        missed_max: 0.0,
    },
    Row {
        name: "x3, 5-50/s, without",
        rates: (5.0, 50.0),
        incident: |p, a, b| p.slows(a, b, 3.0),
        lasts_s: 180.0,
        in_flight: false,
        p90_max_s: 20.0,
        missed_max: 0.0,
    },
    Row {
        name: "x3, 0.5-2/s",
        rates: (0.5, 2.0),
        incident: |p, a, b| p.slows(a, b, 3.0),
        lasts_s: 300.0,
        in_flight: true,
        p90_max_s: 120.0,
        missed_max: 0.02,
    },
    Row {
        name: "x3, 0.5-2/s, without",
        rates: (0.5, 2.0),
        incident: |p, a, b| p.slows(a, b, 3.0),
        lasts_s: 300.0,
        in_flight: false,
        p90_max_s: 120.0,
        missed_max: 0.02,
    },
    Row {
        name: "50 % fail, 5-50/s",
        rates: (5.0, 50.0),
        incident: |p, a, b| p.fails(a, b, 0.5),
        lasts_s: 120.0,
        in_flight: true,
        p90_max_s: 12.0,
        missed_max: 0.0,
    },
    Row {
        name: "5 % fail, 10-50/s",
        rates: (10.0, 50.0),
        incident: |p, a, b| p.fails(a, b, 0.05),
        lasts_s: 180.0,
        in_flight: true,
        p90_max_s: 45.0,
        missed_max: 0.0,
    },
    Row {
        name: "5 % fail, 10/s",
        rates: (10.0, 10.1),
        incident: |p, a, b| p.fails(a, b, 0.05),
        lasts_s: 180.0,
        in_flight: true,
        p90_max_s: 45.0,
        missed_max: 0.0,
    },
    Row {
        name: "20 % hang, 5-50/s",
        rates: (5.0, 50.0),
        incident: |p, a, b| p.hangs(a, b, 0.2),
        lasts_s: 180.0,
        in_flight: true,
        p90_max_s: 30.0,
        missed_max: 0.0,
    },
    Row {
        name: "all fail in 2 ms, 0.5-50/s",
        rates: (0.5, 50.0),
        incident: |p, a, b| {
            p.trouble(move |call, _| {
                if (a..b).contains(&call.start) {
                    call.ms = 2.0;
                    call.out = "failed";
                }
            })
        },
        lasts_s: 120.0,
        in_flight: true,
        p90_max_s: 25.0,
        missed_max: 0.0,
    },
];

#[derive(Debug, Default)]
pub struct Reached {
    pub trials: usize,
    pub delays: Vec<f64>,
    /// Alarms before anything was wrong.
    pub early: Vec<String>,
    pub kinds: std::collections::BTreeMap<String, usize>,
}

impl Reached {
    pub fn missed(&self) -> f64 {
        1.0 - self.delays.len() as f64 / self.trials as f64
    }

    /// Of all trials, those that were missed counting as for ever.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut delays = self.delays.clone();
        delays.sort_by(f64::total_cmp);
        let at = ((self.trials as f64 * share).ceil() as usize).saturating_sub(1);
        delays.get(at).copied().unwrap_or(f64::INFINITY)
    }
}

impl Row {
    pub fn run(&self, trials: usize, seed: u64, config: &'static str) -> Reached {
        let mut reached = Reached::default();
        let mut random = Random::new(seed);
        while reached.trials < trials {
            let count = PER_WORLD.min(trials - reached.trials);
            let until = WARM_UP_S + count as f64 * APART_S + self.lasts_s;
            let mut world = World::new(random.next(), until);
            world.config = config;
            let mut begins = Vec::new();
            for at in 0..count {
                let from = WARM_UP_S + at as f64 * APART_S + random.between(0.0, 20.0);
                let rate = random.log_between(self.rates.0, self.rates.1);
                let (median_ms, sigma) = (random.log_between(60.0, 1500.0), random.between(0.35, 0.9));
                let mut provider = Provider::new(format!("bank-{at}"), rate, median_ms, sigma);
                provider.in_flight = self.in_flight;
                begins.push(from);
                world.add((self.incident)(provider, from, from + self.lasts_s));
            }
            let told = world.run();
            for (at, from) in begins.into_iter().enumerate() {
                reached.add(&told, &format!("bank-{at}"), from, self.lasts_s);
            }
        }
        reached
    }
}

impl Reached {
    fn add(&mut self, told: &[Told], provider: &str, from: f64, lasts_s: f64) {
        self.trials += 1;
        let fires = |line: &&Told| line.provider == provider && line.state == "firing";
        let early = told.iter().filter(fires).filter(|line| line.t < from);
        self.early.extend(early.map(|line| format!("{:.0}:{}/{}", line.t, line.kind, line.scope)));
        let first = told.iter().filter(fires).find(|line| line.t >= from && line.t < from + lasts_s);
        if let Some(line) = first {
            self.delays.push(line.t - from);
            *self
                .kinds
                .entry(format!("{}/{}", line.kind, line.scope.split(':').next().unwrap_or_default()))
                .or_default() += 1;
        }
    }
}
