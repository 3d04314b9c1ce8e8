//! The number types of a key-value cache.

use crate::Type;

/// The number type that keys and values are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KvType {
    /// binary32, as computed.
    F32,
    /// bfloat16, rounded to nearest even on the way in.
    Bf16,
}

impl KvType {
    /// Every type there is.
    pub const ALL: &'static [KvType] = &[KvType::F32, KvType::Bf16];
    /// Its name in ids.
    pub const fn name(self) -> &'static str {
        match self {
            KvType::F32 => "f32",
            KvType::Bf16 => "bf16",
        }
    }
    /// The element type of the caches.
    pub const fn element(self) -> Type {
        match self {
            KvType::F32 => Type::F32,
            KvType::Bf16 => Type::Bf16,
        }
    }
}
