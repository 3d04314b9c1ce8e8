//! Which instructions this CPU has, asked at run time.

use crate::Unsupported;

macro_rules! features {
    ($($variant:ident $name:literal $arch:tt $detect:tt $doc:literal,)*) => {
        /// An instruction-set extension a kernel may need.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Feature { $(#[doc = $doc] $variant,)* }
        impl Feature {
            /// Every extension this crate knows.
            pub const ALL: &'static [Feature] = &[$(Feature::$variant,)*];
            /// Its usual name.
            pub const fn name(self) -> &'static str { match self { $(Feature::$variant => $name,)* } }
            /// Whether this CPU and its operating system have it.
            pub fn present(self) -> bool {
                match self { $(Feature::$variant => {
                    #[cfg(target_arch = $arch)] { features!(@detect $arch $detect) }
                    #[cfg(not(target_arch = $arch))] { false }
                })* }
            }
        }
    };
    (@detect "x86_64" $detect:tt) => { std::arch::is_x86_feature_detected!($detect) };
    (@detect "aarch64" $detect:tt) => { std::arch::is_aarch64_feature_detected!($detect) };
}

features! {
    Avx2 "avx2" "x86_64" "avx2" "256-bit integer vectors.",
    Fma "fma" "x86_64" "fma" "Fused multiply-add on 256-bit vectors.",
    F16c "f16c" "x86_64" "f16c" "binary16 conversion.",
    AvxVnni "avxvnni" "x86_64" "avxvnni" "int8 dot products on 256-bit vectors without AVX-512.",
    Avx512f "avx512f" "x86_64" "avx512f" "512-bit vectors.",
    Avx512bw "avx512bw" "x86_64" "avx512bw" "Byte and word operations on 512-bit vectors.",
    Avx512dq "avx512dq" "x86_64" "avx512dq" "Doubleword and quadword operations.",
    Avx512vl "avx512vl" "x86_64" "avx512vl" "AVX-512 operations on shorter vectors.",
    Avx512vnni "avx512vnni" "x86_64" "avx512vnni" "int8 dot products on 512-bit vectors.",
    Avx512bf16 "avx512bf16" "x86_64" "avx512bf16" "bf16 dot products.",
    Avx512vbmi "avx512vbmi" "x86_64" "avx512vbmi" "Byte permutes across a 512-bit vector.",
    Neon "neon" "aarch64" "neon" "128-bit vectors.",
    Dotprod "dotprod" "aarch64" "dotprod" "int8 dot products.",
    I8mm "i8mm" "aarch64" "i8mm" "int8 matrix multiply-accumulate.",
    Bf16 "bf16" "aarch64" "bf16" "bf16 dot products and matrix multiply-accumulate.",
    Fp16 "fp16" "aarch64" "fp16" "binary16 arithmetic.",
}

/// What the AVX2 kernels need.
pub const AVX2: &[Feature] = &[Feature::Avx2, Feature::Fma, Feature::F16c];
/// What the plain AVX-512 kernels need (Skylake-X and later).
pub const AVX512: &[Feature] = &[
    Feature::Avx512f,
    Feature::Avx512bw,
    Feature::Avx512dq,
    Feature::Avx512vl,
    Feature::Avx2,
    Feature::Fma,
    Feature::F16c,
];
/// [`AVX512`] with int8 dot products (Ice Lake, Zen 4 and later).
pub const AVX512_VNNI: &[Feature] = &[
    Feature::Avx512vnni,
    Feature::Avx512f,
    Feature::Avx512bw,
    Feature::Avx512dq,
    Feature::Avx512vl,
    Feature::Avx2,
    Feature::Fma,
    Feature::F16c,
];
/// [`AVX512`] with bf16 dot products (Cooper Lake, Sapphire Rapids, Zen 4 and later).
pub const AVX512_BF16: &[Feature] = &[
    Feature::Avx512bf16,
    Feature::Avx512f,
    Feature::Avx512bw,
    Feature::Avx512dq,
    Feature::Avx512vl,
    Feature::Avx2,
    Feature::Fma,
    Feature::F16c,
];
/// What every 64-bit Arm kernel needs, and every 64-bit Arm CPU has.
pub const NEON: &[Feature] = &[Feature::Neon];
/// [`NEON`] with int8 dot products (Cortex-A76, Neoverse N1, Apple A11 and later).
pub const NEON_DOTPROD: &[Feature] = &[Feature::Dotprod, Feature::Neon];
/// [`NEON_DOTPROD`] with int8 matrix products (Cortex-A710, Neoverse V1, Apple M2, and the cores of DGX Spark).
pub const NEON_I8MM: &[Feature] = &[Feature::I8mm, Feature::Dotprod, Feature::Neon];
/// [`NEON`] with bf16 dot and matrix products (the same cores).
pub const NEON_BF16: &[Feature] = &[Feature::Bf16, Feature::Neon];

/// Whether this CPU has all of `features`. Errors: the names of those it lacks.
pub fn require(features: &[Feature]) -> Result<(), Unsupported> {
    let lacking: Vec<_> = features.iter().filter(|f| !f.present()).map(|f| f.name()).collect();
    if lacking.is_empty() { Ok(()) } else { Err(Unsupported(format!("this cpu lacks {}", lacking.join(", ")))) }
}
