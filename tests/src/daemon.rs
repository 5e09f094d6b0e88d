//! The real `spanmill run` with a configuration of its own.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{self, Program};
use crate::wait::{self, PATIENCE};

/// A daemon that is not started yet.
#[derive(Debug, Default)]
pub struct Builder {
    jaeger: Option<SocketAddr>,
    toml: String,
    data_dir: Option<PathBuf>,
}

impl Builder {
    /// Forwards to `[forward.jaeger]` at this address.
    pub fn forwarding_to(mut self, jaeger: SocketAddr) -> Builder {
        self.jaeger = Some(jaeger);
        self
    }

    /// Its data go to `dir` instead of the daemon's own folder.
    pub fn storing_in(mut self, dir: &Path) -> Builder {
        self.data_dir = Some(dir.to_owned());
        self
    }

    /// More configuration, after the tables that say where it listens.
    pub fn with(mut self, toml: &str) -> Builder {
        self.toml.push_str(toml);
        self
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn start(self) -> Daemon {
        let dir = tempfile::tempdir().expect("there is room for a folder");
        if let Some(elsewhere) = &self.data_dir {
            symlink(elsewhere, dir.path().join("data")).expect("the folder is ours");
        }
        // A port that was free may be taken by the time the daemon binds it.
        for _ in 0..3 {
            let addresses = Addresses::free();
            let config = dir.path().join("spanmill.toml");
            fs::write(&config, addresses.configuration(&self)).expect("the folder is ours");
            let mut program = run(dir.path());
            if ready(&mut program, &addresses) {
                return Daemon { program, addresses, dir, client: client() };
            }
        }
        panic!("three times one of three free ports was taken");
    }
}

#[derive(Debug)]
struct Addresses {
    grpc: SocketAddr,
    http: SocketAddr,
    expose: SocketAddr,
}

impl Addresses {
    fn free() -> Addresses {
        let [grpc, http, expose] = [(); 3].map(|()| program::free_address());
        Addresses { grpc, http, expose }
    }

    fn configuration(&self, builder: &Builder) -> String {
        let Addresses { grpc, http, expose } = self;
        let jaeger = builder
            .jaeger
            .map_or(String::new(), |address| format!("[forward.jaeger]\nendpoint = \"http://{address}\"\n"));
        format!(
            "[receive.otlp_grpc]\nlisten = \"{grpc}\"\n[receive.otlp_http]\nlisten = \"{http}\"\n\
             [receive.local]\npath = \"spanmill.sock\"\n[expose]\nlisten = \"{expose}\"\n{jaeger}{}",
            builder.toml
        )
    }
}

/// `spanmill run` in `dir`, with the configuration that is there.
fn run(dir: &Path) -> Program {
    let mut command = Command::new(executable());
    command.current_dir(dir).args(["run", "--config", "spanmill.toml", "--data-dir", "data"]);
    Program::start("spanmill", command, dir)
}

/// Waits for `/readyz`; false where a port was taken.
fn ready(program: &mut Program, addresses: &Addresses) -> bool {
    let url = format!("http://{}/readyz", addresses.expose);
    wait::until("the daemon is ready", PATIENCE, || {
        if let Some(status) = program.exited() {
            let output = program.output();
            assert!(output.contains("cannot listen"), "the daemon ended with {status}:\n{output}");
            return Ok(false);
        }
        let answer = reqwest::blocking::get(&url).map_err(|error| error.to_string())?;
        if answer.status().is_success() { Ok(true) } else { Err(answer.text().unwrap_or_default()) }
    })
}

/// Where cargo put the daemon: in the folder of this test's profile.
pub fn executable() -> PathBuf {
    program::built("spanmill").expect("`cargo build -p spanmill-collector` has made the daemon")
}

fn client() -> Client {
    Client::builder().timeout(PATIENCE).build().expect("a client without TLS always builds")
}

/// The running daemon. Its folder holds `spanmill.toml`, `spanmill.log` and `data`.
#[derive(Debug)]
pub struct Daemon {
    program: Program,
    addresses: Addresses,
    dir: TempDir,
    client: Client,
}

impl Daemon {
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub fn grpc(&self) -> SocketAddr {
        self.addresses.grpc
    }

    pub fn http(&self) -> SocketAddr {
        self.addresses.http
    }

    /// Page, API and metrics.
    pub fn page(&self) -> SocketAddr {
        self.addresses.expose
    }

    /// The local socket of the clients on this host.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("spanmill.sock")
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Memory that it holds now.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.program.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse().expect("it is a number")
    }

    /// All that it has written to standard output and error.
    pub fn log(&self) -> String {
        self.program.output()
    }

    /// `path` of the page's port, whatever the answer.
    pub fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().expect("the daemon answers")
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses.expose)
    }

    /// `path` of the API, as JSON.
    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().expect("the API answers in JSON")
    }

    /// One provider of the last minute, if it is there.
    pub fn provider(&self, name: &str) -> Option<Value> {
        let board = self.json("/api/v1/providers?window=60s");
        board["providers"].as_array()?.iter().find(|provider| provider["name"] == name).cloned()
    }

    /// Waits until `count` calls of a provider are counted, and gives its figures.
    #[track_caller]
    pub fn wait_for_calls(&self, name: &str, count: u64, deadline: Duration) -> Value {
        wait::until(&format!("{count} calls of {name} in the API"), deadline, || {
            let provider = self.provider(name).ok_or_else(|| self.json("/api/v1/providers?window=60s"))?;
            if provider["count"].as_u64() >= Some(count) { Ok(provider) } else { Err(provider) }
        })
    }

    /// Posts JSON to `path` of the page's port, whatever the answer.
    pub fn post_json(&self, path: &str, body: &Value) -> Response {
        self.client.post(self.url(path)).json(body).send().expect("the daemon answers")
    }

    /// Posts a body to `/v1/traces`.
    pub fn post(&self, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        self.post_to("/v1/traces", headers, body)
    }

    pub fn post_to(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
        let request = self.client.post(format!("http://{}{path}", self.addresses.http)).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().expect("the daemon answers")
    }

    /// Sends an encoded request and expects it to be acknowledged.
    #[track_caller]
    pub fn send(&self, request: Vec<u8>) {
        let answer = self.post(&[("content-type", "application/x-protobuf")], request);
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().unwrap_or_default());
    }

    /// kill -9 and a new start on the same data and the same ports.
    #[track_caller]
    pub fn kill_9_and_restart(&mut self) {
        self.kill_9();
        self.restart();
    }

    /// Ends it without a chance to write anything more.
    pub fn kill_9(&mut self) {
        self.program.kill_9();
    }

    /// A new start on the same data and the same ports.
    #[track_caller]
    pub fn restart(&mut self) {
        self.program = run(self.dir.path());
        assert!(ready(&mut self.program, &self.addresses), "another program took a port: {}", self.log());
    }

    /// Stops it, changes its configuration, and starts it on the same data and the same ports.
    #[track_caller]
    pub fn reconfigure(&mut self, change: impl FnOnce(String) -> String) {
        assert!(self.terminate().success(), "{}", self.log());
        let file = self.dir.path().join("spanmill.toml");
        let toml = fs::read_to_string(&file).expect("it was started with it");
        fs::write(&file, change(toml)).expect("the folder is ours");
        self.program = run(self.dir.path());
        assert!(ready(&mut self.program, &self.addresses), "another program took a port: {}", self.log());
    }

    /// SIGTERM; it has ten seconds.
    pub fn terminate(&mut self) -> ExitStatus {
        self.program.terminate(Duration::from_secs(10))
    }
}
