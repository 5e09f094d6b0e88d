//! `spanmill check FILE`: is this a configuration, and what does it come to?

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Error};

/// Validates a configuration file and prints it with every default filled in.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  spanmill check /etc/spanmill/spanmill.toml\n\n\
    Exit status: 0 = valid, 64 = not; the message names file, line, key, value and the fix.")]
pub struct Check {
    /// The file, TOML
    file: PathBuf,
}

impl Check {
    pub fn run(self) -> Result<String, Error> {
        Config::check(&self.file)
    }
}
