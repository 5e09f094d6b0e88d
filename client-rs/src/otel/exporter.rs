//! Masking for those who keep OpenTelemetry's SDK: between its processor and its exporter.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use opentelemetry::trace::Status;
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use spanmill_mask::{Config, ConfigError, Key, Masker, Report};

/// Masks every span before another exporter gets it: names, attributes, events, links, status and resource.
///
/// ```
/// # fn of<E: opentelemetry_sdk::trace::SpanExporter + 'static>(otlp_exporter: E) {
/// let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
///     .with_batch_exporter(spanmill::MaskingExporter::new(otlp_exporter))
///     .build();
/// # let _ = provider;
/// # }
/// ```
#[derive(Debug)]
pub struct MaskingExporter<E> {
    inner: E,
    masker: Masker,
}

impl<E> MaskingExporter<E> {
    /// Masks with the rules at their defaults.
    pub fn new(inner: E) -> MaskingExporter<E> {
        MaskingExporter { inner, masker: Masker::standard() }
    }

    /// Masks with other rules.
    pub fn with_config(inner: E, config: Config) -> Result<MaskingExporter<E>, ConfigError> {
        Ok(MaskingExporter { inner, masker: Masker::new(config)? })
    }

    fn mask(&self, mut span: SpanData) -> SpanData {
        span.name = self.text(&span.name).map_or(span.name, Cow::Owned);
        self.attributes(&mut span.attributes);
        for event in &mut span.events.events {
            if let Some(masked) = self.text(&event.name) {
                event.name = masked.into();
            }
            self.attributes(&mut event.attributes);
        }
        for link in &mut span.links.links {
            self.attributes(&mut link.attributes);
        }
        if let Status::Error { description } = &mut span.status
            && let Some(masked) = self.text(description)
        {
            *description = masked.into();
        }
        span
    }

    fn attributes(&self, attributes: &mut [KeyValue]) {
        for attribute in attributes {
            let class = self.masker.key(attribute.key.as_str().as_bytes());
            if let Some(masked) = self.value(class, &attribute.value) {
                attribute.value = masked;
            }
            if let Some(masked) = self.text(attribute.key.as_str()) {
                attribute.key = masked.into();
            }
        }
    }

    /// What takes the place of a value that must not be seen.
    fn value(&self, class: Key, value: &Value) -> Option<Value> {
        let mut report = Report::default();
        match value {
            Value::String(text) => self.string(class, text).map(Value::String),
            Value::I64(number) => self.masker.int(class, *number, &mut report).map(Value::from),
            Value::F64(number) => self.masker.double(class, *number, &mut report).map(Value::from),
            Value::Bool(_) => None,
            Value::Array(array) => self.array(class, array),
            other => self.string(class, &other.to_string().into()).map(Value::String),
        }
    }

    fn array(&self, class: Key, array: &Array) -> Option<Value> {
        let mut report = Report::default();
        let texts: Vec<Option<StringValue>> = match array {
            Array::Bool(_) => return None,
            Array::I64(numbers) => numbers
                .iter()
                .map(|number| self.masker.int(class, *number, &mut report).map(Into::into))
                .collect(),
            Array::F64(numbers) => numbers
                .iter()
                .map(|number| self.masker.double(class, *number, &mut report).map(Into::into))
                .collect(),
            Array::String(texts) => texts.iter().map(|text| self.string(class, text)).collect(),
            _ => return Some(Value::String("[mask-error]".into())),
        };
        texts.iter().any(Option::is_some).then(|| {
            let plain: Vec<StringValue> = match array {
                Array::I64(numbers) => numbers.iter().map(|number| number.to_string().into()).collect(),
                Array::F64(numbers) => numbers.iter().map(|number| number.to_string().into()).collect(),
                Array::String(texts) => texts.clone(),
                _ => Vec::new(),
            };
            let mixed = texts.into_iter().zip(plain).map(|(masked, plain)| masked.unwrap_or(plain));
            Value::Array(Array::String(mixed.collect()))
        })
    }

    fn string(&self, class: Key, text: &StringValue) -> Option<StringValue> {
        let masked = self.masker.text(class, text.as_str().as_bytes(), &mut Report::default())?;
        Some(String::from_utf8_lossy(&masked).into_owned().into())
    }

    fn text(&self, text: &str) -> Option<String> {
        let masked = self.masker.text(Key::Plain, text.as_bytes(), &mut Report::default())?;
        Some(String::from_utf8_lossy(&masked).into_owned())
    }
}

impl<E: SpanExporter> SpanExporter for MaskingExporter<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.inner.export(batch.into_iter().map(|span| self.mask(span)).collect())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        let mut attributes: Vec<_> =
            resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        self.attributes(&mut attributes);
        self.inner.set_resource(&Resource::builder_empty().with_attributes(attributes).build());
    }
}
