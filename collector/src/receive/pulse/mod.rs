//! `Pulse.Report`: services without a daemon on their host tell once a second how many calls they have in flight.
//!
//! Bounded in streams, series and calls; a stream that falls silent is not believed any more.

mod series;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use spanmill_proto::v1::pulse_server::Pulse;
use spanmill_proto::v1::{PulseRequest, PulseResponse};
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};

use super::in_flight::Process;
use crate::clock::Clock;
use crate::outcome::Outcomes;
use series::{Key, Series};

/// Streams at once: a process each, one for each connection that a listener takes.
const STREAMS_MAX: usize = 10_000;
/// Providers times operations of one process. More are counted as lost.
const SERIES_MAX: usize = 1_024;
/// Calls in flight that are told of at once, over all streams.
const CALLS_MAX: usize = 65_536;
/// A message has a few hundred bytes for each series.
pub const MESSAGE_MAX: usize = 1 << 20;
/// A stream speaks once in ten seconds at least; half as long again is silence.
const SILENT_NS: u64 = 15_000_000_000;

/// All streams that are open. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pulses {
    streams: Arc<Mutex<Streams>>,
    clock: Clock,
    outcomes: Arc<Outcomes>,
    stopping: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct Streams {
    by_number: HashMap<u64, Stream>,
    last_number: u64,
}

#[derive(Debug, Default)]
struct Stream {
    stream_id: u64,
    sequence: u64,
    resource: Bytes,
    series: HashMap<Key, Series>,
    heard_ns: u64,
    /// Ids for calls whose own ones are not told.
    last_id: u64,
}

impl Pulses {
    pub fn new(clock: Clock, outcomes: Arc<Outcomes>, stopping: watch::Receiver<bool>) -> Pulses {
        Pulses { streams: Arc::default(), clock, outcomes, stopping }
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a stream; it is given back when this is dropped.
    fn begin(&self) -> Option<Place> {
        let mut streams = self.streams();
        if streams.by_number.len() >= STREAMS_MAX {
            return None;
        }
        streams.last_number += 1;
        let number = streams.last_number;
        streams.by_number.insert(number, Stream::default());
        Some(Place { pulses: self.clone(), number })
    }

    /// All calls in flight that the streams tell of now; `None` while there is no stream.
    pub fn in_flight(&self) -> Option<Vec<Process>> {
        let now_ns = self.clock.unix_ns();
        let streams = self.streams();
        if streams.by_number.is_empty() {
            return None;
        }
        let mut left = CALLS_MAX;
        let heard = streams.by_number.iter().filter(|(_, stream)| stream.heard_ns + SILENT_NS > now_ns);
        let processes = heard.map(|(number, stream)| {
            let calls: Vec<_> =
                stream.series.iter().flat_map(|(key, series)| series.calls(key)).take(left).collect();
            left -= calls.len();
            Process { number: *number, resource: stream.resource.clone(), calls }
        });
        Some(processes.collect())
    }
}

/// The place of one stream.
struct Place {
    pulses: Pulses,
    number: u64,
}

impl Place {
    fn hear(&self, request: PulseRequest) {
        let now_ns = self.pulses.clock.unix_ns();
        let mut streams = self.pulses.streams();
        let Some(stream) = streams.by_number.get_mut(&self.number) else { return };
        let heard = stream.hear(self.number, request, now_ns);
        drop(streams);
        self.pulses.outcomes.pulse(heard.mismatches, heard.lost);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pulses.streams().by_number.remove(&self.number);
    }
}

/// What did not add up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    /// Series whose open calls are not those of before and what began and ended since.
    mismatches: u64,
    /// Calls that the client, or we, lost track of.
    lost: u64,
}

impl Stream {
    fn hear(&mut self, number: u64, request: PulseRequest, now_ns: u64) -> Heard {
        let mut heard = Heard::default();
        // The first one, or one after a gap, has nothing before it to be held against.
        let follows = self.stream_id == request.stream_id && request.sequence == self.sequence + 1;
        if self.stream_id != request.stream_id {
            self.series.clear();
        }
        (self.stream_id, self.sequence, self.heard_ns) = (request.stream_id, request.sequence, now_ns);
        if !request.resource.is_empty() {
            // A copy: the message would be kept whole for the sake of a part of it.
            self.resource = Bytes::copy_from_slice(&request.resource);
        }
        // Ages are the sender's, so its clock does not matter but for the starts of the oldest.
        let ahead_ns = i128::from(now_ns) - i128::from(request.sent_unix_ns);
        for told in request.series {
            let key = Key::of(&told);
            if self.series.len() >= SERIES_MAX && !self.series.contains_key(&key) {
                heard.lost += told.started;
                continue;
            }
            heard.lost += told.lost;
            let series = self.series.entry(key).or_default();
            heard.mismatches += u64::from(follows && !series.adds_up(&told));
            let mut new_id = || {
                self.last_id += 1;
                (number, self.last_id)
            };
            series.hear(&told, now_ns, ahead_ns, &mut new_id);
        }
        self.series.retain(|_, series| !series.is_empty());
        heard
    }
}

#[tonic::async_trait]
impl Pulse for Pulses {
    async fn report(
        &self,
        request: Request<Streaming<PulseRequest>>,
    ) -> Result<Response<PulseResponse>, Status> {
        let Some(place) = self.begin() else {
            return Err(Status::resource_exhausted(format!("{STREAMS_MAX} streams report already")));
        };
        let mut requests = request.into_inner();
        let mut stopping = self.stopping.clone();
        loop {
            let request = tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => None,
                request = requests.message() => request?,
            };
            let Some(request) = request else { return Ok(Response::new(PulseResponse {})) };
            place.hear(request);
        }
    }
}
