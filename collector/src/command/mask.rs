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
    kind = bytes (the text's UTF-8), int, double, or anything else for a text.\n\
    Out: {\"id\", \"text\"}, in the same order. A line that can't be used is named on standard error, and the next is read.\n\
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
        "{bad} of the lines can't be used; a line is {{\"id\":1,\"key\":\"http.url\",\"kind\":\"str\",\"text\":\"…\"}}"
    )]
    Lines { bad: usize },
    #[error("cannot read or write: {0}")]
    Io(#[from] io::Error),
}

/// Why a line can't be used. Not in serde's words where they would quote the value, which is not masked.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it is not UTF-8")]
    Encoding,
    #[error("it is not JSON, at character {0}")]
    Syntax(usize),
    #[error(
        "it is no object with \"id\", \"text\" and, if there is one, a \"key\" and a \"kind\", at character {0}"
    )]
    Shape(usize),
    #[error("the request that was made of it can't be masked: {0}")]
    Malformed(#[from] Malformed),
}

impl From<serde_json::Error> for Unusable {
    fn from(error: serde_json::Error) -> Unusable {
        match error.is_data() {
            true => Unusable::Shape(error.column()),
            false => Unusable::Syntax(error.column()),
        }
    }
}

/// What else stands in a line is somebody's note and passed over.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: serde_json::Value,
    key: Option<String>,
    kind: Option<String>,
    text: String,
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

fn filter(masking: &Masking, mut input: impl BufRead, mut output: impl Write) -> Result<(), Error> {
    let mut line = Vec::new();
    let (mut number, mut bad) = (0, 0);
    while input.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        if !line.trim_ascii().is_empty() {
            match masked(masking, &line) {
                Ok(masked) => {
                    serde_json::to_writer(&mut output, &masked).map_err(io::Error::from)?;
                    output.write_all(b"\n")?;
                }
                Err(why) => {
                    bad += 1;
                    eprintln!("spanmill mask: line {number}: {why}");
                }
            }
        }
        line.clear();
    }
    output.flush()?;
    if bad > 0 { Err(Error::Lines { bad }) } else { Ok(()) }
}

fn masked(masking: &Masking, line: &[u8]) -> Result<Masked, Unusable> {
    let line: Line = serde_json::from_str(std::str::from_utf8(line).map_err(|_| Unusable::Encoding)?)?;
    let value = value(line.kind.as_deref().unwrap_or_default(), &line.text);
    let text = match line.key {
        None => mask_name(masking, line.text),
        Some(key) => mask_attribute(masking, key, value, line.text),
    };
    Ok(Masked { id: line.id, text: text? })
}

/// The value as a client would send it: what is no number can't be sent as one and goes as a text.
fn value(kind: &str, text: &str) -> Value {
    let number = match kind {
        "bytes" => Some(Value::BytesValue(text.as_bytes().to_vec())),
        "int" => text.trim().parse().ok().map(Value::IntValue),
        "double" => text.trim().parse().ok().map(Value::DoubleValue),
        _ => None,
    };
    number.unwrap_or_else(|| Value::StringValue(text.to_owned()))
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
    fn an_unknown_kind_is_a_text_and_so_is_a_number_that_is_none() {
        for kind in ["string", "url", "json", "event name", "", "INT"] {
            let line =
                format!(r#"{{"id":1,"key":"note","kind":"{kind}","text":"pay 4111111111111111","x":[1]}}"#);
            assert_eq!(run(&line).unwrap()[0]["text"], "pay 411111******1111", "{kind}");
        }
        for kind in ["int", "double"] {
            let line = format!(r#"{{"id":1,"key":"note","kind":"{kind}","text":"9792 0000 0000 0003"}}"#);
            assert_eq!(run(&line).unwrap()[0]["text"], "9792 00** **** 0003", "{kind}");
        }
        assert_eq!(run(r#"{"id":1,"key":null,"kind":null,"text":"x"}"#).unwrap()[0]["text"], "x");
    }

    #[test]
    fn a_line_that_cannot_be_used_is_not_shown_and_stops_nothing() {
        let masking = Masking::new(Arc::new(spanmill_mask::Masker::standard()), Arc::default());
        let lines: [&[u8]; 6] = [
            br#"{"id":1,"text":"a"}"#,
            b"no json",
            br#"{"id":2,"text":4111111111111111}"#,
            b"\xff",
            br#"{"id":3,"text":"b"}"#,
            b"[]",
        ];
        let mut output = Vec::new();
        let error = filter(&masking, &lines.join(&b'\n')[..], &mut output).unwrap_err();
        assert!(error.to_string().starts_with("4 of the lines"), "{error}");
        assert_eq!(output, b"{\"id\":1,\"text\":\"a\"}\n{\"id\":3,\"text\":\"b\"}\n");
        for line in lines {
            let why = masked(&masking, line).err().map(|why| why.to_string()).unwrap_or_default();
            assert!(!why.contains("4111"), "{why}");
        }
    }
}
