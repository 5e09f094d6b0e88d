//! The database file: opened with the settings that fit one writer and short readers, brought to the newest layout,
//! and set aside when it is damaged.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::hdr::Foreign;

/// Each brings the layout from the version that is its index to the next. Released ones are never changed.
const MIGRATIONS: [&str; 1] = [include_str!("schema_1.sql")];

/// `SPML`: `file` and others can tell whose it is.
const APPLICATION_ID: i32 = 0x5350_4d4c;
/// For somebody who writes with `sqlite3` while we want to.
const BUSY: Duration = Duration::from_secs(5);
/// Damaged files kept for whoever wants to look; each may be as large as the store.
const ASIDE_MAX: usize = 2;

/// Settings of the writer.
///
/// - `auto_vacuum`: only before the first table; pages that retention frees can be given back a few at a time.
/// - `journal_mode = WAL`: readers see the last commit and never wait, nor does the writer for them.
/// - `synchronous = NORMAL`: a killed process loses nothing; after a power cut the last commits may be missing, but
///   windows and position together, so they are read from the journal again. A commit needs no fsync.
/// - `journal_size_limit`: a WAL that grew under a slow reader shrinks again.
/// - `cache_size`: 8 MiB, the newest pages of some hundred providers.
const SETTINGS: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -8192;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
";

/// Why the store can't be read or written just now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("what the detector stored cannot be unpacked: {0}")]
    Part(io::Error),
    #[error("a stored histogram is {0}")]
    Foreign(#[from] Foreign),
    #[error(
        "{path} has the layout {found}, and this version of spanmill knows those up to {known}: a newer one wrote \
         it. Run that version again, or move the file away to begin a new one"
    )]
    TooNew { path: String, found: i64, known: usize },
    #[error("{path}: {cause}")]
    File { path: String, cause: io::Error },
}

impl Error {
    /// The disk has no room, or does not answer: that passes, and until then the daemon does without.
    pub fn is_disk(&self) -> bool {
        match self {
            Error::Sqlite(error) => {
                matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
            }
            Error::File { cause, .. } => cause.kind() == io::ErrorKind::StorageFull,
            Error::Foreign(_) | Error::Part(_) | Error::TooNew { .. } => false,
        }
    }

    /// Trying again would not help: the file's bytes are wrong.
    pub fn is_damage(&self) -> bool {
        match self {
            Error::Sqlite(error) => {
                matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
                )
            }
            Error::Foreign(_) => true,
            Error::Part(_) | Error::TooNew { .. } | Error::File { .. } => false,
        }
    }
}

/// The writer's connection, with the newest layout.
pub fn open(path: &Path) -> Result<Connection, Error> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|cause| Error::File { path: dir.display().to_string(), cause })?;
    }
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = usize::try_from(found).unwrap_or(usize::MAX);
    if version > MIGRATIONS.len() {
        let path = path.display().to_string();
        return Err(Error::TooNew { path, found, known: MIGRATIONS.len() });
    }
    connection.execute_batch(SETTINGS)?;
    for (at, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        let step = connection.transaction()?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", at as i64 + 1)?;
        step.commit()?;
    }
    Ok(connection)
}

/// A connection for queries. It fails where the writer has not made the file yet.
pub fn open_to_read(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // Closing the last connection removes the WAL by its name, which may be that of a newer file by then.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8192; PRAGMA trusted_schema = OFF;")?;
    Ok(connection)
}

/// Renames a damaged file to `NAME.corrupt-SECONDS`, its WAL with it. Says where it is now.
pub fn set_aside(path: &Path, now_s: u64) -> Result<PathBuf, Error> {
    let cause = |cause| Error::File { path: path.display().to_string(), cause };
    let aside = with_suffix(path, &format!(".corrupt-{now_s}"));
    fs::rename(path, &aside).map_err(cause)?;
    // Without its WAL the file lacks the last commits; with another file's it would be worse than damaged.
    match fs::rename(with_suffix(path, "-wal"), with_suffix(&aside, "-wal")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cause(error)),
        _ => {}
    }
    let _ = fs::remove_file(with_suffix(path, "-shm"));
    forget_oldest_aside(path);
    Ok(aside)
}

fn forget_oldest_aside(path: &Path) {
    let Some((dir, name)) = path.parent().zip(path.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    let prefix = format!("{name}.corrupt-");
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut aside: Vec<PathBuf> = entries
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&prefix) && !name.ends_with("-wal")
        })
        .collect();
    // Unix seconds have ten digits until the year 2286, so they sort as text.
    aside.sort();
    for oldest in aside.iter().rev().skip(ASIDE_MAX) {
        tracing::warn!("store: deleting {}, {ASIDE_MAX} newer damaged files are kept", oldest.display());
        let _ = fs::remove_file(oldest);
        let _ = fs::remove_file(with_suffix(oldest, "-wal"));
    }
}

/// Bytes of the file and of its WAL.
pub fn bytes(path: &Path) -> u64 {
    let len = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    len(path) + len(&with_suffix(path, "-wal"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(connection: &Connection) -> Vec<String> {
        let mut query = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_new_file_has_the_newest_layout_and_an_old_one_keeps_its_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/spanmill.db");
        let first = open(&path).unwrap();
        assert!(tables(&first).contains(&"windows_1m".to_owned()));
        first.execute("INSERT INTO providers (name) VALUES ('bank')", []).unwrap();
        drop(first);
        let again = open(&path).unwrap();
        let names: i64 = again.query_row("SELECT count(*) FROM providers", [], |row| row.get(0)).unwrap();
        let mode: String = again.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let vacuum: i64 = again.pragma_query_value(None, "auto_vacuum", |row| row.get(0)).unwrap();
        assert_eq!((names, mode.as_str(), vacuum), (1, "wal", 2));
    }

    #[test]
    fn a_layout_of_the_future_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spanmill.db");
        open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
        let before = fs::read(&path).unwrap();
        let error = open(&path).unwrap_err();
        assert!(!error.is_damage());
        let said = error.to_string();
        assert!(said.contains("spanmill.db has the layout 7") && said.contains("up to 1"), "{said}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_file_that_is_no_database_is_damage_and_can_be_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spanmill.db");
        for second in 1_795_378_500..1_795_378_505 {
            fs::write(&path, [0x5a; 9000]).unwrap();
            assert!(open(&path).unwrap_err().is_damage());
            let aside = set_aside(&path, second).unwrap();
            assert_eq!(fs::metadata(&aside).unwrap().len(), 9000);
            drop(open(&path).unwrap());
            fs::remove_file(&path).unwrap();
        }
        let left =
            fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
        let mut left: Vec<String> = left.filter(|name| name.contains("corrupt")).collect();
        left.sort();
        assert_eq!(left, ["spanmill.db.corrupt-1795378503", "spanmill.db.corrupt-1795378504"]);
    }

    #[test]
    fn a_reader_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spanmill.db");
        assert!(open_to_read(&path).is_err(), "there is nothing to read yet");
        let _writer = open(&path).unwrap();
        let reader = open_to_read(&path).unwrap();
        assert!(reader.execute("DELETE FROM providers", []).is_err());
    }
}
