//! `copy` on a GPU.

use super::Copy;
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

static SOURCE: Source = Source { path: "copy/copy.cu", text: include_str!("copy.cu") };

/// Threads of a block, and blocks of them an SM.
const THREADS: u32 = 512;
const BLOCKS: usize = 2;
/// Loads in flight a thread.
const UNROLLED: usize = 4;

/// With `STREAM` = 1 L2 is told that nobody comes back for what is written.
pub(super) struct Vectors<const STREAM: usize>;
pub(super) static STREAMED: Cuda<(Copy, Vectors<1>)> = Cuda::new();
pub(super) static PLAIN: Cuda<(Copy, Vectors<0>)> = Cuda::new();

/// What is compiled, its function `copy_words`.
pub(crate) fn unit(stream: usize) -> Unit {
    Unit::plain(&SOURCE, FROM_SM80, &["copy_words"]).with("STREAMED", stream).with("UNROLLED", UNROLLED)
}

/// Blocks for a copy of `bytes` on `sms` SMs: no more than have something to copy.
pub(crate) fn grid(bytes: usize, sms: usize) -> Grid {
    Grid::line(bytes.div_ceil(16 * THREADS as usize * UNROLLED).clamp(1, sms * BLOCKS), THREADS)
}

impl<const STREAM: usize> CudaOp<Copy> for Vectors<STREAM> {
    type Ready = Function;
    const NAME: &'static str = if STREAM == 1 { "vectors-streamed" } else { "vectors" };

    fn accepts(op: &Copy, _gpu: &Properties) -> Result<(), Unsupported> {
        op.0.on_a_gpu()
    }
    fn units(_: &Copy) -> Vec<Unit> {
        vec![unit(STREAM)]
    }
    fn ready(_: &Copy, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(Copy::NAME, weights)?;
        modules[0].function("copy_words")
    }
    fn run(op: &Copy, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let ([from], [to]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Copy::NAME, "an array, and as output another"));
        };
        let args = Args::new().read(from).write(to).long(op.0.bytes as u64).int(op.0.passes());
        gpu.launch(function, Grid::line(op.0.threads * BLOCKS, THREADS), args)
    }
}
