//! Reads a message with our reader and writes it as prost would: fields in order, defaults left out, repeated
//! parts merged. Two readers that understand a message alike give the same bytes.

use std::collections::BTreeMap;

use spanmill_proto::wire::{self, Field, Fields, Malformed};

use super::schema::{Card, FieldOf, Kind, Schema};

/// The canonical form of `message`, and whether all its text is UTF-8 (prost refuses other text, we do not).
pub fn canonical(schema: &Schema, message: &[u8]) -> Result<(Vec<u8>, bool), Malformed> {
    let mut is_utf8 = true;
    check(schema, Fields::of(message), &mut is_utf8)?;
    Ok((merged(schema, &[Fields::of(message)])?, is_utf8))
}

/// Refuses what is malformed anywhere, also in fields that a later one replaces.
fn check(schema: &Schema, mut fields: Fields<'_>, is_utf8: &mut bool) -> Result<(), Malformed> {
    while let Some(field) = fields.next()? {
        let Some(known) = schema.field(field.number) else { continue };
        match known.kind {
            Kind::Message(inner) => check(inner, field.message()?, is_utf8)?,
            Kind::Text => *is_utf8 &= std::str::from_utf8(field.bytes()?).is_ok(),
            Kind::Bytes => drop(field.bytes()?),
            Kind::Bool | Kind::Int32 | Kind::Uint32 | Kind::Int64 => drop(field.varint()?),
            Kind::Fixed32 => drop(field.fixed32()?),
            Kind::Fixed64 => drop(field.fixed64()?),
        }
    }
    Ok(())
}

/// The canonical form of the message that `parts` make together.
fn merged(schema: &Schema, parts: &[Fields<'_>]) -> Result<Vec<u8>, Malformed> {
    let mut found: BTreeMap<u32, Vec<Field<'_>>> = BTreeMap::new();
    for part in parts {
        let mut fields = *part;
        while let Some(field) = fields.next()? {
            let Some(known) = schema.field(field.number) else { continue };
            if known.card == Card::OneOf {
                found.retain(|number, _| *number == field.number);
            }
            found.entry(field.number).or_default().push(field);
        }
    }
    let mut out = Vec::new();
    for (number, fields) in found {
        let known = schema.field(number).expect("only known fields were kept");
        match known.card {
            Card::Many => fields.chunks(1).try_for_each(|field| write(known, field, &mut out))?,
            Card::One | Card::OneOf => write(known, &fields, &mut out)?,
        }
    }
    Ok(out)
}

/// One value: the last of `fields`, or all of them merged where they are messages.
fn write(known: &FieldOf, fields: &[Field<'_>], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let number = known.number;
    let last = fields.last().expect("a field that was found");
    // proto3 leaves a plain field out when it has its default value; members of a oneof and list items stay.
    let may_be_default = known.card != Card::One;
    match known.kind {
        Kind::Message(schema) => {
            let parts = fields.iter().map(Field::message).collect::<Result<Vec<_>, _>>()?;
            wire::put_bytes(out, number, &merged(schema, &parts)?);
        }
        Kind::Text | Kind::Bytes => {
            let bytes = last.bytes()?;
            if may_be_default || !bytes.is_empty() {
                wire::put_bytes(out, number, bytes);
            }
        }
        Kind::Bool | Kind::Int32 | Kind::Uint32 | Kind::Int64 => {
            let value = last.varint()?;
            let value = match known.kind {
                Kind::Bool => u64::from(value != 0),
                Kind::Int32 => i64::from(value as i32) as u64,
                Kind::Uint32 => u64::from(value as u32),
                _ => value,
            };
            if may_be_default || value != 0 {
                wire::put_uint(out, number, value);
            }
        }
        Kind::Fixed32 => {
            let value = last.fixed32()?;
            if value != 0 {
                wire::put_tag(out, number, 5);
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        Kind::Fixed64 => {
            let value = last.fixed64()?;
            if may_be_default || value != 0 {
                wire::put_fixed64(out, number, value);
            }
        }
    }
    Ok(())
}
