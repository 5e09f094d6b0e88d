//! What is to be replaced in a text, and the one rewrite that does it.

use std::ops::Range;

use crate::report::{Report, Rule};

/// What stands in the place of a removed value. Holds no quote, `<`, `>` or `&`, so JSON stays JSON and XML stays XML.
pub(crate) const MASKED: &[u8] = b"[masked]";

/// One piece of a text and what takes its place.
#[derive(Debug)]
pub(crate) struct Edit {
    pub start: usize,
    pub end: usize,
    pub rule: Rule,
    pub put: Vec<u8>,
    /// Where in the text the quote stands that goes around `put`: a JSON number becomes a JSON string.
    pub quote: Option<Range<usize>>,
    /// Which of the operator's rules it was.
    pub user: Option<u8>,
}

impl Edit {
    /// Replaces `start..end` by [`MASKED`].
    pub(crate) fn remove(start: usize, end: usize, rule: Rule) -> Edit {
        Edit { start, end, rule, put: MASKED.to_vec(), quote: None, user: None }
    }
}

/// Applies all edits at once; `None` when there are none. Edits that overlap become one removal of their union.
pub(crate) fn rewrite(text: &[u8], edits: Vec<Edit>, report: &mut Report) -> Option<Vec<u8>> {
    if edits.is_empty() {
        return None;
    }
    let edits = merged(edits);
    let mut out = Vec::with_capacity(text.len() + edits.len() * MASKED.len());
    let mut copied = 0;
    for edit in &edits {
        report.count(edit.rule);
        edit.user.inspect(|&index| report.count_user(index));
        out.extend_from_slice(&text[copied..edit.start]);
        let quote = edit.quote.clone().map_or(&[][..], |range| &text[range]);
        out.extend_from_slice(quote);
        out.extend_from_slice(&edit.put);
        out.extend_from_slice(quote);
        copied = edit.end;
    }
    out.extend_from_slice(&text[copied..]);
    Some(out)
}

/// The edits in ascending order and apart.
pub(crate) fn merged(mut edits: Vec<Edit>) -> Vec<Edit> {
    // The longer first where two start together, so that a contained edit always follows its container.
    edits.sort_by(|a, b| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
    edits.dedup_by(|next, kept| merge(kept, next));
    edits
}

/// Takes `next` into `kept` when they overlap; says whether it did.
fn merge(kept: &mut Edit, next: &mut Edit) -> bool {
    if next.start >= kept.end {
        return false;
    }
    let same = (next.start, next.end) == (kept.start, kept.end);
    // A card number shows some of its digits; what another rule found inside must not be among them.
    let shows = kept.rule == Rule::Pan && next.rule != Rule::Pan;
    if same && shows {
        kept.put = std::mem::take(&mut next.put);
    } else if next.end > kept.end || shows {
        kept.put = MASKED.to_vec();
    }
    if same {
        kept.quote = kept.quote.take().or(next.quote.take());
    }
    kept.end = kept.end.max(next.end);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, edits: Vec<Edit>) -> String {
        String::from_utf8(rewrite(text.as_bytes(), edits, &mut Report::default()).unwrap()).unwrap()
    }

    #[test]
    fn overlapping_edits_become_one_removal() {
        let keep = Edit { start: 2, end: 6, rule: Rule::Pan, put: b"****".to_vec(), quote: None, user: None };
        assert_eq!(edited("abcdefghij", vec![Edit::remove(4, 8, Rule::Key), keep]), "ab[masked]ij");
    }

    #[test]
    fn a_secret_inside_a_card_number_is_not_shown() {
        let shown =
            Edit { start: 2, end: 8, rule: Rule::Pan, put: b"cd**gh".to_vec(), quote: None, user: None };
        assert_eq!(edited("abcdefghij", vec![shown, Edit::remove(6, 8, Rule::Key)]), "ab[masked]ij");
    }

    #[test]
    fn an_edit_inside_another_is_swallowed() {
        let inner = Edit { start: 3, end: 5, rule: Rule::Pan, put: b"**".to_vec(), quote: None, user: None };
        assert_eq!(edited("abcdefghij", vec![inner, Edit::remove(2, 8, Rule::Key)]), "ab[masked]ij");
    }

    #[test]
    fn of_two_edits_of_one_range_the_removal_wins() {
        let shown =
            Edit { start: 2, end: 8, rule: Rule::Pan, put: b"cd**gh".to_vec(), quote: None, user: None };
        assert_eq!(edited("abcdefghij", vec![shown, Edit::remove(2, 8, Rule::Key)]), "ab[masked]ij");
    }
}
