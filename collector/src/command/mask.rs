//! `spanmill mask`: a filter that shows what the daemon would forward of a value, for trying rules and for tests.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::config::{self, Config};
use crate::mask::{Malformed, Masking};
use crate::outcome::{Outcomes, Transport};
use crate::receive::ReceivedBatch;

/// Masks values as the daemon would: JSON lines in, JSON lines out.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    echo '{\"id\":1,\"key\":\"http.url\",\"kind\":\"str\",\"text\":\"/pay?card=4111111111111111\"}' | spanmill mask\n\n\
    In:  {\"id\", \"key\", \"kind\", \"text\"}; key = an attribute's, null = free text such as the name of an event;\n     \
    kind = str, bytes (the text's UTF-8), int or double.\n\
    Out: {\"id\", \"text\"}, in the same order.\n\
    Exit status: 0 = all lines were masked, 64 = a line or the configuration can't be used.")]
pub struct Mask {
    /// Configuration with the [mask] table; without it the defaults
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(
        "line {line}: {cause}; a line is {{\"id\":1,\"key\":\"http.url\",\"kind\":\"str\",\"text\":\"…\"}}"
    )]
    Line { line: usize, cause: String },
    #[error("cannot read or write: {0}")]
    Io(#[from] io::Error),
    #[error("line {line}: the request that was made of it can't be masked: {cause}")]
    Malformed { line: usize, cause: Malformed },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: serde_json::Value,
    key: Option<String>,
    #[serde(default)]
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Str,
    Bytes,
    Int,
    Double,
}

#[derive(Serialize)]
struct Masked {
    id: serde_json::Value,
    text: String,
}

impl Mask {
    pub fn run(self) -> Result<(), Error> {
        let config = Config::load(self.config.as_deref(), None)?;
        let masking = Masking::new(config.mask, Arc::new(Outcomes::default()));
        filter(&masking, io::stdin().lock(), io::BufWriter::new(io::stdout().lock()))
    }
}

fn filter(masking: &Masking, input: impl BufRead, mut output: impl Write) -> Result<(), Error> {
    for (index, line) in input.lines().enumerate() {
        let (number, line) = (index + 1, line?);
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |cause: String| Error::Line { line: number, cause };
        let line: Line = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        let value = value(&line).map_err(wrong)?;
        let text = match line.key {
            None => mask_name(masking, line.text),
            Some(key) => mask_attribute(masking, key, value, line.text),
        };
        let text = text.map_err(|cause| Error::Malformed { line: number, cause })?;
        serde_json::to_writer(&mut output, &Masked { id: line.id, text }).map_err(io::Error::from)?;
        output.write_all(b"\n")?;
    }
    Ok(output.flush()?)
}

fn value(line: &Line) -> Result<Value, String> {
    let text = &line.text;
    Ok(match line.kind {
        Kind::Str => Value::StringValue(text.clone()),
        Kind::Bytes => Value::BytesValue(text.clone().into_bytes()),
        Kind::Int => Value::IntValue(text.parse().map_err(|_| "text is no 64-bit integer".to_owned())?),
        Kind::Double => Value::DoubleValue(text.parse().map_err(|_| "text is no number".to_owned())?),
    })
}

/// Free text: what stands for it is the name of an event.
fn mask_name(masking: &Masking, name: String) -> Result<String, Malformed> {
    let event = Event { name, ..Event::default() };
    let span = forwarded(masking, Span { events: vec![event], ..Span::default() })?;
    Ok(span.events.into_iter().next().unwrap_or_default().name)
}

fn mask_attribute(masking: &Masking, key: String, value: Value, text: String) -> Result<String, Malformed> {
    let before = value.clone();
    let attribute = KeyValue { key, value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() };
    let span = forwarded(masking, Span { attributes: vec![attribute], ..Span::default() })?;
    let attribute = span.attributes.into_iter().next().unwrap_or_default();
    Ok(match attribute.value.unwrap_or_default().value {
        // Numbers have more than one way to be written: what is unchanged is given back as it came.
        Some(after) if after == before => text,
        Some(Value::StringValue(masked)) => masked,
        Some(Value::BytesValue(masked)) => String::from_utf8_lossy(&masked).into_owned(),
        _ => String::new(),
    })
}

/// The span after the daemon's own masking stage.
fn forwarded(masking: &Masking, span: Span) -> Result<Span, Malformed> {
    let span = Span { trace_id: vec![1; 16], span_id: vec![1; 8], ..span };
    let scope_spans = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    let resource_spans = ResourceSpans { scope_spans: vec![scope_spans], ..ResourceSpans::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![resource_spans] };
    let body = request.encode_to_vec().into();
    let batch =
        ReceivedBatch { body, transport: Transport::Local, received_unix_ns: 0, hops: 0, origin: None };
    let masked = masking.apply(batch)?.batch;
    let request = ExportTraceServiceRequest::decode(masked.bytes().clone());
    let mut request = request.expect("masked texts are UTF-8 where the text was, and it came out of JSON");
    let mut scope_spans = request.resource_spans.remove(0).scope_spans.remove(0);
    Ok(scope_spans.spans.remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(input: &str) -> Result<Vec<serde_json::Value>, Error> {
        let masking = Masking::new(Arc::new(spanmill_mask::Masker::standard()), Arc::default());
        let mut output = Vec::new();
        filter(&masking, input.as_bytes(), &mut output)?;
        let lines = String::from_utf8(output).unwrap();
        Ok(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    #[test]
    fn each_kind_comes_out_as_the_daemon_would_forward_it() {
        let check = |line: &str, want: &str| assert_eq!(run(line).unwrap()[0]["text"], want, "{line}");
        check(r#"{"id":1,"key":null,"kind":"str","text":"pay 4111111111111111"}"#, "pay 411111******1111");
        check(
            r#"{"id":1,"key":"note","kind":"bytes","text":"pay 4111111111111111"}"#,
            "pay 411111******1111",
        );
        check(r#"{"id":1,"key":"note","kind":"int","text":"4111111111111111"}"#, "411111******1111");
        check(r#"{"id":1,"key":"note","kind":"double","text":"4111111111111111"}"#, "411111******1111");
        check(r#"{"id":1,"key":"password","kind":"str","text":"hunter2"}"#, "[masked]");
        check(r#"{"id":1,"key":"note","kind":"double","text":"1.50"}"#, "1.50");
        check(r#"{"id":1,"key":"note","kind":"int","text":"007"}"#, "007");
        check(r#"{"id":1,"key":"note","text":"nothing to see"}"#, "nothing to see");
    }

    #[test]
    fn ids_and_order_stay_and_empty_lines_are_skipped() {
        let lines = "{\"id\":\"a\",\"key\":null,\"text\":\"x\"}\n\n{\"id\":[2],\"key\":null,\"text\":\"\"}\n";
        let out = run(lines).unwrap();
        assert_eq!(out[0], serde_json::json!({"id": "a", "text": "x"}));
        assert_eq!(out[1], serde_json::json!({"id": [2], "text": ""}));
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named_and_not_shown() {
        let error = run(
            "{\"id\":1,\"key\":null,\"text\":\"x\"}\n{\"id\":2,\"kind\":\"int\",\"key\":\"k\",\"text\":\"4111x\"}",
        );
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("line 2: ") && error.contains("integer") && !error.contains("4111x"),
            "{error}"
        );
        assert!(run("no json").unwrap_err().to_string().starts_with("line 1: "));
    }
}
