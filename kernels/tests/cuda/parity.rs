//! Every CUDA implementation of an op against its f64 reference, over its nasty shapes, run on the CPU by the doubles.
#![expect(clippy::print_stdout, reason = "what a profile cannot run is said, not skipped silently")]

use crate::double::on;
use spark_kernels::attention::Attention;
use spark_kernels::cuda::Gpu;
use spark_kernels::cuda::arch::Arch;
use spark_kernels::parity::Posed;
use spark_kernels::{Backend, Op, parity};
use std::collections::BTreeSet;
use std::time::Instant;

/// The compute capability of GB10.
const SPARK: (u8, u8) = (12, 1);

/// Checks all of them on this GPU; panics with the first few that are wrong.
fn agree<O: Op>(gpu: &Gpu) -> usize {
    let (mut wrong, mut checked, mut refused) = (Vec::new(), 0, BTreeSet::new());
    let start = Instant::now();
    for (seed, op) in O::nasty().iter().enumerate() {
        let posed = Posed::new(op.clone().on(gpu), seed as u64, 1 << 12);
        for implementation in O::implementations().iter().filter(|i| i.backend() == Backend::Cuda) {
            let name = implementation.name();
            // What has run on GB10 is not run again: on the other profiles it is what they have of their own.
            let here = gpu.properties().capability;
            let on_spark = implementation.units(op).iter().all(|unit| Arch::choose(unit.archs, SPARK).is_ok());
            if here != SPARK && on_spark {
                continue;
            }
            if let Err(reason) = implementation.supports(op, gpu) {
                refused.insert(format!("{name}: {reason}"));
                continue;
            }
            match posed.answered_by(*implementation, gpu) {
                Ok(check) if check.passed() => checked += 1,
                Ok(check) => wrong.push(format!("{name}, {op:?}: {check:?}")),
                Err(fault) => wrong.push(format!("{name}, {op:?}: {fault}")),
            }
        }
    }
    println!("{}: {checked} right, {:.1} s", O::NAME, start.elapsed().as_secs_f64());
    refused.iter().for_each(|why| println!("{} {why}", O::NAME));
    assert!(wrong.is_empty(), "{} wrong, {checked} right:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
    checked
}

/// What an implementation multiplies in, whose peak is its roof, is not always what the op's activations suggest.
#[test]
fn the_roof_is_that_of_what_multiplies() {
    use spark_kernels::Arithmetic;
    use spark_kernels::format::Format as F;
    use spark_kernels::gemm::Activations as A;
    for (name, weights, activations, of) in [
        ("mma-sm120a", F::Nvfp4, A::Nvfp4, Arithmetic::Nvfp4),
        ("mma-sm120a", F::Mxfp4, A::Mxfp4, Arithmetic::Mxfp4),
        ("mma-sm80", F::Nvfp4, A::Nvfp4, Arithmetic::Int8),
        ("mma-sm80", F::Fp8, A::Fp8, Arithmetic::Bf16),
        ("wgmma-sm90a", F::Fp8, A::Fp8, Arithmetic::Fp8),
        ("wgmma-sm90a", F::Nvfp4, A::Bf16, Arithmetic::Bf16),
        ("cublaslt", F::Fp8, A::Fp8, Arithmetic::Fp8),
        ("cublaslt", F::Nvfp4, A::Nvfp4, Arithmetic::Nvfp4),
        ("naive", F::Fp8, A::Fp8, Arithmetic::Bf16),
    ] {
        let op = Gemm { m: 64, n: 64, k: 64, weights, activations, bias: false };
        let how = spark_kernels::named::<Gemm>(name).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(how.arithmetic(&op), of, "{name}, {op:?}");
    }
}

/// Shapes that take every width of a tile of `wgmma-sm90a`, and more tiles than an H200 has SMs.
#[test]
fn wide_tiles_on_h200() {
    on("parity::wide_tiles_on_h200", "h200", |gpu| {
        use spark_kernels::format::Format as F;
        use spark_kernels::gemm::Activations as A;
        let how = spark_kernels::named::<Gemm>("wgmma-sm90a").unwrap_or_else(|why| panic!("{why}"));
        for (weights, activations, m) in
            [(F::Bf16, A::Bf16, 300), (F::Nvfp4, A::Bf16, 300), (F::Mxfp4, A::Bf16, 100), (F::Fp8, A::Fp8, 140)]
        {
            let op = Gemm { m, n: 8500, k: 160, weights, activations, bias: true };
            let check = parity::check(&op, how, gpu, 5, 1 << 11).unwrap_or_else(|why| panic!("{op:?}: {why}"));
            assert!(check.passed(), "{op:?}: {check:?}");
        }
    });
}

macro_rules! tests {
    ($($name:ident, $profile:literal: $($op:ty),+;)*) => {$(
        #[test]
        fn $name() {
            on(concat!("parity::", stringify!($name)), $profile, |gpu| {
                let checked = 0 $(+ agree::<$op>(gpu))+;
                assert!(checked > 0, "nothing was checked");
            });
        }
    )*};
}
use spark_kernels::chase::Chase;
use spark_kernels::copy::Copy;
use spark_kernels::embed::Embed;
use spark_kernels::gather::Gather;
use spark_kernels::gemm::Gemm;
use spark_kernels::launch::Launch;
use spark_kernels::moe::{Experts, Route, Touched};
use spark_kernels::peak::Peak;
use spark_kernels::read::Read;
use spark_kernels::rmsnorm::RmsNorm;
use spark_kernels::rope::Rope;
use spark_kernels::sample::Sample;
use spark_kernels::softcap::Softcap;
use spark_kernels::stack::Stack;
use spark_kernels::swiglu::SwiGlu;
use spark_kernels::triad::Triad;
use spark_kernels::write::Write;
tests! {
    small_ops_on_gb10, "gb10": RmsNorm, Rope, SwiGlu, Softcap, Embed, Gather, Stack, Sample;
    gemm_on_gb10, "gb10": Gemm;
    roofs_on_gb10, "gb10": Peak, Read, Write, Copy, Triad, Chase, Launch;
    hopper_on_h200, "h200": Peak, Gemm;
    attention_on_gb10, "gb10": Attention;
    experts_on_gb10, "gb10": Route, Touched, Experts;
}
