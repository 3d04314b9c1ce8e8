//! What the copy engine of a GPU from sm_90 on is told about a matrix: where it stands, and the boxes that it brings into shared memory.
#![expect(unsafe_code, reason = "the driver encodes a map for an address")]

use super::driver::fault;
use crate::{Buffer, Fault};
use cudarc::driver::sys;

/// Elements of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elements {
    /// Bytes of any kind, such as E4M3.
    Bytes,
    /// bf16.
    Bf16,
}

impl Elements {
    /// Bytes of one.
    pub const fn bytes(self) -> usize {
        match self {
            Elements::Bytes => 1,
            Elements::Bf16 => 2,
        }
    }
}

/// A matrix in a GPU's memory, rows at a pitch of a multiple of 16 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// What holds it, from its first byte on. A map of it must not be used when it is gone.
    pub buffer: &'a Buffer,
    /// What its elements are.
    pub of: Elements,
    /// Rows.
    pub rows: usize,
    /// Elements of a row; what a box holds beyond them is zeros.
    pub columns: usize,
    /// Bytes from a row to the next.
    pub pitch: usize,
}

/// A map, as a kernel takes it: `const __grid_constant__ TensorMap`.
#[derive(Clone, Copy, Debug)]
pub struct TensorMap(pub [u64; 16]);

impl TensorMap {
    /// Boxes of `box_rows` (at most 256) rows × 128 bytes, swizzled over those. Errors: what the engine cannot do, the driver's words.
    pub fn swizzled(of: Matrix<'_>, box_rows: usize) -> Result<Self, Fault> {
        let Matrix { buffer, of, rows, columns, pitch } = of;
        let Some(memory) = buffer.gpu() else {
            return Err(Fault::Device("a map of memory that stands on the host: upload it".to_owned()));
        };
        if rows * pitch > memory.bytes() || columns * of.bytes() > pitch {
            return Err(Fault::Device(format!("a map of {rows} rows of {pitch} bytes over {} bytes", memory.bytes())));
        }
        let number = |n: usize| u32::try_from(n).map_err(|_| Fault::Device(format!("a box of {n} rows")));
        let window = [number(128 / of.bytes())?, number(box_rows)?];
        let (size, pitches, steps) = ([columns as u64, rows as u64], [pitch as u64], [1_u32; 2]);
        let kind = match of {
            Elements::Bytes => sys::CUtensorMapDataType_enum::CU_TENSOR_MAP_DATA_TYPE_UINT8,
            Elements::Bf16 => sys::CUtensorMapDataType_enum::CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
        };
        let mut map = sys::CUtensorMap_st { opaque: [0; 16] };
        memory.context().enter()?;
        // SAFETY: as many numbers as the rank of 2 asks for, a map to write, and an address that is only noted down.
        let answer = unsafe {
            sys::cuTensorMapEncodeTiled(
                &raw mut map,
                kind,
                2,
                memory.address() as *mut std::ffi::c_void,
                size.as_ptr(),
                pitches.as_ptr(),
                window.as_ptr(),
                steps.as_ptr(),
                sys::CUtensorMapInterleave_enum::CU_TENSOR_MAP_INTERLEAVE_NONE,
                sys::CUtensorMapSwizzle_enum::CU_TENSOR_MAP_SWIZZLE_128B,
                sys::CUtensorMapL2promotion_enum::CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                sys::CUtensorMapFloatOOBfill_enum::CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
            )
        };
        answer.result().map_err(|error| fault("cuTensorMapEncodeTiled", error))?;
        Ok(Self(map.opaque))
    }
}
