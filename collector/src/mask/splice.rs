//! Writes a request anew with some fields replaced or cut out, and the lengths around them corrected.
//!
//! ```text
//!  tag len [ tag len [ tag len "4111…" ] ]      enclosing messages, outermost first
//!       ▲        ▲      └── edit ──┘
//!       └────────┴── new lengths, computed inside out; every other byte is copied
//! ```
//! Lengths that do not change keep their bytes, so an edit of equal length only overwrites.

use spanmill_proto::wire::{self, Field, Fields, Malformed};

use super::schema::Message;

/// Bytes `start..end` of the request give way to `bytes`. Edits are ascending, apart, and whole fields or
/// whole field contents with their length, so that only the enclosing messages' lengths change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub start: usize,
    pub end: usize,
    pub bytes: Vec<u8>,
}

impl Edit {
    fn growth(&self) -> isize {
        self.bytes.len() as isize - (self.end - self.start) as isize
    }
}

/// The request with `edits` made.
pub fn splice(message: &[u8], edits: &[Edit]) -> Result<Vec<u8>, Malformed> {
    let mut all = Vec::with_capacity(edits.len() * 4);
    let growth = lengths(Message::Request, Fields::of(message), edits, &mut all)?;
    all.sort_unstable_by_key(|edit| edit.start);
    let mut out = Vec::with_capacity(message.len().saturating_add_signed(growth));
    let mut copied = 0;
    for Edit { start, end, bytes } in &all {
        out.extend_from_slice(&message[copied..*start]);
        out.extend_from_slice(bytes);
        copied = *end;
    }
    out.extend_from_slice(&message[copied..]);
    Ok(out)
}

/// Copies `edits`, all of which lie in `fields`, to `all`, with one edit more for each length that changes.
/// Returns by how much the message grows.
fn lengths(
    kind: Message,
    mut fields: Fields<'_>,
    edits: &[Edit],
    all: &mut Vec<Edit>,
) -> Result<isize, Malformed> {
    let mut growth = 0;
    let mut rest = edits;
    while let Some(next) = rest.first() {
        let Some(field) = fields.next()? else {
            debug_assert!(false, "an edit lies outside of every field");
            break;
        };
        if next.start >= field.end {
            continue;
        }
        let inside = rest.partition_point(|edit| edit.start < field.end);
        let (here, later) = rest.split_at(inside);
        rest = later;
        growth += match (kind.child(field.number), here) {
            (Some(child), [first, ..]) if first.start >= field.content => {
                let inner = lengths(child, field.message()?, here, all)?;
                inner + correct_length(&field, inner, all)
            }
            _ => {
                all.extend_from_slice(here);
                here.iter().map(Edit::growth).sum()
            }
        };
    }
    Ok(growth)
}

/// Adds the edit of a message's length; returns by how much the length itself grows.
fn correct_length(field: &Field<'_>, growth: isize, all: &mut Vec<Edit>) -> isize {
    if growth == 0 {
        return 0;
    }
    let length = (field.end - field.content).saturating_add_signed(growth);
    let mut bytes = Vec::with_capacity(wire::varint_len(length as u64));
    wire::put_varint(&mut bytes, length as u64);
    let edit = Edit { start: field.after_tag, end: field.content, bytes };
    let growth = edit.growth();
    all.push(edit);
    growth
}
