//! Seeded random numbers: the same demo twice is the same demo.

use std::f64::consts::TAU;
use std::time::Duration;

/// splitmix64, after Steele, Lea and Flood (2014): ample for traffic, and five lines.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }

    /// Uniform in 0 ≤ x < 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Uniform in 0 ≤ n < `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }

    /// Time to the next of events that come `rate` times a second, independent of each other.
    pub fn gap(&mut self, rate: f64) -> Duration {
        Duration::from_secs_f64(-(1.0 - self.unit()).ln() / rate)
    }

    /// A log-normal duration: what response times of real services look like.
    pub fn duration(&mut self, median_ms: f64, sigma: f64) -> Duration {
        let normal = (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (TAU * self.unit()).cos();
        Duration::from_secs_f64(median_ms * (sigma * normal).exp() / 1000.0)
    }

    /// A card number that passes the Luhn check and belongs to no one.
    pub fn card(&mut self) -> String {
        let mut digits = vec![4, 1, 1, 1, 1, 1];
        digits.extend((0..9).map(|_| self.below(10)));
        let doubled = |(place, digit): (usize, &usize)| match (place % 2, digit * 2) {
            (0, double) => double / 10 + double % 10,
            _ => *digit,
        };
        let sum: usize = digits.iter().enumerate().map(doubled).sum();
        digits.push((10 - sum % 10) % 10);
        digits.iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            (random.unit(), random.gap(3.0), random.duration(100.0, 0.5), random.card())
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }

    #[test]
    fn half_of_the_durations_are_above_the_median() {
        let mut random = Random::new(1);
        let above = (0..10_000).filter(|_| random.duration(100.0, 0.6).as_secs_f64() > 0.1).count();
        assert!((4_800..5_200).contains(&above), "{above}");
    }

    #[test]
    fn a_card_number_of_ours_is_found_by_the_masking_rules() {
        let mut random = Random::new(3);
        let masker = spanmill_mask::Masker::standard();
        for _ in 0..100 {
            let card = random.card();
            let masked = masker.text(spanmill_mask::Key::Plain, card.as_bytes(), &mut Default::default());
            assert!(masked.is_some(), "{card}");
        }
    }
}
