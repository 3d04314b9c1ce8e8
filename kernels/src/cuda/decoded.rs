//! The formats of weights that `weights.cuh` decodes.

use crate::Unsupported;
use crate::format::Format;

/// Whether a GPU's plain kernels read weights in `format`. Their numbers there are those of [`Format`]'s first eight.
pub(crate) fn decoded(format: Format) -> Result<(), Unsupported> {
    if format as usize <= Format::F32 as usize {
        return Ok(());
    }
    Err(Unsupported(format!("{format} weights are not decoded on a GPU yet; a CPU does it")))
}
