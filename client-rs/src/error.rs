//! Why the client could not be started.

use std::fmt;
use std::path::PathBuf;

/// Where a socket may be: `sockaddr_un` holds 108 bytes with the zero at the end.
pub(crate) const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Why the client could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum InitError {
    /// A client is running already; shut its guard down first.
    AlreadyRunning,
    /// A variable of the environment does not say what it should.
    Environment {
        /// Its name.
        variable: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// The path cannot be the path of a socket.
    SocketPath(PathBuf),
    /// The masking rules cannot be used.
    Mask(spanmill_mask::ConfigError),
    /// Where OTLP should go cannot be used: the address, or a file of its certificates.
    Endpoint(std::io::Error),
    /// The system did not give a thread.
    Thread(std::io::Error),
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InitError::AlreadyRunning => f.write_str("spanmill runs already; shut its guard down first"),
            InitError::Environment { variable, why } => write!(f, "{variable}: {why}"),
            InitError::SocketPath(path) => write!(
                f,
                "'{}' cannot be a socket: give 1 to {SOCKET_PATH_BYTES_MAX} bytes, none of them zero",
                path.display()
            ),
            InitError::Mask(error) => write!(f, "masking rules: {error}"),
            InitError::Endpoint(error) => write!(f, "OTLP endpoint: {error}"),
            InitError::Thread(error) => write!(f, "no thread to send spans: {error}"),
        }
    }
}

impl std::error::Error for InitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            InitError::Thread(error) | InitError::Endpoint(error) => Some(error),
            InitError::Mask(error) => Some(error),
            _ => None,
        }
    }
}
