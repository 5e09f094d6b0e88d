//! A real Jaeger v2 with its spans in memory.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{self, Program};
use crate::wait::{self, PATIENCE};

#[derive(Debug)]
pub struct Jaeger {
    _program: Program,
    _dir: TempDir,
    otlp: SocketAddr,
    query: SocketAddr,
}

impl Jaeger {
    /// `None`, said loudly, where Jaeger could not be built.
    pub fn start() -> Option<Jaeger> {
        Jaeger::start_at(program::free_address())
    }

    /// One that takes OTLP at `otlp`: a destination that was down comes back.
    pub fn start_at(otlp: SocketAddr) -> Option<Jaeger> {
        let executable = program::tool("jaeger")?;
        let query = program::free_address();
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let config = dir.path().join("jaeger.yaml");
        fs::write(&config, configuration(otlp, query, program::free_address())).expect("the folder is ours");
        let mut command = Command::new(executable);
        command.arg("--config").arg(&config);
        let mut program = Program::start("jaeger", command, dir.path());
        wait::until("Jaeger is ready", PATIENCE, || {
            if let Some(status) = program.exited() {
                panic!("Jaeger ended with {status}:\n{}", program.output());
            }
            if program.output().contains("Everything is ready") { Ok(()) } else { Err(program.output()) }
        });
        Some(Jaeger { _program: program, _dir: dir, otlp, query })
    }

    /// Where it takes OTLP over gRPC.
    pub fn otlp(&self) -> SocketAddr {
        self.otlp
    }

    /// The answer of its query API for one trace, as text; `None` where it has none.
    pub fn trace(&self, trace_id: &str) -> Option<String> {
        let url = format!("http://{}/api/v3/traces/{trace_id}", self.query);
        let response = reqwest::blocking::get(url).expect("Jaeger answers");
        response.status().is_success().then(|| response.text().expect("Jaeger answers in text"))
    }

    /// The spans of one trace, as OTLP/JSON spans, each with its service as `service`.
    pub fn spans(&self, trace_id: &str) -> Vec<Value> {
        let Some(text) = self.trace(trace_id) else { return Vec::new() };
        let answer: Value = serde_json::from_str(&text).expect("Jaeger answers in JSON");
        spans_of(&answer["result"])
    }

    /// Waits until it has `count` spans of a trace, and gives them.
    #[track_caller]
    pub fn wait_for_spans(&self, trace_id: &str, count: usize) -> Vec<Value> {
        wait::until(&format!("{count} spans of {trace_id} in Jaeger"), PATIENCE, || {
            let spans = self.spans(trace_id);
            if spans.len() >= count { Ok(spans) } else { Err(spans) }
        })
    }

    /// The ids of the traces of one service.
    pub fn traces_of(&self, service: &str) -> Vec<String> {
        let url = format!("http://{}/api/traces?service={service}&limit=1500", self.query);
        let answer: Value =
            reqwest::blocking::get(url).and_then(|answer| answer.json()).expect("Jaeger answers");
        let traces = answer["data"].as_array().cloned().unwrap_or_default();
        traces.iter().filter_map(|trace| trace["traceID"].as_str().map(str::to_owned)).collect()
    }
}

/// The spans inside an object with `resourceSpans`, each with its service as `service`.
pub fn spans_of(answer: &Value) -> Vec<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut spans = Vec::new();
    for resource in list(&answer["resourceSpans"]) {
        let attributes = list(&resource["resource"]["attributes"]);
        let service = attributes.iter().find(|attribute| attribute["key"] == "service.name");
        let service = service.map(|attribute| attribute["value"]["stringValue"].clone()).unwrap_or_default();
        for mut span in list(&resource["scopeSpans"]).iter().flat_map(|scope| list(&scope["spans"])) {
            span["service"] = service.clone();
            spans.push(span);
        }
    }
    spans
}

/// The value of one attribute of an OTLP/JSON span, number or text, as text.
pub fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
    let attributes = span["attributes"].as_array()?;
    let value = &attributes.iter().find(|attribute| attribute["key"] == key)?["value"];
    // 64-bit numbers are text in OTLP/JSON.
    value.as_object()?.values().next()?.as_str()
}

fn configuration(otlp: SocketAddr, query: SocketAddr, query_grpc: SocketAddr) -> String {
    format!(
        r#"
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {{ receivers: [otlp], exporters: [jaeger_storage_exporter] }}
  telemetry: {{ metrics: {{ level: none }} }}
extensions:
  jaeger_storage: {{ backends: {{ memory: {{ memory: {{ max_traces: 100000 }} }} }} }}
  jaeger_query:
    storage: {{ traces: memory }}
    http: {{ endpoint: "{query}" }}
    grpc: {{ endpoint: "{query_grpc}" }}
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: "{otlp}" }} }} }}
exporters:
  jaeger_storage_exporter: {{ trace_storage: memory }}
"#
    )
}
