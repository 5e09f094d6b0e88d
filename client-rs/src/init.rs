//! Starting and stopping the client.

use std::path::PathBuf;
use std::time::Duration;

use crate::engine::Engine;
use crate::error::InitError;
use crate::recorder::{Dropped, Settings, Stats};
use crate::running;

/// How long a guard that is dropped waits for its spans to be sent.
const DROP_TIMEOUT: Duration = Duration::from_secs(2);

/// Starts the client with the settings of the environment ([`Settings`]). Keep the guard until the program
/// ends: dropping it sends what is left.
///
/// A daemon that is absent is no error: spans are counted as dropped until it comes.
pub fn init() -> Result<Guard, InitError> {
    builder().init()
}

/// Settings of the environment, to be changed by the program.
///
/// ```no_run
/// let _guard = spanmill::builder().service("shop").socket("/run/spanmill/spanmill.sock").init()?;
/// # Ok::<(), spanmill::InitError>(())
/// ```
pub fn builder() -> Builder {
    Builder { settings: Settings::from_env("rust") }
}

/// The client's settings before it is started; made by [`builder`].
#[derive(Debug)]
#[must_use = "call init()"]
pub struct Builder {
    settings: Result<Settings, InitError>,
}

impl Builder {
    /// The name of the service.
    pub fn service(self, name: &str) -> Builder {
        self.set(|settings| settings.service(name))
    }

    /// An attribute of the process, `deployment.environment.name` for instance.
    pub fn attribute(self, key: &str, value: &str) -> Builder {
        self.set(|settings| settings.attribute(key, value))
    }

    /// The path of the daemon's socket.
    pub fn socket(self, path: impl Into<PathBuf>) -> Builder {
        self.set(|settings| settings.socket(path))
    }

    /// Sends by OTLP/gRPC to this endpoint, `http://…` or `https://…`, instead of the daemon's socket. Headers,
    /// compression and certificates come from the `OTEL_EXPORTER_OTLP_*` variables.
    #[cfg(feature = "otlp")]
    pub fn otlp(self, endpoint: &str) -> Builder {
        self.set(|settings| settings.otlp(endpoint))
    }

    /// How long a span waits for company before it is sent: from 1 ms to an hour, 200 ms unless it is said.
    pub fn flush_interval(self, interval: Duration) -> Builder {
        let flush_interval = interval.clamp(Duration::from_millis(1), Duration::from_secs(3600));
        self.set(|settings| Settings { flush_interval, ..settings })
    }

    /// How many bytes of spans may wait to be sent; 16 MiB unless it is said. Beyond it spans are dropped.
    pub fn queue_bytes(self, bytes: usize) -> Builder {
        self.set(|settings| Settings { queue_bytes: bytes, ..settings })
    }

    /// How long spans are kept for a daemon that is absent or slow; 10 s unless it is said.
    pub fn hold(self, time: Duration) -> Builder {
        self.set(|settings| Settings { hold: time, ..settings })
    }

    /// How values are masked.
    pub fn mask(self, config: spanmill_mask::Config) -> Builder {
        self.set(|settings| Settings { mask: config, ..settings })
    }

    /// Starts the client.
    pub fn init(self) -> Result<Guard, InitError> {
        let settings = self.settings?;
        if settings.disabled {
            return Ok(Guard { engine: None });
        }
        Ok(Guard { engine: Some(Engine::start(settings)?) })
    }

    fn set(self, change: impl FnOnce(Settings) -> Settings) -> Builder {
        Builder { settings: self.settings.map(change) }
    }
}

/// The client runs as long as this lives. Dropping it sends what is left, for at most two seconds.
#[derive(Debug)]
#[must_use = "the client stops when the guard is dropped"]
pub struct Guard {
    engine: Option<&'static Engine>,
}

/// What became of the spans of a client that was shut down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Spans that were sent.
    pub sent: u64,
    /// Spans that were dropped, by reason.
    pub dropped: Dropped,
}

impl Guard {
    /// Stops recording and sends what is left for at most `timeout`.
    pub fn shutdown(mut self, timeout: Duration) -> Report {
        self.stop(timeout)
    }

    fn stop(&mut self, timeout: Duration) -> Report {
        let stats = self.engine.take().map(|engine| engine.stop(timeout)).unwrap_or_default();
        Report { sent: stats.sent, dropped: stats.dropped }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop(DROP_TIMEOUT);
    }
}

/// Sends what is recorded so far; true when that was possible within `timeout`.
pub fn flush(timeout: Duration) -> bool {
    running::engine().is_none_or(|engine| engine.flush(timeout))
}

/// The counters of the client, also after it was shut down; all zero before it was started.
pub fn stats() -> Stats {
    running::latest().map(Engine::stats).unwrap_or_default()
}
