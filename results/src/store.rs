//! The run folder: a manifest replaced whole, records appended one a line, and reading that survives a kill.

use crate::record::{Outcome, Record};
use crate::run::{Manifest, Run, SCHEMA};
use crate::telemetry;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Name of the manifest's file.
pub const MANIFEST: &str = "run.json";
/// Name of the records' file.
pub const RECORDS: &str = "records.jsonl";
/// Name of the telemetry's file.
pub const TELEMETRY: &str = "telemetry.jsonl";
/// Name of the flat table.
pub const TABLE: &str = "results.csv";
/// Name of the report.
pub const REPORT: &str = "report.html";

/// Why a run folder cannot be read or written: what, where and the mend.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("{}: {cause}; {mend}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says. Part of the message, and so no `source`: a chain of causes would say it twice.
        cause: io::Error,
        /// What to do.
        mend: &'static str,
    },
    /// The file holds something else.
    #[error("{}: {what}; {mend}", path.display())]
    Content {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// What to do.
        mend: &'static str,
    },
}

fn cannot_read(path: &Path, cause: io::Error) -> StoreError {
    let mend = match cause.kind() {
        io::ErrorKind::PermissionDenied => "make it readable for you",
        io::ErrorKind::InvalidData => "name a folder that spark-bench wrote",
        _ => "name a run folder that holds run.json",
    };
    StoreError::Io { path: path.to_owned(), cause, mend }
}

fn cannot_write(path: &Path, cause: io::Error) -> StoreError {
    let mend = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "free some disk space or choose another folder with --out"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "choose another folder with --out",
        _ => "choose a folder you can write to with --out",
    };
    StoreError::Io { path: path.to_owned(), cause, mend }
}

/// Replaces `path` by `bytes` whole: a reader sees the old file or the new one, never half of it.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&part);
        cannot_write(path, e)
    })
}

/// A run folder that is being written.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    records: File,
}

impl Store {
    /// Makes `folder`, writes the manifest and opens the records. Errors: the folder holds a run, or files that a run would replace.
    pub fn create(folder: &Path, manifest: &Manifest) -> Result<Self, StoreError> {
        let content = |what: &str, mend| StoreError::Content { path: folder.to_owned(), what: what.into(), mend };
        if folder.join(MANIFEST).exists() {
            return Err(content(
                "holds a run already",
                "continue it with --resume, or choose another folder with --out",
            ));
        }
        // Records whose manifest was lost, or somebody's own report.html: neither is ours to replace.
        let taken = |name: &&&str| fs::metadata(folder.join(name)).is_ok_and(|m| m.len() > 0);
        if let Some(name) = [RECORDS, TELEMETRY, TABLE, REPORT].iter().find(taken) {
            return Err(content(&format!("holds {name} already"), "choose an empty or new folder with --out"));
        }
        fs::create_dir_all(folder).map_err(|e| cannot_write(folder, e))?;
        let records = Self::records(folder)?;
        let store = Self { folder: folder.to_owned(), records };
        store.manifest(manifest)?;
        Ok(store)
    }
    /// Opens `folder` to append, after cutting off a last line that a kill left unfinished. Errors: another process writes to it.
    pub fn resume(folder: &Path) -> Result<(Self, Run), StoreError> {
        // Before anything is opened for writing: a folder that holds no run stays as it is.
        let found = read(folder)?;
        let records = Self::records(folder)?;
        // What is appended now nobody has summed up yet.
        crate::sums::withdraw(folder)?;
        // Read again under the lock, as the other process may have ended in between; what was amiss was so before.
        let run = Run { remarks: found.remarks, ..read(folder)? };
        let path = folder.join(RECORDS);
        let text = fs::read(&path).map_err(|e| cannot_read(&path, e))?;
        let whole = text.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        records.set_len(whole as u64).map_err(|e| cannot_write(&path, e))?;
        Ok((Self { folder: folder.to_owned(), records }, run))
    }
    /// The records' file for appending, locked for as long as it is open: two writers would tear each other's lines.
    fn records(folder: &Path) -> Result<File, StoreError> {
        let path = folder.join(RECORDS);
        let open = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let file = open.map_err(|e| cannot_write(&path, e))?;
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::Content {
                path: folder.to_owned(),
                what: "another process is writing this run".into(),
                mend: "wait for it to end, or choose another folder with --out",
            }),
            // A file system without locks is no reason to measure nothing.
            Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(file),
        }
    }
    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
    /// Replaces the manifest.
    pub fn manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let path = self.folder.join(MANIFEST);
        replace(&path, &json(&path, manifest, true)?)
    }
    /// Appends one record and hands it to the disk before returning. A record that JSON cannot hold, because a number in it is not
    /// finite, is stored as failed: otherwise one such line would make the whole run unreadable.
    pub fn append(&mut self, record: &Record) -> Result<(), StoreError> {
        let path = self.folder.join(RECORDS);
        let mut line = json(&path, record, false)?;
        if let Err(e) = serde_json::from_slice::<Record>(&line) {
            let error = format!("the measurement holds a number that is not finite and cannot be stored: {e}");
            line = json(&path, &Record { outcome: Outcome::Failed { error }, ..record.clone() }, false)?;
        }
        // One write call a line: what a kill can cut is the last line alone.
        self.records.write_all(&line).and_then(|()| self.records.sync_data()).map_err(|e| cannot_write(&path, e))
    }
}

fn json<T: serde::Serialize>(path: &Path, value: &T, pretty: bool) -> Result<Vec<u8>, StoreError> {
    let text = if pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) };
    let mut text = text.map_err(|e| StoreError::Content {
        path: path.to_owned(),
        what: e.to_string(),
        mend: "this is a bug: please report it",
    })?;
    text.push(b'\n');
    Ok(text)
}

/// Reads a run folder. A last line cut short is left out and remarked on; anything else unreadable is an error.
pub fn read(folder: &Path) -> Result<Run, StoreError> {
    let path = folder.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(|e| cannot_read(&path, e))?;
    let manifest = manifest(&path, &text)?;
    let mut remarks = Vec::new();
    let records = lines(&folder.join(RECORDS), &mut remarks)?;
    let telemetry = lines(&folder.join(TELEMETRY), &mut remarks)?;
    Ok(Run { manifest, records, telemetry, remarks })
}

/// Parses a manifest. Errors: no JSON, another schema, a field missing.
pub fn manifest(path: &Path, text: &str) -> Result<Manifest, StoreError> {
    let content = |what: String, mend| StoreError::Content { path: path.to_owned(), what, mend };
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|e| content(format!("not a run manifest: {e}"), "name a folder that spark-bench wrote"))?;
    let schema = value.get("schema").and_then(|s| s.as_str()).unwrap_or("none");
    if schema != SCHEMA {
        let what = format!("its schema is {}, this program reads {SCHEMA}", crate::machine::clean(schema));
        return Err(content(what, "read it with the version of spark-bench that wrote it"));
    }
    serde_json::from_value(value)
        .map_err(|e| content(format!("not a run manifest: {e}"), "name a folder that spark-bench wrote"))
}

/// Reads JSON lines; a missing file is empty. Errors: a line other than the last is unreadable.
fn lines<T: serde::de::DeserializeOwned>(path: &Path, remarks: &mut Vec<String>) -> Result<Vec<T>, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            remarks.push(format!("{name} is missing"));
            return Ok(Vec::new());
        }
        Err(e) => return Err(cannot_read(path, e)),
    };
    let mut read = Vec::new();
    let mut pieces = bytes.split_inclusive(|&b| b == b'\n').enumerate().peekable();
    while let Some((index, line)) = pieces.next() {
        match serde_json::from_slice(line) {
            Ok(value) if line.ends_with(b"\n") => read.push(value),
            // Without its newline a line was cut while it was written: `resume` cuts it off, so reading must not count it.
            _ if pieces.peek().is_none() && !line.ends_with(b"\n") => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                remarks.push(format!("the last line of {name} was cut short and is left out"));
            }
            Ok(_) => {}
            Err(e) => {
                return Err(StoreError::Content {
                    path: path.to_owned(),
                    what: format!("line {}: {e}", index + 1),
                    mend: "the file was changed after it was written: restore it, or run again",
                });
            }
        }
    }
    Ok(read)
}

/// Opens the telemetry file of `folder` for appending; a line that a kill cut short is cut off first.
pub fn telemetry_file(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(TELEMETRY);
    let open = || {
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let text = fs::read(&path)?;
        file.set_len(text.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1) as u64)?;
        Ok(file)
    };
    open().map_err(|e| cannot_write(&path, e))
}

/// Telemetry lines as they are written: one a line. A reading that is not finite was no reading, and JSON could not hold it.
pub fn telemetry_line(line: &telemetry::Line) -> Result<Vec<u8>, StoreError> {
    let mut line = line.clone();
    if let telemetry::Line::Sample(sample) = &mut line {
        sample.readings.retain(|reading| reading.value.is_finite());
    }
    json(Path::new(TELEMETRY), &line, false)
}
