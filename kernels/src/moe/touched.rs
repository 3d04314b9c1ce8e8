//! How many different experts a call's choices name: their weights are what it reads. Added to a count that stays on the device.
//!
//! | operand | type | shape |
//! |---|---|---|
//! | inputs\[0\] ids | u32 | rows × active |
//! | outputs\[0\] count, read and written | u64 | 1 |

use super::cuda::unit;
use super::grouping::touched;
use crate::cpu::Cpu;
use crate::cpu::variant::{fits, no_weights, operands, rows_in_use};
use crate::cuda::Gpu;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::Unit;
use crate::format::splitmix::SplitMix64;
use crate::{
    Arithmetic, AxisValue, Backend, Buffer, Device, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live,
    Op, Prepared, Shape, Type, Unsupported,
};
use std::sync::Arc;

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Tokens at most.
    pub rows: usize,
    /// Experts there are.
    pub experts: usize,
    /// Experts a token is given to.
    pub active: usize,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Touched>] = &[&Scalar, &NAIVE];

impl Op for Touched {
    const NAME: &'static str = "touched";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, experts, active } = *self;
        if rows == 0 || active == 0 || experts == 0 {
            return Err(Invalid(format!(
                "touched: rows {rows}, active {active} and experts {experts} have to be at least 1"
            )));
        }
        fits(Self::NAME, &[rows, active])
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        vec![("active", self.active.into()), ("experts", self.experts.into()), ("rows", self.rows.into())]
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    /// None that count: it compares.
    fn flops(&self, _: &Live) -> u64 {
        0
    }
    fn bytes(&self, live: &Live) -> u64 {
        (live.rows() * self.active * 4 + 16) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::U64, len: 1 }]
    }
    fn operand_bytes(&self) -> u64 {
        (self.rows * self.active * 4) as u64
    }
    fn live(&self) -> Live {
        Live::one(self.rows, 0)
    }
    fn example(&self, seed: u64) -> Example {
        let mut random = SplitMix64::new(seed);
        let ids: Vec<u32> =
            (0..self.rows * self.active).map(|_| (random.next() % self.experts as u64) as u32).collect();
        Example { weights: vec![], inputs: vec![ids.into()], outputs: vec![vec![1_000_u64].into()], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        let mut ids = example.inputs[0].slice::<u32>()[..example.live.rows() * self.active].to_vec();
        ids.sort_unstable();
        ids.dedup();
        let value = example.outputs[0].value(0) + ids.len() as f64;
        indices.iter().map(|_| Expected { value, scale: value }).collect()
    }
    /// A count is right or it is not.
    fn tolerance(&self) -> f64 {
        0.0
    }
    fn nasty() -> Vec<Self> {
        let shapes = [(1, 1, 1), (1, 32, 4), (3, 128, 8), (70, 60, 6), (33, 300, 3), (500, 9, 4)];
        shapes.map(|(rows, experts, active)| Self { rows, experts, active }).to_vec()
    }
}

/// Plain Rust.
#[derive(Debug)]
struct Scalar;

impl Implementation<Touched> for Scalar {
    fn name(&self) -> &'static str {
        "scalar"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Touched, device: &dyn Device) -> Result<(), Unsupported> {
        Cpu::of(device)?;
        op.validate().map_err(|invalid| Unsupported(invalid.0))
    }
    fn prepare(&self, op: &Touched, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        no_weights(Touched::NAME, weights)?;
        Ok(Box::new(Counter(op.clone())))
    }
}

#[derive(Debug)]
struct Counter(Touched);

impl Prepared for Counter {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let choices = rows_in_use(Touched::NAME, io.live, self.0.rows)? * self.0.active;
        let ([ids], [count]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Touched::NAME, "the ids, and as output the count"));
        };
        count.slice_mut::<u64>()[0] += touched(&ids.slice::<u32>()[..choices], self.0.experts) as u64;
        Ok(())
    }
    fn resident(&self) -> u64 {
        0
    }
}

/// One thread a choice.
struct Naive;
static NAIVE: Cuda<(Touched, Naive)> = Cuda::new();

impl CudaOp<Touched> for Naive {
    type Ready = Function;
    const NAME: &'static str = "naive";

    fn units(_: &Touched) -> Vec<Unit> {
        vec![unit()]
    }
    fn ready(_: &Touched, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Function, Fault> {
        no_weights(Touched::NAME, weights)?;
        modules[0].function("touch")
    }
    fn run(op: &Touched, function: &mut Function, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let choices = rows_in_use(Touched::NAME, io.live, op.rows)? * op.active;
        let ([ids], [count]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Touched::NAME, "the ids, and as output the count"));
        };
        gpu.launch(function, Grid::covering(choices, 128), Args::new().read(ids).write(count).int(choices))
    }
}
