//! A real Prometheus that scrapes one daemon each second.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{self, Program};
use crate::wait::{self, PATIENCE};

#[derive(Debug)]
pub struct Prometheus {
    _program: Program,
    _dir: TempDir,
    address: SocketAddr,
    client: reqwest::blocking::Client,
}

impl Prometheus {
    /// One that scrapes `target`; `None`, said loudly, where there is no Prometheus.
    pub fn start(target: SocketAddr) -> Option<Prometheus> {
        if !program::found("prometheus") {
            program::skipped("prometheus");
            return None;
        }
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let config = dir.path().join("prometheus.yml");
        fs::write(&config, configuration(target)).expect("the folder is ours");
        let address = program::free_address();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let mut program = Program::start("prometheus", command, dir.path());
        let client = reqwest::blocking::Client::new();
        wait::until("Prometheus is ready", PATIENCE, || {
            if let Some(status) = program.exited() {
                panic!("Prometheus ended with {status}:\n{}", program.output());
            }
            let answer = client.get(format!("http://{address}/-/ready")).send();
            let status = answer.map_err(|error| error.to_string())?.status();
            if status.is_success() { Ok(()) } else { Err(status.to_string()) }
        });
        Some(Prometheus { _program: program, _dir: dir, address, client })
    }

    /// The value of a query that has one, now; `None` where it has none yet.
    pub fn query(&self, query: &str) -> Option<f64> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let request = self.client.get(format!("http://{}/api/v1/query?query={encoded}", self.address));
        let answer: Value = request.send().and_then(|answer| answer.json()).expect("Prometheus answers");
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let series = answer["data"]["result"].as_array().expect("an answer has a result");
        assert!(series.len() <= 1, "{query} has more than one value: {answer}");
        series.first()?["value"][1].as_str()?.parse().ok()
    }
}

fn configuration(target: SocketAddr) -> String {
    format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
         scrape_configs:\n  - job_name: spanmill\n    static_configs: [{{ targets: [\"{target}\"] }}]\n"
    )
}
