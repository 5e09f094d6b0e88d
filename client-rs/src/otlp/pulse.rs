//! Calls in flight, told once a second to a receiver that understands it: a spanmill, wherever it runs.
//!
//! What is open is read from our own open-call page, so a pulse costs the callers nothing. Calls that begin and end
//! between two looks are in neither `started` nor `finished`.

use std::collections::HashMap;
use std::time::Duration;

use spanmill_proto::open_calls::{OpenCall, Target};
use spanmill_proto::v1::pulse_client::PulseClient;
use spanmill_proto::v1::{OpenCall as OldestCall, PulseRequest, PulseSeries};
use tonic::Code;

use super::channel::Receiver;
use crate::clock;
use crate::engine::Engine;
use crate::id;

const INTERVAL: Duration = Duration::from_secs(1);
/// After a stream that broke.
const REST: Duration = Duration::from_secs(10);
/// Without news a sign of life is enough.
const QUIET_MAX: u32 = 10;
/// Upper ends of the age buckets, in milliseconds; the last one has none.
const AGES_MS: [u64; 10] = [100, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000];
/// Calls of a series that are named.
const OLDEST_MAX: usize = 8;

/// Reports until the engine is stopped, or the receiver says that it does not know pulses.
pub(super) async fn report(engine: &'static Engine, receiver: Receiver) {
    loop {
        let pulse = Pulse::new(engine);
        let stream = futures_util::stream::unfold(pulse, |mut pulse| async move {
            let request = pulse.next().await?;
            Some((request, pulse))
        });
        let answer = PulseClient::new(receiver.channel()).report(receiver.request(stream)).await;
        match answer {
            Ok(_) if engine.is_stopped() => return,
            Err(status) if matches!(status.code(), Code::Unimplemented | Code::NotFound) => return,
            _ => tokio::time::sleep(REST).await,
        }
    }
}

type Key = (String, String, u32, String);

/// One stream: what was open when it was last told.
struct Pulse {
    engine: &'static Engine,
    stream_id: u64,
    sequence: u64,
    quiet: u32,
    /// By slot and generation: the series of each call that was open.
    open: HashMap<(usize, u64), Key>,
}

impl Pulse {
    fn new(engine: &'static Engine) -> Pulse {
        Pulse { engine, stream_id: id::random(clock::wall_ns()), sequence: 0, quiet: 0, open: HashMap::new() }
    }

    /// The next request that is worth sending; `None` at the end.
    async fn next(&mut self) -> Option<PulseRequest> {
        loop {
            if self.sequence > 0 {
                tokio::time::sleep(INTERVAL).await;
            }
            if self.engine.is_stopped() {
                return None;
            }
            let series =
                self.engine.page().map(|page| page.read(|calls| self.count(calls))).unwrap_or_default();
            self.quiet += 1;
            if !series.is_empty() || self.quiet >= QUIET_MAX || self.sequence == 0 {
                return Some(self.request(series));
            }
        }
    }

    fn request(&mut self, series: Vec<PulseSeries>) -> PulseRequest {
        let is_first = self.sequence == 0;
        self.quiet = 0;
        self.sequence += 1;
        PulseRequest {
            stream_id: self.stream_id,
            sequence: self.sequence,
            sent_unix_ns: clock::wall_ns(),
            resource: if is_first {
                self.engine.envelope().resource().to_vec().into()
            } else {
                Default::default()
            },
            series,
        }
    }

    fn count<'c>(&mut self, calls: &mut dyn Iterator<Item = (usize, u64, OpenCall<'c>)>) -> Vec<PulseSeries> {
        let now_ns = clock::wall_ns();
        let mut all: HashMap<Key, PulseSeries> = HashMap::new();
        let mut open = HashMap::new();
        for (slot, generation, call) in calls {
            let key = key(&call);
            let series = all.entry(key.clone()).or_insert_with(|| empty(&key));
            if self.open.remove(&(slot, generation)).is_none() {
                series.started += 1;
            }
            add(series, &call, now_ns);
            open.insert((slot, generation), key);
        }
        // What was open and is not any more.
        for key in std::mem::replace(&mut self.open, open).into_values() {
            all.entry(key.clone()).or_insert_with(|| empty(&key)).finished += 1;
        }
        all.into_values().collect()
    }
}

fn key(call: &OpenCall<'_>) -> Key {
    let operation = call.operation.to_string();
    match call.target {
        Target::Provider(provider) => (provider.to_string(), String::new(), 0, operation),
        Target::Address(address, port) => (String::new(), address.to_string(), u32::from(port), operation),
    }
}

fn empty((provider, address, port, operation): &Key) -> PulseSeries {
    PulseSeries {
        provider: provider.clone(),
        address: address.clone(),
        port: *port,
        operation: operation.clone(),
        age_buckets: vec![0; AGES_MS.len() + 1],
        ..PulseSeries::default()
    }
}

fn add(series: &mut PulseSeries, call: &OpenCall<'_>, now_ns: u64) {
    let age_ms = now_ns.saturating_sub(call.start_unix_ns) / 1_000_000;
    series.open += 1;
    series.age_buckets[AGES_MS.partition_point(|end| *end < age_ms)] += 1;
    series.oldest_ms = series.oldest_ms.max(age_ms);
    let at = series.oldest.partition_point(|other| other.start_unix_ns <= call.start_unix_ns);
    if at < OLDEST_MAX {
        let (trace_id, span_id) = (call.trace_id.to_vec().into(), call.span_id.to_vec().into());
        series.oldest.insert(at, OldestCall { trace_id, span_id, start_unix_ns: call.start_unix_ns });
        series.oldest.truncate(OLDEST_MAX);
    }
}
