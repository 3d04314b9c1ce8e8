//! A file that was read in, seen as JSON, as lines of JSON or as a table, whichever it is.

use super::rows;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The largest file that is read: results of other programs have kilobytes.
pub const LARGEST: u64 = 64 << 20;

/// A file.
#[derive(Debug)]
pub struct Source {
    /// Its name, without the folder.
    pub name: String,
    /// Where it lies: some formats have their names in the folder or in a file beside them.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
    /// The same as one JSON document, where it is one.
    pub(super) json: Option<Value>,
    /// The same as a list of flat rows, where it is one.
    pub(super) rows: Vec<Map<String, Value>>,
}

impl Source {
    /// From the bytes of the file at `path`. Errors: no text.
    pub fn of(path: &Path, bytes: Vec<u8>) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = String::from_utf8(bytes).map_err(|_| {
            format!("{}: no text; give a file of results, not a database", spark_results::machine::clean(&name))
        })?;
        let text = text.trim_start_matches('\u{feff}').to_owned();
        let json = serde_json::from_str(&text).ok();
        let rows = rows::of(&text, json.as_ref());
        Ok(Self { name, path: path.to_owned(), text, json, rows })
    }
    /// The document, where it is an object.
    pub(super) fn object(&self) -> Option<&Map<String, Value>> {
        self.json.as_ref()?.as_object()
    }
    /// Whether there are rows, and the first one has all of `names`.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.rows.first().is_some_and(|row| names.iter().all(|name| row.contains_key(*name)))
    }
}
