//! The `tls` tables: files that must be there and fit together before a port is bound.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Spanned;

use super::file::{DestinationTls, ListenerTls};
use super::place::{Error, Source};
use crate::tls::{Client, ClientFiles, Key, Server, ServerFiles, Unusable};

/// The certificate of one listener; `None` where it speaks without TLS.
pub fn certificate(listener: &str, file: ListenerTls, source: &Source) -> Result<Option<Arc<Server>>, Error> {
    let ListenerTls { cert_file, key_file, client_ca_file } = file;
    let ca = client_ca_file.as_ref().map(Spanned::span);
    let Some(pair) = pair(cert_file, key_file, source)? else {
        return match ca {
            None => Ok(None),
            Some(ca) => {
                Err(source.error(ca, "without cert_file and key_file there is no TLS; set those, too"))
            }
        };
    };
    let client_ca = client_ca_file.map(Spanned::into_inner);
    let files = ServerFiles { cert: pair.cert.into_inner(), key: pair.key.into_inner(), client_ca };
    let spans = Spans { cert: pair.cert_span, key: pair.key_span, ca, server_name: None };
    let server = Server::new(listener, files).map_err(|error| spans.error(error, source))?;
    Ok(Some(Arc::new(server)))
}

/// What it takes to trust one destination; `protocol` is what is spoken inside.
pub fn trust(
    destination: &str,
    file: DestinationTls,
    protocol: &'static str,
    endpoint: Range<usize>,
    source: &Source,
) -> Result<Arc<Client>, Error> {
    let DestinationTls { ca_file, cert_file, key_file, server_name } = file;
    let mut spans = Spans {
        ca: ca_file.as_ref().map(Spanned::span).or(Some(endpoint)),
        server_name: server_name.as_ref().map(Spanned::span),
        ..Spans::default()
    };
    let pair = pair(cert_file, key_file, source)?.map(|pair| {
        (spans.cert, spans.key) = (pair.cert_span, pair.key_span);
        (pair.cert.into_inner(), pair.key.into_inner())
    });
    let files = ClientFiles {
        ca: ca_file.map(Spanned::into_inner),
        pair,
        server_name: server_name.map(Spanned::into_inner),
    };
    let client = Client::new(destination, files, protocol).map_err(|error| spans.error(error, source))?;
    Ok(Arc::new(client))
}

/// Where a destination without TLS has a key of its `tls` table, which would do nothing there.
pub fn any(file: &DestinationTls) -> Option<Range<usize>> {
    let files = [&file.ca_file, &file.cert_file, &file.key_file];
    let file_span = files.into_iter().flatten().map(Spanned::span).next();
    file_span.or_else(|| file.server_name.as_ref().map(Spanned::span))
}

struct Pair {
    cert: Spanned<PathBuf>,
    key: Spanned<PathBuf>,
    cert_span: Range<usize>,
    key_span: Range<usize>,
}

/// A certificate and its key, or neither.
fn pair(
    cert: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
    source: &Source,
) -> Result<Option<Pair>, Error> {
    match (cert, key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => {
            let (cert_span, key_span) = (cert.span(), key.span());
            Ok(Some(Pair { cert, key, cert_span, key_span }))
        }
        (Some(cert), None) => {
            Err(source.error(cert.span(), "a certificate needs its key; set key_file, too"))
        }
        (None, Some(key)) => Err(source.error(key.span(), "a key needs its certificate; set cert_file, too")),
    }
}

/// Where in the file each setting stands.
#[derive(Default)]
struct Spans {
    cert: Range<usize>,
    key: Range<usize>,
    ca: Option<Range<usize>>,
    server_name: Option<Range<usize>>,
}

impl Spans {
    fn error(&self, unusable: Unusable, source: &Source) -> Error {
        let span = match unusable.key {
            Key::Cert => Some(self.cert.clone()),
            Key::PrivateKey => Some(self.key.clone()),
            Key::Ca => self.ca.clone(),
            Key::ServerName => self.server_name.clone(),
        };
        source.error(span.unwrap_or_default(), unusable.message)
    }
}
