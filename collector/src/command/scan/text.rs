//! Text of any length, also without line ends: a window slides over it.
//!
//! ```text
//!  |---- context ----|------------ looked at ------------|---- overlap ----|
//!  keys of values     hits that start here are told       told next time
//! ```

use memchr::memchr_iter;
use spanmill_mask::{Hit, Key};

use super::input::Input;
use super::report::{Place, Report};
use super::{Error, unread};

/// Bytes looked at in one go.
const WINDOW: usize = 1 << 20;

/// A key and the value that it announces are not further apart.
const CONTEXT: usize = 4096;

/// A secret that starts in one window is seen whole in it unless it is longer.
const OVERLAP: usize = 64 * 1024;

/// Looks through the rest of `input`.
pub fn scan(input: &mut Input, report: &mut Report<'_>) -> Result<(), Error> {
    scan_from(input, 1, report)
}

/// The same, where the first line has the number `line`.
pub fn scan_from(input: &mut Input, line: u64, report: &mut Report<'_>) -> Result<(), Error> {
    let mut window = Vec::with_capacity(CONTEXT + WINDOW + OVERLAP);
    // Bytes of the window that are context, and where the first byte behind them stands.
    let mut told = 0;
    let mut cursor = Cursor { at: 0, line, column: 1 };
    loop {
        let ended = !input.fill(&mut window, told + WINDOW + OVERLAP).map_err(unread)?;
        let until = if ended { window.len() } else { window.len() - OVERLAP };
        for hit in report.masker.hits(Key::Plain, &window) {
            if (told..until).contains(&hit.range.start) {
                tell(&window, &mut cursor, &hit, report)?;
            }
        }
        cursor.move_to(&window, until);
        report.advance((until - told) as u64);
        if ended {
            return Ok(());
        }
        let gone = until.saturating_sub(CONTEXT);
        window.drain(..gone);
        told = until - gone;
        cursor.at = told;
    }
}

/// All of one text, whose first line has the number `line`.
pub fn scan_line(text: &[u8], line: u64, report: &mut Report<'_>) -> Result<(), Error> {
    let mut cursor = Cursor { at: 0, line, column: 1 };
    for hit in report.masker.hits(Key::Plain, text) {
        tell(text, &mut cursor, &hit, report)?;
    }
    report.advance(text.len() as u64);
    Ok(())
}

fn tell(text: &[u8], cursor: &mut Cursor, hit: &Hit, report: &mut Report<'_>) -> Result<(), Error> {
    cursor.move_to(text, hit.range.start);
    report.found(&Place::Text { line: cursor.line, column: cursor.column }, hit)
}

/// Line and column of a byte; moves forward only.
struct Cursor {
    at: usize,
    line: u64,
    column: u64,
}

impl Cursor {
    fn move_to(&mut self, text: &[u8], to: usize) {
        let passed = &text[self.at..to];
        let ends = memchr_iter(b'\n', passed);
        let mut last = None;
        for end in ends {
            self.line += 1;
            last = Some(end);
        }
        let rest = last.map_or(passed, |end| &passed[end + 1..]);
        let characters = rest.iter().filter(|&&b| b & 0xc0 != 0x80).count() as u64;
        self.column = if last.is_some() { 1 + characters } else { self.column + characters };
        self.at = to;
    }
}
