//! Recorded events through roll-up and detector in simulated time: the code of the daemon, without its clock.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io::{self, Write};

use serde::Serialize;

use super::line::{Line, Wrong};
use crate::detect::{self, Alert, Change, Detector, Scope};
use crate::rollup::fold::Fold;
use crate::rollup::outcome::Outcome;
use crate::rollup::{self, Event, Open, Texts};

/// The second 0 of a recording: a Monday, 2024-01-01T00:00:00Z.
const BEGIN_NS: u64 = 1_704_067_200_000_000_000;
/// A start that came in later than this after it, or before it, is by a clock that can't be trusted with the
/// age of a call.
const TRUSTED_S: f64 = 2.0;
/// Open calls held at once; a recording whose ends are missing must not fill the memory.
const OPEN_MAX: usize = 262_144;

/// The simulated daemon.
pub struct Simulation<W> {
    fold: Fold,
    texts: std::sync::Arc<Texts>,
    detector: Detector,
    /// Calls in flight, once a line has told of any.
    open: Option<HashMap<u64, Open, foldhash::fast::FixedState>>,
    /// The seconds that are over.
    second: u64,
    alerts: W,
    /// By id, the scope under which an alert was written.
    written: HashMap<String, String>,
    pub counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub calls: u64,
    pub firing: u64,
}

/// A line of the output.
#[derive(Serialize)]
struct Row<'a> {
    t: f64,
    provider: &'a str,
    state: &'static str,
    host: Option<&'a str>,
    scope: &'a str,
    kind: &'static str,
}

impl<W: Write> Simulation<W> {
    pub fn new(rollup: rollup::Config, detect: detect::Config, alerts: W) -> Simulation<W> {
        let fold = Fold::new(rollup, BEGIN_NS);
        Simulation {
            texts: fold.texts(),
            fold,
            detector: Detector::new(detect),
            open: None,
            second: 0,
            alerts,
            written: HashMap::new(),
            counts: Counts::default(),
        }
    }

    /// How far it has come, in seconds.
    pub fn second(&self) -> u64 {
        self.second
    }

    /// Takes one line in.
    pub fn line(&mut self, line: &Line<'_>) -> io::Result<Result<(), Wrong>> {
        while line.clock_s() > (self.second + 1) as f64 {
            self.tick()?;
        }
        Ok(match &*line.k {
            "start" => self.start(line),
            "end" => self.end(line),
            "restart" => {
                self.open.iter_mut().for_each(HashMap::clear);
                self.detector.restart();
                Ok(())
            }
            _ => Ok(()),
        })
    }

    /// The last second is over, too.
    pub fn finish(&mut self) -> io::Result<()> {
        self.tick()?;
        self.alerts.flush()
    }

    fn start(&mut self, line: &Line<'_>) -> Result<(), Wrong> {
        let event = event(line, Outcome::Ok, 0)?;
        let open = self.open.get_or_insert_default();
        let Some(labels) = self.fold.labels(&event).filter(|_| open.len() < OPEN_MAX) else { return Ok(()) };
        let clock_s = line.clock_s();
        let started_s = if (clock_s - line.t).abs() <= TRUSTED_S { line.t } else { clock_s };
        let (trace_id, span_id) = (event.trace_id, event.span_id);
        open.insert(span_id, Open { labels, started_unix_ns: unix_ns(started_s), trace_id, span_id });
        Ok(())
    }

    fn end(&mut self, line: &Line<'_>) -> Result<(), Wrong> {
        let ms = line.ms.filter(|ms| ms.is_finite() && *ms >= 0.0).ok_or(Wrong::NoDuration)?;
        let event = event(line, line.outcome()?, (ms * 1e6) as u64)?;
        self.fold.record(&event);
        if let Some(open) = &mut self.open {
            open.remove(&event.span_id);
        }
        self.counts.calls += 1;
        Ok(())
    }

    fn tick(&mut self) -> io::Result<()> {
        self.second += 1;
        let now_ns = unix_ns(self.second as f64);
        self.fold.tick(now_ns);
        let mut observed = self.fold.observed();
        observed.open = self.open.as_ref().map(|open| open.values().copied().collect());
        for change in self.detector.tick(now_ns, &observed, &*self.texts) {
            self.write(&change)?;
        }
        Ok(())
    }

    /// Writes what somebody would have been told.
    fn write(&mut self, change: &Change) -> io::Result<()> {
        let alert = change.alert();
        if alert.muted {
            return Ok(());
        }
        let scope = alert.scope.to_string();
        let state = match change {
            Change::Resolved(_) => match self.written.remove(&alert.id) {
                Some(_) => "resolved",
                None => return Ok(()),
            },
            Change::Firing(_) | Change::Upgraded(_) => {
                if self.written.insert(alert.id.clone(), scope.clone()).is_some_and(|told| told == scope) {
                    return Ok(());
                }
                self.counts.firing += 1;
                "firing"
            }
        };
        let row = row(self.second, alert, state, &scope);
        serde_json::to_writer(&mut self.alerts, &row)?;
        self.alerts.write_all(b"\n")
    }
}

fn row<'a>(second: u64, alert: &'a Alert, state: &'static str, scope: &'a str) -> Row<'a> {
    let host = match &alert.scope {
        Scope::Host(name) => Some(&**name),
        _ => None,
    };
    let (provider, kind) = (&*alert.provider, alert.kind.replay_name());
    Row { t: second as f64, provider, state, host, scope, kind }
}

fn event<'a>(line: &'a Line<'_>, outcome: Outcome, duration_ns: u64) -> Result<Event<'a>, Wrong> {
    if line.p.is_empty() {
        return Err(Wrong::NoProvider);
    }
    // The same number may stand for another call at another host.
    let span_id = foldhash::fast::FixedState::default().hash_one((&line.p, &line.h, line.id.0));
    let mut trace_id = [0; 16];
    trace_id[8..].copy_from_slice(&span_id.to_be_bytes());
    Ok(Event {
        provider: &line.p,
        operation: &line.op,
        service: &line.svc,
        host: &line.h,
        endpoint: &line.ep,
        outcome,
        end_unix_ns: unix_ns(line.t),
        duration_ns,
        received_unix_ns: unix_ns(line.clock_s()),
        trace_id,
        span_id,
    })
}

fn unix_ns(second: f64) -> u64 {
    BEGIN_NS.saturating_add_signed((second * 1e9) as i64)
}
