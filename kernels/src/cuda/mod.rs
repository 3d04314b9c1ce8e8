//! NVIDIA GPUs as devices, and the `.cu` files that run on them.
//!
//! Nothing here needs CUDA to build. At run time the driver library is loaded if there is one, NVRTC when the first `.cu` file is
//! compiled, and what is absent is a reason, never a panic.

pub mod arch;
pub mod cache;
pub mod clock;
pub mod context;
pub mod cublaslt;
mod cublaslt_library;
pub mod driver;
mod events;
mod gpu;
pub(crate) mod graph;
pub mod include;
pub(crate) mod kernel;
pub mod launch;
mod library;
pub mod memory;
pub mod module;
pub mod nvrtc;
mod nvrtc_paths;
mod properties;
mod rows;
pub mod sharing;
pub mod source;
pub mod tensor_map;

pub use gpu::Gpu;
pub use properties::Properties;

use crate::{Buffer, Fault, Unsupported};

/// How many CUDA devices the driver knows. Errors: no driver library, or what the driver says.
pub fn count() -> Result<usize, Unsupported> {
    driver::driver().map(|driver| driver.count)
}

/// What the driver says of the device of that ordinal, which is not opened for it. Errors: the driver's words.
pub fn properties(ordinal: usize) -> Result<Properties, Unsupported> {
    driver::driver()?;
    let ordinal = i32::try_from(ordinal).map_err(|_| Unsupported(format!("no device {ordinal}")))?;
    Properties::read(ordinal).map_err(|fault| Unsupported(fault.to_string()))
}

/// What the device itself compiles, beside what ops do.
pub fn units() -> Vec<source::Unit> {
    vec![gpu::advance(), clock::unit()]
}

/// Copies of `buffers` on `gpu`, for what a prepared op keeps of its weights.
pub(crate) fn hold(buffers: &[Buffer], gpu: &Gpu) -> Result<Vec<Buffer>, Fault> {
    buffers.iter().map(|buffer| gpu.copy(buffer)).collect()
}
