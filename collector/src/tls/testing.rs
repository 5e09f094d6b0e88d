//! Certificates for tests, made on the spot.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

use super::{ClientFiles, ServerFiles};

/// An authority whose files lie in a folder.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub file: PathBuf,
}

impl Authority {
    pub fn new(dir: &Path, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let file = dir.join(format!("{name}.pem"));
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Authority { issuer: Issuer::new(params, key), file }
    }

    /// Writes a certificate for `host` and its key, in place of those that may be there.
    pub fn issue(&self, dir: &Path, name: &str, host: &str) -> (PathBuf, PathBuf) {
        self.issue_with(dir, name, host, |_| {})
    }

    pub fn issue_expired(&self, dir: &Path, name: &str, host: &str) -> (PathBuf, PathBuf) {
        self.issue_with(dir, name, host, |params| params.not_after = date_time_ymd(2020, 1, 1))
    }

    fn issue_with(
        &self,
        dir: &Path,
        name: &str,
        host: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        change(&mut params);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let write = |extension: &str, text: String| {
            let file = dir.join(format!("{name}.{extension}"));
            let new = dir.join("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, &file).unwrap();
            file
        };
        (write("crt", cert.pem()), write("key", key.serialize_pem()))
    }
}

/// A server for `host` that takes clients of `client_ca` alone, if there is one.
pub fn server_files(pair: (PathBuf, PathBuf), client_ca: Option<&Authority>) -> ServerFiles {
    ServerFiles { cert: pair.0, key: pair.1, client_ca: client_ca.map(|ca| ca.file.clone()) }
}

/// A client that trusts `ca` alone.
pub fn client_files(ca: &Authority, pair: Option<(PathBuf, PathBuf)>) -> ClientFiles {
    ClientFiles { ca: Some(ca.file.clone()), pair, server_name: None }
}
