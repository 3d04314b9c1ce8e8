//! `peak` on a GPU: `mma.sync` of each type, and Hopper's `wgmma`.

use super::{Form, Peak, tiles};
use crate::cpu::variant::{no_weights, operands};
use crate::cuda::arch::{Arch, FROM_SM80, MMA_FP8, SM12XA, SM90A};
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::cuda::{Gpu, Properties};
use crate::{Arithmetic, Buffer, Fault, Io, Op, Unsupported};
use std::sync::Arc;

static SOURCE: Source = Source { path: "peak/peak.cu", text: include_str!("peak.cu") };

/// One block of so many warps an SM.
pub(super) struct Warps<const WARPS: usize>;
pub(super) static WARPS8: Cuda<(Peak, Warps<8>)> = Cuda::new();
pub(super) static WARPS16: Cuda<(Peak, Warps<16>)> = Cuda::new();

static SOURCE_SM90A: Source = Source { path: "peak/peak_sm90a.cu", text: include_str!("peak_sm90a.cu") };

/// Two warpgroups an SM.
pub(super) struct Wgmma;
pub(super) static WGMMA: Cuda<(Peak, Wgmma)> = Cuda::new();

/// Bytes of shared memory of a block of it: 64 rows of A and 256 of B, 128 bytes each.
const TILES_OF_BOTH: usize = (64 + 256) * 128;

/// The number of a type in `peak.cu`, and the architectures whose tensor cores multiply it as it is.
fn kind(of: Arithmetic) -> (usize, &'static [Arch]) {
    match of {
        Arithmetic::F32 => (0, FROM_SM80),
        Arithmetic::Bf16 => (1, FROM_SM80),
        Arithmetic::Int8 => (2, FROM_SM80),
        Arithmetic::Fp8 => (3, MMA_FP8),
        Arithmetic::Mxfp4 => (4, SM12XA),
        Arithmetic::Nvfp4 => (5, SM12XA),
    }
}

impl<const WARPS: usize> CudaOp<Peak> for Warps<WARPS> {
    type Ready = Function;
    const NAME: &'static str = if WARPS == 8 { "mma-8-warps" } else { "mma-16-warps" };

    fn accepts(op: &Peak, _: &Properties) -> Result<(), Unsupported> {
        if op.form == Form::Tiles {
            Ok(())
        } else {
            Err(Unsupported::because("multiplies tiles, and the op asks for vectors"))
        }
    }
    fn units(op: &Peak) -> Vec<Unit> {
        let (number, archs) = kind(op.of);
        let unit = Unit::plain(&SOURCE, archs, &["burn"]).with("TYPE", number).with("SPARSE", usize::from(op.sparse));
        vec![unit.with("WARPS", WARPS)]
    }
    fn ready(_: &Peak, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(Peak::NAME, weights)?;
        modules[0].function("burn")
    }
    fn run(op: &Peak, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let ([a, b, scales, start], [sums]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Peak::NAME, "A, B, scales and a start, and as output sums"));
        };
        if sums.len() < op.threads * tiles::TILES * tiles::SUMS {
            return Err(operands(Peak::NAME, "256 tiles of 128 sums for each SM"));
        }
        let args = Args::new().read(a).read(b).read(scales).read(start).write(sums).int(op.iterations);
        gpu.launch(function, Grid::line(op.threads, 32 * WARPS as u32), args)
    }
}

impl CudaOp<Peak> for Wgmma {
    type Ready = Function;
    const NAME: &'static str = "wgmma";

    fn accepts(op: &Peak, _: &Properties) -> Result<(), Unsupported> {
        match (op.form, op.of, op.sparse) {
            (Form::Tiles, Arithmetic::Bf16 | Arithmetic::Fp8, false) => Ok(()),
            _ => Err(Unsupported::because("multiplies tiles of bf16 and fp8 that are not sparse")),
        }
    }
    fn units(op: &Peak) -> Vec<Unit> {
        vec![
            Unit::plain(&SOURCE_SM90A, SM90A, &["burn_wgmma"])
                .with("TYPE", if op.of == Arithmetic::Fp8 { 3 } else { 1 }),
        ]
    }
    fn ready(_: &Peak, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(Peak::NAME, weights)?;
        modules[0].function("burn_wgmma")?.with_shared(TILES_OF_BOTH)
    }
    fn run(op: &Peak, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let ([a, b, _, start], [sums]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Peak::NAME, "A, B, scales and a start, and as output sums"));
        };
        let args = Args::new().read(a).read(b).read(start).write(sums).int(op.iterations);
        gpu.launch(function, Grid::line(op.threads, 256), args)
    }
}
