//! The Arm gemms, for experts.

use super::{Grouped, prepare};
use crate::gemm::neon::{self, bf16, dotprod, i8mm};

pub(in crate::gemm) static NEON_I8MM: Grouped = Grouped {
    gemm: &i8mm::NeonI8mm,
    prepare: |op, weights, device| prepare::<i8mm::NeonI8mm>(op, weights, device, i8mm::plan(&op.gemm())),
};
pub(in crate::gemm) static NEON_BF16: Grouped = Grouped {
    gemm: &bf16::NeonBf16,
    prepare: |op, weights, device| prepare::<bf16::NeonBf16>(op, weights, device, bf16::plan(&op.gemm())),
};
pub(in crate::gemm) static NEON_DOTPROD: Grouped = Grouped {
    gemm: &dotprod::NeonDotprod,
    prepare: |op, weights, device| prepare::<dotprod::NeonDotprod>(op, weights, device, dotprod::plan(&op.gemm())),
};
pub(in crate::gemm) static NEON: Grouped = Grouped {
    gemm: &neon::Neon,
    prepare: |op, weights, device| {
        let gemm = op.gemm();
        if gemm.integer() {
            prepare::<neon::Neon>(op, weights, device, neon::plan(&gemm))
        } else {
            prepare::<neon::float::NeonFloat>(op, weights, device, neon::float::plan(&gemm))
        }
    },
};
