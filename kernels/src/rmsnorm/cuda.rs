//! RMS normalisation on a GPU.

use super::RmsNorm;
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

static SOURCE: Source = Source { path: "rmsnorm/naive.cu", text: include_str!("naive.cu") };

/// One block a row.
pub(super) struct Naive;
pub(super) static NAIVE: Cuda<(RmsNorm, Naive)> = Cuda::new();

/// The function and the gains: of y, and of delta or nothing.
#[derive(Debug)]
pub(super) struct Ready {
    function: Function,
    gains: Vec<Buffer>,
}

impl CudaOp<RmsNorm> for Naive {
    type Ready = Ready;
    const NAME: &'static str = "naive";

    fn units(_: &RmsNorm) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["rmsnorm"])]
    }
    fn ready(op: &RmsNorm, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        if weights.len() != op.gains() || weights.iter().any(|gain| gain.len() != op.width) {
            return Err(operands(RmsNorm::NAME, "a gain of its width, or with delta_norm two"));
        }
        Ok(Ready { function: modules[0].function("rmsnorm")?, gains: hold(weights, gpu)? })
    }
    fn resident(ready: &Ready) -> u64 {
        ready.gains.iter().map(|gain| gain.bytes() as u64).sum()
    }
    fn run(op: &RmsNorm, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(RmsNorm::NAME, io.live, op.rows)?;
        let wrong = || operands(RmsNorm::NAME, "one input and y, or with residual delta, y and x");
        let [input] = io.inputs else { return Err(wrong()) };
        let (y, state) = match (op.residual, &mut *io.outputs) {
            (false, [y]) => (y, None),
            (true, [y, x]) => (y, Some(&mut **x)),
            _ => return Err(wrong()),
        };
        let args = Args::new()
            .read(input)
            .write_or_null(state)
            .write(y)
            .read(&ready.gains[0])
            .read_or_null(ready.gains.get(1))
            .int(op.width)
            .float(op.multiplier)
            .float(op.eps);
        gpu.launch(&ready.function, Grid::line(rows, 256), args)
    }
}
