//! `spanmill replay`: what the detector makes of recorded events, in simulated time.

mod line;
mod quick;
mod simulation;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};

pub use line::{Id, Line, Truth};
pub use simulation::Simulation;

use crate::config::{self, Config};
use crate::detect;

/// Buffer of either file: some thousand lines.
const BUFFER: usize = 1 << 20;
/// Lines that can't be used and are named; the rest are counted.
const WRONG_SHOWN: u64 = 5;
/// How often progress is shown, in simulated seconds.
const PROGRESS_S: u64 = 600;

/// Runs recorded events through roll-up and detector in simulated time.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  spanmill replay --events calls.jsonl --alerts -\n\n\
    In, ordered by t (seconds from 0):\n  \
    {\"t\":1.25,\"k\":\"start\",\"p\":\"bank-a\",\"h\":\"h7\",\"id\":17}\n  \
    {\"t\":1.61,\"k\":\"end\",\"p\":\"bank-a\",\"h\":\"h7\",\"id\":17,\"ms\":360,\"err\":0}\n  \
    {\"t\":2.00,\"k\":\"restart\"}\n\
    start lines may be absent; optional: op, svc, ep, out (an outcome, overrides err), rx (arrival on our clock;\n\
    lines are then ordered by it).\n\
    Out: {\"t\",\"provider\",\"state\",\"host\",\"scope\",\"kind\"}, one line per alert that begins, grows or ends.\n\
    A line that can't be used is named, counted and left out.\n\n\
    Exit status: 0 = done, 64 = the configuration can't be used, 1 = a file can't be read or written.")]
pub struct Replay {
    /// Events, one JSON object per line; - = standard input
    #[arg(long, value_name = "FILE|-")]
    events: PathBuf,
    /// Where the alerts go; - = standard output
    #[arg(long, value_name = "FILE|-")]
    alerts: PathBuf,
    /// Instead of detect.sensitivity
    #[arg(long)]
    sensitivity: Option<Preset>,
    /// Configuration with [detect] and [[provider]] tables; without it the defaults
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Preset {
    Fast,
    Normal,
    Calm,
}

impl From<Preset> for detect::Sensitivity {
    fn from(preset: Preset) -> detect::Sensitivity {
        match preset {
            Preset::Fast => detect::Sensitivity::Fast,
            Preset::Normal => detect::Sensitivity::Normal,
            Preset::Calm => detect::Sensitivity::Calm,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error("{path}: {cause}")]
    File { path: String, cause: io::Error },
}

impl Replay {
    pub fn run(self) -> Result<(), Error> {
        let mut config = Config::load(self.config.as_deref(), None)?;
        if let Some(preset) = self.sensitivity {
            config.detect.sensitivity = preset.into();
        }
        let named = |path: &PathBuf| {
            let path = path.display().to_string();
            move |cause: io::Error| Error::File { path: path.clone(), cause }
        };
        let (of_events, of_alerts) = (named(&self.events), named(&self.alerts));
        let events: Box<dyn BufRead> = match self.events.as_os_str() == "-" {
            true => Box::new(io::stdin().lock()),
            false => {
                Box::new(BufReader::with_capacity(BUFFER, File::open(&self.events).map_err(&of_events)?))
            }
        };
        let alerts: Box<dyn Write> = match self.alerts.as_os_str() == "-" {
            true => Box::new(io::stdout().lock()),
            false => Box::new(File::create(&self.alerts).map_err(&of_alerts)?),
        };
        let mut simulation = Simulation::new(config.rollup, config.detect, BufWriter::new(alerts));
        let begun = Instant::now();
        let wrong = feed(&mut simulation, events).map_err(|failure| match failure {
            Failure::Read(cause) => of_events(cause),
            Failure::Write(cause) => of_alerts(cause),
        })?;
        let (calls, firing) = (simulation.counts.calls, simulation.counts.firing);
        let (simulated_s, took_s) = (simulation.second(), begun.elapsed().as_secs_f64());
        let wrong = if wrong > 0 { format!("; {wrong} lines could not be used") } else { String::new() };
        eprintln!("{calls} calls over {simulated_s} s, {firing} alerts, in {took_s:.1} s{wrong}");
        Ok(())
    }
}

/// Which of the two files failed.
enum Failure {
    Read(io::Error),
    Write(io::Error),
}

/// Feeds all lines; how many could not be used.
fn feed<W: Write>(simulation: &mut Simulation<W>, mut events: impl BufRead) -> Result<u64, Failure> {
    let shows_progress = io::stderr().is_terminal();
    let mut text = Vec::new();
    let (mut number, mut wrong, mut shown_s) = (0u64, 0, 0);
    loop {
        text.clear();
        if events.read_until(b'\n', &mut text).map_err(Failure::Read)? == 0 {
            break;
        }
        number += 1;
        let line = text.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let taken = match Line::parse(line) {
            Ok(line) => simulation.line(&line).map_err(Failure::Write)?,
            Err(cause) => Err(cause),
        };
        if let Err(cause) = taken {
            wrong += 1;
            if wrong <= WRONG_SHOWN {
                eprintln!("line {number} is left out: {cause}");
            }
        }
        if shows_progress && simulation.second() >= shown_s + PROGRESS_S {
            shown_s = simulation.second();
            eprint!("\r{} h {} min simulated ", shown_s / 3600, shown_s / 60 % 60);
        }
    }
    if shows_progress && shown_s > 0 {
        eprintln!();
    }
    simulation.finish().map_err(Failure::Write)?;
    Ok(wrong)
}
