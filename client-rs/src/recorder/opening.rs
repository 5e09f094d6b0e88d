//! How a call begins: its name and the tags that say whom it goes to, masked and encoded once for each operation of a
//! provider and thread. There are few of them and each is called often.

use std::cell::RefCell;

use spanmill_proto::otlp::span;

use super::body::Body;
use super::limits::{NAME_BYTES_MAX, Rules};

/// Openings that a thread keeps; a power of two. More operations than a service calls.
const KEPT: usize = 64;
/// Names longer than this, together, are not kept: with [`KEPT`] at most 100 KiB a thread.
const KEPT_BYTES_MAX: usize = 256;

thread_local! {
    static OPENINGS: RefCell<Vec<Option<Box<Opening>>>> = const { RefCell::new(Vec::new()) };
}

/// The beginning of a call, as bytes of an OTLP `Span`.
pub(super) struct Opening {
    rules: *const Rules,
    provider: String,
    operation: String,
    bytes: Vec<u8>,
    masked: u64,
    truncated: u64,
    /// Both names as they may be seen.
    pub(super) shown_provider: String,
    pub(super) shown_operation: String,
}

impl Opening {
    /// Appends the opening of a call to `body`, and lets `then` see it.
    pub(super) fn write<R>(
        body: &mut Body,
        provider: &str,
        operation: &str,
        then: impl FnOnce(&Opening) -> R,
    ) -> R {
        let rules = body.scrubber.rules();
        let fits = provider.len() + operation.len() <= KEPT_BYTES_MAX;
        let mut then = Some(then);
        let kept = OPENINGS.try_with(|openings| {
            let mut openings = openings.try_borrow_mut().ok().filter(|_| fits)?;
            if openings.is_empty() {
                openings.resize_with(KEPT, || None);
            }
            let place = &mut openings[place(provider, operation)];
            if !place.as_ref().is_some_and(|opening| opening.is_of(rules, provider, operation)) {
                *place = Some(Box::new(Opening::new(rules, provider, operation)));
            }
            let opening = place.as_ref()?;
            opening.copy_to(body);
            then.take().map(|then| then(opening))
        });
        kept.ok().flatten().unwrap_or_else(|| {
            let opening = Opening::new(rules, provider, operation);
            opening.copy_to(body);
            let then = then.take().expect("it was not called where nothing came of it");
            then(&opening)
        })
    }

    fn new(rules: &'static Rules, provider: &str, operation: &str) -> Opening {
        let mut body = Body::new(rules, Vec::new());
        body.text(span::NAME, &format!("{provider} {operation}"), NAME_BYTES_MAX);
        // `peer.service` is the old name, by which Jaeger and most dashboards still group.
        let shown_provider =
            body.own_text(&["spanmill.provider", "service.peer.name", "peer.service"], provider);
        let shown_operation = body.own_text(&["spanmill.operation"], operation);
        Opening {
            rules,
            provider: provider.to_string(),
            operation: operation.to_string(),
            bytes: body.bytes,
            masked: body.scrubber.masked,
            truncated: body.scrubber.truncated,
            shown_provider: String::from_utf8_lossy(&shown_provider).into_owned(),
            shown_operation: String::from_utf8_lossy(&shown_operation).into_owned(),
        }
    }

    fn is_of(&self, rules: &'static Rules, provider: &str, operation: &str) -> bool {
        std::ptr::eq(self.rules, rules) && self.provider == provider && self.operation == operation
    }

    fn copy_to(&self, body: &mut Body) {
        body.bytes.extend_from_slice(&self.bytes);
        body.scrubber.masked += self.masked;
        body.scrubber.truncated += self.truncated;
    }
}

/// Where an opening is kept, by what tells names apart most often: their lengths and the last bytes.
fn place(provider: &str, operation: &str) -> usize {
    let tail =
        |text: &str| text.bytes().rev().take(4).fold(text.len(), |hash, byte| hash * 31 + usize::from(byte));
    (tail(provider).wrapping_mul(0x9e37_79b1) ^ tail(operation).wrapping_mul(0x85eb_ca6b)) >> 8 & (KEPT - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanmill_mask::Masker;

    fn rules() -> &'static Rules {
        Box::leak(Box::new(Rules { masker: Masker::standard(), limits: Default::default() }))
    }

    #[test]
    fn what_is_kept_is_the_same_as_what_is_made() {
        let rules = rules();
        for round in 0..2 {
            for number in 0..200 {
                let (provider, operation) =
                    (format!("bank-{number}"), format!("card 4111111111111111 {number}"));
                let mut body = Body::new(rules, Vec::new());
                let shown = Opening::write(&mut body, &provider, &operation, |it| it.shown_operation.clone());
                let fresh = Opening::new(rules, &provider, &operation);
                assert_eq!((&body.bytes, shown), (&fresh.bytes, fresh.shown_operation), "{round}");
                assert_eq!(body.scrubber.masked, 2);
                assert!(!body.bytes.windows(16).any(|bytes| bytes == b"4111111111111111"));
            }
        }
    }

    #[test]
    fn other_rules_have_other_openings() {
        let (with, without) = (rules(), rules());
        let mut body = Body::new(with, Vec::new());
        Opening::write(&mut body, "acme", "pay", |opening| assert!(std::ptr::eq(opening.rules, with)));
        let mut body = Body::new(without, Vec::new());
        Opening::write(&mut body, "acme", "pay", |opening| assert!(std::ptr::eq(opening.rules, without)));
    }
}
