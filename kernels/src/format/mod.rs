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
//! | [`affine`]: q4_1, q5_0, q5_1, q4_k, q5_k, q6_k | 32, 256 | 20 … 210 | GGUF's |
//! | [`fp8`] | 1 | 1 | E4M3; one f32 a row outside |
//! | [`bf16`], [`f16`](mod@f16), f32 | 1 | 2, 2, 4 | little endian |
//!
//! One rule for what has no value: a block (of fp8: a row) with a NaN or an infinity gets the scale NaN and decodes to NaN
//! throughout, so that a check downstream sees it; bf16, f16 and f32 keep NaN and infinity as they are. Subnormal inputs are never
//! flushed before they are rounded. Only correctly rounded f32 operations and integer ones are used, nothing fused.

use std::fmt;
use std::str::FromStr;

pub mod affine;
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
    /// Blocks of 32: f16 scale and offset, four-bit codes.
    Q4_1,
    /// Blocks of 32: f16 scale, five-bit codes.
    Q5_0,
    /// Blocks of 32: f16 scale and offset, five-bit codes.
    Q5_1,
    /// Blocks of 256 in groups of 32 with six-bit scales and offsets, four-bit codes.
    Q4K,
    /// Blocks of 256 in groups of 32 with six-bit scales and offsets, five-bit codes.
    Q5K,
    /// Blocks of 256 in groups of 16 with eight-bit scales, six-bit codes.
    Q6K,
}

impl Format {
    /// Every format, in the order of the table above.
    pub const ALL: [Self; 14] = [
        Self::Mxfp4,
        Self::Nvfp4,
        Self::Q8_0,
        Self::Q4_0,
        Self::Fp8,
        Self::Bf16,
        Self::F16,
        Self::F32,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

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
            Self::Q4_1 => "q4_1",
            Self::Q5_0 => "q5_0",
            Self::Q5_1 => "q5_1",
            Self::Q4K => "q4_k",
            Self::Q5K => "q5_k",
            Self::Q6K => "q6_k",
        }
    }

    /// Elements a block, along k.
    pub const fn block(self) -> usize {
        match self {
            Self::Mxfp4 => mxfp4::MXFP4_BLOCK,
            Self::Nvfp4 => nvfp4::NVFP4_BLOCK,
            Self::Q8_0 => q8_0::Q8_0_BLOCK,
            Self::Q4_0 => q4_0::Q4_0_BLOCK,
            Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => affine::BLOCK,
            Self::Q4K | Self::Q5K | Self::Q6K => affine::BLOCK_K,
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
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
            Self::Fp8 => 1,
            Self::Bf16 | Self::F16 => 2,
            Self::F32 => 4,
        }
    }

    /// Whether its values are code · scale + offset: one of [`affine`].
    pub const fn affine(self) -> bool {
        matches!(self, Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q4K | Self::Q5K | Self::Q6K)
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
#[error(
    "unknown format `{0}`: choose one of mxfp4, nvfp4, q8_0, q4_0, fp8, bf16, f16, f32, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k"
)]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}
