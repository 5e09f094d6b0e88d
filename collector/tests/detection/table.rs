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

#[derive(Debug, Default)]
pub struct Reached {
    pub trials: usize,
    pub delays: Vec<f64>,
    pub early: usize,
    pub earlies: Vec<String>,
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
        if told.iter().filter(fires).any(|line| line.t < from) {
            self.early += 1;
            if let Some(line) = told.iter().find(fires) {
                self.earlies.push(format!("{:.0}:{}/{}", line.t, line.kind, line.scope));
            }
        }
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
