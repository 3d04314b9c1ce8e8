//! The outputs of one product put into their columns of a wider matrix: of projections whose parts are stored in several formats.
//!
//! | operand | type | shape |
//! |---|---|---|
//! | inputs\[0\] part | f32 | rows × n |
//! | outputs\[0\] all; columns outside `at .. at + n` keep theirs | f32 | rows × width |

use crate::cpu::Cpu;
use crate::cpu::variant::{fits, no_weights, operands, rows_in_use};
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::format::synth::synth_f32;
use crate::{
    Arithmetic, AxisValue, Backend, Buffer, Device, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live,
    Op, Prepared, Shape, Type, Unsupported,
};
use std::sync::Arc;

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Rows at most.
    pub rows: usize,
    /// Columns of the part.
    pub n: usize,
    /// Columns of the whole.
    pub width: usize,
    /// The first of the part's columns in the whole.
    pub at: usize,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Stack>] = &[&Scalar, &NAIVE];

impl Op for Stack {
    const NAME: &'static str = "stack";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, n, width, at } = *self;
        if rows == 0 || n == 0 || at.checked_add(n).is_none_or(|end| end > width) {
            return Err(Invalid(format!(
                "stack: {rows} rows of columns {at} .. {at} + {n} are not inside a width of {width}, or none"
            )));
        }
        fits(Self::NAME, &[rows, width])
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let Self { rows, n, width, at } = *self;
        vec![("at", at.into()), ("n", n.into()), ("rows", rows.into()), ("width", width.into())]
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    /// None: it copies.
    fn flops(&self, _: &Live) -> u64 {
        0
    }
    fn bytes(&self, live: &Live) -> u64 {
        (live.rows() * self.n * 8) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: self.rows * self.width }]
    }
    fn operand_bytes(&self) -> u64 {
        (self.rows * self.n * 4) as u64
    }
    fn live(&self) -> Live {
        Live::one(self.rows, 0)
    }
    fn example(&self, seed: u64) -> Example {
        let part = synth_f32(self.rows * self.n, seed, 1.0);
        let all = synth_f32(self.rows * self.width, !seed, 1.0);
        Example { weights: vec![], inputs: vec![part.into()], outputs: vec![all.into()], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        let element = |&Index { at, .. }: &Index| {
            let (row, column) = (at / self.width, at % self.width);
            let part = column.checked_sub(self.at).filter(|i| *i < self.n && row < example.live.rows());
            let value = match part {
                Some(i) => example.inputs[0].value(row * self.n + i),
                None => example.outputs[0].value(at),
            };
            Expected { value, scale: value.abs() }
        };
        indices.iter().map(element).collect()
    }
    /// A copy is the same or it is not.
    fn tolerance(&self) -> f64 {
        0.0
    }
    fn nasty() -> Vec<Self> {
        let shapes = [(1, 1, 1, 0), (1, 7, 33, 26), (5, 33, 100, 0), (3, 64, 200, 64), (40, 257, 1000, 743)];
        shapes.map(|(rows, n, width, at)| Self { rows, n, width, at }).to_vec()
    }
}

/// Plain Rust on one thread: a product before it takes far longer.
#[derive(Debug)]
struct Scalar;

impl Implementation<Stack> for Scalar {
    fn name(&self) -> &'static str {
        "scalar"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Stack, device: &dyn Device) -> Result<(), Unsupported> {
        Cpu::of(device)?;
        op.validate().map_err(|invalid| Unsupported(invalid.0))
    }
    fn prepare(&self, op: &Stack, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        no_weights(Stack::NAME, weights)?;
        Ok(Box::new(Copier(op.clone())))
    }
}

#[derive(Debug)]
struct Copier(Stack);

impl Prepared for Copier {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Stack { rows, n, width, at } = self.0;
        let rows = rows_in_use(Stack::NAME, io.live, rows)?;
        let ([part], [all]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Stack::NAME, "one input and one output"));
        };
        let parts = part.slice::<f32>()[..rows * n].chunks_exact(n);
        for (all, part) in all.slice_mut::<f32>().chunks_exact_mut(width).zip(parts) {
            all[at..at + n].copy_from_slice(part);
        }
        Ok(())
    }
    fn resident(&self) -> u64 {
        0
    }
}

static SOURCE: Source = Source { path: "stack/naive.cu", text: include_str!("naive.cu") };

/// One block a row.
struct Naive;
static NAIVE: Cuda<(Stack, Naive)> = Cuda::new();

impl CudaOp<Stack> for Naive {
    type Ready = Function;
    const NAME: &'static str = "naive";

    fn units(_: &Stack) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["stack"])]
    }
    fn ready(_: &Stack, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(Stack::NAME, weights)?;
        modules[0].function("stack")
    }
    fn run(op: &Stack, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Stack::NAME, io.live, op.rows)?;
        let ([part], [all]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Stack::NAME, "one input and one output"));
        };
        let args = Args::new().read(part).write(all).int(op.n).int(op.width).int(op.at);
        gpu.launch(function, Grid::line(rows, 256), args)
    }
}
