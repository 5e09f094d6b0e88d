//! Where windows come from: the roll-up, and the journal whose records are in them.

use super::windows::Instance;
use crate::journal::{Journal, Position};
use crate::rollup::{Changed, Rollup};

/// What the writer asks; a test answers by itself.
pub trait Feed: Send + 'static {
    /// What has changed since this was last asked.
    fn changed(&self) -> Changed;
    /// False while the journal of before the start is still being read.
    fn is_ready(&self) -> bool;
    fn instance(&self) -> Instance;
    /// The journal's end.
    fn end(&self) -> Position;
}

/// The running roll-up and its journal.
#[derive(Debug)]
pub struct Live {
    rollup: Rollup,
    journal: Journal,
}

impl Live {
    pub fn new(rollup: &Rollup, journal: &Journal) -> Live {
        Live { rollup: rollup.clone(), journal: journal.clone() }
    }
}

impl Feed for Live {
    fn changed(&self) -> Changed {
        self.rollup.changed()
    }

    fn is_ready(&self) -> bool {
        self.rollup.is_ready()
    }

    fn instance(&self) -> Instance {
        self.journal.instance()
    }

    fn end(&self) -> Position {
        *self.journal.end().borrow()
    }
}
