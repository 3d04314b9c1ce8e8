//! What the f32 activations of a gemm are rounded to, each row by itself.

use crate::format::{bf16, e4m3, e8m0, fp8, int8, mxfp4, nvfp4};
use std::fmt;
use std::str::FromStr;

/// The number type of the activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Activations {
    /// f32, as they come.
    F32,
    /// bfloat16.
    Bf16,
    /// Symmetric int8, one f32 scale a row.
    Int8,
    /// Symmetric int8, one f32 scale for each 32 along k.
    Int8g32,
    /// E4M3, one f32 scale a row.
    Fp8,
    /// Blocks of 32 along k: E8M0 scale, E2M1 elements.
    Mxfp4,
    /// Blocks of 16 along k: E4M3 scale, E2M1 elements, and one f32 scale a row.
    Nvfp4,
}

impl Activations {
    /// Every kind.
    pub const ALL: [Self; 7] = [Self::F32, Self::Bf16, Self::Int8, Self::Int8g32, Self::Fp8, Self::Mxfp4, Self::Nvfp4];

    /// The name used in ids and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int8g32 => "int8g32",
            Self::Fp8 => "fp8",
            Self::Mxfp4 => "mxfp4",
            Self::Nvfp4 => "nvfp4",
        }
    }

    /// What k has to be a multiple of.
    pub const fn group(self) -> usize {
        match self {
            Self::F32 | Self::Bf16 | Self::Int8 | Self::Fp8 => 1,
            Self::Int8g32 => int8::INT8_GROUP,
            Self::Mxfp4 => mxfp4::MXFP4_BLOCK,
            Self::Nvfp4 => nvfp4::NVFP4_BLOCK,
        }
    }

    /// Whether a scale stands in each group along k, beside or instead of the row's.
    pub(crate) const fn grouped(self) -> bool {
        matches!(self, Self::Int8g32 | Self::Mxfp4 | Self::Nvfp4)
    }

    /// Rounds one row to codes: value = code · scale of its `block` (1 unless [`grouped`](Self::grouped)) · returned row scale.
    ///
    /// `scales` has one entry for each `block` elements; a group wider than `block` repeats its scale. For the float kinds
    /// use [`round`](Self::round). `bytes` is scratch of one byte a group, for the kinds with byte scales.
    pub(crate) fn quantize(
        self,
        x: &[f32],
        block: usize,
        codes: &mut [i8],
        scales: &mut [f32],
        bytes: &mut [u8],
    ) -> f32 {
        match self {
            Self::F32 | Self::Bf16 | Self::Fp8 => unreachable!("float activations have no codes"),
            Self::Int8 => int8::quantize_row(x, codes),
            Self::Int8g32 => {
                let (groups, a_group) = (x.len() / int8::INT8_GROUP, int8::INT8_GROUP / block);
                for g in 0..groups {
                    let at = g * int8::INT8_GROUP..(g + 1) * int8::INT8_GROUP;
                    let scale = int8::quantize_row(&x[at.clone()], &mut codes[at]);
                    scales[g * a_group..(g + 1) * a_group].fill(scale);
                }
                1.0
            }
            Self::Mxfp4 => {
                let bytes = &mut bytes[..x.len() / mxfp4::MXFP4_BLOCK];
                mxfp4::quantize_row(x, codes, bytes);
                for (scale, byte) in scales.iter_mut().zip(bytes) {
                    *scale = e8m0::decode(*byte);
                }
                // The codes are twice the values.
                0.5
            }
            Self::Nvfp4 => {
                let bytes = &mut bytes[..x.len() / nvfp4::NVFP4_BLOCK];
                let row = nvfp4::quantize_row(x, codes, bytes);
                for (scale, byte) in scales.iter_mut().zip(bytes) {
                    *scale = e4m3::decode(*byte);
                }
                0.5 * row
            }
        }
    }

    /// Rounds one row of float activations into `out`, and returns the scale of the row: 1 but for FP8.
    pub(crate) fn round(self, x: &[f32], out: &mut [f32]) -> f32 {
        match self {
            Self::Bf16 => x.iter().zip(out).for_each(|(x, out)| *out = bf16::decode(bf16::encode(*x))),
            Self::Fp8 => return fp8::round_row(x, out),
            _ => out.copy_from_slice(x),
        }
        1.0
    }
    /// The scale that [`round`](Self::round) returns for this row.
    pub(crate) fn row_scale(self, x: &[f32]) -> f32 {
        if self == Self::Fp8 { fp8::row_scale(x) } else { 1.0 }
    }
}

impl fmt::Display for Activations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no kind of activations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown activations `{0}`: choose one of f32, bf16, int8, int8g32, fp8, mxfp4, nvfp4")]
pub struct UnknownActivations(pub String);

impl FromStr for Activations {
    type Err = UnknownActivations;

    fn from_str(name: &str) -> Result<Self, UnknownActivations> {
        Self::ALL.into_iter().find(|a| a.name() == name).ok_or_else(|| UnknownActivations(name.to_owned()))
    }
}
