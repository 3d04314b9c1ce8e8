//! Shared libraries opened for as long as the process runs.
#![expect(unsafe_code, reason = "a library is loaded, which may run its initialisers")]

use libloading::Library;
use std::path::Path;

/// Opens a library, its symbols visible to those that are opened after it. Errors: the loader's words.
#[cfg(unix)]
pub(crate) fn open(path: &Path) -> Result<Library, String> {
    use libloading::os::unix::{Library as Unix, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the libraries opened here are NVIDIA's and their doubles, whose initialisers have no preconditions.
    unsafe { Unix::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map(Library::from).map_err(|e| e.to_string())
}

/// Opens a library. Errors: the loader's words.
#[cfg(not(unix))]
pub(crate) fn open(path: &Path) -> Result<Library, String> {
    // SAFETY: the libraries opened here are NVIDIA's, whose initialisers have no preconditions.
    unsafe { Library::new(path) }.map_err(|e| e.to_string())
}
