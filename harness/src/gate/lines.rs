//! A file of JSON lines that grows: what a kill cut short is ended first, so that it costs itself and not the line behind it.

use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Appends `value` as a line, on disk when this returns.
///
/// # Errors
/// The file cannot be opened or written; with the path and the mend.
pub fn append(path: &Path, value: &impl Serialize) -> Result<(), String> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut line = if ends_whole(&mut file)? { String::new() } else { "\n".to_owned() };
        line += &serde_json::to_string(value)?;
        line.push('\n');
        file.write_all(line.as_bytes())?;
        file.sync_data()
    };
    write().map_err(|e| format!("{}: {e}; choose a file in a folder that is there and can be written", path.display()))
}

fn ends_whole(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cut_short_does_not_take_the_next_one_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines.jsonl");
        append(&path, &1).expect("written");
        let mut text = std::fs::read_to_string(&path).expect("text");
        text += "{\"cut\":";
        std::fs::write(&path, text).expect("written");
        append(&path, &2).expect("written");
        append(&path, &3).expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "1\n{\"cut\":\n2\n3\n");
        let error = append(&folder.path().join("not/there"), &1).expect_err("no folder");
        assert!(error.contains("there") && error.contains("; choose"), "{error}");
    }
}
