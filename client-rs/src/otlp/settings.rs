//! Where OTLP goes, from the `OTEL_EXPORTER_OTLP_*` variables.

use std::path::PathBuf;
use std::time::Duration;

use tonic::metadata::{MetadataKey, MetadataMap};

use crate::error::InitError;
use crate::resource::percent_decoded;

/// How a request is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Where OTLP goes and how.
#[derive(Debug, Clone)]
pub(crate) struct OtlpSettings {
    pub(crate) endpoint: String,
    pub(crate) headers: MetadataMap,
    pub(crate) timeout: Duration,
    pub(crate) compression: Compression,
    /// PEM files: who the receiver's certificate must be signed by, and our own certificate with its key.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) identity_files: Option<(PathBuf, PathBuf)>,
}

/// Where OTLP/gRPC goes by default.
const DEFAULT_ENDPOINT: &str = "http://localhost:4317";

/// A variable for traces and the one for all signals; the first wins.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const HEADERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
const COMPRESSIONS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];
const CAS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];
const CERTIFICATES: [&str; 2] =
    ["OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"];
const KEYS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"];

type Text<'t> = &'t dyn Fn(&'static str) -> Result<Option<String>, InitError>;

impl OtlpSettings {
    fn to(endpoint: &str) -> OtlpSettings {
        OtlpSettings {
            endpoint: endpoint.to_string(),
            headers: MetadataMap::new(),
            timeout: Duration::from_secs(10),
            compression: Compression::None,
            ca_file: None,
            identity_files: None,
        }
    }

    /// What the environment says, and whether it names an endpoint.
    pub(crate) fn from_env(text: Text<'_>) -> Result<(OtlpSettings, bool), InitError> {
        let first = |variables: [&'static str; 2]| -> Result<Option<(&'static str, String)>, InitError> {
            for variable in variables {
                if let Some(value) = text(variable)? {
                    return Ok(Some((variable, value)));
                }
            }
            Ok(None)
        };
        let endpoint = first(ENDPOINTS)?.map(|(_, endpoint)| endpoint);
        let is_named = endpoint.is_some();
        let mut settings = OtlpSettings::to(endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT));
        if let Some((variable, protocol)) = first(PROTOCOLS)?
            && protocol != "grpc"
        {
            let why = "this client speaks grpc only; spanmill takes it on 4317 and on 4318";
            return Err(InitError::Environment { variable, why });
        }
        if let Some((variable, list)) = first(HEADERS)? {
            settings.headers = headers(&list).map_err(|why| InitError::Environment { variable, why })?;
        }
        if let Some((variable, ms)) = first(TIMEOUTS)? {
            let why = "not a number of milliseconds from 1 to 3600000";
            let ms = ms.parse().ok().filter(|ms| (1..=3_600_000).contains(ms));
            settings.timeout = Duration::from_millis(ms.ok_or(InitError::Environment { variable, why })?);
        }
        if let Some((variable, name)) = first(COMPRESSIONS)? {
            settings.compression = match name.as_str() {
                "none" => Compression::None,
                "gzip" => Compression::Gzip,
                "zstd" => Compression::Zstd,
                _ => return Err(InitError::Environment { variable, why: "knows none, gzip and zstd" }),
            };
        }
        let file = |variables| first(variables).map(|found| found.map(|(_, path)| PathBuf::from(path)));
        settings.ca_file = file(CAS)?;
        settings.identity_files = file(CERTIFICATES)?.zip(file(KEYS)?);
        Ok((settings, is_named))
    }
}

/// `key=value,key=value`, values percent-encoded.
fn headers(list: &str) -> Result<MetadataMap, &'static str> {
    let mut headers = MetadataMap::new();
    for pair in list.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (key, value) = pair.split_once('=').ok_or("a part has no '='")?;
        let value = percent_decoded(value.trim()).ok_or("a value is not percent-encoded UTF-8")?;
        let key = MetadataKey::from_bytes(key.trim().to_ascii_lowercase().as_bytes());
        let mut value: tonic::metadata::MetadataValue<_> =
            value.parse().map_err(|_| "a value cannot be a header")?;
        // Tokens stand in here: what is printed for debugging leaves them out.
        value.set_sensitive(true);
        headers.insert(key.map_err(|_| "a key cannot be a header")?, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<(OtlpSettings, bool), InitError> {
        OtlpSettings::from_env(&|variable| {
            Ok(pairs.iter().find(|(name, _)| *name == variable).map(|(_, value)| value.to_string()))
        })
    }

    #[test]
    fn the_variable_for_traces_wins() {
        assert!(!read(&[]).unwrap().1);
        let settings = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://b:4317"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20abc, x=1"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
        ]);
        let (settings, is_named) = settings.unwrap();
        assert!(is_named);
        assert_eq!((settings.endpoint.as_str(), settings.compression), ("https://b:4317", Compression::Zstd));
        assert_eq!(settings.headers.get("authorization").unwrap(), "Bearer abc");
        assert!(!format!("{settings:?}").contains("abc"), "a token is not for logs");
        assert_eq!(settings.timeout, Duration::from_millis(250));
    }

    #[test]
    fn an_error_names_the_variable() {
        for (variable, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x"),
        ] {
            let error = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), (variable, value)]).unwrap_err();
            assert!(error.to_string().starts_with(variable), "{error}");
        }
    }
}
