//! A line as programs write it: one flat object, texts without escapes, plain numbers. It is read in one pass;
//! whatever else JSON may be is left to the parser, which also says what is wrong.

use std::borrow::Cow;

use super::line::{Id, Line, Truth};

/// So many decimal digits are exact in a double, and so are these powers of ten: their quotient is rounded once.
const DIGITS_MAX: usize = 15;
const POWERS: [f64; DIGITS_MAX + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

enum Value<'a> {
    Text(&'a str),
    Integer(u64),
    Number(f64),
    Truth(bool),
    Null,
}

/// `None`: ask the parser.
pub fn read(text: &[u8]) -> Option<Line<'_>> {
    let mut rest = Rest(text);
    let (mut line, mut has_time) = (Line::default(), false);
    let mut seen = 0u32;
    rest.token(b'{')?;
    loop {
        let key = rest.text()?;
        rest.token(b':')?;
        let value = rest.value()?;
        let number = match key {
            "t" => 0,
            "k" => 1,
            "p" => 2,
            "h" => 3,
            "id" => 4,
            "ms" => 5,
            "err" => 6,
            "out" => 7,
            "op" => 8,
            "svc" => 9,
            "ep" => 10,
            "rx" => 11,
            _ => 12,
        };
        if number < 12 && seen & (1 << number) != 0 {
            return None;
        }
        seen |= 1 << number;
        match (number, value) {
            (0, value) => (line.t, has_time) = (value.number()?, true),
            (1, Value::Text(text)) => line.k = Cow::Borrowed(text),
            (2, Value::Text(text)) => line.p = Cow::Borrowed(text),
            (3, Value::Text(text)) => line.h = Cow::Borrowed(text),
            (4, Value::Text(text)) => line.id = Id::of(&text),
            (4, Value::Integer(number)) => line.id = Id::of(&number),
            (5 | 7 | 11, Value::Null) => {}
            (5, value) => line.ms = Some(value.number()?),
            (6, Value::Null) => {}
            (6, Value::Truth(is)) => line.err = Truth(is),
            (6, value) => line.err = Truth(value.number()? != 0.0),
            (7, Value::Text(text)) => line.out = Some(Cow::Borrowed(text)),
            (8, Value::Text(text)) => line.op = Cow::Borrowed(text),
            (9, Value::Text(text)) => line.svc = Cow::Borrowed(text),
            (10, Value::Text(text)) => line.ep = Cow::Borrowed(text),
            (11, value) => line.rx = Some(value.number()?),
            (12, _) => {}
            _ => return None,
        }
        if rest.token(b',').is_none() {
            break;
        }
    }
    rest.token(b'}')?;
    let is_kind_known = seen & 2 != 0;
    (has_time && is_kind_known && rest.0.is_empty()).then_some(line)
}

impl Value<'_> {
    fn number(&self) -> Option<f64> {
        match self {
            Value::Integer(number) => Some(*number as f64),
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// What is left of the line.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Takes this byte, and the blanks around it.
    fn token(&mut self, byte: u8) -> Option<()> {
        let rest = self.0.trim_ascii_start().strip_prefix(&[byte])?;
        self.0 = rest.trim_ascii_start();
        Some(())
    }

    fn text(&mut self) -> Option<&'a str> {
        let rest = self.0.strip_prefix(b"\"")?;
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
        let text = std::str::from_utf8(&rest[..end]).ok()?;
        self.0 = rest[end..].strip_prefix(b"\"")?;
        Some(text)
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match self.0.first()? {
            b'"' => Some(Value::Text(self.text()?)),
            b't' => self.word(b"true", Value::Truth(true)),
            b'f' => self.word(b"false", Value::Truth(false)),
            b'n' => self.word(b"null", Value::Null),
            b'0'..=b'9' => self.number(1.0),
            b'-' => {
                self.0 = &self.0[1..];
                self.number(-1.0)
            }
            _ => None,
        }
    }

    fn word(&mut self, word: &[u8], value: Value<'a>) -> Option<Value<'a>> {
        self.0 = self.0.strip_prefix(word)?;
        Some(value)
    }

    /// Digits, and digits behind a point; no exponent.
    fn number(&mut self, sign: f64) -> Option<Value<'a>> {
        let (mut digits, whole) = self.digits(0)?;
        if whole > 1 && self.0.len() >= whole && self.0[0] == b'0' {
            return None; // a number does not begin with 0
        }
        self.0 = &self.0[whole..];
        let mut decimals = 0;
        if let Some(rest) = self.0.strip_prefix(b".") {
            self.0 = rest;
            (digits, decimals) = self.digits(digits)?;
            self.0 = &self.0[decimals..];
        }
        if whole + decimals > DIGITS_MAX || matches!(self.0.first(), Some(b'e' | b'E')) {
            return None;
        }
        Some(match decimals {
            0 if sign > 0.0 => Value::Integer(digits),
            _ => Value::Number(sign * (digits as f64 / POWERS[decimals])),
        })
    }

    /// The digits that come next, behind `before`, and how many they are.
    fn digits(&self, before: u64) -> Option<(u64, usize)> {
        let mut number = before;
        let mut count = 0;
        for byte in self.0.iter().take_while(|byte| byte.is_ascii_digit()).take(DIGITS_MAX + 1) {
            number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            count += 1;
        }
        (count > 0).then_some((number, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read in both ways, it is the same.
    fn check(text: &str, is_quick: bool) {
        let parsed: Result<Line<'_>, _> = serde_json::from_str(text);
        let quick = read(text.as_bytes());
        assert_eq!(quick.is_some(), is_quick, "{text}");
        if let Some(quick) = quick {
            assert_eq!(format!("{quick:?}"), format!("{:?}", parsed.unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_read_quickly_is_what_the_parser_reads() {
        for text in [
            r#"{"t":1.25,"k":"start","p":"bank-a","h":"h7","id":17}"#,
            r#"{"t":1.61,"k":"end","p":"bank-a","h":"h7","id":17,"ms":360,"err":0}"#,
            r#" { "t" : 0.1 , "k" : "end" , "ms":null,"err":null} "#,
            r#"{"t":-0.5,"k":"end","ms":12.345678901,"err":true,"rx":3,"out":null}"#,
            r#"{"t":86399.999,"k":"end","id":"ab-1","err":1,"out":"declined","op":"ü","svc":"s","ep":"e"}"#,
            r#"{"t":2.00,"k":"restart","note":"x","n":1.5,"b":false}"#,
            r#"{"k":"end","t":0,"err":0.0}"#,
        ] {
            check(text.trim(), true);
        }
    }

    #[test]
    fn whatever_is_unusual_goes_to_the_parser() {
        for text in [
            "",
            "{}",
            "[1]",
            r#"{"t":1}"#,
            r#"{"t":"1","k":"end"}"#,
            r#"{"t":01,"k":"end"}"#,
            r#"{"t":1.,"k":"end"}"#,
            r#"{"t":.5,"k":"end"}"#,
            r#"{"t":1e3,"k":"end"}"#,
            r#"{"t":1,"k":"end","id":-5}"#,
            r#"{"t":1,"k":"end","id":1.5}"#,
            r#"{"t":1,"k":"end","id":18446744073709551615}"#,
            r#"{"t":1,"k":"end","h":null}"#,
            r#"{"t":1,"k":"end","h":"a\n"}"#,
            r#"{"t":1,"k":"end","x":[1]}"#,
            r#"{"t":1,"k":"end","t":2}"#,
            r#"{"t":1,"k":"end"} x"#,
            r#"{"t":1,"k":"end",}"#,
            r#"{"t":1,"k":"end""#,
        ] {
            check(text, false);
        }
        assert!(read(b"{\"t\":1,\"k\":\"end\",\"h\":\"\xff\"}").is_none());
        assert!(read(b"{\"t\":1,\"k\":\"end\",\"h\":\"a\tb\"}").is_none());
    }
}
