//! What the compiler does not hold: who may import whom, and a few habits. Each failure says what to do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Modules of the daemon and what each may import of the others. A stage sees the output type of the stage
/// before it, `outcome` and `clock`; `expose` is handed the read handles of every stage.
const MAY_IMPORT: [(&str, &[&str]); 15] = [
    ("clock", &[]),
    ("outcome", &[]),
    ("rotate", &[]),
    ("tls", &["rotate"]),
    ("dial", &["tls"]),
    ("listen", &["tls"]),
    ("receive", &["clock", "listen", "outcome", "rotate", "tls"]),
    ("mask", &["outcome", "receive"]),
    ("journal", &["clock", "mask", "outcome"]),
    ("rollup", &["clock", "journal", "mask", "receive"]),
    ("detect", &["clock", "rollup"]),
    ("store", &["clock", "detect", "journal", "rollup"]),
    ("notify", &["clock", "detect"]),
    ("forward", &["clock", "dial", "journal"]),
    (
        "expose",
        &["clock", "detect", "forward", "journal", "listen", "notify", "outcome", "rollup", "store", "tls"],
    ),
];
/// Modules that stand above the stages and may import all of them.
const ABOVE: [&str; 6] = ["command", "config", "demo", "lib", "main", "pipeline"];

/// Our crates and which of our crates each may depend on.
const MAY_DEPEND: [(&str, &[&str]); 7] = [
    ("proto", &[]),
    ("mask", &[]),
    ("client-rs", &["spanmill-macros", "spanmill-mask", "spanmill-proto"]),
    ("client-rs/macros", &[]),
    ("php-ext", &["spanmill"]),
    ("collector", &["spanmill", "spanmill-mask", "spanmill-proto"]),
    ("tests", &["spanmill", "spanmill-collector", "spanmill-mask", "spanmill-proto"]),
];

/// Where `unsafe` is: vector instructions behind a safe function, mapped memory, and PHP's own interface.
/// ARCHITECTURE.md says why.
const UNSAFE_IN: [&str; 3] = ["mask/src/scan.rs", "php-ext", "proto/src/shared.rs"];

/// Far above what a file of one noun needs; a file that reaches it holds two.
const LINES_MAX: usize = 600;

#[test]
fn stages_import_only_what_stands_before_them() {
    let mut wrong = Vec::new();
    for file in files(&root().join("collector/src"), &["rs"]) {
        let module = module(&file);
        let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
        if ABOVE.contains(&module.as_str()) {
            continue;
        }
        let Some(allowed) = allowed else {
            wrong.push(format!(
                "{}: `{module}` is not in the import table; add it to MAY_IMPORT in tests/tests/tidy.rs with \
                 what it may see",
                name(&file)
            ));
            continue;
        };
        for (line, imported) in imports(&file) {
            if imported != module && !allowed.contains(&imported.as_str()) {
                wrong.push(format!(
                    "{}:{line}: `{module}` must not import `{imported}`, only {allowed:?}; hand the value in \
                     through pipeline.rs, or move the type to the stage that makes it",
                    name(&file)
                ));
            }
        }
    }
    none(&wrong);
}

#[test]
fn only_the_pipeline_starts_stages() {
    let starts: Vec<String> = MAY_IMPORT.iter().map(|(stage, _)| format!("{stage}::start(")).collect();
    let wrong = lines_with(&root().join("collector/src"), |file, line| {
        module(file) != "pipeline" && starts.iter().any(|start| line.contains(start.as_str()))
    });
    none_but(
        "stages are started in pipeline.rs and nowhere else, so that the wiring can be read there",
        &wrong,
    );
}

#[test]
fn only_the_journal_makes_a_masked_batch_without_masking() {
    let wrong = lines_with(&root().join("collector/src"), |file, line| {
        line.contains("MaskedBatch::restored") && module(file) != "journal"
    });
    none_but(
        "take the MaskedBatch that the journal's reader gives; everything else goes through mask",
        &wrong,
    );
}

#[test]
fn only_the_demo_uses_the_client_crate() {
    let wrong = lines_with(&root().join("collector/src"), |file, line| {
        let is_demo = file.iter().any(|part| part == "demo" || part == "demo.rs");
        !is_demo && words(line).any(|(word, rest)| word == "spanmill" && rest.starts_with("::"))
    });
    none_but("the daemon does not trace itself with the client; only the demo's shop does", &wrong);
}

#[test]
fn crates_depend_only_on_those_below_them() {
    let mut wrong = Vec::new();
    for (folder, allowed) in MAY_DEPEND {
        let manifest = root().join(folder).join("Cargo.toml");
        for (number, line) in numbered(&manifest) {
            let key = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if key.starts_with("spanmill") && !allowed.contains(&key) {
                wrong.push(format!("{}:{number}: {folder} must not depend on {key}", name(&manifest)));
            }
        }
    }
    none(&wrong);
}

#[test]
fn files_hold_one_noun() {
    let mut wrong = Vec::new();
    for file in files(&root(), &["rs", "ts", "mjs", "css", "php", "toml", "md"]) {
        let lines = numbered(&file).len();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines, split it: {LINES_MAX} is already generous", name(&file)));
        }
    }
    none(&wrong);
}

#[test]
fn unsafe_is_only_where_the_architecture_names_it() {
    let wrong = lines_with(&root(), |file, line| {
        let is_named = UNSAFE_IN.iter().any(|place| file.starts_with(root().join(place)));
        !is_named && words(line).any(|(word, _)| word == "unsafe")
    });
    none_but(
        "do without unsafe, or name the file and the reason in ARCHITECTURE.md and in UNSAFE_IN",
        &wrong,
    );
}

#[test]
fn nothing_in_the_tree_belongs_to_one_machine() {
    // In two parts, so that this file does not find itself.
    let absolute = [["/wo", "rk"], ["/ro", "ot"], ["/ho", "me"], ["/tmp", "/wt"]].map(|parts| parts.concat());
    let registry = ["artif", "actory"].concat();
    let mut wrong = Vec::new();
    let text = ["rs", "ts", "mjs", "js", "json", "css", "html", "php", "toml", "md", "lock", "sh", "mod", ""];
    for file in files(&root(), &text) {
        for (number, line) in numbered(&file) {
            let is_path = absolute.iter().any(|path| {
                line.match_indices(path.as_str()).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    let after = line[at + path.len()..].chars().next();
                    !before.is_some_and(|c| c.is_alphanumeric() || "./}-_".contains(c))
                        && !after.is_some_and(|c| c.is_alphanumeric() || "-_.".contains(c))
                })
            });
            if is_path || line.contains(&registry) {
                wrong.push(format!(
                    "{}:{number}: a path or host of one machine: {}",
                    name(&file),
                    line.trim()
                ));
            }
        }
    }
    none(&wrong);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for file in files(&root(), &["md"]) {
        let folder = file.parent().expect("a file has a folder");
        let mut in_code = false;
        for (number, line) in numbered(&file) {
            in_code ^= line.trim_start().starts_with("```");
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '#']).next());
            for target in targets.filter(|_| !in_code) {
                let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
                if !elsewhere && !folder.join(target).exists() {
                    wrong.push(format!("{}:{number}: there is no {target}", name(&file)));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn the_changelog_says_what_is_not_released_yet() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md is there");
    assert!(changelog.contains("\n## [Unreleased]\n"), "CHANGELOG.md needs a section `## [Unreleased]`");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the workspace").to_owned()
}

fn name(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

/// Files of the tree with one of `extensions`, without what is built or fetched.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    const NOT_OURS: [&str; 7] =
        [".git", "corpus", "dist", "generated", "node_modules", "spanmill-data", "target"];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if NOT_OURS.contains(&name) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, extensions));
        } else {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            if extensions.contains(&extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The lines of a text file with their numbers; none where it is not text.
fn numbered(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().enumerate().map(|(at, line)| (at + 1, line.to_owned())).collect()
}

/// The lines of a Rust file that are compiled into the program: no comments, no tests.
fn code(file: &Path) -> Vec<(usize, String)> {
    static FOR_TESTS: LazyLock<BTreeSet<PathBuf>> =
        LazyLock::new(|| files(&root(), &["rs"]).iter().flat_map(|file| test_modules(file)).collect());
    if file.ancestors().any(|path| FOR_TESTS.contains(path) || path.ends_with("benches")) {
        return Vec::new();
    }
    let mut code = numbered(file);
    let inline_tests = code.windows(2).position(|two| {
        two[0].1.trim() == "#[cfg(test)]" && two[1].1.starts_with("mod ") && two[1].1.ends_with('{')
    });
    code.truncate(inline_tests.unwrap_or(usize::MAX));
    for (_, line) in &mut code {
        line.truncate(line.find("//").unwrap_or(line.len()));
    }
    code
}

/// Files and folders that `file` declares as modules for tests only, and the integration tests beside a crate.
fn test_modules(file: &Path) -> Vec<PathBuf> {
    let folder = file.parent().expect("a file has a folder");
    if folder.ends_with("tests") {
        return vec![file.to_owned()];
    }
    let own = folder.join(file.file_stem().expect("a file has a name"));
    let mut found = Vec::new();
    let mut path = None;
    let mut is_for_tests = false;
    for (_, line) in numbered(file) {
        let line = line.trim();
        if let Some(name) =
            line.trim_start_matches("pub ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'))
        {
            if is_for_tests {
                let file = path.take().unwrap_or_else(|| format!("{name}.rs"));
                found.extend([folder.join(&file), folder.join(name), own.join(&file), own.join(name)]);
            }
        } else if let Some(quoted) = line.strip_prefix("#[path = \"") {
            path = quoted.split('"').next().map(str::to_owned);
            continue;
        }
        is_for_tests = line == "#[cfg(test)]" || (is_for_tests && line.starts_with("#["));
    }
    found
}

/// The top-level module of the daemon that `file` belongs to.
fn module(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("collector/src")).unwrap_or(file);
    let first = inside.iter().next().unwrap_or_default().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Modules of the crate that `file` names: `crate::x`, `crate::{x, y}`, and `super::` as far as the crate.
fn imports(file: &Path) -> BTreeSet<(usize, String)> {
    let inside = file.strip_prefix(root().join("collector/src")).unwrap_or(file);
    let is_top = inside.ends_with("mod.rs") || inside.iter().count() == 1;
    let above = "super::".repeat(inside.iter().count() - usize::from(inside.ends_with("mod.rs")));
    let lines = code(file);
    let text: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
    let mut found = BTreeSet::new();
    for prefix in ["crate::", above.as_str()] {
        for (at, _) in text.match_indices(prefix) {
            let is_longer =
                text[..at].ends_with([':', '$', '_']) || text[..at].ends_with(char::is_alphanumeric);
            if is_longer || (prefix == "super::" && !is_top) {
                continue;
            }
            let line = lines[text[..at].matches('\n').count()].0;
            found.extend(first_names(&text[at + prefix.len()..]).into_iter().map(|name| (line, name)));
        }
    }
    found
}

/// The first name of a path, or of each path in braces.
fn first_names(path: &str) -> Vec<String> {
    let ident = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
    let Some(group) = path.strip_prefix('{') else { return ident(path).into_iter().collect() };
    let mut depth = 0;
    let mut items = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ if depth == 0 => items.last_mut().expect("never empty").push(c),
            _ => {}
        }
    }
    items.iter().filter_map(|item| ident(item.trim())).filter(|name| !name.is_empty()).collect()
}

/// The words of a line, each with what follows it.
fn words(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.char_indices()
        .filter(move |(at, c)| is_part(*c) && !line[..*at].ends_with(is_part))
        .map(move |(at, _)| line[at..].split_at(line[at..].find(|c| !is_part(c)).unwrap_or(line.len() - at)))
}

fn lines_with(folder: &Path, is_wrong: impl Fn(&Path, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in files(folder, &["rs"]) {
        for (number, line) in code(&file).iter().filter(|(_, line)| is_wrong(&file, line)) {
            found.push(format!("{}:{number}: {}", name(&file), line.trim()));
        }
    }
    found
}

#[track_caller]
fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[track_caller]
fn none_but(rule: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{rule}:\n{}\n", wrong.join("\n"));
}
