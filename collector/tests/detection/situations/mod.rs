//! Situations of which each has one right answer.

use crate::random::Random;
use crate::world::{Provider, Told, World};

macro_rules! trouble {
    ($when:expr, $then:expr) => {
        |call, random| {
            #[allow(unused_variables)]
            let random: &mut Random = random;
            if (FROM..TO).contains(&call.start) && ($when as fn(&crate::world::Call) -> bool)(call) {
                ($then as fn(&mut crate::world::Call, &mut Random))(call, random)
            }
        }
    };
}

mod alone;
mod shared;

/// When the trouble begins, and when it ends: half an hour is enough to know what is normal.
pub const FROM: f64 = 2400.0;
pub const TO: f64 = 2700.0;

pub struct Situation {
    pub name: &'static str,
    pub build: fn(&mut World, &mut Random),
    /// What is wrong with what was told, if anything.
    pub judge: fn(&[Told]) -> Option<String>,
    /// Of a hundred trials, those that may be wrong.
    pub wrong_max: f64,
}

pub fn bank(random: &mut Random) -> Provider {
    let rate = random.log_between(5.0, 30.0);
    Provider::new("bank", rate, random.log_between(60.0, 900.0), random.between(0.35, 0.8))
}

pub fn firing(told: &[Told]) -> impl Iterator<Item = &Told> {
    told.iter().filter(|line| line.state == "firing")
}

/// The first alarm is in time, of this kind and scope, and nothing fired before.
pub fn first(told: &[Told], within_s: f64, kinds: &[&str], scope: &str) -> Option<String> {
    let Some(line) = firing(told).next() else { return Some("nothing".to_owned()) };
    let said = format!("{:.1} s {} {}", line.t - FROM, line.kind, line.scope);
    let in_time = line.t >= FROM && line.t <= FROM + within_s;
    let right = kinds.contains(&&*line.kind) && line.scope.starts_with(scope);
    (!in_time || !right).then_some(said)
}

pub fn nothing(told: &[Told]) -> Option<String> {
    firing(told).next().map(|line| format!("{:.1} s {} {}", line.t - FROM, line.kind, line.scope))
}

pub fn nothing_wide(told: &[Told]) -> Option<String> {
    let mut wide = firing(told).filter(|line| line.scope == "everyone" || line.scope == "our_side");
    wide.next().map(|line| format!("{:.1} s {} {}", line.t - FROM, line.kind, line.scope))
}

pub fn scoped(told: &[Told], scope: &str) -> Option<String> {
    nothing_wide(told).or_else(|| first(told, 60.0, &["latency", "hang", "errors"], scope))
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Situation> {
    alone::ALL.iter().chain(shared::ALL)
}

/// What was wrong, by trial.
pub fn run(situation: &Situation, trials: usize, seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    (0..trials)
        .filter_map(|trial| {
            let mut world = World::new(random.next(), TO + 120.0);
            (situation.build)(&mut world, &mut random);
            let wrong = (situation.judge)(&world.run())?;
            let first = &world.providers[0];
            Some(format!("{trial}: {wrong} ({:.1}/s)", (first.rate)(FROM - 1.0)))
        })
        .collect()
}
