//! From PHP values to tags.
//!
//! An array becomes one tag per element, `key.element`, so that masking sees what each is called; a list of
//! plain values becomes a list. An object becomes the name of its class: anything more would run user code.

use ext_php_rs::types::{ArrayKey, ZendHashTable, Zval};
use spanmill::Value;
use spanmill::recorder::{Log, Record};

/// How deep arrays are followed.
const DEPTH_MAX: usize = 3;

/// Adds one tag to a span, or several if the value is an array.
pub fn tag(record: &mut Record, key: &str, value: &Zval) {
    each(key, value, 0, &mut |key, value| record.tag(key, value));
}

/// Adds an array of tags to a span.
pub fn tag_all(record: &mut Record, tags: Option<&ZendHashTable>) {
    each_of(tags, "", 0, &mut |key, value| record.tag(key, value));
}

/// Adds a log to a span.
pub fn log(record: &mut Record, name: &str, fields: Option<&ZendHashTable>) {
    record.log(name, |log| {
        let mut log: Option<Log<'_>> = Some(log);
        each_of(fields, "", 0, &mut |key, value| log = log.take().map(|log| log.tag(key, value)));
        log.expect("it is put back after each field")
    });
}

fn each_of(tags: Option<&ZendHashTable>, prefix: &str, depth: usize, add: &mut dyn FnMut(&str, Value<'_>)) {
    for (key, value) in tags.into_iter().flat_map(ZendHashTable::iter) {
        let number;
        let key = match &key {
            ArrayKey::Str(key) => key,
            ArrayKey::String(key) => key.as_str(),
            ArrayKey::ZendString(key) => key.as_str().unwrap_or("_"),
            ArrayKey::Long(index) => {
                number = index.to_string();
                &number
            }
        };
        if prefix.is_empty() {
            each(key, value, depth, add);
        } else {
            each(&format!("{prefix}.{key}"), value, depth, add);
        }
    }
}

fn each(key: &str, value: &Zval, depth: usize, add: &mut dyn FnMut(&str, Value<'_>)) {
    let value = value.dereference();
    match value.array() {
        None => {
            if let Some(value) = plain(value) {
                add(key, value);
            }
        }
        Some(array)
            if array.has_sequential_keys() && array.values().all(|item| !item.dereference().is_array()) =>
        {
            add(key, Value::List(array.values().filter_map(|item| plain(item.dereference())).collect()));
        }
        Some(array) if depth < DEPTH_MAX => each_of(Some(array), key, depth + 1, add),
        Some(_) => add(key, "[array]".into()),
    }
}

/// A value that is no array; `None` for null, which says nothing.
fn plain(value: &Zval) -> Option<Value<'_>> {
    if let Some(text) = value.zend_str() {
        // PHP strings are bytes; what is not UTF-8 travels as such.
        return Some(text.as_str().map_or_else(|_| Value::Bytes(text.as_bytes()), Value::from));
    }
    let number = value.long().map(Value::Int).or_else(|| value.double().map(Value::Double));
    let scalar = number.or_else(|| value.bool().map(Value::Bool));
    scalar.or_else(|| value.object().and_then(|object| object.get_class_name().ok()).map(Value::from))
}
