//! Looking up embeddings on a GPU.

use super::Embed;
use crate::cpu::variant::{operands, rows_in_use};
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::hold;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Fault, Io, Op};
use std::sync::Arc;

static SOURCE: Source = Source { path: "embed/naive.cu", text: include_str!("naive.cu") };

/// One block a token.
pub(super) struct Naive;
pub(super) static NAIVE: Cuda<(Embed, Naive)> = Cuda::new();

/// The function, the table and its scales, if any.
#[derive(Debug)]
pub(super) struct Ready {
    function: Function,
    weights: Vec<Buffer>,
}

impl CudaOp<Embed> for Naive {
    type Ready = Ready;
    const NAME: &'static str = "naive";

    fn units(op: &Embed) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["embed"]).with("FORMAT", op.format as usize)]
    }
    fn ready(op: &Embed, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        let scales = op.format.scales(op.vocab);
        let right = match weights {
            [table] => scales == 0 && table.len() == op.vocab * op.format.bytes(op.width),
            [table, given] => given.len() == scales && table.len() == op.vocab * op.format.bytes(op.width),
            _ => false,
        };
        if !right {
            return Err(operands(Embed::NAME, "the table and, where the format has them, its f32 scales"));
        }
        Ok(Ready { function: modules[0].function("embed")?, weights: hold(weights, gpu)? })
    }
    fn resident(ready: &Ready) -> u64 {
        ready.weights.iter().map(|weight| weight.bytes() as u64).sum()
    }
    fn run(op: &Embed, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Embed::NAME, io.live, op.rows)?;
        let ([tokens], [x]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Embed::NAME, "one input, the tokens, and one output"));
        };
        let args = Args::new()
            .read(tokens)
            .read(&ready.weights[0])
            .read_or_null(ready.weights.get(1))
            .write(x)
            .int(op.width)
            .int(op.vocab)
            .float(op.multiplier);
        gpu.launch(&ready.function, Grid::line(rows, 256), args)
    }
}
