//! Who sends: the attributes that describe this process, once per packet.

use spanmill_mask::{Key, Masker, Report};
use spanmill_proto::otlp::{any_value, key_value};
use spanmill_proto::wire;

/// Attributes that a resource may have, and bytes of each value: a packet must keep room for its spans.
const ATTRIBUTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 256;

/// The attributes of the process, each key once; the later value wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Resource {
    attributes: Vec<(String, String)>,
}

impl Resource {
    /// What every process can say of itself.
    pub(crate) fn of_this_process(language: &str) -> Resource {
        let name = rustix::system::uname();
        let exe = std::env::current_exe().ok();
        let exe = exe.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
        let service = exe.map_or("unknown_service".to_string(), |exe| format!("unknown_service:{exe}"));
        Resource::default()
            .with("service.name", &service)
            .with("host.name", &name.nodename().to_string_lossy())
            .with("telemetry.sdk.name", "spanmill")
            .with("telemetry.sdk.language", language)
            .with("telemetry.sdk.version", env!("CARGO_PKG_VERSION"))
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Resource {
        let value = value.chars().scan(0, |bytes, char| {
            *bytes += char.len_utf8();
            (*bytes <= VALUE_BYTES_MAX).then_some(char)
        });
        let value = value.collect::<String>();
        if let Some((_, old)) = self.attributes.iter_mut().find(|(known, _)| known == key) {
            *old = value;
        } else if self.attributes.len() < ATTRIBUTES_MAX && key.len() <= VALUE_BYTES_MAX {
            self.attributes.push((key.to_string(), value));
        }
        self
    }

    /// The value of an attribute.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Adds what `OTEL_RESOURCE_ATTRIBUTES` says: `key=value,key=value`, values percent-encoded.
    pub(crate) fn with_list(self, list: &str) -> Result<Resource, &'static str> {
        list.split(',').filter(|pair| !pair.trim().is_empty()).try_fold(self, |resource, pair| {
            let (key, value) = pair.split_once('=').ok_or("a part has no '='")?;
            let value = percent_decoded(value.trim()).ok_or("a value is not percent-encoded UTF-8")?;
            Ok(resource.with(key.trim(), &value))
        })
    }

    /// The same with its secrets masked: a resource may be made of anything that an operator exports.
    pub(crate) fn masked(mut self, masker: &Masker) -> Resource {
        let mut report = Report::default();
        for (key, value) in &mut self.attributes {
            if let Some(masked) = masker.text(masker.key(key.as_bytes()), value.as_bytes(), &mut report) {
                *value = String::from_utf8_lossy(&masked).into_owned();
            }
            if let Some(masked) = masker.text(Key::Plain, key.as_bytes(), &mut report) {
                *key = String::from_utf8_lossy(&masked).into_owned();
            }
        }
        self
    }

    /// Writes each attribute as field `number`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>, number: u32) {
        for (key, value) in &self.attributes {
            let whole = wire::open(out, number);
            wire::put_bytes(out, key_value::KEY, key.as_bytes());
            let mark = wire::open(out, key_value::VALUE);
            wire::put_bytes(out, any_value::STRING, value.as_bytes());
            wire::close(out, mark);
            wire::close(out, whole);
        }
    }
}

/// Percent-encoding undone; `None` for what is none, or not UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                (digit(bytes.next())? << 4 | digit(bytes.next())?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_environment_is_read_and_wins() {
        let read = |list| Resource::default().with("service.name", "before").with_list(list);
        let resource = read(" service.name=shop , team = pay%2Cments%20%C3%A9,").unwrap();
        let want = Resource::default().with("service.name", "shop").with("team", "pay,ments é");
        assert_eq!(resource, want);
        assert!(read("team").is_err());
        assert!(read("team=%e9").is_err());
        assert!(read("team=%4").is_err());
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let resource = Resource::default().with("key", &"é".repeat(200));
        assert_eq!(resource.attributes[0].1, "é".repeat(128));
    }
}
