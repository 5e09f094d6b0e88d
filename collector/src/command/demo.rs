//! `spanmill demo`: the daemon and a simulated shop, on one machine, with nothing to install.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use super::signals::Signals;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::demo::{self, Providers};
use crate::detect::Standings;
use crate::pipeline::{Pipeline, StartError};

/// Runs the daemon with a simulated shop and eight simulated providers, one of them in trouble at a time.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Examples:\n  spanmill demo\n  spanmill demo --for 120 --jaeger http://127.0.0.1:14317\n\n\
    Open the address that it prints. Ctrl-C ends it; its data is removed."
)]
pub struct Demo {
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// End after this many seconds; without it on Ctrl-C
    #[arg(long = "for", value_name = "SECS")]
    seconds: Option<u64>,
    /// Checkouts per second; each calls four or five providers
    #[arg(long, default_value_t = 20.0, value_parser = rate)]
    rate: f64,
    /// Forward the traces to this OTLP/gRPC receiver too
    #[arg(long, value_name = "URL")]
    jaeger: Option<String>,
    /// Write the addresses of the simulated providers into this JSON file, for a shop of your own to call them
    #[arg(long, value_name = "FILE")]
    providers: Option<PathBuf>,
    /// Where the local socket is, for programs that report to the demo's daemon
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Where the page and the API listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4316")]
    page: SocketAddr,
    /// Where OTLP/gRPC listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4317")]
    grpc: SocketAddr,
    /// Where OTLP/HTTP listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4318")]
    http: SocketAddr,
}

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the simulation can't run: {0}")]
    Simulation(#[from] io::Error),
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.01..=1_000.0).contains(&rate) => Ok(rate),
        _ => Err("a number of checkouts per second from 0.01 to 1000".to_owned()),
    }
}

impl Demo {
    pub fn run(self) -> Result<(), Error> {
        let dir = std::env::temp_dir().join(format!("spanmill-demo-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let ended = self.run_in(&dir);
        drop(std::fs::remove_dir_all(&dir));
        ended
    }

    fn run_in(self, dir: &Path) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut signals = Signals::catch()?;
            let providers = Providers::start(self.seed).await?;
            let again = {
                let (demo, dir, providers) = (self.clone(), dir.to_owned(), providers.clone());
                move || demo.config(&dir, &providers)
            };
            let config = again()?;
            let socket = config.receive.local.path.clone();
            if let Some(file) = &self.providers {
                let addresses: BTreeMap<_, _> = providers.addresses().collect();
                std::fs::write(file, serde_json::to_vec_pretty(&addresses).map_err(io::Error::from)?)?;
            }
            let pipeline = Pipeline::start(config, &Clock::default(), again)?;
            println!("spanmill demo: a shop and eight providers; open http://{}/", pipeline.page());
            let started = Instant::now();
            let tell = |line: &str| {
                let seconds = started.elapsed().as_secs();
                println!("{:02}:{:02}  {line}", seconds / 60, seconds % 60);
            };
            let stop = async {
                let end = tokio::time::sleep(self.seconds.map_or(Duration::MAX, Duration::from_secs));
                tokio::select! {
                    () = end => {}
                    () = signals.stop() => {}
                    () = tell_verdicts(pipeline.standings(), tell) => {}
                }
            };
            let simulation = demo::Config { seed: self.seed, rate: self.rate };
            let ended = demo::simulate(simulation, providers, &socket, tell, stop).await;
            pipeline.stop().await;
            Ok(ended?)
        })
    }

    /// The configuration as a file would say it, so that the demo runs what an operator would.
    fn config(&self, dir: &Path, providers: &Providers) -> Result<Config, config::Error> {
        let socket = self.socket.clone().unwrap_or_else(|| dir.join("spanmill.sock"));
        let mut text = format!(
            "[receive.otlp_grpc]\nlisten = \"{}\"\n[receive.otlp_http]\nlisten = \"{}\"\n\
             [receive.local]\npath = \"{}\"\n[expose]\nlisten = \"{}\"\n",
            self.grpc,
            self.http,
            socket.display(),
            self.page
        );
        if let Some(endpoint) = &self.jaeger {
            write!(text, "[forward.jaeger]\nendpoint = {endpoint:?}\n")
                .expect("a String takes what it is given");
        }
        for (name, addresses) in providers.addresses() {
            let ports: Vec<u16> = addresses.iter().map(SocketAddr::port).collect();
            writeln!(
                text,
                "[[provider]]\nname = \"{name}\"\nhosts = [\"127.0.0.1\"]\nports = {ports:?}\nowner = \"demo\"\ntimeout = \"5s\""
            )
            .expect("a String takes what it is given");
        }
        Config::from_text(&PathBuf::from("demo"), &text, dir.to_owned())
    }
}

/// Prints each verdict as it falls; ends with the detector.
async fn tell_verdicts(mut standings: Standings, tell: impl Fn(&str)) {
    let mut told = HashMap::new();
    while standings.changed().await.is_ok() {
        let now = Arc::clone(&standings.borrow_and_update());
        for standing in now.iter() {
            let before = told.insert(Arc::clone(&standing.provider), standing.generation);
            let is_news = before.is_some_and(|before| before != standing.generation);
            if is_news || (before.is_none() && standing.evidence.is_some()) {
                let (provider, verdict) = (&standing.provider, standing.verdict.name());
                let evidence = standing.evidence.as_ref().map_or(String::new(), |why| format!(": {why}"));
                tell(&format!("verdict: {provider} is {verdict}{evidence}"));
            }
        }
    }
}
