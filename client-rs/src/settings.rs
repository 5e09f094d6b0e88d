//! What the client is told: by the environment first, then by the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spanmill_mask::Masker;

use crate::error::{InitError, SOCKET_PATH_BYTES_MAX};
#[cfg(feature = "otlp")]
use crate::otlp::OtlpSettings;
use crate::propagation::Propagators;
use crate::recorder::{COUNT_LIMIT_MAX, Limits, Rules, VALUE_BYTES_LIMIT_MAX};
use crate::resource::Resource;

/// Settings of the client, from the environment; [`builder`](crate::builder) changes them.
///
/// | variable | meaning |
/// |---|---|
/// | `OTEL_SDK_DISABLED` | `true`: nothing is recorded |
/// | `OTEL_SERVICE_NAME` | the service's name; wins over `service.name` of the next line |
/// | `OTEL_RESOURCE_ATTRIBUTES` | `key=value,…`, values percent-encoded |
/// | `OTEL_TRACES_EXPORTER` | `spanmill`: the daemon's socket; `otlp`: OTLP/gRPC; `none`: as disabled. Default: `otlp` where an endpoint is named and no socket, else `spanmill` |
/// | `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT`, `_COMPRESSION` (`gzip`, `zstd`), `_CERTIFICATE`, `_CLIENT_CERTIFICATE`, `_CLIENT_KEY` | for OTLP, also as `OTEL_EXPORTER_OTLP_TRACES_…` |
/// | `OTEL_PROPAGATORS` | headers that carry a trace: `tracecontext`, `baggage` (both by default), `b3`, `b3multi`, `jaeger`, `none` |
/// | `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT` | bytes of a value, default 4096, at most 16384 |
/// | `OTEL_ATTRIBUTE_COUNT_LIMIT`, `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT` | tags of a span, default 128, at most 4096 |
/// | `OTEL_SPAN_EVENT_COUNT_LIMIT`, `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT` | logs of a span, tags of a log; as above |
/// | `SPANMILL_SOCKET` | path of the daemon's socket, see [`default_socket`] |
/// | `SPANMILL_FLUSH_INTERVAL` | milliseconds that a span waits for company at most, default 200 |
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) disabled: bool,
    pub(crate) resource: Resource,
    pub(crate) socket: PathBuf,
    pub(crate) flush_interval: Duration,
    pub(crate) queue_bytes: usize,
    pub(crate) hold: Duration,
    pub(crate) mask: spanmill_mask::Config,
    pub(crate) limits: Limits,
    pub(crate) propagators: Propagators,
    pub(crate) exporter: Exporter,
    #[cfg(feature = "otlp")]
    pub(crate) otlp: OtlpSettings,
}

/// Where spans go.
#[derive(Debug, Clone)]
pub(crate) enum Exporter {
    /// To the daemon on this host.
    Local,
    #[cfg(feature = "otlp")]
    Otlp,
}

/// Which headers carry a trace.
const PROPAGATORS: &str = "OTEL_PROPAGATORS";
/// Where spans go.
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";

impl Settings {
    /// What the environment says; `language` names the runtime that is traced (`rust`, `php`).
    pub fn from_env(language: &str) -> Result<Settings, InitError> {
        Settings::from_lookup(language, std::env::var_os)
    }

    fn from_lookup(
        language: &str,
        lookup: impl Fn(&'static str) -> Option<OsString>,
    ) -> Result<Settings, InitError> {
        // OpenTelemetry: an empty variable is one that is not set.
        let text = |variable| match lookup(variable).filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) => value
                .into_string()
                .map(Some)
                .map_err(|_| InitError::Environment { variable, why: "not UTF-8" }),
        };
        let mut resource = Resource::of_this_process(language);
        if let Some(list) = text("OTEL_RESOURCE_ATTRIBUTES")? {
            let variable = "OTEL_RESOURCE_ATTRIBUTES";
            resource = resource.with_list(&list).map_err(|why| InitError::Environment { variable, why })?;
        }
        if let Some(name) = text("OTEL_SERVICE_NAME")? {
            resource = resource.with("service.name", &name);
        }
        let mut flush_interval = Duration::from_millis(200);
        if let Some(ms) = text("SPANMILL_FLUSH_INTERVAL")? {
            let variable = "SPANMILL_FLUSH_INTERVAL";
            let why = "not a number of milliseconds from 1 to 60000";
            let ms = ms.parse().ok().filter(|ms| (1..=60_000).contains(ms));
            flush_interval = Duration::from_millis(ms.ok_or(InitError::Environment { variable, why })?);
        }
        let exporter = text(EXPORTER)?;
        let is_off = exporter.as_deref() == Some("none")
            || text("OTEL_SDK_DISABLED")?.is_some_and(|value| value.eq_ignore_ascii_case("true"));
        #[cfg(feature = "otlp")]
        let has_socket = lookup("SPANMILL_SOCKET").is_some_and(|path| !path.is_empty());
        #[cfg(feature = "otlp")]
        let (otlp, is_endpoint_named) = OtlpSettings::from_env(&text)?;
        Ok(Settings {
            disabled: is_off,
            #[cfg(feature = "otlp")]
            exporter: Exporter::choose(exporter.as_deref(), is_endpoint_named && !has_socket)?,
            #[cfg(not(feature = "otlp"))]
            exporter: Exporter::choose(exporter.as_deref())?,
            #[cfg(feature = "otlp")]
            otlp,
            resource,
            socket: lookup("SPANMILL_SOCKET")
                .filter(|path| !path.is_empty())
                .map_or_else(default_socket, PathBuf::from),
            flush_interval,
            // Half a million small spans: seconds of a burst, and nothing that a server misses.
            queue_bytes: 16 * 1024 * 1024,
            // A daemon is restarted in less; what is older belongs to a look back, not to a verdict.
            hold: Duration::from_secs(10),
            mask: spanmill_mask::Config::default(),
            limits: limits(&text)?,
            propagators: text(PROPAGATORS)?
                .map_or(Ok(Propagators::W3C), |list| Propagators::parse(&list))
                .map_err(|why| InitError::Environment { variable: PROPAGATORS, why })?,
        })
    }

    /// Sets the service's name.
    pub fn service(mut self, name: &str) -> Settings {
        self.resource = self.resource.with("service.name", name);
        self
    }

    /// Sets an attribute of the process, `deployment.environment.name` for instance.
    pub fn attribute(mut self, key: &str, value: &str) -> Settings {
        self.resource = self.resource.with(key, value);
        self
    }

    /// Sets the path of the daemon's socket.
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Settings {
        self.socket = path.into();
        self
    }

    /// Sends by OTLP to this endpoint, with what the environment says of the rest.
    #[cfg(feature = "otlp")]
    pub(crate) fn otlp(mut self, endpoint: &str) -> Settings {
        self.exporter = Exporter::Otlp;
        self.otlp.endpoint = endpoint.to_string();
        self
    }

    /// Where the daemon's socket is looked for.
    pub fn socket_path(&self) -> &Path {
        &self.socket
    }

    /// True when `OTEL_SDK_DISABLED` says so.
    pub fn is_disabled(&self) -> bool {
        self.disabled
    }

    /// The compiled rules. They live until the process ends: spans refer to them without a count.
    pub(crate) fn rules(&self) -> Result<&'static Rules, InitError> {
        let masker = Masker::new(self.mask.clone()).map_err(InitError::Mask)?;
        Ok(Box::leak(Box::new(Rules { masker, limits: self.limits })))
    }

    pub(crate) fn check(&self) -> Result<(), InitError> {
        let bytes = self.socket.as_os_str().as_encoded_bytes();
        if bytes.is_empty() || bytes.len() > SOCKET_PATH_BYTES_MAX || bytes.contains(&0) {
            return Err(InitError::SocketPath(self.socket.clone()));
        }
        Ok(())
    }
}

impl Exporter {
    /// What `OTEL_TRACES_EXPORTER` says; without a word OTLP where an endpoint is named and no socket.
    #[cfg(feature = "otlp")]
    fn choose(said: Option<&str>, is_otlp_usual: bool) -> Result<Exporter, InitError> {
        match said {
            None if is_otlp_usual => Ok(Exporter::Otlp),
            None | Some("spanmill" | "none") => Ok(Exporter::Local),
            Some("otlp") => Ok(Exporter::Otlp),
            Some(_) => {
                Err(InitError::Environment { variable: EXPORTER, why: "knows otlp, spanmill and none" })
            }
        }
    }

    /// The same where there is one way only.
    #[cfg(not(feature = "otlp"))]
    fn choose(said: Option<&str>) -> Result<Exporter, InitError> {
        let why = match said {
            None | Some("spanmill" | "none") => return Ok(Exporter::Local),
            Some("otlp") => "otlp needs the feature `otlp` of spanmill",
            Some(_) => "knows spanmill and none",
        };
        Err(InitError::Environment { variable: EXPORTER, why })
    }
}

/// Reads a variable; empty is not set.
type Text<'t> = &'t dyn Fn(&'static str) -> Result<Option<String>, InitError>;

/// The limits of spans; the variable for spans wins over the one for everything.
fn limits(text: Text<'_>) -> Result<Limits, InitError> {
    let read = |variables: &[&'static str], default: usize, most: usize| {
        for &variable in variables {
            if let Some(number) = text(variable)? {
                let why = "not a number of at least 1";
                let number = number.parse::<usize>().ok().filter(|number| *number > 0);
                return Ok(number.ok_or(InitError::Environment { variable, why })?.min(most));
            }
        }
        Ok(default)
    };
    let default = Limits::default();
    let count = |variables: &[&'static str], default: u32| {
        read(variables, default as usize, COUNT_LIMIT_MAX as usize).map(|number| number as u32)
    };
    Ok(Limits {
        tags_max: count(
            &["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"],
            default.tags_max,
        )?,
        logs_max: count(&["OTEL_SPAN_EVENT_COUNT_LIMIT"], default.logs_max)?,
        log_tags_max: count(
            &["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"],
            default.log_tags_max,
        )?,
        value_bytes_max: read(
            &["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
            default.value_bytes_max,
            VALUE_BYTES_LIMIT_MAX,
        )?,
    })
}

/// Where the daemon listens unless it is told otherwise: `/run/spanmill/spanmill.sock` for root, and
/// `$XDG_RUNTIME_DIR/spanmill/spanmill.sock` for others; the first again where that variable is not set.
pub fn default_socket() -> PathBuf {
    let system = Path::new("/run/spanmill/spanmill.sock");
    let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    match runtime_dir {
        Some(dir) if !rustix::process::geteuid().is_root() => Path::new(&dir).join("spanmill/spanmill.sock"),
        _ => system.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &'static [(&str, &str)]) -> Result<Settings, InitError> {
        Settings::from_lookup("rust", |variable| {
            pairs.iter().find(|(name, _)| *name == variable).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_service_name_wins_over_the_list_and_the_program_over_both() {
        let settings = read(&[
            ("OTEL_SERVICE_NAME", "shop"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,team=pay"),
        ])
        .unwrap();
        assert_eq!(settings.resource, read(&[]).unwrap().service("shop").attribute("team", "pay").resource);
    }

    #[test]
    fn an_empty_variable_is_one_that_is_not_set() {
        let settings = read(&[("OTEL_SDK_DISABLED", ""), ("SPANMILL_SOCKET", "")]).unwrap();
        assert!(!settings.is_disabled());
        assert_eq!(settings.socket_path(), default_socket());
        assert!(read(&[("OTEL_SDK_DISABLED", "TRUE")]).unwrap().is_disabled());
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn spans_go_where_the_environment_says() {
        const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");
        let is_otlp = |pairs| matches!(read(pairs).unwrap().exporter, Exporter::Otlp);
        assert!(!is_otlp(&[]));
        assert!(is_otlp(&[ENDPOINT]));
        assert!(!is_otlp(&[ENDPOINT, ("SPANMILL_SOCKET", "/run/sock")]));
        assert!(is_otlp(&[ENDPOINT, ("SPANMILL_SOCKET", "/run/sock"), ("OTEL_TRACES_EXPORTER", "otlp")]));
        assert!(!is_otlp(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "spanmill")]));
        assert!(read(&[("OTEL_TRACES_EXPORTER", "none")]).unwrap().is_disabled());
        assert!(read(&[("OTEL_TRACES_EXPORTER", "console")]).is_err());
    }

    #[test]
    fn an_error_names_the_variable() {
        let error = read(&[("SPANMILL_FLUSH_INTERVAL", "0")]).unwrap_err().to_string();
        assert_eq!(error, "SPANMILL_FLUSH_INTERVAL: not a number of milliseconds from 1 to 60000");
    }

    #[test]
    fn limits_of_spans_win_over_those_of_everything() {
        let limits = |pairs| read(pairs).map(|settings| settings.limits);
        assert_eq!(limits(&[]).unwrap(), Limits::default());
        let set = limits(&[
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "10"),
            ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "20"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1000000"),
        ]);
        let want =
            Limits { tags_max: 20, log_tags_max: 10, value_bytes_max: VALUE_BYTES_LIMIT_MAX, logs_max: 128 };
        assert_eq!(set.unwrap(), want);
        assert!(limits(&[("OTEL_SPAN_EVENT_COUNT_LIMIT", "many")]).is_err());
        assert!(read(&[("OTEL_PROPAGATORS", "b3,xray")]).is_err());
    }

    #[test]
    fn a_path_that_cannot_be_a_socket_is_refused() {
        for path in ["".to_string(), "x".repeat(108), "a\0b".to_string()] {
            assert!(read(&[]).unwrap().socket(path).check().is_err());
        }
        assert!(read(&[]).unwrap().socket("x".repeat(107)).check().is_ok());
    }
}
