//! `spanmill scan`: looks for secrets that are not masked, in text, JSON lines, OTLP files or the journal.
//!
//! Says where each of them is and what would stand there, never the secret itself. Holds a few MiB at a time,
//! whatever the size of the input.

mod input;
mod report;
mod span;
mod stored;
mod text;

use std::io::{self, Read};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::{self, Config};
use input::Input;
use report::Report;

/// Looks for secrets that are not masked; says where, never what.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  spanmill scan /var/log/shop/app.log\n  kubectl logs shop | spanmill scan -\n  \
    spanmill scan --stored --config /etc/spanmill/spanmill.toml --format json\n\n\
    A file may be text, JSON lines, OTLP/JSON (one document or one per line) or OTLP protobuf (one or more trace\n\
    export requests, also with a length before each); which of them it is, its content tells.\n\
    Exit status: 0 = clean, 1 = something was found, 64 = the input or the configuration can't be used."
)]
pub struct Scan {
    /// What to look through; - or nothing is standard input
    #[arg(value_name = "FILE|-", conflicts_with = "stored")]
    file: Option<PathBuf>,
    /// The journal of the data directory, also while a daemon writes to it
    #[arg(long)]
    stored: bool,
    /// Configuration with the [mask] table and the data_dir; without it the defaults
    #[arg(long)]
    config: Option<PathBuf>,
    /// The data directory, instead of the configuration's
    #[arg(long, requires = "stored")]
    data_dir: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How findings are written: one per line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error("cannot read {name}: {cause}")]
    Read { name: String, cause: io::Error },
    #[error("cannot write the findings: {0}")]
    Write(io::Error),
}

impl Scan {
    /// Says whether something was found.
    pub fn run(self) -> Result<bool, Error> {
        let config = Config::load(self.config.as_deref(), self.data_dir)?;
        let mut report = Report::new(&config.mask, self.format, Box::new(io::stdout().lock()));
        match self.file {
            _ if self.stored => stored::scan(&config.journal.dir, &mut report)?,
            Some(path) if path.as_os_str() != "-" => {
                let name = path.display().to_string();
                let failed = |cause| Error::Read { name: name.clone(), cause };
                let file = std::fs::File::open(&path).map_err(failed)?;
                let size = file.metadata().map_err(failed)?.len();
                scan_input(&name, Box::new(file), size, &mut report)?;
            }
            _ => scan_input("-", Box::new(io::stdin().lock()), 0, &mut report)?,
        }
        report.finish()
    }
}

/// Finds out what the input is, and looks through it.
fn scan_input(name: &str, reader: Box<dyn Read>, size: u64, report: &mut Report<'_>) -> Result<(), Error> {
    report.begin(name.to_owned(), size);
    let failed = |cause| Error::Read { name: name.to_owned(), cause };
    let mut input = Input::new(reader);
    match input.kind().map_err(failed)? {
        input::Kind::Text => text::scan(&mut input, report),
        input::Kind::JsonLines => input.json_lines(report),
        input::Kind::JsonDocument => input.json_document(report),
        input::Kind::Protobuf(framing) => input.protobuf(framing, report),
    }
    .map_err(|error| match error {
        Error::Read { cause, .. } => failed(cause),
        other => other,
    })
}

/// A reader's error; the caller knows what was read.
fn unread(cause: io::Error) -> Error {
    Error::Read { name: String::new(), cause }
}

#[cfg(test)]
mod tests;
