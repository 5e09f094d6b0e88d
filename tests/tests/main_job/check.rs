//! `spanmill check` and a bad configuration: where, which key, which value, what to do; and no port is bound.

use std::fs;
use std::process::{Command, Output};

use spanmill_tests::daemon;
use spanmill_tests::program;
use tempfile::TempDir;

const USAGE: i32 = 64;

fn spanmill(arguments: &[&str], toml: &str) -> (Output, TempDir) {
    let dir = tempfile::tempdir().expect("there is room for a folder");
    fs::write(dir.path().join("bad.toml"), toml).expect("the folder is ours");
    let mut command = Command::new(daemon::executable());
    (command.current_dir(dir.path()).args(arguments).output().expect("spanmill starts"), dir)
}

/// `toml` is refused with a message that has all of `said` in it.
#[track_caller]
fn check(toml: &str, said: &[&str]) {
    let (output, _dir) = spanmill(&["check", "bad.toml"], toml);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(USAGE), "{message}");
    for said in said {
        assert!(message.contains(said), "{said:?} is not in {message:?}");
    }
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn check_names_file_line_key_value_and_fix() {
    check("[journal]\nmax_size = \"10 stones\"\n", &["bad.toml:2", "max_size", "10 stones", "MiB"]);
    check("[journal]\nmax_age = \"soon\"\n", &["bad.toml:2", "max_age", "soon", "90s"]);
    check("[receive]\nmax_requst = \"1MiB\"\n", &["bad.toml:2", "max_requst", "max_request"]);
    check("\n\n[recieve]\n", &["bad.toml:3", "recieve", "receive"]);
    check("[expose]\nlisten = \"everywhere\"\n", &["bad.toml:2", "listen", "everywhere"]);
    check("[journal]\ndurability = \"maybe\"\n", &["bad.toml:2", "durability", "maybe", "process", "power"]);
    check("data_dir = \n", &["bad.toml:1", "data_dir"]);
    check("data_dir = \"${SPANMILL_TEST_NOT_SET}\"\n", &["bad.toml:1", "SPANMILL_TEST_NOT_SET"]);
    check("[[provider]]\nname = \"a\"\ncidrs = [\"10.0.0.0/40\"]\n", &["bad.toml:3", "cidrs", "10.0.0.0/40"]);
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn an_endpoint_that_is_one_of_our_own_listeners_is_refused() {
    for endpoint in
        ["http://127.0.0.1:4317", "http://localhost:4318", "http://[::1]:4317", "http://127.0.0.1:4316"]
    {
        let listen = "[receive.otlp_grpc]\nlisten = \"0.0.0.0:4317\"\n";
        let listen = if endpoint.ends_with("4317") { listen } else { "\n\n" };
        let toml = format!("{listen}[forward.jaeger]\nendpoint = \"{endpoint}\"\n");
        check(&toml, &["bad.toml:4", "endpoint", endpoint, "listen"]);
    }
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_good_file_is_printed_with_its_defaults() {
    let (output, dir) = spanmill(&["check", "bad.toml"], "[journal]\nmax_age = \"2h\"\n");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let effective = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "max_age = \"2h\"",
        "max_size = \"10GiB\"",
        "listen = \"127.0.0.1:4317\"",
        "durability = \"process\"",
    ] {
        assert!(effective.contains(line), "{line} is not in\n{effective}");
    }
    fs::write(dir.path().join("effective.toml"), &effective).expect("the folder is ours");
    let mut again = Command::new(daemon::executable());
    let again =
        again.current_dir(dir.path()).args(["check", "effective.toml"]).output().expect("spanmill starts");
    assert_eq!(String::from_utf8_lossy(&again.stdout), effective, "what it prints is a configuration");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn run_does_not_start_on_a_bad_file() {
    let port = program::free_address();
    let toml = format!("[receive.otlp_grpc]\nlisten = \"{port}\"\n[journal]\nmax_size = 3\n");
    let (output, dir) = spanmill(&["run", "--config", "bad.toml", "--data-dir", "data"], &toml);
    assert_eq!(output.status.code(), Some(USAGE), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("bad.toml:4"));
    assert!(!dir.path().join("data").exists(), "nothing is made before the file is known to be good");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn every_command_shows_an_example_in_its_help() {
    for command in ["run", "check", "explain", "load", "demo"] {
        let (output, _dir) = spanmill(&[command, "--help"], "");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(help.contains("Example") && help.contains(&format!("spanmill {command}")), "{help}");
    }
    let (output, _dir) = spanmill(&["fly"], "");
    assert_eq!(output.status.code(), Some(USAGE));
}
