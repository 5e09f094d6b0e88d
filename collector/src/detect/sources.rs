//! Where bad calls come from: per provider and dimension the heaviest sources, each with an own sum.
//!
//! Space-Saving (Metwally, Agrawal and El Abbadi, 2005) at heart: a source that has shown bad calls lately keeps
//! its place, the one with the least makes room.

use super::channel::PerChannel;
use super::cusum::{Count, FIRES_AT, Test};
use crate::rollup::{Labels, Name};

/// Sources in one table. The scope test needs the heaviest 16; the others are there so that the usual share
/// of a service, an operation or an endpoint is known before it is in trouble.
const SOURCES_MAX: usize = 64;
/// One of many sources fires by itself only on more evidence: there are many.
pub const SOURCE_FIRES_AT: f64 = 1.75 * FIRES_AT;
/// Calls in the usual share of a source at most, so that it follows the times.
const USUAL_CALLS: f32 = 2000.0;

/// What a call can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Dimension {
    Host,
    Endpoint,
    Operation,
    Service,
}

impl Dimension {
    pub const ALL: [Dimension; 4] =
        [Dimension::Host, Dimension::Endpoint, Dimension::Operation, Dimension::Service];

    pub fn of(self, labels: &Labels) -> Name {
        match self {
            Dimension::Host => labels.host,
            Dimension::Endpoint => labels.endpoint,
            Dimension::Operation => labels.operation,
            Dimension::Service => labels.service,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Sources {
    names: Vec<Name>,
    sources: Vec<Source>,
}

#[derive(Debug, Clone, Default)]
pub struct Source {
    pub channels: PerChannel<Evidence>,
}

/// What one source says in one channel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence {
    /// Since its own sum was 0 last.
    pub since: Count,
    pub sum: f64,
    /// Of the present second.
    fresh: Count,
    usual_bad: f32,
    usual_calls: f32,
}

impl Evidence {
    /// Its usual share of bad calls, once enough calls have shown it.
    pub fn usual(&self) -> Option<f64> {
        (self.usual_calls >= 200.0).then(|| f64::from(self.usual_bad / self.usual_calls))
    }

    fn weight(&self) -> (u32, f32) {
        (self.since.bad, self.usual_calls)
    }
}

impl Sources {
    pub fn count(&mut self, name: Name, channel: usize, is_bad: bool) {
        let at = match self.names.iter().position(|known| *known == name) {
            Some(at) => at,
            None if self.names.len() < SOURCES_MAX => {
                self.names.push(name);
                self.sources.push(Source::default());
                self.names.len() - 1
            }
            None if is_bad => {
                let at = self.least();
                self.names[at] = name;
                self.sources[at] = Source::default();
                at
            }
            None => return,
        };
        self.sources[at].channels[channel].fresh.add(is_bad);
    }

    /// The place that is given up for a new source.
    fn least(&self) -> usize {
        let weight = |source: &Source| {
            let channels = source.channels.iter().map(Evidence::weight);
            channels.fold((0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        };
        let places = self.sources.iter().enumerate().map(|(at, source)| (weight(source), at));
        places.min_by(|(a, _), (b, _)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))).map_or(0, |(_, at)| at)
    }

    /// Ends a second. `learns` = the provider is well, so what is seen is usual.
    pub fn step(&mut self, tests: &PerChannel<Test>, clip: f64, learns: bool) {
        for source in &mut self.sources {
            for (test, evidence) in tests.iter().zip(&mut source.channels) {
                if evidence.fresh.calls() == 0 {
                    continue;
                }
                let test = own_test(test, evidence, clip);
                evidence.sum = test.step_up_to(SOURCE_FIRES_AT, evidence.sum, evidence.fresh);
                evidence.since = evidence.since.plus(evidence.fresh);
                if evidence.sum == 0.0 {
                    evidence.since = Count::default();
                }
                if learns {
                    evidence.usual_bad += evidence.fresh.bad as f32;
                    evidence.usual_calls += evidence.fresh.calls() as f32;
                    if evidence.usual_calls > USUAL_CALLS {
                        evidence.usual_bad *= 0.5;
                        evidence.usual_calls *= 0.5;
                    }
                }
                evidence.fresh = Count::default();
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Name, &Source)> {
        self.names.iter().copied().zip(&self.sources)
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn of(&self, name: Name) -> Option<&Source> {
        let at = self.names.iter().position(|known| *known == name)?;
        Some(&self.sources[at])
    }

    /// Nothing that was seen so far is evidence any more.
    pub fn clear(&mut self) {
        for evidence in self.sources.iter_mut().flat_map(|source| &mut source.channels) {
            (evidence.since, evidence.sum, evidence.fresh) = (Count::default(), 0.0, Count::default());
        }
    }
}

/// The provider's test, unless this source is usually worse than the provider.
fn own_test(test: &Test, evidence: &Evidence, clip: f64) -> Test {
    match evidence.usual() {
        Some(usual) if usual > test.normal => {
            let normal = usual.min(0.9);
            Test::new(normal, test.incident.max((1.0 + 2.0 * normal) / 3.0).min(0.97), clip)
        }
        _ => *test,
    }
}
