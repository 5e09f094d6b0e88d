//! Values of tags.

use std::borrow::Cow;

/// The value of a tag: what OTLP calls an attribute value. Made by `into()` from the usual types.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Text; masked as it is copied, then cut to 4 KiB.
    Text(Cow<'a, str>),
    /// Bytes that need not be text; masked and cut as well.
    Bytes(&'a [u8]),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Yes or no.
    Bool(bool),
    /// Values in their order. A list inside a list is left out.
    List(Vec<Value<'a>>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Value::Double(value)
    }
}

impl From<f32> for Value<'_> {
    fn from(value: f32) -> Self {
        Value::Double(f64::from(value))
    }
}

macro_rules! whole_numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for Value<'_> {
            fn from(value: $number) -> Self {
                Value::Int(i64::from(value))
            }
        }
    )*};
}
whole_numbers!(i8 i16 i32 i64 u8 u16 u32);

/// OTLP knows signed numbers only: above `i64::MAX` the number travels as text.
impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| value.to_string().into(), Value::Int)
    }
}

impl From<usize> for Value<'_> {
    fn from(value: usize) -> Self {
        (value as u64).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_above_i64_travels_as_text() {
        assert_eq!(Value::from(7u64), Value::Int(7));
        assert_eq!(Value::from(u64::MAX), Value::Text("18446744073709551615".into()));
    }
}
