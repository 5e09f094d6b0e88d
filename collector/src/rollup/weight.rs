//! How many calls a span stands for, where its sender keeps only some of them.
//!
//! `ot=th` and `ot=p` of the W3C trace state say with which probability it was kept
//! (opentelemetry.io/docs/specs/otel/trace/tracestate-handling and -probability-sampling-experimental).

use super::outcome::Outcome;

/// One call.
pub const ONE: u64 = 1 << 10;
/// Of one span in a million the rest is a guess anyhow, and sums stay far from what 64 bits hold.
const WEIGHT_MAX: u64 = 1_000_000 * ONE;
/// Members of a trace state at most, by the W3C's text.
const MEMBERS_MAX: usize = 32;

/// In 1/1024; 1 call where the trace state says nothing that makes sense.
#[inline]
pub fn weight(trace_state: &[u8]) -> u64 {
    if trace_state.is_empty() { ONE } else { of_state(trace_state) }
}

fn of_state(trace_state: &[u8]) -> u64 {
    let members = trace_state.split(|&b| b == b',').take(MEMBERS_MAX).map(<[u8]>::trim_ascii);
    let Some(own) = members.filter_map(|member| member.strip_prefix(b"ot=")).next() else { return ONE };
    let value = |key: &[u8]| own.split(|&b| b == b';').find_map(|field| field.strip_prefix(key));
    let by_threshold = value(b"th:").and_then(by_threshold);
    by_threshold.or_else(|| value(b"p:").and_then(by_power)).unwrap_or(ONE).min(WEIGHT_MAX)
}

/// 2^56 / (2^56 − T); T is written in up to 14 hex digits, trailing zeros left out.
fn by_threshold(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 14 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digits = u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()?;
    let threshold = digits << (4 * (14 - text.len()));
    let kept = (1u128 << 56) - u128::from(threshold);
    let weight = ((u128::from(ONE) << 56) + kept / 2) / kept;
    Some(u64::try_from(weight).unwrap_or(u64::MAX))
}

/// 2^p, p from 0 to 62; 63 means a probability of zero, which no span that is here had.
fn by_power(text: &[u8]) -> Option<u64> {
    let power: u32 = std::str::from_utf8(text).ok()?.parse().ok().filter(|&power| power < 63)?;
    Some(ONE.saturating_mul(1u64 << power))
}

/// Turns weights into whole calls: what is left of one call goes over to the next, so that the sum is never off
/// by a call, windows and counters stay whole, and what is not sampled counts as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Carry([u64; Outcome::COUNT + 1]);

impl Carry {
    #[inline]
    pub fn calls(&mut self, outcome: Outcome, weight: u64) -> u64 {
        self.take(outcome as usize, weight)
    }

    #[inline]
    pub fn attempts(&mut self, weight: u64) -> u64 {
        self.take(Outcome::COUNT, weight)
    }

    #[inline]
    fn take(&mut self, kind: usize, weight: u64) -> u64 {
        let whole = self.0[kind] + weight;
        self.0[kind] = whole % ONE;
        whole / ONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_state_says_how_many_calls_a_span_stands_for() {
        let check = |state: &str, calls: f64| {
            let found = weight(state.as_bytes()) as f64 / ONE as f64;
            assert!((found - calls).abs() < 0.001, "{state:?}: {found}");
        };
        check("", 1.0);
        check("ot=th:0", 1.0);
        check("ot=th:8", 2.0);
        check("ot=th:c", 4.0);
        check("vendor=x, ot=rv:abcdef01234567;th:c", 4.0);
        check("ot=th:fd70a3d70a3d71", 100.0);
        check("ot=th:55555555555555", 1.5);
        check("ot=p:3;r:7", 8.0);
        check("ot=p:0", 1.0);
        // The newer wins.
        check("ot=p:3;th:c", 4.0);
        check("ot=p:3;th:zz", 8.0);
        // What makes no sense is one call.
        for state in [
            "ot=th:",
            "ot=th:123456789abcdef",
            "ot=p:63",
            "ot=p:-1",
            "ot=p:x",
            "xot=th:8",
            "other=p:3",
            "ot",
            "\u{1}",
        ] {
            check(state, 1.0);
        }
        assert_eq!(weight(b"ot=th:ffffffffffffff"), WEIGHT_MAX);
        assert_eq!(weight(b"ot=p:62"), WEIGHT_MAX);
    }

    #[test]
    fn whole_calls_add_up_to_the_weights() {
        let mut carry = Carry::default();
        let weights = [ONE, 1536, 1, ONE, 3000, 1365, 1365, 1366];
        let mut exact = 0;
        let mut counted = 0;
        for weight in weights.into_iter().cycle().take(10_000) {
            exact += weight;
            counted += carry.calls(Outcome::Ok, weight);
            assert_eq!(counted, exact / ONE);
        }
        assert_eq!(carry.calls(Outcome::Failed, ONE), 1);
        assert_eq!((carry.attempts(1536), carry.attempts(1536)), (1, 2));
    }
}
