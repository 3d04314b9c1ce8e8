//! All units of all ops: what NVRTC compiles for the nasty shapes of each.

use spark_kernels::cuda::source::Unit;
use spark_kernels::{Backend, Op};
use std::collections::HashSet;

fn of<O: Op>(all: &mut Vec<Unit>, seen: &mut HashSet<Unit>) {
    for op in O::nasty() {
        for implementation in O::implementations().iter().filter(|i| i.backend() == Backend::Cuda) {
            all.extend(implementation.units(&op).into_iter().filter(|unit| seen.insert(unit.clone())));
        }
    }
}

/// Each once.
pub(crate) fn units() -> Vec<Unit> {
    let mut all = crate::wrapper_units::units();
    all.extend(spark_kernels::cuda::units());
    let mut seen: HashSet<Unit> = all.iter().cloned().collect();
    macro_rules! ops {
        ($($module:ident::$op:ident),* $(,)?) => { $(of::<spark_kernels::$module::$op>(&mut all, &mut seen);)* };
    }
    ops![
        attention::Attention,
        chase::Chase,
        copy::Copy,
        embed::Embed,
        gather::Gather,
        gemm::Gemm,
        launch::Launch,
        moe::Experts,
        moe::Route,
        moe::Touched,
        peak::Peak,
        read::Read,
        rmsnorm::RmsNorm,
        rope::Rope,
        sample::Sample,
        softcap::Softcap,
        stack::Stack,
        swiglu::SwiGlu,
        triad::Triad,
        write::Write,
    ];
    all.extend(spark_kernels::link::units().into_iter().filter(|unit| seen.insert(unit.clone())));
    all
}
