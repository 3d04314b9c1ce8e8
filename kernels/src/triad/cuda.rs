//! `triad` on a GPU.

use super::Triad;
use crate::cpu::variant::{no_weights, operands};
use crate::cuda::Gpu;
use crate::cuda::Properties;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Fault, Io, Op, Unsupported};
use std::sync::Arc;

static SOURCE: Source = Source { path: "triad/triad.cu", text: include_str!("triad.cu") };

/// Threads of a block, and blocks of them an SM.
const THREADS: u32 = 512;
const BLOCKS: usize = 2;

/// With `STREAM` = 1 L2 is told that nobody comes back for what is written.
pub(super) struct Vectors<const STREAM: usize>;
pub(super) static STREAMED: Cuda<(Triad, Vectors<1>)> = Cuda::new();
pub(super) static PLAIN: Cuda<(Triad, Vectors<0>)> = Cuda::new();

impl<const STREAM: usize> CudaOp<Triad> for Vectors<STREAM> {
    type Ready = Function;
    const NAME: &'static str = if STREAM == 1 { "vectors-streamed" } else { "vectors" };

    fn accepts(op: &Triad, _gpu: &Properties) -> Result<(), Unsupported> {
        op.0.on_a_gpu()
    }
    fn units(_: &Triad) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["triad_floats"]).with("STREAMED", STREAM).with("UNROLLED", 4)]
    }
    fn ready(_: &Triad, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(Triad::NAME, weights)?;
        modules[0].function("triad_floats")
    }
    fn run(op: &Triad, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let ([b, c, s], [to]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Triad::NAME, "b, c and s, and as output a"));
        };
        let args = Args::new().read(b).read(c).read(s).write(to).long(op.0.bytes as u64).int(op.0.passes());
        gpu.launch(function, Grid::line(op.0.threads * BLOCKS, THREADS), args)
    }
}
