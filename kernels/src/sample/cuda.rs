//! The next token on a GPU: the largest logit, or a draw from the most probable ones.

use super::{Method, Sample};
use crate::cpu::variant::{no_weights, operands, rows_in_use};
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Device, Fault, Io, Op, Placement, Type};
use std::sync::Arc;

static GREEDY: Source = Source { path: "sample/naive.cu", text: include_str!("naive.cu") };
static NUCLEUS: Source = Source { path: "sample/nucleus.cu", text: include_str!("nucleus.cu") };

/// One block a row.
pub(super) struct Naive;
pub(super) static NAIVE: Cuda<(Sample, Naive)> = Cuda::new();

/// The function, and for a draw the weights of all rows.
#[derive(Debug)]
pub(super) struct Ready {
    function: Function,
    weights: Buffer,
}

impl CudaOp<Sample> for Naive {
    type Ready = Ready;
    const NAME: &'static str = "naive";

    fn units(op: &Sample) -> Vec<Unit> {
        vec![match op.method {
            Method::Greedy => Unit::plain(&GREEDY, FROM_SM80, &["greedy"]),
            Method::TopP { .. } => Unit::plain(&NUCLEUS, FROM_SM80, &["nucleus"]),
        }]
    }
    fn ready(op: &Sample, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        no_weights(Sample::NAME, weights)?;
        let (name, drawn) = match op.method {
            Method::Greedy => ("greedy", 0),
            Method::TopP { .. } => ("nucleus", op.rows * op.vocab),
        };
        let weights = gpu.alloc(Type::U32, drawn, Placement::Fast)?;
        Ok(Ready { function: modules[0].function(name)?, weights })
    }
    fn run(op: &Sample, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Sample::NAME, io.live, op.rows)?;
        let ([logits], [tokens]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Sample::NAME, "one input, the logits, and one output, the tokens"));
        };
        // Small rows would leave most of a block idle.
        let grid = Grid::line(rows, (op.vocab.next_multiple_of(32)).min(1024) as u32);
        let args = match op.method {
            Method::Greedy => Args::new().read(logits).write(tokens).int(op.vocab),
            Method::TopP { temperature, top_p, seed } => {
                let table = gpu.rows(io.live)?;
                let args = Args::new().read(logits).write(&mut ready.weights).write(tokens).address(table);
                args.int(op.vocab).float(temperature).float(top_p).long(seed)
            }
        };
        gpu.launch(&ready.function, grid, args)
    }
}
