//! Configuration in two steps: what the operator typed ([`file`]), then what each stage uses ([`Config`]).
//!
//! Everything is checked before a port is bound, and every error names file, line, key, value and the fix.

mod destination;
mod file;
mod place;
mod resolve;
mod tls;
mod units;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use file::File;
pub use place::Error;

use spanmill_mask::Masker;

use crate::{detect, expose, forward, journal, receive, rollup, store};

/// What the daemon runs with.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    pub receive: receive::Config,
    /// The compiled rules.
    pub mask: Arc<Masker>,
    pub journal: journal::Config,
    pub forward: Vec<forward::Config>,
    pub rollup: rollup::Config,
    pub store: store::Config,
    pub detect: detect::Config,
    pub expose: expose::Config,
}

impl Config {
    /// Reads `path`; without one, the embedded defaults: loopback only, data under `./spanmill-data`, no
    /// destination. `data_dir` on the command line wins over the file.
    pub fn load(path: Option<&Path>, data_dir: Option<PathBuf>) -> Result<Config, Error> {
        let (file, source) = read(path)?;
        resolve::resolve(file, data_dir, &source)
    }

    /// The configuration that `text` describes; `name` stands for the file in errors.
    pub fn from_text(name: &Path, text: &str, data_dir: PathBuf) -> Result<Config, Error> {
        let (file, source) = parse(name, text)?;
        resolve::resolve(file, Some(data_dir), &source)
    }

    /// Validates `path` and gives back what it comes to, defaults filled in, as TOML.
    pub fn check(path: &Path) -> Result<String, Error> {
        let (mut file, source) = read(Some(path))?;
        let config = resolve::resolve(file.clone(), None, &source)?;
        // A default that depends on who asks: shown as it came out here.
        file.receive.local.path = Some(config.receive.local.path);
        let text = toml::to_string(&file).expect("every type of the file can be written as TOML");
        Ok(source.without_environment(text))
    }
}

fn read(path: Option<&Path>) -> Result<(File, place::Source), Error> {
    let Some(path) = path else {
        let file = File { data_dir: "./spanmill-data".into(), ..File::default() };
        return Ok((file, place::Source::embedded()));
    };
    let text = std::fs::read_to_string(path).map_err(|error| Error::unreadable(path, &error))?;
    parse(path, &text)
}

fn parse(name: &Path, text: &str) -> Result<(File, place::Source), Error> {
    let source = place::Source::new(name, text, |variable| std::env::var(variable).ok())?;
    let file = toml::from_str(source.text()).map_err(|error| source.toml_error(&error))?;
    Ok((file, source))
}

#[cfg(test)]
mod tests;
