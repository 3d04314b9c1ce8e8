//! Whole rows of any format: f32 to blocks, blocks to f32, and one element exactly.

use super::{Format, affine, bf16, f16, fp8, mxfp4, nvfp4, q4_0, q8_0};

impl Format {
    /// The f32 scale that a tensor (of FP8: a row) with these values has beside its bytes: 1 for every format but NVFP4 and FP8.
    pub fn tensor_scale(self, values: &[f32]) -> f32 {
        match self {
            Self::Nvfp4 => nvfp4::tensor_scale(values),
            Self::Fp8 => fp8::row_scale(values),
            _ => 1.0,
        }
    }

    /// Quantises `values` (rows of whole blocks; of FP8 one row) into `out`; `tensor_scale` counts for NVFP4 and FP8 alone.
    ///
    /// # Panics
    /// If `values` is not a whole number of blocks or `out` is not [`bytes`](Self::bytes) long.
    pub fn quantize(self, values: &[f32], tensor_scale: f32, out: &mut [u8]) {
        assert_eq!(self.bytes(values.len()), out.len(), "{self}: the bytes of {} elements", values.len());
        match self {
            Self::Mxfp4 => mxfp4::quantize(values, out),
            Self::Nvfp4 => nvfp4::quantize(values, tensor_scale, out),
            Self::Q8_0 => q8_0::quantize(values, out),
            Self::Q4_0 => q4_0::quantize(values, out),
            Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q4K | Self::Q5K | Self::Q6K => {
                affine::quantize(self, values, out);
            }
            Self::Fp8 => fp8::quantize(values, tensor_scale, out),
            Self::Bf16 => bf16::quantize(values, out),
            Self::F16 => f16::quantize(values, out),
            Self::F32 => {
                for (value, out) in values.iter().zip(out.as_chunks_mut::<4>().0) {
                    *out = value.to_le_bytes();
                }
            }
        }
    }

    /// Decodes `bytes` (of FP8 one row) into `out`: [`decode`](Self::decode), rounded once to f32.
    ///
    /// # Panics
    /// If `out` is not a whole number of blocks or `bytes` is not [`bytes`](Self::bytes) of it long.
    pub fn dequantize(self, bytes: &[u8], tensor_scale: f32, out: &mut [f32]) {
        assert_eq!(bytes.len(), self.bytes(out.len()), "{self}: the bytes of {} elements", out.len());
        match self {
            Self::Mxfp4 => mxfp4::dequantize(bytes, out),
            Self::Nvfp4 => nvfp4::dequantize(bytes, tensor_scale, out),
            Self::Q8_0 => q8_0::dequantize(bytes, out),
            Self::Q4_0 => q4_0::dequantize(bytes, out),
            Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q4K | Self::Q5K | Self::Q6K => {
                affine::dequantize(self, bytes, out);
            }
            Self::Fp8 => fp8::dequantize(bytes, tensor_scale, out),
            Self::Bf16 => bf16::dequantize(bytes, out),
            Self::F16 => f16::dequantize(bytes, out),
            Self::F32 => {
                for (bytes, out) in bytes.as_chunks::<4>().0.iter().zip(out) {
                    *out = f32::from_le_bytes(*bytes);
                }
            }
        }
    }

    /// The exact value of element `index` of `bytes`, below the f32 scale of its tensor or row, for references.
    ///
    /// # Panics
    /// If `index` lies beyond `bytes`.
    pub fn decode(self, bytes: &[u8], tensor_scale: f32, index: usize) -> f64 {
        let (block, i) = (index / self.block(), index % self.block());
        let block = &bytes[block * self.block_bytes()..][..self.block_bytes()];
        match self {
            Self::Mxfp4 => mxfp4::decode(block, i),
            Self::Nvfp4 => nvfp4::decode(block, tensor_scale, i),
            Self::Q8_0 => q8_0::decode(block, i),
            Self::Q4_0 => q4_0::decode(block, i),
            Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q4K | Self::Q5K | Self::Q6K => affine::decode(self, block, i),
            Self::Fp8 => fp8::decode(block[0], tensor_scale),
            Self::Bf16 => f64::from(bf16::decode(u16::from_le_bytes([block[0], block[1]]))),
            Self::F16 => f64::from(f16::decode(u16::from_le_bytes([block[0], block[1]]))),
            Self::F32 => f64::from(f32::from_le_bytes([block[0], block[1], block[2], block[3]])),
        }
    }
}
