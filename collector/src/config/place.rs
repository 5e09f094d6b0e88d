//! Where in a file an error is, and how it is told.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A configuration error: place, key, value, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    file: PathBuf,
    line: Option<usize>,
    /// With its table: `journal.max_size`.
    key: Option<String>,
    value: Option<String>,
    /// What is wrong and how it is put right.
    message: String,
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        if let Some(key) = &self.key {
            write!(f, "{key}")?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{}", self.message)
    }
}

impl Error {
    pub fn unreadable(path: &Path, error: &std::io::Error) -> Error {
        let message = format!("the file can't be read: {error}; give the path of a file that exists");
        Error { file: path.to_owned(), line: None, key: None, value: None, message }
    }
}

/// A configuration file with its environment variables filled in.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
    /// Values that came from the environment, and the names they have there. None of them is shown.
    filled: Vec<(String, String)>,
}

impl Source {
    /// The embedded defaults: no text to point at.
    pub fn embedded() -> Source {
        Source { path: "embedded defaults".into(), text: String::new(), filled: Vec::new() }
    }

    /// Replaces each `${NAME}` outside of comment lines by what `variable` says.
    pub fn new(path: &Path, text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Source, Error> {
        let mut source = Source { path: path.to_owned(), text: String::new(), filled: Vec::new() };
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let (mut rest, comment) = line.split_at(comment_start(line));
            while let Some(start) = rest.find("${") {
                let name = rest[start + 2..].split('}').next().unwrap_or_default();
                let value = variable(name).ok_or_else(|| Error {
                    file: path.to_owned(),
                    line: Some(index + 1),
                    key: Some(format!("${{{name}}}")),
                    value: None,
                    message: "the environment has no such variable; set it, or write the value here".into(),
                })?;
                source.text.push_str(&rest[..start]);
                source.text.push_str(&escaped(&value));
                source.filled.push((escaped(&value), name.to_owned()));
                rest = rest[start + 2 + name.len()..].strip_prefix('}').unwrap_or_default();
            }
            source.text.push_str(rest);
            source.text.push_str(comment);
        }
        Ok(source)
    }

    /// `text` with each value that came from the environment under its name again.
    pub fn without_environment(&self, mut text: String) -> String {
        for (value, name) in self.filled.iter().filter(|(value, _)| !value.is_empty()) {
            text = text.replace(value, &format!("${{{name}}}"));
        }
        text
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the TOML reader says, with key and value of the line it points at.
    pub fn toml_error(&self, error: &toml::de::Error) -> Error {
        let message = error.message().to_owned();
        match error.span() {
            Some(span) => self.error(span, message),
            None => Error { file: self.path.clone(), line: None, key: None, value: None, message },
        }
    }

    /// An error about the value at `span`.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> Error {
        let before = &self.text[..span.start.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let is_table = line.trim_start().starts_with('[');
        let assignment = line.split_once('=').filter(|_| !is_table);
        let table = table_before(before);
        let key = assignment.map(|(key, _)| match table {
            Some(table) => format!("{table}.{}", key.trim()),
            None => key.trim().to_owned(),
        });
        let value = assignment.filter(|_| self.filled.is_empty()).map(|(_, value)| value.trim().to_owned());
        Error {
            file: self.path.clone(),
            line: Some(before.matches('\n').count() + 1).filter(|_| !self.text.is_empty()),
            key: key.or_else(|| is_table.then(|| line.trim().to_owned())),
            value,
            message: message.into(),
        }
    }
}

/// Where the comment of a line begins: at the first `#` outside of quotes, else at its end.
fn comment_start(line: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in line.bytes().enumerate() {
        match (quote, byte) {
            _ if escaped => escaped = false,
            (Some(b'"'), b'\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'#') => return at,
            _ => {}
        }
    }
    line.len()
}

/// The name of the last table that begins in `text`.
fn table_before(text: &str) -> Option<&str> {
    let header = text.lines().rev().map(str::trim).find(|line| line.starts_with('['))?;
    Some(header.trim_start_matches('[').split(']').next().unwrap_or_default())
}

/// `value` as the inside of a TOML basic string.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r")
}
