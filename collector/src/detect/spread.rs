//! How much the share of bad calls varies from block to block beyond what chance alone makes it vary.
//!
//! A provider that has a rough minute now and then is judged by its rough minutes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::cusum::Count;

/// Two hours of half minutes.
const BLOCKS_MAX: usize = 240;
const BLOCK_S: u64 = 30;
/// A share of fewer calls says nothing; a block waits for them, but no longer than this.
const BLOCK_CALLS: u32 = 20;
const BLOCK_S_MAX: u64 = 600;
/// A variance of fewer blocks is none.
const BLOCKS_MIN: usize = 10;
/// Of the worst blocks this share is left out: an incident that raised no alarm is not normal.
const TRIMMED: f64 = 0.05;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Spread {
    /// Bad and all calls.
    blocks: VecDeque<(u32, u32)>,
    bad: u32,
    calls: u32,
    #[serde(skip)]
    seconds: u64,
}

/// What the blocks say of a share.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shares {
    pub mean: f64,
    /// Standard deviation between blocks, without the part that is binomial.
    pub sigma: f64,
    pub blocks: usize,
}

impl Spread {
    /// Adds `seconds` of the provider's life in which `count` was seen.
    pub fn add(&mut self, seconds: u64, count: Count) {
        self.bad += count.bad;
        self.calls += count.calls();
        self.seconds += seconds;
        let is_full = self.seconds >= BLOCK_S && self.calls >= BLOCK_CALLS;
        if !is_full && self.seconds < BLOCK_S_MAX {
            return;
        }
        if self.calls > 0 {
            if self.blocks.len() == BLOCKS_MAX {
                self.blocks.pop_front();
            }
            self.blocks.push_back((self.bad, self.calls));
        }
        (self.bad, self.calls, self.seconds) = (0, 0, 0);
    }

    pub fn shares(&self) -> Shares {
        let all = self.blocks.iter().fold((0.0, 0.0), sum);
        let mean = if all.1 > 0.0 { all.0 / all.1 } else { 0.0 };
        if self.blocks.len() < BLOCKS_MIN {
            return Shares { mean, sigma: 0.0, blocks: self.blocks.len() };
        }
        let mut sorted: Vec<&(u32, u32)> = self.blocks.iter().collect();
        sorted.sort_by(|a, b| share(a).total_cmp(&share(b)));
        sorted.truncate(sorted.len() - (sorted.len() as f64 * TRIMMED) as usize);
        let (bad, calls) = sorted.iter().copied().fold((0.0, 0.0), sum);
        let centre = bad / calls;
        // The method of moments for a random effect (DerSimonian and Laird, 1986).
        let squares: f64 =
            sorted.iter().map(|block| f64::from(block.1) * (share(block) - centre).powi(2)).sum();
        let binomial = (sorted.len() - 1) as f64 * centre * (1.0 - centre);
        let weight = calls - sorted.iter().map(|block| f64::from(block.1).powi(2)).sum::<f64>() / calls;
        let sigma = ((squares - binomial) / weight.max(1.0)).max(0.0).sqrt();
        Shares { mean, sigma, blocks: self.blocks.len() }
    }
}

fn share(block: &(u32, u32)) -> f64 {
    f64::from(block.0) / f64::from(block.1)
}

fn sum(sum: (f64, f64), block: &(u32, u32)) -> (f64, f64) {
    (sum.0 + f64::from(block.0), sum.1 + f64::from(block.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(shares: impl Iterator<Item = u32>) -> Shares {
        let mut spread = Spread::default();
        shares.for_each(|bad| spread.add(30, Count { bad, good: 1000 - bad }));
        spread.shares()
    }

    #[test]
    fn a_share_that_stays_has_no_spread_and_one_that_varies_has() {
        let steady = of((0..240).map(|_| 50));
        assert!((steady.mean - 0.05).abs() < 1e-9 && steady.sigma < 1e-9);
        let rough = of((0..240).map(|at| if at % 3 == 0 { 200 } else { 50 }));
        assert!(rough.sigma > 0.05, "{rough:?}");
    }

    #[test]
    fn one_bad_quarter_of_an_hour_in_two_hours_is_not_the_normal() {
        let once = of((0..240).map(|at| if at < 12 { 900 } else { 50 }));
        assert!(once.sigma < 0.02, "{once:?}");
    }

    #[test]
    fn few_calls_make_long_blocks() {
        let mut spread = Spread::default();
        (0..60).for_each(|_| spread.add(60, Count { bad: 0, good: 1 }));
        assert_eq!(spread.shares().blocks, 6);
    }
}
