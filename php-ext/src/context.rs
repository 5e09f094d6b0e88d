//! `Spanmill\\Context`: a place in a trace that came from, or goes to, another process.

use ext_php_rs::flags::ClassFlags;
use ext_php_rs::prelude::*;
use ext_php_rs::types::{ArrayKey, ZendHashTable, Zval};

/// Names a span as a parent. Made by `Tracer::extract()`.
#[php_class]
#[php(name = "Spanmill\\Context", flags = ClassFlags::Final)]
pub struct Context(pub spanmill::Context);

#[php_impl]
impl Context {
    /// The id of the trace in 32 hex digits.
    pub fn trace_id(&self) -> String {
        self.0.trace_id().to_string()
    }

    /// The id of the span in 16 hex digits.
    pub fn span_id(&self) -> String {
        self.0.span_id().to_string()
    }

    /// The W3C `traceparent` header.
    pub fn traceparent(&self) -> String {
        self.0.traceparent()
    }
}

/// The context that headers carry. Names in any case, as `$_SERVER` writes them too; a value may be a list, as
/// PSR-7 has it.
pub fn of_headers(headers: &ZendHashTable) -> Option<spanmill::Context> {
    spanmill::extract(|wanted| {
        headers.iter().find(|(name, _)| is_named(name, wanted)).and_then(|(_, value)| text(value))
    })
}

/// Writes a header into an array, in place of one that was there.
pub fn write_header(headers: &mut ZendHashTable, name: &str, value: &str) {
    let old: Vec<String> =
        headers.iter().filter(|(key, _)| is_named(key, name)).map(|(key, _)| key.to_string()).collect();
    for key in old {
        let _ = headers.remove(key.as_str());
    }
    let _ = headers.insert(name, value);
}

fn is_named(key: &ArrayKey<'_>, wanted: &str) -> bool {
    let key = key.to_string();
    let key = key.strip_prefix("HTTP_").unwrap_or(&key);
    key.len() == wanted.len()
        && key.bytes().zip(wanted.bytes()).all(|(a, b)| {
            let a = if a == b'_' { b'-' } else { a.to_ascii_lowercase() };
            a == b
        })
}

fn text(value: &Zval) -> Option<&str> {
    let value = value.dereference();
    match value.array() {
        Some(list) => list.values().next().and_then(|first| first.dereference().str()),
        None => value.str(),
    }
}
