//! NVIDIA GPUs: for now only whether a driver is there and how many devices it knows.
#![expect(unsafe_code, reason = "cudarc's presence check loads a library, which may run its initialisers")]

use crate::Unsupported;
use cudarc::driver::{result, sys};
use std::panic::catch_unwind;

/// How many CUDA devices the driver knows. Errors: no driver library, or what the driver says.
pub fn count() -> Result<usize, Unsupported> {
    // cudarc panics on a library or symbol that is not there; a machine without a GPU is no reason to panic.
    let asked = catch_unwind(|| {
        // SAFETY: loads the CUDA driver library, NVIDIA's own, whose initialisers have no preconditions.
        if !unsafe { sys::is_culib_present() } {
            return Err("no CUDA driver library (libcuda.so.1, nvcuda.dll) on this machine".to_owned());
        }
        result::init().map_err(|e| format!("the CUDA driver does not start: {e:?}"))?;
        result::device::get_count().map_err(|e| format!("the CUDA driver lists no devices: {e:?}"))
    });
    match asked {
        Ok(Ok(count)) => Ok(usize::try_from(count).unwrap_or(0)),
        Ok(Err(reason)) => Err(Unsupported(reason)),
        Err(_) => Err(Unsupported("the CUDA driver is older than what this program was built for".to_owned())),
    }
}
