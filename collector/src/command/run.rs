//! `spanmill run`: the daemon, from its configuration to its last signal.

use std::io;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::signals::Signals;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::pipeline::{Pipeline, StartError};

/// Runs the daemon until SIGTERM or SIGINT.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  spanmill run\n  spanmill run --config /etc/spanmill/spanmill.toml\n\n\
    Without a file: OTLP on 127.0.0.1:4317 (gRPC) and :4318 (HTTP), page and API on 127.0.0.1:4316,\n\
    data under ./spanmill-data, nothing is forwarded.\n\n\
    SIGHUP reads the [[provider]] tables and [mask] again; a file with an error changes nothing.\n\
    Exit status: 0 = stopped by a signal, 64 = bad configuration, 1 = could not start.")]
pub struct Run {
    /// Configuration, TOML; without it the embedded defaults
    #[arg(long)]
    config: Option<PathBuf>,
    /// Directory of the journal; wins over `data_dir` of the file
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

/// Why the daemon ended before a signal told it to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot wait for signals: {0}")]
    Signals(#[from] io::Error),
}

impl Run {
    pub fn run(self) -> Result<(), Error> {
        let Run { config: path, data_dir } = self;
        let again = move || Config::load(path.as_deref(), data_dir.clone());
        let config = again()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut signals = Signals::catch()?;
            let mut hangup = signal(SignalKind::hangup())?;
            let pipeline = Pipeline::start(config, &Clock::default(), again)?;
            pipeline.announce();
            loop {
                tokio::select! {
                    () = signals.stop() => break,
                    // It says in the log what came of it.
                    _ = hangup.recv() => drop(pipeline.reload().now()),
                }
            }
            tracing::info!("stopping");
            pipeline.stop().await;
            Ok(())
        })
    }
}
