//! A real Alertmanager, with nobody to notify: what it knows is read from its API.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{self, Program};
use crate::wait::{self, PATIENCE};

/// As Debian calls it; elsewhere it is plain `alertmanager`.
const EXECUTABLES: [&str; 2] = ["prometheus-alertmanager", "alertmanager"];

#[derive(Debug)]
pub struct Alertmanager {
    _program: Program,
    _dir: TempDir,
    address: SocketAddr,
}

impl Alertmanager {
    /// `None`, said loudly, where there is no Alertmanager.
    pub fn start() -> Option<Alertmanager> {
        let Some(executable) = EXECUTABLES.into_iter().find(|name| program::found(name)) else {
            program::skipped(EXECUTABLES[0]);
            return None;
        };
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let config = dir.path().join("alertmanager.yml");
        let text = "route: { receiver: nobody, group_wait: 1s }\nreceivers: [{ name: nobody }]\n";
        fs::write(&config, text).expect("the folder is ours");
        let address = program::free_address();
        let mut command = Command::new(executable);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=");
        let mut program = Program::start("alertmanager", command, dir.path());
        wait::until("Alertmanager is ready", PATIENCE, || {
            if let Some(status) = program.exited() {
                panic!("Alertmanager ended with {status}:\n{}", program.output());
            }
            let answer = reqwest::blocking::get(format!("http://{address}/-/ready"));
            let status = answer.map_err(|error| error.to_string())?.status();
            if status.is_success() { Ok(()) } else { Err(status.to_string()) }
        });
        Some(Alertmanager { _program: program, _dir: dir, address })
    }

    /// For `[[notify.alertmanager]]`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The alerts that fire now.
    pub fn firing(&self) -> Vec<Value> {
        let answer = reqwest::blocking::get(format!("{}/api/v2/alerts?active=true", self.url()));
        answer.and_then(|answer| answer.json()).expect("Alertmanager answers in JSON")
    }
}
