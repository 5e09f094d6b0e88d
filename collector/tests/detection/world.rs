//! A simulated company: providers, those who call them, and what goes wrong.

use std::borrow::Cow;

use spanmill_collector::command::replay::{Id, Line, Simulation, Truth};
use spanmill_collector::config::Config;

use super::random::Random;

/// One call, before it is told of.
#[derive(Debug, Clone)]
pub struct Call {
    pub start: f64,
    pub ms: f64,
    pub out: &'static str,
    pub host: usize,
    pub operation: usize,
    pub service: usize,
    pub endpoint: usize,
}

impl Call {
    pub fn end(&self) -> f64 {
        self.start + self.ms / 1000.0
    }

    /// It gets no answer before its client gives up.
    pub fn hang(&mut self, timeout_s: f64) {
        self.ms = timeout_s * 1000.0;
        self.out = "timeout";
    }
}

/// Changes a call that would have gone well. `&mut Random` is the provider's own.
pub type Trouble = Box<dyn Fn(&mut Call, &mut Random)>;

/// Milliseconds that a call takes.
pub type Latency = Box<dyn Fn(&Call, &mut Random) -> f64>;

pub struct Provider {
    pub name: String,
    /// Calls per second at a time; for a pool, how many each free worker begins.
    pub rate: Box<dyn Fn(f64) -> f64>,
    pub rate_max: f64,
    /// Milliseconds by operation.
    pub latency: Latency,
    pub failures: f64,
    pub declines: f64,
    pub timeout_s: f64,
    pub hosts: usize,
    pub operations: Vec<f64>,
    pub services: usize,
    pub endpoints: usize,
    /// Workers that do one call at a time; `None` = callers without end.
    pub pool: Option<usize>,
    pub trouble: Vec<Trouble>,
    /// Starts are told of.
    pub in_flight: bool,
    /// Ends are sent when a batch is due; the longest wait in seconds.
    pub batch_s: Option<(f64, f64)>,
    /// By host: seconds that its clock is ahead.
    pub clocks: Vec<f64>,
}

impl Provider {
    pub fn new(name: impl Into<String>, rate: f64, median_ms: f64, sigma: f64) -> Provider {
        Provider {
            name: name.into(),
            rate: Box::new(move |_| rate),
            rate_max: rate,
            latency: Box::new(move |_, random| random.log_normal(median_ms, sigma)),
            failures: 0.001,
            declines: 0.0,
            timeout_s: 45.0,
            hosts: 20,
            operations: vec![1.0],
            services: 1,
            endpoints: 1,
            pool: None,
            trouble: Vec::new(),
            in_flight: true,
            batch_s: None,
            clocks: Vec::new(),
        }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Provider)) -> Provider {
        change(&mut self);
        self
    }

    pub fn rate(mut self, max: f64, rate: impl Fn(f64) -> f64 + 'static) -> Provider {
        (self.rate, self.rate_max) = (Box::new(rate), max);
        self
    }

    pub fn latency(mut self, latency: impl Fn(&Call, &mut Random) -> f64 + 'static) -> Provider {
        self.latency = Box::new(latency);
        self
    }

    pub fn trouble(mut self, trouble: impl Fn(&mut Call, &mut Random) + 'static) -> Provider {
        self.trouble.push(Box::new(trouble));
        self
    }

    /// Nothing is answered that would end in this time.
    pub fn hangs(self, from: f64, to: f64, share: f64) -> Provider {
        let timeout_s = self.timeout_s;
        self.trouble(move |call, random| {
            if call.end() >= from && call.start < to && random.chance(share) {
                call.hang(timeout_s);
            }
        })
    }

    pub fn slows(self, from: f64, to: f64, factor: f64) -> Provider {
        self.trouble(move |call, _| {
            if (from..to).contains(&call.start) {
                call.ms *= factor;
            }
        })
    }

    pub fn fails(self, from: f64, to: f64, share: f64) -> Provider {
        self.trouble(move |call, random| {
            if (from..to).contains(&call.start) && random.chance(share) {
                call.out = "failed";
            }
        })
    }

    fn call(&self, start: f64, random: &mut Random) -> Call {
        let mut call = Call {
            start,
            ms: 0.0,
            out: "ok",
            host: random.below(self.hosts),
            operation: pick(&self.operations, random),
            service: random.below(self.services),
            endpoint: random.below(self.endpoints),
        };
        call.ms = (self.latency)(&call, random);
        if random.chance(self.failures) {
            call.out = "failed";
        } else if random.chance(self.declines) {
            call.out = "declined";
        }
        for trouble in &self.trouble {
            trouble(&mut call, random);
        }
        if call.ms > self.timeout_s * 1000.0 {
            call.hang(self.timeout_s);
        }
        call
    }

    /// All its calls up to `until`, by start.
    fn calls(&self, until: f64, random: &mut Random) -> Vec<Call> {
        let mut calls = Vec::new();
        match self.pool {
            None => {
                let mut at = random.exponential(1.0 / self.rate_max);
                while at < until {
                    if random.chance((self.rate)(at) / self.rate_max) {
                        calls.push(self.call(at, random));
                    }
                    at += random.exponential(1.0 / self.rate_max);
                }
            }
            Some(workers) => {
                for _ in 0..workers {
                    let mut at = random.exponential(1.0 / self.rate_max);
                    while at < until {
                        let call = self.call(at, random);
                        at = call.end() + random.exponential(1.0 / (self.rate)(at));
                        calls.push(call);
                    }
                }
            }
        }
        calls
    }
}

fn pick(weights: &[f64], random: &mut Random) -> usize {
    let mut at = random.unit() * weights.iter().sum::<f64>();
    weights
        .iter()
        .position(|weight| {
            at -= weight;
            at < 0.0
        })
        .unwrap_or(0)
}

/// A line of the alerts.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Told {
    pub t: f64,
    pub provider: String,
    pub state: String,
    pub scope: String,
    pub kind: String,
}

pub struct World {
    pub providers: Vec<Provider>,
    pub until: f64,
    pub seed: u64,
    pub restarts: Vec<f64>,
    pub config: &'static str,
}

impl World {
    pub fn new(seed: u64, until: f64) -> World {
        World { providers: Vec::new(), until, seed, restarts: Vec::new(), config: "" }
    }

    pub fn add(&mut self, provider: Provider) {
        self.providers.push(provider);
    }

    /// Simulates, and gives back what was told.
    pub fn run(&self) -> Vec<Told> {
        let events = self.events();
        let dir = std::env::temp_dir();
        let config = Config::from_text("simulation.toml".as_ref(), self.config, dir).unwrap();
        let mut alerts = Vec::new();
        let mut simulation = Simulation::new(config.rollup, config.detect, &mut alerts);
        for event in &events {
            simulation.line(&event.line(self)).unwrap().unwrap();
        }
        simulation.finish().unwrap();
        let text = String::from_utf8(alerts).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut id = 0;
        for (at_provider, provider) in self.providers.iter().enumerate() {
            let mut random = Random::new(self.seed.wrapping_mul(1_000_003) + at_provider as u64);
            let mut flush = vec![0.0; provider.hosts];
            let mut calls = provider.calls(self.until, &mut random);
            calls.sort_by(|a, b| a.end().total_cmp(&b.end()));
            for call in calls {
                id += 1;
                let ahead = provider.clocks.get(call.host).copied().unwrap_or_default();
                let mut arrival = call.end();
                if let Some((low, high)) = provider.batch_s {
                    // Each host sends what has ended at its own times.
                    while flush[call.host] < call.end() {
                        flush[call.host] += random.between(low, high);
                    }
                    arrival = flush[call.host];
                }
                if provider.in_flight {
                    let (at, stamp) = (call.start, call.start + ahead);
                    events.push(Event {
                        at,
                        stamp,
                        id,
                        provider: at_provider,
                        what: What::Start(call.clone()),
                    });
                }
                if arrival < self.until {
                    let stamp = call.end() + ahead;
                    events.push(Event {
                        at: arrival,
                        stamp,
                        id,
                        provider: at_provider,
                        what: What::End(call),
                    });
                }
            }
        }
        for at in &self.restarts {
            events.push(Event { at: *at, stamp: *at, id: 0, provider: 0, what: What::Restart });
        }
        events.sort_by(|a, b| a.at.total_cmp(&b.at));
        events
    }
}

/// A line before it is one.
#[derive(Debug, Clone)]
struct Event {
    at: f64,
    stamp: f64,
    id: u64,
    provider: usize,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Start(Call),
    End(Call),
    Restart,
}

impl Event {
    fn line<'a>(&'a self, world: &'a World) -> Line<'a> {
        let text = |text: &'static str| Cow::Borrowed(text);
        let provider = &world.providers[self.provider];
        let mut line = Line {
            t: self.stamp,
            k: text("restart"),
            p: Cow::Borrowed(&provider.name),
            h: text(""),
            id: Id(self.id),
            ms: None,
            err: Truth(false),
            out: None,
            op: text(""),
            svc: text(""),
            ep: text(""),
            rx: (self.at != self.stamp).then_some(self.at),
        };
        let call = match &self.what {
            What::Restart => return line,
            What::Start(call) => {
                line.k = text("start");
                call
            }
            What::End(call) => {
                line.k = text("end");
                line.ms = Some(call.ms);
                line.err = Truth(!matches!(call.out, "ok" | "declined"));
                line.out = (call.out != "ok").then(|| text(call.out));
                call
            }
        };
        line.h = format!("h{}", call.host).into();
        if provider.operations.len() > 1 {
            line.op = format!("op{}", call.operation).into();
        }
        if provider.services > 1 {
            line.svc = format!("svc{}", call.service).into();
        }
        if provider.endpoints > 1 {
            line.ep = format!("10.0.0.{}:443", call.endpoint).into();
        }
        line
    }
}
