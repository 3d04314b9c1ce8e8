//! Number formats: elements, blocks, their quantisers, and seeded synthetic tensors, bit for bit the same on every machine.
//!
//! A tensor of weights has n rows × k columns, k contiguous. Its canonical storage is an array of blocks along k, row
//! after row, without padding; kernels repack it as they like in `prepare`.
//!
//! | format | block | bytes | layout |
//! |---|--:|--:|---|
//! | [`mxfp4`] | 32 | 17 | E8M0, then elements 2j and 2j + 1 in byte j |
//! | [`nvfp4`] | 16 | 9 | E4M3, then elements 2j and 2j + 1 in byte j; one f32 a tensor outside |
//! | [`q8_0`] | 32 | 34 | f16, then 32 int8 |
//! | [`q4_0`] | 32 | 18 | f16, then elements j and j + 16 in byte j, value − 8 |
//! | [`fp8`] | 1 | 1 | E4M3; one f32 a row outside |
//! | [`bf16`], [`f16`](mod@f16), f32 | 1 | 2, 2, 4 | little endian |
//!
//! One rule for what has no value: a block (of fp8: a row) with a NaN or an infinity gets the scale NaN and decodes to NaN
//! throughout, so that a check downstream sees it; bf16, f16 and f32 keep NaN and infinity as they are. Subnormal inputs are never
//! flushed before they are rounded. Only correctly rounded f32 operations and integer ones are used, nothing fused.

use std::fmt;
use std::str::FromStr;

pub mod bf16;
pub mod e2m1;
pub mod e4m3;
pub mod e8m0;
pub mod f16;
pub mod fp8;
pub mod int8;
pub mod magnitude;
pub mod mxfp4;
mod normal;
pub mod nvfp4;
pub mod q4_0;
pub mod q8_0;
mod rows;
pub mod splitmix;
pub mod synth;

pub use e2m1::{E2M1_TWICE, E2M1_VALUES};
pub use e4m3::E4M3_VALUES;
pub use e8m0::E8M0_VALUES;

/// How the weights of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Blocks of 32: E8M0 scale, E2M1 elements.
    Mxfp4,
    /// Blocks of 16: E4M3 scale, E2M1 elements, and one f32 scale a tensor.
    Nvfp4,
    /// Blocks of 32: f16 scale, int8 elements.
    Q8_0,
    /// Blocks of 32: f16 scale, four-bit elements.
    Q4_0,
    /// E4M3, and one f32 scale a row.
    Fp8,
    /// bfloat16.
    Bf16,
    /// IEEE binary16.
    F16,
    /// IEEE binary32.
    F32,
}

impl Format {
    /// Every format, in the order of the table above.
    pub const ALL: [Self; 8] =
        [Self::Mxfp4, Self::Nvfp4, Self::Q8_0, Self::Q4_0, Self::Fp8, Self::Bf16, Self::F16, Self::F32];

    /// The name used in ids and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mxfp4 => "mxfp4",
            Self::Nvfp4 => "nvfp4",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
            Self::Fp8 => "fp8",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }

    /// Elements a block, along k.
    pub const fn block(self) -> usize {
        match self {
            Self::Mxfp4 => mxfp4::MXFP4_BLOCK,
            Self::Nvfp4 => nvfp4::NVFP4_BLOCK,
            Self::Q8_0 => q8_0::Q8_0_BLOCK,
            Self::Q4_0 => q4_0::Q4_0_BLOCK,
            Self::Fp8 | Self::Bf16 | Self::F16 | Self::F32 => 1,
        }
    }

    /// Bytes a block, its scale included.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::Mxfp4 => mxfp4::MXFP4_BYTES,
            Self::Nvfp4 => nvfp4::NVFP4_BYTES,
            Self::Q8_0 => q8_0::Q8_0_BYTES,
            Self::Q4_0 => q4_0::Q4_0_BYTES,
            Self::Fp8 => 1,
            Self::Bf16 | Self::F16 => 2,
            Self::F32 => 4,
        }
    }

    /// Whether rows of `cols` elements are whole blocks; ask it of a shape that came from outside.
    pub const fn divides(self, cols: usize) -> bool {
        cols.is_multiple_of(self.block())
    }

    /// f32 scales that stand beside the bytes of a tensor of `rows` rows: one of NVFP4, one a row of FP8.
    pub const fn scales(self, rows: usize) -> usize {
        match self {
            Self::Nvfp4 => 1,
            Self::Fp8 => rows,
            _ => 0,
        }
    }

    /// The one of [`scales`](Self::scales) that row `row` is multiplied with; 1 where there is none.
    ///
    /// # Panics
    /// If it is not there.
    pub const fn scale_of(self, scales: &[f32], row: usize) -> f32 {
        match self {
            Self::Nvfp4 => scales[0],
            Self::Fp8 => scales[row],
            _ => 1.0,
        }
    }

    /// Bytes of `elements` elements, without the f32 scales beside them.
    ///
    /// # Panics
    /// If `elements` is not a whole number of blocks.
    pub const fn bytes(self, elements: usize) -> usize {
        assert!(self.divides(elements), "elements is a multiple of the format's block");
        elements / self.block() * self.block_bytes()
    }

    /// Stored bits an element, scales included (without the f32 scales beside the bytes).
    pub const fn bits_per_weight(self) -> f64 {
        (8 * self.block_bytes()) as f64 / self.block() as f64
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no format's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{0}`: choose one of mxfp4, nvfp4, q8_0, q4_0, fp8, bf16, f16, f32")]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}
