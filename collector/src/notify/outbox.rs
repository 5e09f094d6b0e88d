//! What is not delivered, on disk: one file, replaced whole, so that a crash leaves the one before or the new one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use ring::digest;
use serde::{Deserialize, Serialize};

use super::channel::Waiting;
use super::desk::Firing;
use super::{Target, TargetKind};

/// Bounded by what it is made of: a thousand alerts per receiver and the firing ones, a few MiB at the very most.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// By [`target_key`].
    pub targets: BTreeMap<String, Waiting>,
    pub firing: BTreeMap<String, Firing>,
}

/// Names a receiver whatever its place in the configuration, and does not show its address, which may be secret.
pub fn target_key(target: &Target) -> String {
    let kind = match target.kind {
        TargetKind::Webhook { .. } => "webhook",
        TargetKind::Alertmanager => "alertmanager",
    };
    let address = target.server.uri(target.path.clone()).to_string();
    let digest = digest::digest(&digest::SHA256, address.as_bytes());
    let hex: String = digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}-{hex}")
}

/// What an earlier process left. A file that can't be read is put aside: alerts to come matter more.
pub fn load(file: &Path) -> Kept {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Kept::default(),
        Err(error) => {
            tracing::error!("undelivered alerts in {} can't be read: {error}", file.display());
            return Kept::default();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        let aside = file.with_extension("unreadable");
        tracing::error!(
            "undelivered alerts in {} can't be read: {error}; the file goes to {}",
            file.display(),
            aside.display()
        );
        drop(fs::rename(file, aside));
        Kept::default()
    })
}

/// Replaces the file. Only its owner may read it: evidence and names are the company's own.
pub fn save(file: &Path, kept: &Kept) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let new = file.with_extension("new");
    let mut out = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    out.write_all(&serde_json::to_vec(kept)?)?;
    out.sync_all()?;
    fs::rename(&new, file)?;
    File::open(folder)?.sync_all()
}
