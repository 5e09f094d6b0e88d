//! The example shop in a real php-fpm behind a real nginx, and the demo whose providers it calls.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon;
use crate::program::{self, Program};
use crate::wait::{self, PATIENCE};

/// `spanmill demo`, for its providers: they answer as a bank does, and its daemon knows their names.
#[derive(Debug)]
pub struct Demo {
    page: SocketAddr,
    dir: TempDir,
    _program: Program,
}

impl Demo {
    /// Starts it with next to no checkouts of its own, and waits until its providers' addresses are known.
    #[track_caller]
    pub fn start(jaeger: Option<SocketAddr>) -> Demo {
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let [page, grpc, http] = [(); 3].map(|()| program::free_address());
        let mut command = Command::new(daemon::executable());
        command.current_dir(dir.path()).args(["demo", "--for", "300", "--rate", "0.01"]);
        command.args(["--page", &page.to_string(), "--grpc", &grpc.to_string(), "--http", &http.to_string()]);
        command.args(["--providers", "providers.json", "--socket", "spanmill.sock"]);
        if let Some(jaeger) = jaeger {
            command.args(["--jaeger", &format!("http://{jaeger}")]);
        }
        let mut program = Program::start("demo", command, dir.path());
        wait::until("the demo prints its address", PATIENCE, || {
            assert_eq!(program.exited(), None, "{}", program.output());
            if program.output().contains("http://") { Ok(()) } else { Err("not yet") }
        });
        Demo { page, dir, _program: program }
    }

    pub fn providers(&self) -> PathBuf {
        self.dir.path().join("providers.json")
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("spanmill.sock")
    }

    /// `GET` on the page's address, as JSON.
    pub fn get(&self, path: &str) -> Value {
        let answer = reqwest::blocking::get(format!("http://{}{path}", self.page));
        answer.and_then(Response::json).expect("the demo's API answers with JSON")
    }

    /// What the board says of a provider over the last 15 minutes.
    pub fn provider(&self, name: &str) -> Value {
        let board = self.get("/api/v1/providers?window=15m");
        let providers = board["providers"].as_array().cloned().unwrap_or_default();
        providers.into_iter().find(|provider| provider["name"] == name).unwrap_or_default()
    }
}

/// The shop, serving.
#[derive(Debug)]
pub struct Shop {
    address: SocketAddr,
    program: Program,
    client: Client,
    _dir: TempDir,
}

impl Shop {
    /// Starts php-fpm and nginx, with the extension that tests/run has built; `None`, and said so, without it.
    #[track_caller]
    pub fn start(providers: &Path, socket: &Path) -> Option<Shop> {
        let extension = program::tool("libspanmill_php.so")?;
        if !program::found("nginx") {
            program::skipped("nginx");
            return None;
        }
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let address = program::free_address();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/php-shop/run");
        let mut command = Command::new(script);
        command.arg(providers).arg(socket);
        command.env("SPANMILL_SO", extension).env("PORT", address.port().to_string());
        let program = Program::start("php-shop", command, dir.path());
        let client = Client::builder().timeout(PATIENCE).build().expect("a client without TLS always builds");
        let mut shop = Shop { address, program, client, _dir: dir };
        wait::until("the shop answers", PATIENCE, || {
            assert_eq!(shop.program.exited(), None, "{}", shop.program.output());
            match shop.get("/nothing").map(|answer| answer.status().as_u16()) {
                Ok(404) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        Some(shop)
    }

    pub fn get(&self, path: &str) -> reqwest::Result<Response> {
        self.client.get(format!("http://{}{path}", self.address)).send()
    }

    /// Pays, and gives the status of the shop's answer.
    #[track_caller]
    pub fn checkout(&self, card: &str, traceparent: &str) -> u16 {
        let request = self.client.post(format!("http://{}/checkout", self.address));
        let request = request.header("traceparent", traceparent).body(format!("card={card}&amount=990"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.send().expect("the shop answers").status().as_u16()
    }

    /// The processes of php-fpm's workers.
    pub fn workers(&self) -> Vec<u32> {
        let children = |pid: u32| {
            let listed =
                Command::new("pgrep").args(["-P", &pid.to_string()]).output().expect("there is a pgrep");
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        };
        let name = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let masters = children(self.program.id()).into_iter().filter(|pid| name(pid).starts_with("php-fpm"));
        masters.flat_map(children).collect()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // A killed script would leave its servers behind.
        if self.program.exited().is_none() {
            self.program.terminate(Duration::from_secs(20));
        }
    }
}
