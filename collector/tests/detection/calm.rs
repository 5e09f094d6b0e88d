//! Days on which nothing happens that anybody should be told of.

use std::f64::consts::TAU;

use super::random::Random;
use super::world::{Provider, World};

pub const DAY_S: f64 = 86_400.0;

/// A provider of which nothing is to be told.
pub type Calm = fn(Provider, f64, &mut Random) -> Provider;

pub struct Row {
    pub name: &'static str,
    pub calm: Calm,
    pub per_day_max: f64,
}

pub const ROWS: [Row; 8] = [
    Row { name: "steady", per_day_max: 0.05, calm: |provider, _, _| provider },
    Row {
        name: "diurnal",
        per_day_max: 0.05,
        calm: |provider, rate, _| {
            provider.rate(rate, move |t| rate * (0.55 - 0.45 * (TAU * t / DAY_S).cos()))
        },
    },
    Row { name: "rough", per_day_max: 2.0, calm: rough },
    Row {
        name: "five times the traffic",
        per_day_max: 0.1,
        calm: |provider, rate, random| {
            let from = random.between(0.2, 0.8) * DAY_S;
            let rush = move |t: f64| if (from..from + 3600.0).contains(&t) { 5.0 } else { 1.0 };
            provider.rate(5.0 * rate, move |t| rate * rush(t))
        },
    },
    Row {
        name: "planned silence",
        per_day_max: 0.1,
        calm: |provider, rate, random| {
            let from = random.between(0.2, 0.6) * DAY_S;
            provider.rate(rate, move |t| if (from..from + 4.0 * 3600.0).contains(&t) { 0.0 } else { rate })
        },
    },
    Row {
        name: "morning ramp after silence",
        per_day_max: 0.1,
        calm: |provider, rate, _| {
            provider.rate(rate, move |t| match t / 3600.0 {
                h if h < 6.0 => rate * 0.7,
                h if h < 12.0 => 0.0,
                h => rate * ((h - 12.0) * 2.0).clamp(0.01, 1.0),
            })
        },
    },
    Row {
        name: "20 % fail by nature",
        per_day_max: 0.1,
        calm: |provider, _, _| provider.with(|provider| provider.failures = 0.2),
    },
    Row { name: "two modes", per_day_max: 0.1, calm: two_modes },
];

/// Minutes of one third more, calls that take ten times as long, failures in bursts.
fn rough(provider: Provider, _: f64, random: &mut Random) -> Provider {
    let phase = random.unit() * TAU;
    let (median_ms, sigma) = (random.log_between(60.0, 1500.0), random.between(0.4, 0.9));
    let bursts: Vec<(f64, f64)> =
        (0..300).map(|_| (random.between(0.0, DAY_S), random.between(5.0, 60.0))).collect();
    provider
        .latency(move |call, random| {
            let t = call.start;
            let swing = 1.0 + 0.15 * (TAU * t / 613.0 + phase).sin() + 0.15 * (TAU * t / 97.0).sin();
            let stray = if random.chance(0.01) { 10.0 } else { 1.0 };
            random.log_normal(median_ms * swing * stray, sigma)
        })
        .trouble(move |call, random| {
            let is_burst = bursts.iter().any(|(from, long)| (*from..from + long).contains(&call.start));
            if is_burst && random.chance(0.02) {
                call.out = "failed";
            }
        })
}

fn two_modes(provider: Provider, _: f64, random: &mut Random) -> Provider {
    let share = random.between(0.02, 0.5);
    let (fast_ms, slow_ms) = (random.log_between(30.0, 200.0), random.log_between(800.0, 4000.0));
    provider.latency(move |_, random| {
        let median_ms = if random.chance(share) { slow_ms } else { fast_ms };
        random.log_normal(median_ms, 0.3)
    })
}

/// Alarms that were told, with when and of whom.
pub fn run(row: &Row, days: usize, rates: (f64, f64), seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    let mut wrong = Vec::new();
    for day in 0..days {
        let rate = random.log_between(rates.0, rates.1);
        let (median_ms, sigma) = (random.log_between(60.0, 1500.0), random.between(0.35, 0.9));
        let mut world = World::new(random.next(), DAY_S);
        let mut provider = Provider::new("bank", rate, median_ms, sigma);
        provider.in_flight = day % 2 == 0;
        world.add((row.calm)(provider, rate, &mut random));
        let told = world.run();
        wrong.extend(told.iter().filter(|line| line.state == "firing").map(|line| {
            let (t, kind, scope) = (line.t, &line.kind, &line.scope);
            format!("{t:.0} s {kind}/{scope} ({rate:.1}/s, {median_ms:.0} ms, {sigma:.2})")
        }));
    }
    wrong
}
