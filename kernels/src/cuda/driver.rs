//! The CUDA driver library: found, asked once, and its errors as faults.
#![expect(unsafe_code, reason = "a library is loaded, which may run its initialisers")]

use crate::{Fault, Unsupported};
use cudarc::driver::{DriverError, result, sys};
use std::panic::catch_unwind;
use std::sync::OnceLock;

/// Names a driver library to use in place of the system's: a test double.
pub const LIBRARY: &str = "SPARK_BENCH_CUDA";

/// The symbol by which a library says that it stands in for hardware.
pub const DOUBLE: &str = "spark_bench_test_double";

/// A driver that has started.
#[derive(Clone, Debug)]
pub struct Driver {
    /// Devices it lists.
    pub count: usize,
    /// The CUDA version it supports: 13000 for 13.0.
    pub version: i32,
    /// Whether it is a test double.
    pub simulated: bool,
}

/// The driver of this machine, started at the first call. Errors: there is none, or what it says.
pub fn driver() -> Result<&'static Driver, Unsupported> {
    static DRIVER: OnceLock<Result<Driver, Unsupported>> = OnceLock::new();
    DRIVER.get_or_init(start).as_ref().map_err(Clone::clone)
}

fn start() -> Result<Driver, Unsupported> {
    preload()?;
    // cudarc panics on a symbol that is not there; a machine with an old driver is no reason to panic.
    let asked = catch_unwind(|| {
        // SAFETY: loads the CUDA driver library, NVIDIA's own, whose initialisers have no preconditions.
        if !unsafe { sys::is_culib_present() } {
            return Err("no CUDA driver library (libcuda.so.1, nvcuda.dll) on this machine".to_owned());
        }
        result::init().map_err(|e| {
            // What a GPU cut into parts, none of which was made, looks like.
            let none = e.0 == sys::CUresult::CUDA_ERROR_NO_DEVICE;
            let mend = if none { "; a GPU in MIG mode needs an instance: nvidia-smi mig -lgi" } else { "" };
            format!("the CUDA driver does not start: {}{mend}", said(e))
        })?;
        let mut version = 0;
        // SAFETY: writes one int.
        unsafe { sys::cuDriverGetVersion(&raw mut version) }
            .result()
            .map_err(|e| format!("the CUDA driver does not tell its version: {}", said(e)))?;
        let count =
            result::device::get_count().map_err(|e| format!("the CUDA driver lists no devices: {}", said(e)))?;
        // SAFETY: the library was found above, so this returns the handle already loaded.
        let library = unsafe { sys::culib() };
        // SAFETY: the symbol is only looked for, never called.
        let simulated = unsafe { library.get::<*const ()>(DOUBLE) }.is_ok();
        Ok(Driver { count: usize::try_from(count).unwrap_or(0), version, simulated })
    });
    match asked {
        Ok(asked) => asked.map_err(Unsupported),
        Err(_) => Err(Unsupported("the CUDA driver is older than what this program was built for".to_owned())),
    }
}

/// Loads the library that the environment names, so that the loader finds it where the system's is asked for: its SONAME has to
/// be `libcuda.so`.
fn preload() -> Result<(), Unsupported> {
    let Some(path) = std::env::var_os(LIBRARY).filter(|path| !path.is_empty()) else { return Ok(()) };
    let shown = path.to_string_lossy().into_owned();
    super::library::open(std::path::Path::new(&path))
        .map(std::mem::forget)
        .map_err(|why| Unsupported(format!("{LIBRARY}={shown}: {why}")))
}

/// An error of the driver in its own words: `CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected`.
pub(crate) fn said(error: DriverError) -> String {
    let text =
        |c: Result<&std::ffi::CStr, DriverError>| c.map(|c| c.to_string_lossy().into_owned()).unwrap_or_default();
    match (text(error.error_name()), text(error.error_string())) {
        (name, _) if name.is_empty() => format!("error {}", error.0 as u32),
        (name, what) if what.is_empty() => name,
        (name, what) => format!("{name}: {what}"),
    }
}

/// Whether an error leaves the context unusable: every later call would return it again.
pub(crate) fn sticky(error: DriverError) -> bool {
    use sys::CUresult as E;
    matches!(
        error.0,
        E::CUDA_ERROR_ILLEGAL_ADDRESS
            | E::CUDA_ERROR_LAUNCH_TIMEOUT
            | E::CUDA_ERROR_LAUNCH_FAILED
            | E::CUDA_ERROR_ASSERT
            | E::CUDA_ERROR_HARDWARE_STACK_ERROR
            | E::CUDA_ERROR_ILLEGAL_INSTRUCTION
            | E::CUDA_ERROR_MISALIGNED_ADDRESS
            | E::CUDA_ERROR_INVALID_ADDRESS_SPACE
            | E::CUDA_ERROR_INVALID_PC
            | E::CUDA_ERROR_ECC_UNCORRECTABLE
            | E::CUDA_ERROR_NVLINK_UNCORRECTABLE
            | E::CUDA_ERROR_CONTEXT_IS_DESTROYED
            | E::CUDA_ERROR_DEINITIALIZED
            | E::CUDA_ERROR_DEVICE_UNAVAILABLE
            | E::CUDA_ERROR_SYSTEM_NOT_READY
            | E::CUDA_ERROR_UNKNOWN
    )
}

/// An error as a fault: what was done, and what the driver said.
pub(crate) fn fault(what: &str, error: DriverError) -> Fault {
    Fault::Device(format!("{what}: {}", said(error)))
}
