//! The checksums of a run folder: SHA-256 of each of its files, in the form that `sha256sum -c` reads.

use crate::store::{self, MANIFEST, RECORDS, REPORT, StoreError, TABLE, TELEMETRY};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Name of their file.
pub const SUMS: &str = "SHA256SUMS";

/// What a run folder consists of.
const FILES: [&str; 5] = [MANIFEST, RECORDS, TELEMETRY, TABLE, REPORT];

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What checking a folder against its sums found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Files that are what they were when the run ended.
    pub same: Vec<String>,
    /// Files that are not.
    pub changed: Vec<String>,
    /// Files that are listed and not there.
    pub missing: Vec<String>,
    /// Files of the run that are there and not listed, and lines that list nothing of it.
    pub odd: Vec<String>,
}

/// Writes the sums of every file of the run in `folder` that is there. Errors: a file cannot be read, or the sums not written.
pub fn write(folder: &Path) -> Result<(), StoreError> {
    let mut lines = BTreeMap::new();
    for name in FILES {
        lines.extend(sum(folder, name)?.map(|sum| (name.to_owned(), sum)));
    }
    put(folder, &lines)
}

/// Writes the sums of `names` anew and leaves the others as they stand: what was not written again is not vouched for again. A folder
/// without sums stays without. Errors: as [`write()`].
pub fn renew(folder: &Path, names: &[&str]) -> Result<(), StoreError> {
    let Some((mut lines, _)) = listed(folder)? else { return Ok(()) };
    for name in names {
        lines.extend(sum(folder, name)?.map(|sum| ((*name).to_owned(), sum)));
    }
    put(folder, &lines)
}

/// Takes the sums away, because the run goes on. Errors: the system refuses.
pub fn withdraw(folder: &Path) -> Result<(), StoreError> {
    match fs::remove_file(folder.join(SUMS)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(refused(&folder.join(SUMS), e, "make the folder writable for you"))
        }
        _ => Ok(()),
    }
}

/// Compares the files in `folder` with its sums. `None`: it has none. Errors: something is there and cannot be read.
pub fn check(folder: &Path) -> Result<Option<Checked>, StoreError> {
    let Some((lines, odd)) = listed(folder)? else { return Ok(None) };
    let mut checked = Checked { odd, ..Checked::default() };
    for name in FILES {
        let into = match (lines.get(name), sum(folder, name)?) {
            (Some(stood), Some(stands)) if *stood == stands => &mut checked.same,
            (Some(_), Some(_)) => &mut checked.changed,
            (Some(_), None) => &mut checked.missing,
            (None, Some(_)) => &mut checked.odd,
            (None, None) => continue,
        };
        into.push(name.to_owned());
    }
    Ok(Some(checked))
}

/// Sums by name.
type Lines = BTreeMap<String, String>;

/// The sums that stand there, and what is odd among them; `None` without a file of them.
fn listed(folder: &Path) -> Result<Option<(Lines, Vec<String>)>, StoreError> {
    let path = folder.join(SUMS);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(refused(&path, e, "name a folder that spark-bench wrote")),
    };
    let (mut lines, mut odd) = (Lines::new(), Vec::new());
    for line in text.lines() {
        match line.split_once("  ") {
            Some((sum, name)) if FILES.contains(&name) => drop(lines.insert(name.to_owned(), sum.to_owned())),
            _ => odd.push(crate::machine::clean(line)),
        }
    }
    Ok(Some((lines, odd)))
}

fn put(folder: &Path, lines: &Lines) -> Result<(), StoreError> {
    let text: String = lines.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
    store::replace(&folder.join(SUMS), text.as_bytes())
}

/// In hexadecimal; `None` of a file that is not there.
fn sum(folder: &Path, name: &str) -> Result<Option<String>, StoreError> {
    let path = folder.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(sha256(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(refused(&path, e, "make it readable for you")),
    }
}

fn refused(path: &Path, cause: io::Error, mend: &'static str) -> StoreError {
    StoreError::Io { path: path.to_owned(), cause, mend }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_missing_or_new_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(check(folder.path()).unwrap(), None);
        for name in FILES {
            fs::write(at(name), "abc").unwrap();
        }
        write(folder.path()).unwrap();
        let text = fs::read_to_string(at(SUMS)).unwrap();
        // FIPS 180-4's own example.
        assert!(
            text.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  records.jsonl\n"),
            "{text}"
        );
        assert_eq!(check(folder.path()).unwrap().unwrap().same.len(), FILES.len());
        fs::write(at(RECORDS), "abd").unwrap();
        fs::write(at(REPORT), "new").unwrap();
        fs::remove_file(at(TABLE)).unwrap();
        renew(folder.path(), &[REPORT]).unwrap();
        let checked = check(folder.path()).unwrap().unwrap();
        assert_eq!((checked.changed, checked.missing), (vec![RECORDS.to_owned()], vec![TABLE.to_owned()]));
        assert!(checked.same.contains(&REPORT.to_owned()) && checked.odd.is_empty());
        fs::write(at(SUMS), "00  ../../etc/passwd\nsoup\u{1b}[2J\n").unwrap();
        let odd = check(folder.path()).unwrap().unwrap().odd;
        assert!(odd.len() == 2 + FILES.len() - 1 && !odd.concat().contains('\u{1b}'), "{odd:?}");
        withdraw(folder.path()).unwrap();
        withdraw(folder.path()).unwrap();
        assert_eq!(check(folder.path()).unwrap(), None);
        renew(folder.path(), &[REPORT]).unwrap();
        assert!(!at(SUMS).exists(), "what nobody vouched for is not vouched for");
    }
}
