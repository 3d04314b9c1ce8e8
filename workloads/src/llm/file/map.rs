//! A model's file in memory: mapped, so that only what is looked at is read, and it counts as the system's cache.
#![expect(unsafe_code, reason = "files are mapped, here and nowhere else")]

use super::refused::Refused;
use std::fs::File;
use std::path::Path;

/// A file's bytes.
#[derive(Debug)]
pub struct Mapped {
    bytes: memmap2::Mmap,
}

impl Mapped {
    /// Maps the file at `path`. Errors: it is not there, cannot be read, is a folder, or is empty.
    pub fn open(path: &Path) -> Result<Self, Refused> {
        let refused = |e: std::io::Error| Refused::new(e.to_string(), "give the path of a readable file");
        let file = File::open(path).map_err(refused)?;
        let about = file.metadata().map_err(refused)?;
        if !about.is_file() {
            return Err(Refused::new("is no file", "give the path of a readable file"));
        }
        if about.len() == 0 {
            return Err(Refused::broken("is empty"));
        }
        Self::of(&file).map_err(refused)
    }
    /// Maps an open file. Errors: the system's words.
    pub(crate) fn of(file: &File) -> std::io::Result<Self> {
        // SAFETY: the map is only read, and outlives every borrow of it. That nobody shortens or rewrites the file meanwhile cannot be
        // held by any program; the workload's page asks for it, and a file that shrinks ends the run as it does in every engine that maps.
        let bytes = unsafe { memmap2::Mmap::map(file) }?;
        Ok(Self { bytes })
    }
    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Says that these bytes are not needed for a while: on Linux the system takes their memory back at once, and reads them again when
    /// they are looked at.
    pub(crate) fn forget(&self, range: &std::ops::Range<usize>) {
        #[cfg(target_os = "linux")]
        if !range.is_empty() {
            // SAFETY: the map is of a file and read only, so what is dropped is read again from there; nothing written can be lost.
            let _ = unsafe {
                self.bytes.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len())
            };
        }
        #[cfg(not(target_os = "linux"))]
        let _ = range;
    }
}
