//! What was found and how far the scan is; holds no secret, only what would stand in its place.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde::Serialize;
use spanmill_mask::{Hit, Key, Masker};

use super::{Error, Format};

/// Where something was found.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// Both count from 1, columns in characters.
    Text { line: u64, column: u64 },
    /// `in` is the position in the span, such as `attribute "note"`; `character` counts from 1.
    Span {
        trace_id: String,
        span_id: String,
        #[serde(rename = "in")]
        position: String,
        character: u64,
    },
}

#[derive(Debug, Serialize)]
struct Finding<'a> {
    source: &'a str,
    #[serde(flatten)]
    place: &'a Place,
    rule: &'a str,
    masked: &'a str,
}

#[derive(Debug, Serialize)]
struct Summary {
    found: u64,
    bytes: u64,
    spans: u64,
}

/// Writes findings as they come; counts what was looked through.
pub struct Report<'a> {
    pub masker: &'a Masker,
    format: Format,
    output: Box<dyn Write + 'a>,
    source: String,
    size: u64,
    found: u64,
    bytes: u64,
    spans: u64,
    told: Instant,
}

/// Progress is told this often, on standard error; shorter scans tell none.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Longer replacements are shown in part.
const SAMPLE_LEN_MAX: usize = 64;

impl<'a> Report<'a> {
    pub fn new(masker: &'a Masker, format: Format, output: Box<dyn Write + 'a>) -> Report<'a> {
        Report {
            masker,
            format,
            output,
            source: String::new(),
            size: 0,
            found: 0,
            bytes: 0,
            spans: 0,
            told: Instant::now(),
        }
    }

    /// What follows comes from `source`; `size` is 0 where it is not known.
    pub fn begin(&mut self, source: String, size: u64) {
        self.source = source;
        self.size += size;
    }

    pub fn found(&mut self, place: &Place, hit: &Hit) -> Result<(), Error> {
        self.write(place, hit.rule.name(), &hit.masked)
    }

    /// A number that is to be masked; `masked` is the text that would take its place.
    pub fn found_number(&mut self, place: &Place, key: Key, masked: &str) -> Result<(), Error> {
        let rule = if key == Key::Sensitive { "key" } else { "pan" };
        self.write(place, rule, masked.as_bytes())
    }

    fn write(&mut self, place: &Place, rule: &str, masked: &[u8]) -> Result<(), Error> {
        self.found += 1;
        // What a rule shows of a value is what the daemon would forward; it is looked at again all the same.
        let shown = self.masker.text(Key::Plain, masked, &mut spanmill_mask::Report::default());
        let shown = String::from_utf8_lossy(shown.as_deref().unwrap_or(masked)).into_owned();
        let shown: String = shown.chars().take(SAMPLE_LEN_MAX).collect();
        let written = match self.format {
            Format::Json => {
                let finding = Finding { source: &self.source, place, rule, masked: &shown };
                serde_json::to_writer(&mut self.output, &finding).map_err(io::Error::from)
            }
            Format::Text => match place {
                Place::Text { line, column } => {
                    write!(self.output, "{}:{line}:{column}: {rule}: {}", self.source, shown.escape_debug())
                }
                Place::Span { trace_id, span_id, position, character } => {
                    let ids = if span_id.is_empty() {
                        String::new()
                    } else {
                        format!("trace {trace_id} span {span_id}: ")
                    };
                    let source = &self.source;
                    write!(
                        self.output,
                        "{source}: {ids}{position}, character {character}: {rule}: {}",
                        shown.escape_debug()
                    )
                }
            },
        };
        written.and_then(|()| writeln!(self.output)).map_err(Error::Write)
    }

    /// `bytes` more are done.
    pub fn advance(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            let mib = |bytes: u64| bytes >> 20;
            let of = if self.size > 0 { format!(" of {}", mib(self.size)) } else { String::new() };
            eprintln!("spanmill scan: {}{of} MiB, {} found", mib(self.bytes), self.found);
        }
    }

    pub fn span(&mut self) {
        self.spans += 1;
    }

    /// What could not be read as what it seemed to be; the operator should know.
    pub fn note(&self, what: &str) {
        eprintln!("spanmill scan: {}: {what}", self.source);
    }

    /// Ends with a sentence or an object about all of it; says whether something was found.
    pub fn finish(mut self) -> Result<bool, Error> {
        let summary = Summary { found: self.found, bytes: self.bytes, spans: self.spans };
        let written = match self.format {
            Format::Json => serde_json::to_writer(&mut self.output, &summary)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(self.output)),
            Format::Text => {
                let spans = if self.spans > 0 { format!(", {} spans", self.spans) } else { String::new() };
                let found = if self.found == 0 {
                    "nothing found".to_owned()
                } else {
                    format!("{} found", self.found)
                };
                writeln!(self.output, "{found} in {} bytes{spans}", self.bytes)
            }
        };
        written.and_then(|()| self.output.flush()).map_err(Error::Write)?;
        Ok(self.found > 0)
    }
}
