//! Weights as GGUF files hold them, and f16 and f32, on a GPU's CUDA cores: nothing is packed.

use super::activations::Activations;
use super::naive_cuda::{Rounded, rounding};
use super::{Gemm, canonical};
use crate::cpu::variant::{operands, rows_in_use};
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::cuda::{Gpu, Properties, hold};
use crate::format::Format;
use crate::{Arithmetic, Buffer, Fault, Io, Op, Unsupported};
use std::sync::Arc;

static SOURCE: Source = Source { path: "gemm/simt.cu", text: include_str!("simt.cu") };

/// Outputs of a block, and its threads: `WARPS` and `OUTPUTS` in the `.cu` file.
const A_BLOCK: usize = 8 * 4;
const THREADS: u32 = 256;
/// Rows of a block of the second function.
const ROWS: usize = 8;
/// What a lane reads at once of f16 and f32.
const EIGHT: usize = 8;

/// One warp for four outputs.
pub(super) struct Simt;
pub(super) static SIMT: Cuda<(Gemm, Simt)> = Cuda::new();

/// The functions for one row and for many, canonical weights, and room for what is rounded.
#[derive(Debug)]
pub(super) struct Ready {
    functions: [Function; 2],
    weights: Buffer,
    bias: Option<Buffer>,
    /// `None` for rows that stay f32.
    rounded: Option<Rounded>,
}

fn takes(op: &Gemm) -> Result<(), Unsupported> {
    match op.weights {
        format if format.affine() => Ok(()),
        Format::F16 | Format::F32 if op.k.is_multiple_of(EIGHT) => Ok(()),
        Format::F16 | Format::F32 => Err(Unsupported(format!("reads {EIGHT} elements at once, and k = {}", op.k))),
        format => Err(Unsupported(format!("is for f16, f32 and GGUF's scales with offsets, not for {format}"))),
    }
}

impl CudaOp<Gemm> for Simt {
    type Ready = Ready;
    const NAME: &'static str = "simt";

    fn accepts(op: &Gemm, _gpu: &Properties) -> Result<(), Unsupported> {
        takes(op)
    }
    fn arithmetic(_op: &Gemm) -> Arithmetic {
        Arithmetic::F32
    }
    fn units(op: &Gemm) -> Vec<Unit> {
        if takes(op).is_err() {
            return Vec::new();
        }
        let multiply = Unit::plain(&SOURCE, FROM_SM80, &["simt_1", "simt_8"]).with("WEIGHTS", op.weights as usize);
        match op.activations {
            Activations::F32 => vec![multiply],
            rounded => vec![multiply, rounding(rounded)],
        }
    }
    fn ready(op: &Gemm, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        canonical::shapes(op, weights)?;
        let mut held = hold(weights, gpu)?;
        let bias = if op.bias { held.pop() } else { None };
        let Some(weights) = held.pop() else { return Err(operands(Gemm::NAME, "weights")) };
        let rounded = modules.get(1).map(|module| Rounded::new(op, op.m, module.function("round_rows")?, gpu));
        let functions = [modules[0].function("simt_1")?, modules[0].function("simt_8")?];
        Ok(Ready { functions, weights, bias, rounded: rounded.transpose()? })
    }
    fn resident(ready: &Ready) -> u64 {
        [&ready.weights].into_iter().chain(&ready.bias).map(|weight| weight.bytes() as u64).sum()
    }
    fn run(op: &Gemm, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Gemm::NAME, io.live, op.m)?;
        let ([x], [y]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Gemm::NAME, "one input and one output"));
        };
        if rows == 0 {
            return Ok(());
        }
        if let Some(rounded) = &mut ready.rounded {
            rounded.round(x, rows, gpu)?;
        }
        let x = ready.rounded.as_ref().and_then(|rounded| rounded.floats.as_ref()).unwrap_or(x);
        let args = Args::new().read(&ready.weights).read_or_null(ready.bias.as_ref()).read(x).write(y);
        let (function, a_block) = if rows == 1 { (&ready.functions[0], 1) } else { (&ready.functions[1], ROWS) };
        let grid = Grid::of([op.n.div_ceil(A_BLOCK), rows.div_ceil(a_block), 1], THREADS);
        gpu.launch(function, grid, args.int(rows).int(op.n).int(op.k))
    }
}
