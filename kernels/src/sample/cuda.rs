//! The largest logit on a GPU.

use super::{Method, Sample};
use crate::cpu::variant::{no_weights, operands, rows_in_use};
use crate::cuda::Gpu;
use crate::cuda::Properties;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Fault, Io, Op, Unsupported};
use std::sync::Arc;

static SOURCE: Source = Source { path: "sample/naive.cu", text: include_str!("naive.cu") };

/// One block a row.
pub(super) struct Naive;
pub(super) static NAIVE: Cuda<(Sample, Naive)> = Cuda::new();

impl CudaOp<Sample> for Naive {
    type Ready = Function;
    const NAME: &'static str = "naive";

    fn accepts(op: &Sample, _: &Properties) -> Result<(), Unsupported> {
        match op.method {
            Method::Greedy => Ok(()),
            Method::TopP { .. } => Err(Unsupported::because("takes the largest logit only; choose greedy, or a cpu")),
        }
    }
    fn units(_: &Sample) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["greedy"])]
    }
    fn ready(_: &Sample, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(Sample::NAME, weights)?;
        modules[0].function("greedy")
    }
    fn run(op: &Sample, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Sample::NAME, io.live, op.rows)?;
        let ([logits], [tokens]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Sample::NAME, "one input, the logits, and one output, the tokens"));
        };
        // Small rows would leave most of a block idle.
        let threads = (op.vocab.next_multiple_of(32)).min(1024) as u32;
        gpu.launch(function, Grid::line(rows, threads), Args::new().read(logits).write(tokens).int(op.vocab))
    }
}
