//! Every implementation of the gemm, and of a gemm for each expert, fastest first.

#[cfg(target_arch = "aarch64")]
use super::neon;
use super::{Gemm, cublaslt_cuda, experts_cuda, mma_cuda, naive_cuda, scalar, simt_cuda, wgmma_cuda};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx2_vnni, avx512, avx512_bf16, avx512_vnni};
use crate::Implementation;
use crate::moe::Experts;

#[cfg(target_arch = "x86_64")]
static BF16_FIRST: &[&dyn Implementation<Gemm>] = &[
    &avx512_vnni::Avx512Vnni,
    &avx512_bf16::Avx512Bf16,
    &avx512::Avx512,
    &avx2_vnni::Avx2Vnni,
    &avx2::Avx2,
    &scalar::Scalar,
    &wgmma_cuda::WGMMA,
    &mma_cuda::SM120A,
    &mma_cuda::SM80,
    &cublaslt_cuda::CUBLASLT,
    &simt_cuda::SIMT,
    &naive_cuda::NAIVE,
];

#[cfg(target_arch = "x86_64")]
static F32_FIRST: &[&dyn Implementation<Gemm>] = &[
    &avx512_vnni::Avx512Vnni,
    &avx512::Avx512,
    &avx512_bf16::Avx512Bf16,
    &avx2_vnni::Avx2Vnni,
    &avx2::Avx2,
    &scalar::Scalar,
    &wgmma_cuda::WGMMA,
    &mma_cuda::SM120A,
    &mma_cuda::SM80,
    &cublaslt_cuda::CUBLASLT,
    &simt_cuda::SIMT,
    &naive_cuda::NAIVE,
];

#[cfg(target_arch = "x86_64")]
static EXPERTS_BF16_FIRST: &[&dyn Implementation<Experts>] = &[
    &avx512_vnni::Avx512Vnni,
    &avx512_bf16::Avx512Bf16,
    &avx512::Avx512,
    &avx2_vnni::Avx2Vnni,
    &avx2::Avx2,
    &scalar::Scalar,
    &experts_cuda::SM120A,
    &experts_cuda::SM80,
    &naive_cuda::EXPERTS,
];

#[cfg(target_arch = "x86_64")]
static EXPERTS_F32_FIRST: &[&dyn Implementation<Experts>] = &[
    &avx512_vnni::Avx512Vnni,
    &avx512::Avx512,
    &avx512_bf16::Avx512Bf16,
    &avx2_vnni::Avx2Vnni,
    &avx2::Avx2,
    &scalar::Scalar,
    &experts_cuda::SM120A,
    &experts_cuda::SM80,
    &naive_cuda::EXPERTS,
];

/// Where `vpdpbusd` has a whole port pair and `vdpbf16ps` a quarter of one, bf16 gemms are faster in f32.
///
/// Measured on Emerald Rapids: a loop of nothing but `vdpbf16ps` issues one every other cycle, of 512 bits as of 256 (bench
/// `bounds`), which is half of the f32 multiply-adds a second; gemms reach 0.45 of that peak through it, 0.85 through f32. Zen 4 and
/// 5 run it at twice the f32 rate. The maker decides, not a timing: an order that changes from run to run would change the ids of records.
#[cfg(target_arch = "x86_64")]
pub(super) fn implementations() -> &'static [&'static dyn Implementation<Gemm>] {
    if intel() { F32_FIRST } else { BF16_FIRST }
}

#[cfg(target_arch = "x86_64")]
fn intel() -> bool {
    let maker = std::arch::x86_64::__cpuid(0);
    [maker.ebx, maker.edx, maker.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
}

/// The same for the projections of experts.
#[cfg(target_arch = "x86_64")]
pub(crate) fn experts() -> &'static [&'static dyn Implementation<Experts>] {
    if intel() { EXPERTS_F32_FIRST } else { EXPERTS_BF16_FIRST }
}

/// The same for the projections of experts.
#[cfg(target_arch = "aarch64")]
pub(crate) fn experts() -> &'static [&'static dyn Implementation<Experts>] {
    static ARM: &[&dyn Implementation<Experts>] = &[
        &neon::i8mm::NeonI8mm,
        &neon::bf16::NeonBf16,
        &neon::dotprod::NeonDotprod,
        &neon::Neon,
        &scalar::Scalar,
        &experts_cuda::SM120A,
        &experts_cuda::SM80,
        &naive_cuda::EXPERTS,
    ];
    ARM
}

/// Plain Rust alone, until this architecture has kernels.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) fn experts() -> &'static [&'static dyn Implementation<Experts>] {
    static PLAIN: &[&dyn Implementation<Experts>] =
        &[&scalar::Scalar, &experts_cuda::SM120A, &experts_cuda::SM80, &naive_cuda::EXPERTS];
    PLAIN
}

/// Matrix products before dot products: they do twice the work in one instruction.
#[cfg(target_arch = "aarch64")]
pub(super) fn implementations() -> &'static [&'static dyn Implementation<Gemm>] {
    static ARM: &[&dyn Implementation<Gemm>] = &[
        &neon::i8mm::NeonI8mm,
        &neon::bf16::NeonBf16,
        &neon::dotprod::NeonDotprod,
        &neon::Neon,
        &scalar::Scalar,
        &wgmma_cuda::WGMMA,
        &mma_cuda::SM120A,
        &mma_cuda::SM80,
        &cublaslt_cuda::CUBLASLT,
        &simt_cuda::SIMT,
        &naive_cuda::NAIVE,
    ];
    ARM
}

/// Plain Rust alone, until this architecture has kernels.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn implementations() -> &'static [&'static dyn Implementation<Gemm>] {
    static PLAIN: &[&dyn Implementation<Gemm>] = &[
        &scalar::Scalar,
        &wgmma_cuda::WGMMA,
        &mma_cuda::SM120A,
        &mma_cuda::SM80,
        &cublaslt_cuda::CUBLASLT,
        &simt_cuda::SIMT,
        &naive_cuda::NAIVE,
    ];
    PLAIN
}
