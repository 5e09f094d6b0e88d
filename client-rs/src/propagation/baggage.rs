//! The `baggage` header of W3C Baggage.

use crate::context::{BAGGAGE_BYTES_MAX, BAGGAGE_MAX, Context};
use crate::resource::percent_decoded;

pub(super) const BAGGAGE: &str = "baggage";

/// The header of a context; `None` without baggage.
pub(super) fn encode(context: &Context) -> Option<String> {
    let carried = context.carried.as_deref().filter(|carried| !carried.baggage.is_empty())?;
    let mut out = String::new();
    for (key, value) in carried.baggage.iter().filter(|(key, _)| is_key(key)) {
        let before = out.len();
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(key);
        out.push('=');
        percent_encode(value, &mut out);
        if out.len() > BAGGAGE_BYTES_MAX {
            out.truncate(before);
            break;
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The entries of a header, without their properties; what is malformed is left out.
pub(super) fn decode(header: &str) -> Vec<(String, String)> {
    if header.len() > BAGGAGE_BYTES_MAX {
        return Vec::new();
    }
    let entries = header.split(',').filter_map(|member| {
        let (entry, _) = member.split_once(';').unwrap_or((member, ""));
        let (key, value) = entry.split_once('=')?;
        let (key, value) = (key.trim(), percent_decoded(value.trim())?);
        is_key(key).then(|| (key.to_string(), value))
    });
    entries.take(BAGGAGE_MAX).collect()
}

/// A token of RFC 7230, as the specification has it.
fn is_key(key: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !key.is_empty() && key.bytes().all(is_token)
}

fn percent_encode(value: &str, out: &mut String) {
    use std::fmt::Write;
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' => {
                out.push(byte as char);
            }
            _ => write!(out, "%{byte:02X}").expect("a String takes everything"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_and_what_is_malformed_are_left_out() {
        let entries = decode("a=1;secret, b = x%20y ;p=q,=c,d,e f=1,g=%zz,h=");
        let entries: Vec<_> = entries.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(entries, [("a", "1"), ("b", "x y"), ("h", "")]);
        assert!(decode(&"a=b,".repeat(3000)).is_empty());
        assert_eq!(decode(&"a=b,".repeat(100)).len(), BAGGAGE_MAX);
    }
}
