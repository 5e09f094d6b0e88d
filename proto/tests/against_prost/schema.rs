//! The messages of a trace export request as a table, so that one reader and one generator serve them all.

/// What a field holds.
#[derive(Clone, Copy)]
pub enum Kind {
    Message(&'static Schema),
    Text,
    Bytes,
    Bool,
    Int32,
    Uint32,
    Int64,
    Fixed32,
    Fixed64,
}

/// How often a field may stand, and what then counts.
#[derive(Clone, Copy, PartialEq)]
pub enum Card {
    /// The last one counts; messages merge.
    One,
    Many,
    /// Of all such fields of the message only the last one counts.
    OneOf,
}

#[allow(dead_code)] // the generator, which the masking stage's test uses too, does not look at `card`
pub struct FieldOf {
    pub number: u32,
    pub kind: Kind,
    pub card: Card,
}

pub struct Schema {
    pub fields: &'static [FieldOf],
}

impl Schema {
    pub fn field(&self, number: u32) -> Option<&'static FieldOf> {
        self.fields.iter().find(|field| field.number == number)
    }
}

const fn one(number: u32, kind: Kind) -> FieldOf {
    FieldOf { number, kind, card: Card::One }
}

const fn many(number: u32, kind: Kind) -> FieldOf {
    FieldOf { number, kind, card: Card::Many }
}

const fn one_of(number: u32, kind: Kind) -> FieldOf {
    FieldOf { number, kind, card: Card::OneOf }
}

use Kind::{Bool, Bytes, Fixed32, Fixed64, Int32, Int64, Message, Text, Uint32};

pub static REQUEST: Schema = Schema { fields: &[many(1, Message(&RESOURCE_SPANS))] };
pub static RESOURCE_SPANS: Schema =
    Schema { fields: &[one(1, Message(&RESOURCE)), many(2, Message(&SCOPE_SPANS)), one(3, Text)] };
pub static RESOURCE: Schema =
    Schema { fields: &[many(1, Message(&KEY_VALUE)), one(2, Uint32), many(3, Message(&ENTITY_REF))] };
pub static ENTITY_REF: Schema =
    Schema { fields: &[one(1, Text), one(2, Text), many(3, Text), many(4, Text)] };
pub static SCOPE_SPANS: Schema =
    Schema { fields: &[one(1, Message(&SCOPE)), many(2, Message(&SPAN)), one(3, Text)] };
pub static SCOPE: Schema =
    Schema { fields: &[one(1, Text), one(2, Text), many(3, Message(&KEY_VALUE)), one(4, Uint32)] };
pub static SPAN: Schema = Schema {
    fields: &[
        one(1, Bytes),
        one(2, Bytes),
        one(3, Text),
        one(4, Bytes),
        one(5, Text),
        one(6, Int32),
        one(7, Fixed64),
        one(8, Fixed64),
        many(9, Message(&KEY_VALUE)),
        one(10, Uint32),
        many(11, Message(&EVENT)),
        one(12, Uint32),
        many(13, Message(&LINK)),
        one(14, Uint32),
        one(15, Message(&STATUS)),
        one(16, Fixed32),
    ],
};
pub static EVENT: Schema =
    Schema { fields: &[one(1, Fixed64), one(2, Text), many(3, Message(&KEY_VALUE)), one(4, Uint32)] };
pub static LINK: Schema = Schema {
    fields: &[
        one(1, Bytes),
        one(2, Bytes),
        one(3, Text),
        many(4, Message(&KEY_VALUE)),
        one(5, Uint32),
        one(6, Fixed32),
    ],
};
pub static STATUS: Schema = Schema { fields: &[one(2, Text), one(3, Int32)] };
pub static KEY_VALUE: Schema = Schema { fields: &[one(1, Text), one(2, Message(&ANY_VALUE)), one(3, Int32)] };
pub static ANY_VALUE: Schema = Schema {
    fields: &[
        one_of(1, Text),
        one_of(2, Bool),
        one_of(3, Int64),
        one_of(4, Fixed64),
        one_of(5, Message(&ARRAY)),
        one_of(6, Message(&KEY_VALUE_LIST)),
        one_of(7, Bytes),
        one_of(8, Int32),
    ],
};
pub static ARRAY: Schema = Schema { fields: &[many(1, Message(&ANY_VALUE))] };
pub static KEY_VALUE_LIST: Schema = Schema { fields: &[many(1, Message(&KEY_VALUE))] };
