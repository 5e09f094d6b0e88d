//! For the tests of programs that use this crate: a client that keeps its spans instead of sending them.
//!
//! ```
//! use spanmill::{Provider, testing};
//!
//! let capture = testing::capture();
//! Provider::new("acme-bank").call("authorize").declined("insufficient funds");
//!
//! let spans = capture.spans();
//! assert_eq!(spans[0].name, "acme-bank authorize");
//! assert_eq!(spans[0].tag("spanmill.outcome"), Some(&"declined".into()));
//! ```

mod captured;
mod verdicts;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::Engine;
use crate::error::InitError;
use crate::id::SpanId;
use crate::recorder::{Settings, Stats};

pub use captured::{CapturedLog, CapturedSpan, CapturedValue};
pub use verdicts::{Verdicts, verdicts};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Starts a client that keeps its spans. Captures of other tests wait until this one is dropped, because the
/// client is one per process; spans of tests that capture nothing are captured as well if they run meanwhile.
///
/// # Panics
/// When the program has started the client itself.
pub fn capture() -> Capture {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let engine = start().expect("a capture needs that the program's own guard was dropped before");
    Capture { engine, _turn: turn }
}

fn start() -> Result<&'static Engine, InitError> {
    Engine::start_capture(Settings::from_env("rust")?)
}

/// The spans that ended since [`capture`].
#[derive(Debug)]
pub struct Capture {
    engine: &'static Engine,
    _turn: MutexGuard<'static, ()>,
}

impl Capture {
    /// The spans so far, in the order in which they ended.
    pub fn spans(&self) -> Vec<CapturedSpan> {
        let decode = |bytes: &Vec<u8>| CapturedSpan::decode(bytes).expect("the recorder writes valid spans");
        self.engine.captured().iter().map(decode).collect()
    }

    /// The same as bytes: the content of an OTLP `Span` message each. Nothing unmasked may be in there.
    pub fn encoded(&self) -> Vec<Vec<u8>> {
        self.engine.captured()
    }

    /// The spans as an indented tree, one line each: what a test can compare with a drawing.
    pub fn tree(&self) -> String {
        let spans = self.spans();
        let is_known = |id: SpanId| spans.iter().any(|span| span.span_id == id);
        let mut out = String::new();
        for root in spans.iter().filter(|span| !span.parent_span_id.is_some_and(is_known)) {
            draw(&spans, root, 0, &mut out);
        }
        out
    }

    /// The client's counters.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }
}

fn draw(spans: &[CapturedSpan], span: &CapturedSpan, depth: usize, out: &mut String) {
    out.push_str(&"  ".repeat(depth));
    out.push_str(&span.name);
    out.push('\n');
    for child in spans.iter().filter(|child| child.parent_span_id == Some(span.span_id)) {
        draw(spans, child, depth + 1, out);
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.engine.stop(Duration::ZERO);
    }
}
