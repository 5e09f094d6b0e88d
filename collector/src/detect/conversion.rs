//! The slow channel: declines, over minutes. No call fails, and yet the business does.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::cusum::{Count, FIRES_AT, Test, fires};
use super::learn::SUSPICIOUS_AT;
use super::operation::HALF_LIFE_S;
use super::spread::Spread;
use crate::rollup::Finished;
use crate::rollup::outcome::Outcome;

/// One step of the sum, and how many of them have to be bad at least: two minutes.
const STEP_S: u64 = 15;
const CLIP: f64 = 8.0;
/// Spans come in late.
const LATE_S: u64 = 30;
/// 15 minutes of steps.
const STEPS: usize = 60;
/// The windows of the guard, in steps: 5, 10 and 15 min, the first with enough calls.
const WINDOWS: [usize; 3] = [20, 40, 60];
const CALLS_MIN: u32 = 50;
/// What has to be known before anything is said.
const KNOWN_CALLS: f64 = 200.0;
const KNOWN_STEPS: u64 = 40;
/// A drop that lasts so long without an alarm is the new normal.
const SUSPICION_STEPS_MAX: u32 = 120;
/// The drop that the test is made for, at least.
const DROP_MIN: f64 = 0.1;

#[derive(Debug, Clone, Default)]
pub struct Conversion {
    pub learned: Learned,
    /// Ok and declined calls by step; the newest last.
    steps: VecDeque<(u64, Count)>,
    settled: u64,
    sum: f64,
    suspicious: u32,
    /// Declined calls are the bad ones.
    test: Option<Test>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Learned {
    declined: f64,
    calls: f64,
    spread: Spread,
    steps: u64,
}

/// What a step said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Said {
    Nothing,
    Declines { minutes: u64, conversion: f64, usually: f64, calls: u32 },
    Recovered,
}

impl Conversion {
    pub fn ended(&mut self, call: &Finished) {
        if !call.converts || !matches!(call.outcome, Outcome::Ok | Outcome::Declined) {
            return;
        }
        let step = call.end_unix_ns / 1_000_000_000 / STEP_S;
        if step <= self.settled {
            return;
        }
        let is_declined = call.outcome == Outcome::Declined;
        match self.steps.iter_mut().rev().find(|(at, _)| *at == step) {
            Some((_, count)) => count.add(is_declined),
            None => {
                let mut count = Count::default();
                count.add(is_declined);
                let place = self.steps.iter().rposition(|(at, _)| *at < step).map_or(0, |at| at + 1);
                self.steps.insert(place, (step, count));
                if self.steps.len() > STEPS + 4 {
                    self.steps.pop_front();
                }
            }
        }
    }

    /// Takes the steps that no span can change any more. `is_well` = nothing technical is wrong; `usually` = the
    /// share of declines at this hour of the week, once four weeks are known.
    pub fn tick(&mut self, now_s: u64, is_well: bool, usually: Option<f64>) -> Said {
        let end = now_s.saturating_sub(LATE_S) / STEP_S;
        if end <= self.settled + 1 {
            return Said::Nothing;
        }
        let from = self.settled + 1;
        self.settled = end - 1;
        let news: Vec<Count> =
            self.steps.iter().filter(|(at, _)| (from..end).contains(at)).map(|(_, count)| *count).collect();
        let mut said = Said::Nothing;
        for count in news {
            said = self.step(count, is_well, usually);
        }
        said
    }

    fn step(&mut self, count: Count, is_well: bool, usually: Option<f64>) -> Said {
        if !is_well {
            return Said::Nothing;
        }
        if let Some(test) = self.test {
            self.sum = test.step(self.sum, count);
        }
        if self.sum < SUSPICIOUS_AT || self.suspicious > SUSPICION_STEPS_MAX {
            (self.sum, self.suspicious) =
                (if self.suspicious > SUSPICION_STEPS_MAX { 0.0 } else { self.sum }, 0);
            self.learn(count, usually);
        } else {
            self.suspicious += 1;
        }
        let Some(test) = self.test else { return Said::Nothing };
        if self.sum == 0.0 {
            return Said::Recovered;
        }
        match self.window() {
            Some((minutes, window))
                if fires(self.sum) && window.share() >= (test.normal + test.incident) / 2.0 =>
            {
                Said::Declines {
                    minutes,
                    conversion: 1.0 - window.share(),
                    usually: 1.0 - self.learned.declined / self.learned.calls.max(1.0),
                    calls: window.calls(),
                }
            }
            _ => Said::Nothing,
        }
    }

    fn window(&self) -> Option<(u64, Count)> {
        WINDOWS.into_iter().find_map(|steps| {
            let first = (self.settled + 1).saturating_sub(steps as u64);
            let inside = self.steps.iter().filter(|(at, _)| *at >= first && *at <= self.settled);
            let sum = inside.fold(Count::default(), |sum, (_, count)| sum.plus(*count));
            (sum.calls() >= CALLS_MIN).then_some((steps as u64 * STEP_S / 60, sum))
        })
    }

    fn learn(&mut self, count: Count, usually: Option<f64>) {
        let learned = &mut self.learned;
        let factor = (-(STEP_S as f64) / HALF_LIFE_S * (learned.calls / 1000.0).min(1.0)).exp2();
        learned.declined = learned.declined * factor + f64::from(count.bad);
        learned.calls = learned.calls * factor + f64::from(count.calls());
        learned.spread.add(STEP_S, count);
        learned.steps += 1;
        if learned.steps >= KNOWN_STEPS && learned.calls >= KNOWN_CALLS {
            let share = (learned.declined / learned.calls).max(usually.unwrap_or(0.0));
            let error = (share * (1.0 - share) / learned.calls).sqrt();
            let normal = (share + 2.0 * error + 3.0 * learned.spread.shares().sigma).max(0.01);
            let incident = (normal + DROP_MIN.max(0.5 * normal.min(1.0 - normal))).min(0.98);
            self.test = Some(Test::new(normal.min(0.9 * incident), incident, CLIP));
        }
    }

    /// 0 … 1: how near an alarm is.
    pub fn evidence(&self) -> f64 {
        (self.sum / FIRES_AT).min(1.0)
    }
}
