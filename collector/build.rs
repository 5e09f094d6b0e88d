//! Builds the web page with npm when `page/dist` is missing or older than its sources, and makes a table of
//! its files for `expose::page` to embed. When nothing changed it does nothing: cargo does not even start it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

/// What the built page is made from; its tests and development tools are not.
const SOURCES: [&str; 9] = [
    "src",
    "index.html",
    "package.json",
    "package-lock.json",
    ".npmrc",
    "tsconfig.json",
    "vite.config.ts",
    "dev/mock.mjs",
    "dev/pack.mjs",
];

/// The oldest major version of Node.js that the page's tools run on; Debian 12 has it.
const NODE_MIN: u32 = 18;

const HOW_TO_GET_NPM: &str =
    "install Node.js 18 or newer with npm (Debian: apt-get install nodejs npm), then build again";

fn main() -> ExitCode {
    let page = PathBuf::from("page");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", page.join(source).display());
    }
    match build_if_stale(&page).and_then(|()| embed(&page.join("dist"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build_if_stale(page: &Path) -> Result<(), String> {
    // Debug and release builds may run at once, and two npm in one folder break each other.
    // The lock ends when the file is dropped.
    let lock =
        File::open(page.join("package-lock.json")).map_err(|e| format!("page/package-lock.json: {e}"))?;
    lock.lock().map_err(|e| format!("cannot lock page/package-lock.json: {e}"))?;
    if is_fresh(page).map_err(|e| format!("cannot read the sources of the page: {e}"))? {
        return Ok(());
    }
    require_node()?;
    if !modules_are_installed(page) {
        // The tools are dev dependencies; a NODE_ENV=production in the environment would leave them out.
        npm(page, &["ci", "--include=dev", "--no-audit", "--no-fund"])?;
    }
    npm(page, &["run", "build"])
}

fn is_fresh(page: &Path) -> io::Result<bool> {
    let Ok(built) = modified(&page.join("dist/index.html")) else { return Ok(false) };
    for source in SOURCES {
        if newest(&page.join(source))? > built {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A folder counts too: its own time changes when a file in it is deleted.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let mut newest_time = modified(path)?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            newest_time = newest_time.max(newest(&entry?.path())?);
        }
    }
    Ok(newest_time)
}

fn modified(path: &Path) -> io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

/// npm writes its own lock file into `node_modules` last, so one older than ours means another install, or
/// none that was finished.
fn modules_are_installed(page: &Path) -> bool {
    let installed = modified(&page.join("node_modules/.package-lock.json"));
    let wanted = modified(&page.join("package-lock.json"));
    matches!((installed, wanted), (Ok(installed), Ok(wanted)) if installed >= wanted)
}

fn require_node() -> Result<(), String> {
    let missing =
        |what: &str| format!("the web page (collector/page) is not built, and {what}: {HOW_TO_GET_NPM}");
    let output = Command::new("node")
        .arg("--version")
        .output()
        .map_err(|_| missing("there is no Node.js to build it with"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= NODE_MIN => Ok(()),
        _ => Err(missing(&format!("Node.js '{version}' is too old to build it"))),
    }
}

fn npm(page: &Path, arguments: &[&str]) -> Result<(), String> {
    let command = format!("npm {}", arguments.join(" "));
    let output = match Command::new("npm").args(arguments).current_dir(page).output() {
        Ok(output) => output,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(format!(
                "the web page (collector/page) is not built, and there is no npm for it: {HOW_TO_GET_NPM}"
            ));
        }
        Err(e) => return Err(format!("cannot start `{command}` in collector/page: {e}")),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!(
        "`{command}` in collector/page failed ({}):\n{}",
        output.status,
        String::from_utf8_lossy(&said)
    ))
}

/// Copies the built files to `OUT_DIR`, so that a later build of the daemon finds them there whatever becomes
/// of `page/dist`, and writes the table that `expose/page.rs` includes.
fn embed(dist: &Path) -> Result<(), String> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this through cargo")?);
    let copies = out.join("page");
    // Names hold hashes: without this every build would leave its files behind.
    if copies.exists() {
        fs::remove_dir_all(&copies).map_err(|e| format!("{}: {e}", copies.display()))?;
    }
    let mut table = String::from("&[\n");
    for folder in ["", "assets"] {
        fs::create_dir_all(copies.join(folder)).map_err(|e| format!("{}: {e}", copies.display()))?;
        for path in files_in(&dist.join(folder)).map_err(|e| format!("page/dist/{folder}: {e}"))? {
            let name =
                path.file_name().and_then(OsStr::to_str).ok_or("page/dist: a file name is not UTF-8")?;
            let copy = copies.join(folder).join(name);
            fs::copy(&path, &copy).map_err(|e| format!("{}: {e}", path.display()))?;
            if !name.ends_with(".gz") {
                table.push_str(&row(folder, name, &copy));
            }
        }
    }
    table.push_str("]\n");
    fs::write(out.join("page_files.rs"), table).map_err(|e| format!("page_files.rs: {e}"))
}

/// The compressed twin of each file lies beside it, written by `dev/pack.mjs`.
fn row(folder: &str, name: &str, copy: &Path) -> String {
    let packed = format!("{}.gz", copy.display());
    let key = format!("folder: {folder:?}, name: {name:?}");
    let content = format!("bytes: include_bytes!({copy:?}), gzip: include_bytes!({packed:?})");
    format!("    EmbeddedFile {{ {key}, {content} }},\n")
}

fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
