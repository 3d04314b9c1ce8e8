//! Bent logits on a GPU.

use super::Softcap;
use crate::cpu::variant::{no_weights, operands, rows_in_use};
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Fault, Io, Op};
use std::sync::Arc;

static SOURCE: Source = Source { path: "softcap/naive.cu", text: include_str!("naive.cu") };

/// One thread an element.
pub(super) struct Naive;
pub(super) static NAIVE: Cuda<(Softcap, Naive)> = Cuda::new();

impl CudaOp<Softcap> for Naive {
    type Ready = Function;
    const NAME: &'static str = "naive";

    fn units(_: &Softcap) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["softcap"])]
    }
    fn ready(_: &Softcap, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(Softcap::NAME, weights)?;
        modules[0].function("softcap")
    }
    fn run(op: &Softcap, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let count = rows_in_use(Softcap::NAME, io.live, op.rows)? * op.width;
        let ([], [x]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Softcap::NAME, "no input and one output, which is read and written"));
        };
        let args = Args::new().write(x).long(count as u64).float(op.cap);
        gpu.launch(function, Grid::covering(count, 256), args)
    }
}
