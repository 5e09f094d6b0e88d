//! The core of the Rust client stays small: what the PHP extension, and who wants no more, pulls in.

use std::process::Command;

/// Every crate that `spanmill` without features may bring. A new one needs a reason, and a line here.
const ALLOWED: [&str; 18] = [
    "aho-corasick",
    "bitflags",
    "linux-raw-sys",
    "memchr",
    "proc-macro2",
    "quote",
    "regex-automata",
    "regex-syntax",
    "rustix",
    "spanmill",
    "spanmill-mask",
    "spanmill-proto",
    "syn",
    "thiserror",
    "thiserror-impl",
    "unicode-ident",
    "errno",
    "libc",
];

#[test]
fn the_core_of_the_client_brings_no_runtime_and_nothing_else_that_is_large() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut tree = Command::new(cargo);
    tree.args([
        "tree",
        "--package",
        "spanmill",
        "--no-default-features",
        "--edges",
        "normal",
        "--prefix",
        "none",
    ]);
    let output = tree.args(["--format", "{p}", "--locked", "--offline"]).output().expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = text.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty());
    let more: Vec<_> = names.filter(|name| !ALLOWED.contains(name)).collect();
    assert!(more.is_empty(), "the client's core must not bring {more:?}");
    assert!(text.contains("spanmill-mask"), "{text}");
}
