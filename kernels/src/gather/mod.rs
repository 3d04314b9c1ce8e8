//! The last row of each sequence, copied to the place of its sequence: what the head of a model works on.
//!
//! | operand | type | shape |
//! |---|---|---|
//! | inputs\[0\] x | f32 | rows × width |
//! | outputs\[0\] last; sequences without rows keep theirs | f32 | sequences × width |

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
    Op, Prepared, Shape, Span, Type, Unsupported,
};
use std::sync::Arc;

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gather {
    /// Rows at most, over all sequences.
    pub rows: usize,
    /// Sequences.
    pub sequences: usize,
    /// Elements a row.
    pub width: usize,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Gather>] = &[&Scalar, &NAIVE];

/// (sequence, its last row) of each sequence that has rows.
fn last_rows(live: &Live) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut end = 0;
    live.spans.iter().enumerate().filter(|(_, span)| span.rows > 0).map(move |(sequence, span)| {
        end += span.rows;
        (sequence, end - 1)
    })
}

impl Op for Gather {
    const NAME: &'static str = "gather";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, sequences, width } = *self;
        if rows == 0 || sequences == 0 || width == 0 {
            return Err(Invalid(format!(
                "gather: rows {rows}, sequences {sequences} and width {width} have to be at least 1"
            )));
        }
        fits(Self::NAME, &[rows.max(sequences), width])
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        vec![("rows", self.rows.into()), ("sequences", self.sequences.into()), ("width", self.width.into())]
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    /// None: it copies.
    fn flops(&self, _: &Live) -> u64 {
        0
    }
    fn bytes(&self, live: &Live) -> u64 {
        (last_rows(live).count() * self.width * 8) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: self.sequences * self.width }]
    }
    fn operand_bytes(&self) -> u64 {
        (self.rows * self.width * 4) as u64
    }
    fn live(&self) -> Live {
        // Every third sequence has no rows, the first has what is left.
        let mut left = self.rows;
        let mut spans: Vec<_> = (0..self.sequences)
            .map(|sequence| {
                let rows = if sequence % 3 == 1 { 0 } else { left.min(1 + sequence % 2) };
                left -= rows;
                Span { rows, past: 5 * sequence }
            })
            .collect();
        spans[0].rows += left;
        Live { spans }
    }
    fn example(&self, seed: u64) -> Example {
        let x = synth_f32(self.rows * self.width, seed, 1.0);
        let last = synth_f32(self.sequences * self.width, !seed, 1.0);
        Example { weights: vec![], inputs: vec![x.into()], outputs: vec![last.into()], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        let rows: Vec<_> = last_rows(&example.live).collect();
        let element = |&Index { at, .. }: &Index| {
            let found = rows.iter().find(|(sequence, _)| *sequence == at / self.width);
            let value = match found {
                Some((_, row)) => example.inputs[0].value(row * self.width + at % self.width),
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
        let shapes = [(1, 1, 1), (5, 1, 33), (7, 3, 100), (2, 5, 64), (40, 9, 1000), (16, 16, 257)];
        shapes.map(|(rows, sequences, width)| Self { rows, sequences, width }).to_vec()
    }
}

/// Plain Rust: a few rows, which one thread copies sooner than it hands them over.
#[derive(Debug)]
struct Scalar;

impl Implementation<Gather> for Scalar {
    fn name(&self) -> &'static str {
        "scalar"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Gather, device: &dyn Device) -> Result<(), Unsupported> {
        Cpu::of(device)?;
        op.validate().map_err(|invalid| Unsupported(invalid.0))
    }
    fn prepare(&self, op: &Gather, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        no_weights(Gather::NAME, weights)?;
        Ok(Box::new(Copier(op.clone())))
    }
}

#[derive(Debug)]
struct Copier(Gather);

impl Prepared for Copier {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        rows_in_use(Gather::NAME, io.live, self.0.rows)?;
        let ([x], [last]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Gather::NAME, "one input and one output"));
        };
        let (x, last, width) = (x.slice::<f32>(), last.slice_mut::<f32>(), self.0.width);
        for (sequence, row) in last_rows(io.live) {
            last[sequence * width..][..width].copy_from_slice(&x[row * width..][..width]);
        }
        Ok(())
    }
    fn resident(&self) -> u64 {
        0
    }
}

static SOURCE: Source = Source { path: "gather/naive.cu", text: include_str!("naive.cu") };

/// One block a row.
struct Naive;
static NAIVE: Cuda<(Gather, Naive)> = Cuda::new();

impl CudaOp<Gather> for Naive {
    type Ready = Function;
    const NAME: &'static str = "naive";

    fn units(_: &Gather) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["gather"])]
    }
    fn ready(_: &Gather, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(Gather::NAME, weights)?;
        modules[0].function("gather")
    }
    fn run(op: &Gather, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Gather::NAME, io.live, op.rows)?;
        let ([x], [last]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Gather::NAME, "one input and one output"));
        };
        let args = Args::new().read(x).write(last).address(gpu.rows(io.live)?).int(rows).int(op.width);
        gpu.launch(function, Grid::line(rows, 256), args)
    }
}
