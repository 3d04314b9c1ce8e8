//! The gated activation on a GPU.

use super::{Gate, SwiGlu};
use crate::cpu::variant::{no_weights, operands, rows_in_use};
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Fault, Io, Op};
use std::sync::Arc;

static SOURCE: Source = Source { path: "swiglu/naive.cu", text: include_str!("naive.cu") };

/// One thread an element.
pub(super) struct Naive;
pub(super) static NAIVE: Cuda<(SwiGlu, Naive)> = Cuda::new();

impl CudaOp<SwiGlu> for Naive {
    type Ready = Function;
    const NAME: &'static str = "naive";

    fn units(op: &SwiGlu) -> Vec<Unit> {
        let gate = match op.gate {
            Gate::Silu => 0,
            Gate::GeluTanh => 1,
            Gate::Clamped { .. } => 2,
        };
        vec![Unit::plain(&SOURCE, FROM_SM80, &["swiglu"]).with("GATE", gate)]
    }
    fn ready(_: &SwiGlu, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(SwiGlu::NAME, weights)?;
        modules[0].function("swiglu")
    }
    fn run(op: &SwiGlu, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(SwiGlu::NAME, io.live, op.rows)?;
        let ([input], [y]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(SwiGlu::NAME, "one input and one output"));
        };
        let limit = if let Gate::Clamped { limit } = op.gate { limit } else { 0.0 };
        let args = Args::new().read(input).write(y).int(op.width).int(rows).float(limit);
        gpu.launch(function, Grid::covering(rows * op.width, 256), args)
    }
}
