//! `chase` on a GPU.

use super::Chase;
use crate::cpu::variant::{no_weights, operands};
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Fault, Io, Op};
use std::sync::Arc;

static SOURCE: Source = Source { path: "chase/chase.cu", text: include_str!("chase.cu") };

/// One thread; its reads go through L1 with `CACHED` = 1.
pub(super) struct Walk<const CACHED: usize>;
pub(super) static THROUGH_L1: Cuda<(Chase, Walk<1>)> = Cuda::new();
pub(super) static PAST_L1: Cuda<(Chase, Walk<0>)> = Cuda::new();

impl<const CACHED: usize> CudaOp<Chase> for Walk<CACHED> {
    type Ready = Function;
    const NAME: &'static str = if CACHED == 1 { "through-l1" } else { "past-l1" };

    fn units(_: &Chase) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["follow"]).with("CACHED", CACHED)]
    }
    fn ready(_: &Chase, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(Chase::NAME, weights)?;
        modules[0].function("follow")
    }
    fn run(op: &Chase, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let ([links], [at]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Chase::NAME, "links, and as output the line the walk stands at"));
        };
        let args = Args::new().read(links).write(at).int(op.hops());
        gpu.launch(function, Grid::line(1, 1), args)
    }
}
