//! The journal of the data directory, read beside a daemon that may be writing to it: no lock, no write.

use std::io;
use std::path::Path;

use super::report::Report;
use super::{Error, span};
use crate::journal::stored::Segments;

/// Looks through every whole record of the journal in `dir`.
pub fn scan(dir: &Path, report: &mut Report<'_>) -> Result<(), Error> {
    let failed = |cause: io::Error| Error::Read { name: format!("the journal in {}", dir.display()), cause };
    let segments = Segments::of(dir).map_err(failed)?;
    for segment in segments {
        let Some(mut segment) = segment.map_err(failed)? else { continue };
        report.begin(segment.name().to_owned(), segment.size());
        while let Some(body) = segment.next_body() {
            span::scan(&body, report)?;
            report.advance(body.len() as u64);
        }
    }
    Ok(())
}
