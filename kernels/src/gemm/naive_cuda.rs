//! The plain gemm on a GPU, and a gemm for each expert: any pair of formats, any shape.

use super::activations::Activations;
use super::{Gemm, canonical};
use crate::cpu::variant::{operands, rows_in_use};
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::cuda::{Gpu, hold};
use crate::moe::{self, Experts};
use crate::{Buffer, Device, Fault, Io, Op, Placement, Type};
use std::sync::Arc;

static ROUND: Source = Source { path: "gemm/round.cu", text: include_str!("round.cu") };
static SOURCE: Source = Source { path: "gemm/naive.cu", text: include_str!("naive.cu") };

/// Warps a block, an output each.
const WARPS: usize = 8;
/// Rows that a warp takes: `ROWS` in the `.cu` file.
const ROWS: usize = 4;

/// One warp an output.
pub(super) struct Naive;
pub(super) static NAIVE: Cuda<(Gemm, Naive)> = Cuda::new();
pub(super) static EXPERTS: Cuda<(Experts, Naive)> = Cuda::new();

/// What is compiled to round activations.
pub(super) fn rounding(activations: Activations) -> Unit {
    Unit::plain(&ROUND, FROM_SM80, &["round_rows"]).with("ACTIVATIONS", activations as usize)
}

fn units(op: &Gemm) -> Vec<Unit> {
    let group = if op.activations.grouped() { op.activations.group() } else { 0 };
    let multiply = Unit::plain(&SOURCE, FROM_SM80, &["gemm", "experts"])
        .with("WEIGHTS", op.weights as usize)
        .with("INTEGER", usize::from(op.integer()))
        .with("GROUP", group);
    vec![rounding(op.activations), multiply]
}

/// Rows of activations, rounded on the GPU.
#[derive(Debug)]
pub(super) struct Rounded {
    function: Function,
    /// m × k of the integer kinds.
    pub(super) codes: Option<Buffer>,
    /// m × k of the float kinds.
    pub(super) floats: Option<Buffer>,
    /// m × k / group of the kinds with groups.
    pub(super) scales: Option<Buffer>,
    /// m.
    pub(super) row_scales: Buffer,
    k: usize,
}

impl Rounded {
    /// Scratch for `rows` rows of `op`'s activations. `function` is `round_rows` of [`rounding`].
    pub(super) fn new(op: &Gemm, rows: usize, function: Function, gpu: &Gpu) -> Result<Self, Fault> {
        let some = |there: bool, of, len| there.then(|| gpu.alloc(of, len, Placement::Fast)).transpose();
        let grouped = op.activations.grouped();
        Ok(Self {
            function,
            codes: some(op.integer(), Type::I8, rows * op.k)?,
            floats: some(!op.integer(), Type::F32, rows * op.k)?,
            scales: some(grouped, Type::F32, rows * op.k / op.activations.group())?,
            row_scales: gpu.alloc(Type::F32, rows, Placement::Fast)?,
            k: op.k,
        })
    }
    /// Rounds the first `rows` rows of `x`.
    pub(super) fn round(&mut self, x: &Buffer, rows: usize, gpu: &Gpu) -> Result<(), Fault> {
        let args = Args::new()
            .read(x)
            .write_or_null(self.codes.as_mut())
            .write_or_null(self.floats.as_mut())
            .write_or_null(self.scales.as_mut())
            .write(&mut self.row_scales)
            .int(self.k);
        gpu.launch(&self.function, Grid::line(rows, 256), args)
    }
    fn operands<'a>(&'a self, args: Args<'a>) -> Args<'a> {
        args.read_or_null(self.codes.as_ref())
            .read_or_null(self.floats.as_ref())
            .read_or_null(self.scales.as_ref())
            .read(&self.row_scales)
    }
}

/// Weights in canonical layout, their outer scales and biases, and room for rounded activations.
#[derive(Debug)]
pub(super) struct Ready {
    rounded: Rounded,
    multiply: Function,
    weights: Vec<Buffer>,
    bias: Option<Buffer>,
    /// Of experts: the function that orders choices, and the order.
    order: Option<(Function, Buffer)>,
}

impl Ready {
    fn new(
        all: &Gemm,
        rows: usize,
        entry: &str,
        weights: &[Buffer],
        modules: &[Arc<Module>],
        gpu: &Gpu,
    ) -> Result<Self, Fault> {
        canonical::shapes(all, weights)?;
        let mut weights = hold(weights, gpu)?;
        let bias = if all.bias { weights.pop() } else { None };
        let rounded = Rounded::new(all, rows, modules[0].function("round_rows")?, gpu)?;
        Ok(Self { rounded, multiply: modules[1].function(entry)?, weights, bias, order: None })
    }
    fn operands(&self) -> Args<'_> {
        let args =
            Args::new().read(&self.weights[0]).read_or_null(self.weights.get(1)).read_or_null(self.bias.as_ref());
        self.rounded.operands(args)
    }
    fn resident(&self) -> u64 {
        self.weights.iter().chain(&self.bias).map(|weight| weight.bytes() as u64).sum()
    }
}

impl CudaOp<Gemm> for Naive {
    type Ready = Ready;
    const NAME: &'static str = "naive";

    fn units(op: &Gemm) -> Vec<Unit> {
        units(op)
    }
    fn ready(op: &Gemm, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        Ready::new(op, op.m, "gemm", weights, modules, gpu)
    }
    fn resident(ready: &Ready) -> u64 {
        ready.resident()
    }
    fn run(op: &Gemm, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Gemm::NAME, io.live, op.m)?;
        let ([x], [y]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Gemm::NAME, "one input and one output"));
        };
        ready.rounded.round(x, rows, gpu)?;
        let args = ready.operands().write(y).int(rows).int(op.n).int(op.k);
        let grid = Grid::of([op.n.div_ceil(WARPS), rows.div_ceil(ROWS), 1], 32 * WARPS as u32);
        gpu.launch(&ready.multiply, grid, args)
    }
}

impl CudaOp<Experts> for Naive {
    type Ready = Ready;
    const NAME: &'static str = "naive";

    fn units(op: &Experts) -> Vec<Unit> {
        let mut units = units(&op.gemm());
        units.push(moe::cuda::unit());
        units
    }
    fn ready(op: &Experts, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        let mut ready = Ready::new(&op.all(), op.rows_in(op.rows), "experts", weights, modules, gpu)?;
        let places = gpu.alloc(Type::U32, op.rows * op.active, Placement::Fast)?;
        ready.order = Some((modules[2].function("order")?, places));
        Ok(ready)
    }
    fn resident(ready: &Ready) -> u64 {
        ready.resident()
    }
    fn run(op: &Experts, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let tokens = rows_in_use(Experts::NAME, io.live, op.rows)?;
        let (x, ids, parts) = match (op.combine, io.inputs) {
            (false, [x, ids]) => (x, ids, None),
            (true, [x, ids, parts]) => (x, ids, Some(*parts)),
            _ => return Err(operands(Experts::NAME, "x, ids and, to combine, weights")),
        };
        let [y] = &mut *io.outputs else { return Err(operands(Experts::NAME, "one output")) };
        let choices = tokens * op.active;
        if let Some((order, places)) = &mut ready.order {
            let args = Args::new().read(ids).write(places).int(choices);
            gpu.launch(order, Grid::covering(choices, 128), args)?;
        }
        ready.rounded.round(x, op.rows_in(tokens), gpu)?;
        let args = ready
            .operands()
            .write(y)
            .read(ids)
            .read_or_null(ready.order.as_ref().map(|(_, places)| places))
            .read_or_null(parts)
            .int(op.n)
            .int(op.k)
            .int(op.active)
            .int(op.experts);
        let rows = if op.combine { tokens } else { choices };
        gpu.launch(&ready.multiply, Grid::of([rows, op.n.div_ceil(WARPS), 1], 32 * WARPS as u32), args)
    }
}
