//! The number types of a key-value cache.

use crate::Type;

/// The number type that keys and values are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KvType {
    /// binary32, as computed.
    F32,
    /// bfloat16, rounded to nearest even on the way in.
    Bf16,
    /// 8-bit codes with one binary32 scale for each token and kv head: see [`Layout`](super::Layout).
    Int8,
    /// E4M3 codes without a scale, rounded to nearest even and saturating at ±448 on the way in.
    Fp8,
}

impl KvType {
    /// Every type there is.
    pub const ALL: &'static [KvType] = &[KvType::F32, KvType::Bf16, KvType::Int8, KvType::Fp8];
    /// Its name in ids.
    pub const fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::Bf16 => "bf16",
            KvType::Int8 => "int8",
            KvType::Fp8 => "fp8",
        }
    }
    /// The element type of the caches' buffers.
    pub const fn element(self) -> Type {
        match self {
            KvType::F32 => Type::F32,
            KvType::Bf16 => Type::Bf16,
            KvType::Int8 | KvType::Fp8 => Type::U8,
        }
    }
    /// Bytes of one key, or one value, of `head_dim` elements.
    pub const fn bytes(self, head_dim: usize) -> usize {
        let scale = match self {
            KvType::F32 | KvType::Bf16 | KvType::Fp8 => 0,
            KvType::Int8 => size_of::<f32>(),
        };
        head_dim * self.element().size() + scale
    }
}
