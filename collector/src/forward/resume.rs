//! Where a destination goes on after a start, and what is said of one that is no longer configured.

use std::path::Path;

use crate::journal::checkpoint::{Checkpoint, Stored};
use crate::journal::disk::{Directory, Disk};
use crate::journal::{Journal, Position};

/// Where to go on, stored at once: from now on the journal keeps what this destination needs.
pub fn resume(disk: &Directory, name: &str, journal: &Journal) -> Checkpoint {
    let instance = journal.instance();
    let oldest = || {
        let mut reader = journal.reader(Position(0));
        let mut records = Vec::new();
        // An error shows again, and is told, when the records are sent.
        let _ = reader.read(1, &mut records);
        let spans_before = records.first().map_or(journal.spans(), |record| record.spans_before);
        Checkpoint { instance, position: journal.first(), spans_before }
    };
    let end = *journal.end().borrow();
    let newest = Checkpoint { instance, position: end, spans_before: journal.spans() };
    let checkpoint = match Checkpoint::load(disk, name) {
        Ok(Stored::Whole(stored)) if stored.instance == instance => {
            // A power cut may have taken records that were sent already.
            let spans_before = stored.spans_before.min(newest.spans_before);
            return Checkpoint { position: stored.position.min(end), spans_before, ..stored };
        }
        Ok(Stored::None) => newest,
        Ok(Stored::Whole(_)) => {
            tracing::warn!(
                "the checkpoint of destination {name} is of another journal: all of this one is sent"
            );
            oldest()
        }
        Ok(Stored::Damaged) => {
            tracing::warn!(
                "the checkpoint of destination {name} is damaged: all of the journal is sent again"
            );
            oldest()
        }
        Err(error) => {
            tracing::warn!(
                "the checkpoint of destination {name} cannot be read: {error}; all of the journal is sent again"
            );
            oldest()
        }
    };
    if let Err(error) = checkpoint.store(disk, name) {
        tracing::error!(
            "cannot store where destination {name} starts: {error}; should the process die before that can be \
             stored, spans may be missing there; check the disk's space and health"
        );
    }
    checkpoint
}

/// Says which destinations have a checkpoint in `dir` and no table in the configuration. Nothing is kept for them:
/// the journal knows only those that were started.
pub fn tell_of_absent(dir: &Path, configured: &[&str], journal: &Journal) {
    let disk = Directory::at(dir);
    for file in disk.names().unwrap_or_default() {
        let Some(name) = file.strip_suffix(".checkpoint").filter(|name| !configured.contains(name)) else {
            continue;
        };
        let Ok(Stored::Whole(checkpoint)) = Checkpoint::load(&disk, name) else { continue };
        if checkpoint.instance != journal.instance() {
            continue;
        }
        let waiting = journal.spans().saturating_sub(checkpoint.spans_before);
        tracing::warn!(
            "there is no [forward.{name}] any more: {waiting} spans that it did not get are not kept for it; it \
             goes on from there if it comes back, as far as the journal still has them; delete {} to forget it",
            dir.join(&file).display()
        );
    }
}
