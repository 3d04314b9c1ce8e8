//! The x86 gemms, for experts.

use super::{Grouped, prepare};
use crate::format::Format;
use crate::gemm::{avx2, avx2_float, avx2_vnni, avx512, avx512_bf16, avx512_fp8, avx512_vnni, float, integer};

pub(in crate::gemm) static AVX512_VNNI: Grouped = Grouped {
    gemm: &avx512_vnni::Avx512Vnni,
    prepare: |op, weights, device| {
        prepare::<avx512_vnni::Avx512Vnni>(op, weights, device, avx512_vnni::plan(&op.gemm()))
    },
};
pub(in crate::gemm) static AVX512_BF16: Grouped = Grouped {
    gemm: &avx512_bf16::Avx512Bf16,
    prepare: |op, weights, device| prepare::<avx512_bf16::Avx512Bf16>(op, weights, device, float::plan(&op.gemm(), 2)),
};
pub(in crate::gemm) static AVX512: Grouped = Grouped {
    gemm: &avx512::Avx512,
    prepare: |op, weights, device| {
        let plan = float::plan(&op.gemm(), 1);
        match op.weights {
            Format::Fp8 => prepare::<avx512_fp8::Avx512Fp8>(op, weights, device, plan),
            _ => prepare::<avx512::Avx512>(op, weights, device, plan),
        }
    },
};
pub(in crate::gemm) static AVX2_VNNI: Grouped = Grouped {
    gemm: &avx2_vnni::Avx2Vnni,
    prepare: |op, weights, device| prepare::<avx2_vnni::Avx2Vnni>(op, weights, device, integer::plan(&op.gemm())),
};
pub(in crate::gemm) static AVX2: Grouped = Grouped {
    gemm: &avx2::Avx2,
    prepare: |op, weights, device| {
        let gemm = op.gemm();
        if gemm.integer() {
            prepare::<avx2::Avx2>(op, weights, device, integer::plan(&gemm))
        } else {
            prepare::<avx2_float::Avx2Float>(op, weights, device, float::plan(&gemm, 1))
        }
    },
};
