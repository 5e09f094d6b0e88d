//! A child process whose output is kept in a file.

use std::fs::File;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{fs, thread};

use crate::wait;

/// Lines of output shown when a test fails.
const SHOWN: usize = 60;

#[derive(Debug)]
pub struct Program {
    name: &'static str,
    child: Child,
    output: PathBuf,
}

impl Program {
    /// Starts `command`; standard output and error go to `dir/NAME.log`, after what is there already.
    pub fn start(name: &'static str, mut command: Command, dir: &Path) -> Program {
        let output = dir.join(name).with_extension("log");
        let open = || File::options().create(true).append(true).open(&output).expect("the log can be opened");
        let child = command
            .stdin(Stdio::null())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Program { name, child, output }
    }

    /// All that it has written.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child is ours")
    }

    /// Asks it to stop, and waits until it has.
    pub fn terminate(&mut self, deadline: Duration) -> ExitStatus {
        let pid = self.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("there is a kill");
        assert!(sent.success(), "{} was gone already:\n{}", self.name, self.output());
        wait::until("the program ends after SIGTERM", deadline, || self.exited().ok_or("it still runs"))
    }

    /// Ends it without a chance to write anything more.
    pub fn kill_9(&mut self) {
        self.child.kill().expect("the child is ours");
        self.child.wait().expect("the child is ours");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let shown = &lines[lines.len().saturating_sub(SHOWN)..];
            eprintln!("--- the last words of {} ---\n{}\n---", self.name, shown.join("\n"));
        }
    }
}

/// A program that cargo or tests/run has built: `spanmill` beside this test, the others in `tools`.
pub fn built(name: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.ancestors().nth(2).expect("a test stands in target/PROFILE/deps");
    let tools = profile.parent().expect("a profile stands in target").join("tools");
    [profile, &tools].map(|folder| folder.join(name)).into_iter().find(|path| path.is_file())
}

/// A program that tests/run builds where Go can be had; `None`, and said so, where it could not.
pub fn tool(name: &str) -> Option<PathBuf> {
    let found = built(name);
    if found.is_none() {
        skipped(name);
    }
    found
}

/// Says loudly that this test does not run for want of `missing`; with `CI=true` that is a failure.
pub fn skipped(missing: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing} is missing: tests/run e2e brings it");
    let test = thread::current().name().unwrap_or_default().to_owned();
    let said = format!("!! SKIPPED: {test}, because {missing} is missing: tests/run e2e brings it\n");
    // Not println!, which shows of failing tests only.
    let _ = io::stderr().write_all(said.as_bytes());
}

/// Whether the shell would find `name`.
pub fn found(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// An address of the loopback that nobody listens on just now, and that the kernel gives to nobody: a program that
/// is killed and started again finds it free. One from port 0 may be an outgoing connection's by then, which keeps
/// it for a minute after its end, too.
pub fn free_address() -> SocketAddr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let ports = FIRST_PORT..first_ephemeral_port();
    // Test programs that run side by side begin at different places.
    let begin = std::process::id().wrapping_mul(PORTS_EACH);
    for _ in ports.clone() {
        let at = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % ports.len() as u32;
        let address = SocketAddr::from(([127, 0, 0, 1], ports.start + at as u16));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port of {ports:?} is free");
}

/// Above most of what has a port of its own.
const FIRST_PORT: u16 = 17_000;

/// More than one test program takes.
const PORTS_EACH: u32 = 251;

/// Where the ports begin that the kernel gives out, on Linux 32,768 unless somebody has changed it.
fn first_ephemeral_port() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    first.filter(|first| *first > FIRST_PORT + 1000).unwrap_or(32_768)
}
