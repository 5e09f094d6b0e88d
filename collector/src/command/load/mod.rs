//! `spanmill load`: sends OTLP of realistic provider calls at a fixed rate and says how it was taken.

pub mod payload;
mod sender;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;
use http::Uri;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use crate::clock::Clock;
use crate::demo::Random;
use crate::tls::ClientFiles;
use sender::Sender;

/// Sends OTLP/gRPC load of realistic provider calls and prints sent, acknowledged and latency.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  spanmill load --target http://127.0.0.1:4317 --rate 10000 --seconds 30\n\n\
    Exit status: 0 = every span was acknowledged, 1 = not."
)]
pub struct Load {
    /// An OTLP/gRPC receiver; https:// for TLS
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4317")]
    target: Uri,
    /// With https://: the one authority that is trusted (default: those of this host)
    #[arg(long, value_name = "PEM")]
    ca_file: Option<PathBuf>,
    /// With https://: a certificate of our own, where the receiver wants one
    #[arg(long, value_name = "PEM", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "PEM", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// Spans per second
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// How long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("cannot send to {target}: {cause}; is an OTLP/gRPC receiver listening there?")]
    Connect { target: Uri, cause: String },
    #[error("{} of {} spans were not acknowledged{}", lost, sent, why.as_ref().map_or(String::new(), |why| format!(": {why}")))]
    Lost { sent: u64, lost: u64, why: Option<String> },
}

/// Requests per second: enough for a steady stream, few enough that a request is a batch.
const REQUESTS_PER_SECOND: u64 = 20;
/// Spans in one request at most; faster rates send more requests instead.
const BATCH_MAX: u64 = 512;
/// Requests that may be unanswered at once; beyond it sending waits, and the rate is missed.
const IN_FLIGHT_MAX: usize = 64;
/// How long the last answers are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Longest latency that is told apart.
const LATENCY_MAX_US: u64 = 60_000_000;

/// What became of one request.
struct Answered {
    spans: u64,
    took: Duration,
    error: Option<String>,
}

impl Load {
    pub fn run(self) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.send())
    }

    async fn send(self) -> Result<(), Error> {
        let files =
            ClientFiles { ca: self.ca_file, pair: self.cert_file.zip(self.key_file), server_name: None };
        let sender = Sender::connect(&self.target, files).await;
        let sender = sender.map_err(|cause| Error::Connect { target: self.target.clone(), cause })?;
        let requests = (self.rate.div_ceil(BATCH_MAX)).max(REQUESTS_PER_SECOND.min(self.rate)).max(1);
        let spans = self.rate.div_ceil(requests);
        let (answers, answered) = mpsc::channel(IN_FLIGHT_MAX);
        let tally = tokio::spawn(Tally::of(answered));

        let mut ticks = interval(Duration::from_secs(1).div_f64(requests as f64));
        let clock = Clock::default();
        let mut random = Random::new(1);
        let mut sent = 0;
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(self.seconds) {
            ticks.tick().await;
            // A place in the channel is a place in flight.
            let Ok(place) = answers.clone().reserve_owned().await else { break };
            let body = payload::request(&mut random, spans as usize, clock.unix_ns());
            let sender = sender.share();
            sent += spans;
            tokio::spawn(async move {
                let started = Instant::now();
                let error = sender.export(body).await.err();
                place.send(Answered { spans, took: started.elapsed(), error });
            });
        }
        drop(answers);
        let tally = timeout(LAST_ANSWERS, tally).await;
        let tally = tally.ok().and_then(Result::ok).unwrap_or_default();
        tally.print(sent, started.elapsed());
        match sent - tally.acknowledged {
            0 => Ok(()),
            lost => Err(Error::Lost { sent, lost, why: tally.error }),
        }
    }
}

#[derive(Default)]
struct Tally {
    acknowledged: u64,
    took_us: Option<Histogram<u64>>,
    error: Option<String>,
}

impl Tally {
    /// Counts answers until the last sender is gone, with a line each second.
    async fn of(mut answers: mpsc::Receiver<Answered>) -> Tally {
        let mut tally =
            Tally { took_us: Histogram::new_with_max(LATENCY_MAX_US, 3).ok(), ..Tally::default() };
        let mut seconds = interval(Duration::from_secs(1));
        seconds.tick().await;
        loop {
            tokio::select! {
                answered = answers.recv() => match answered {
                    None => return tally,
                    Some(answered) => tally.add(answered),
                },
                _ = seconds.tick() => eprintln!("{} spans acknowledged", tally.acknowledged),
            }
        }
    }

    fn add(&mut self, answered: Answered) {
        match answered.error {
            None => self.acknowledged += answered.spans,
            error => self.error = error,
        }
        if let Some(took_us) = &mut self.took_us {
            took_us.saturating_record(answered.took.as_micros() as u64);
        }
    }

    fn print(&self, sent: u64, took: Duration) {
        let rate = self.acknowledged as f64 / took.as_secs_f64();
        println!("sent {sent} spans, acknowledged {} ({rate:.0} per second)", self.acknowledged);
        if let Some(took_us) = &self.took_us {
            let ms = |quantile| took_us.value_at_quantile(quantile) as f64 / 1000.0;
            println!("answered after p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", ms(0.5), ms(0.99), ms(1.0));
        }
    }
}
