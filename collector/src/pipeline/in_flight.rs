//! Between receive and the roll-up: calls in flight as clients tell them, masked like everything else of theirs.

use std::collections::HashMap;
use std::sync::Arc;

use spanmill_proto::otlp::{any_value, key_value, resource};
use spanmill_proto::wire::{Fields, Malformed};

use crate::receive::{OpenCall, Process, Target};
use crate::rollup;

/// Where a process's calls come from.
#[derive(Debug, Default)]
struct Origin {
    service: String,
    host: String,
    environment: String,
}

/// All calls but attempts, whose calls are told themselves.
pub fn calls(processes: &[Process], mask: &dyn Fn(&str) -> String) -> Vec<rollup::OpenCall> {
    let mut texts = Texts { mask, masked: HashMap::new() };
    let mut calls = Vec::new();
    for process in processes {
        // A resource that can't be read says nothing of where the calls come from; that they are open stays true.
        let origin = origin(&process.resource, &mut texts).unwrap_or_default();
        let whole = process.calls.iter().filter(|call| !call.is_attempt);
        calls.extend(whole.map(|call| open(call, &origin, &mut texts)));
    }
    calls
}

fn open(call: &OpenCall, origin: &Origin, texts: &mut Texts<'_>) -> rollup::OpenCall {
    let peer = match &call.target {
        Target::Provider(name) => rollup::OpenPeer::Name(texts.masked(name)),
        Target::Address(host, 0) => rollup::OpenPeer::Address(texts.masked(host)),
        Target::Address(host, port) if host.contains(':') && !host.starts_with('[') => {
            rollup::OpenPeer::Address(format!("[{}]:{port}", texts.masked(host)))
        }
        Target::Address(host, port) => rollup::OpenPeer::Address(format!("{}:{port}", texts.masked(host))),
    };
    rollup::OpenCall {
        peer,
        operation: texts.masked(&call.operation),
        service: origin.service.clone(),
        host: origin.host.clone(),
        environment: origin.environment.clone(),
        trace_id: call.trace_id,
        span_id: u64::from_be_bytes(call.span_id),
        started_unix_ns: call.started_unix_ns,
    }
}

fn origin(message: &[u8], texts: &mut Texts<'_>) -> Result<Origin, Malformed> {
    let mut origin = Origin::default();
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        if field.number != resource::ATTRIBUTES {
            continue;
        }
        let Some((key, value)) = attribute(field.message()?)? else { continue };
        match key {
            "service.name" => origin.service = texts.masked(value),
            "host.name" => origin.host = texts.masked(value),
            "deployment.environment.name" => origin.environment = texts.masked(value),
            // The name before semantic conventions 1.27.
            "deployment.environment" if origin.environment.is_empty() => {
                origin.environment = texts.masked(value);
            }
            _ => {}
        }
    }
    Ok(origin)
}

/// Key and text of an attribute; `None` where the value is no text.
fn attribute(mut fields: Fields<'_>) -> Result<Option<(&str, &str)>, Malformed> {
    let (mut key, mut text) = ("", None);
    while let Some(field) = fields.next()? {
        match field.number {
            key_value::KEY => key = std::str::from_utf8(field.bytes()?).unwrap_or_default(),
            key_value::VALUE => {
                let mut value = field.message()?;
                while let Some(field) = value.next()? {
                    if field.number == any_value::STRING {
                        text = std::str::from_utf8(field.bytes()?).ok();
                    }
                }
            }
            _ => {}
        }
    }
    Ok(text.map(|text| (key, text)))
}

/// Masks each text once in a look: thousands of calls have a few names.
struct Texts<'m> {
    mask: &'m dyn Fn(&str) -> String,
    masked: HashMap<Arc<str>, String>,
}

impl Texts<'_> {
    fn masked(&mut self, text: &str) -> String {
        if let Some(masked) = self.masked.get(text) {
            return masked.clone();
        }
        let masked = (self.mask)(text);
        self.masked.insert(text.into(), masked.clone());
        masked
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::rollup::OpenPeer;

    /// `service.name` = `shop`, `host.name` = `h7`
    const RESOURCE: &[u8] = b"\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04shop\
                              \x0a\x11\x0a\x09host.name\x12\x04\x0a\x02h7";

    fn call(target: Target, is_attempt: bool) -> OpenCall {
        OpenCall {
            trace_id: [1; 16],
            span_id: [0, 0, 0, 0, 0, 0, 1, 2],
            started_unix_ns: 9,
            target,
            operation: "pay 4111111111111111".into(),
            is_attempt,
        }
    }

    fn calls_of(targets: Vec<Target>, resource: &'static [u8]) -> Vec<rollup::OpenCall> {
        let calls = targets.into_iter().map(|target| call(target, false)).collect();
        let process = Process { number: 1, resource: Bytes::from_static(resource), calls };
        calls_masked(&[process])
    }

    fn calls_masked(processes: &[Process]) -> Vec<rollup::OpenCall> {
        calls(processes, &|text| text.replace("4111111111111111", "****"))
    }

    #[test]
    fn every_text_of_a_client_is_masked_and_the_resource_says_where_it_is_from() {
        let [one] = &calls_of(vec![Target::Provider("acme".into())], RESOURCE)[..] else {
            panic!("one call")
        };
        assert_eq!(one.operation, "pay ****");
        assert_eq!((one.service.as_str(), one.host.as_str(), one.environment.as_str()), ("shop", "h7", ""));
        assert_eq!((one.span_id, one.started_unix_ns), (0x0102, 9));
    }

    #[test]
    fn addresses_are_written_as_the_roll_up_reads_them() {
        let check = |host: &str, port, want: &str| {
            let calls = calls_of(vec![Target::Address(host.into(), port)], b"");
            assert_eq!(calls[0].peer, OpenPeer::Address(want.to_owned()));
        };
        check("api.acme.example", 443, "api.acme.example:443");
        check("api.acme.example", 0, "api.acme.example");
        check("2001:db8::1", 443, "[2001:db8::1]:443");
    }

    #[test]
    fn attempts_are_left_out_and_a_broken_resource_harms_nothing() {
        let calls =
            vec![call(Target::Provider("acme".into()), true), call(Target::Provider("b".into()), false)];
        let process = Process { number: 1, resource: Bytes::from_static(b"\x0a\xff"), calls };
        let found = calls_masked(&[process]);
        assert_eq!((found.len(), found[0].service.as_str()), (1, ""));
    }
}
