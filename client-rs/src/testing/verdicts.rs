//! Verdicts as a test wants them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use spanmill_proto::board::{self, Reading, Writer};
use spanmill_proto::shared::Shared;

use crate::board::{State, board};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Lets [`Provider::verdict`](crate::Provider::verdict) say what a test wants, in place of the daemon on this host,
/// until the guard is dropped. Providers that are not named are unknown. Others who call this wait meanwhile.
///
/// ```
/// use spanmill::{Provider, State, testing};
///
/// let _board = testing::verdicts(&[("acme-bank", State::Hung)]);
/// assert!(Provider::new("acme-bank").verdict().is_down());
/// assert_eq!(Provider::new("other-bank").verdict().state(), State::Unknown);
/// ```
///
/// # Panics
/// When the system gives no shared memory, or more than a thousand providers are named.
pub fn verdicts(verdicts: &[(&str, State)]) -> Verdicts {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (shared, _) =
        Shared::sealed("spanmill-test-board", board::BYTES).expect("the system gives shared memory");
    let mut writer = Writer::format(shared.words()).expect("it has the size of a board");
    for (provider, verdict) in verdicts {
        let entry = writer.provider(provider).expect("a board has room for a test's providers");
        let reading = Reading { verdict: *verdict, generation: 1, ..Reading::default() };
        writer.write(entry, &reading).expect("the entry was just made");
    }
    board().pin(Some(Arc::new(shared)));
    Verdicts { _turn: turn }
}

/// The verdicts stand as long as this lives.
#[derive(Debug)]
#[must_use = "the verdicts stand only as long as this lives"]
pub struct Verdicts {
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Verdicts {
    fn drop(&mut self) {
        board().pin(None);
    }
}
