//! Operations, their implementations, and the rule that nothing runs unchecked.

use crate::cuda::source::Unit;
use crate::{Backend, Buffer, Device, Host, Placement, Type};
use std::fmt::{self, Debug};

/// The value of one axis of an operation's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AxisValue {
    /// A size or a count.
    Int(u64),
    /// A name, such as a number format.
    Text(String),
}

impl From<usize> for AxisValue {
    fn from(value: usize) -> Self {
        AxisValue::Int(value as u64)
    }
}
impl From<&str> for AxisValue {
    fn from(value: &str) -> Self {
        AxisValue::Text(value.to_owned())
    }
}

/// What of an op's capacity is in use at this call: the rows of each sequence and how many tokens its cache holds already.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Live {
    /// One span a sequence, in the order of the rows.
    pub spans: Vec<Span>,
}

/// The rows one sequence adds at this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Rows (tokens) of this sequence in the batch.
    pub rows: usize,
    /// Tokens of this sequence that stand in the cache before this call.
    pub past: usize,
}

impl Live {
    /// One sequence: `rows` new tokens after `past` old ones.
    pub fn one(rows: usize, past: usize) -> Self {
        Self { spans: vec![Span { rows, past }] }
    }
    /// Rows over all sequences.
    pub fn rows(&self) -> usize {
        self.spans.iter().map(|s| s.rows).sum()
    }
}

/// Type and number of elements of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Element type.
    pub of: Type,
    /// Number of elements.
    pub len: usize,
}

/// Seeded operands of one call: random, non-zero, of realistic distribution.
#[derive(Clone, Debug)]
pub struct Example {
    /// Constant operands in canonical layout, given to `prepare`.
    pub weights: Vec<Host>,
    /// Operands read by `run`.
    pub inputs: Vec<Host>,
    /// The outputs before the call: zeros, or state such as a KV cache.
    pub outputs: Vec<Host>,
    /// What is in use.
    pub live: Live,
}

/// One element of one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    /// Which output.
    pub output: usize,
    /// Which element of it.
    pub at: usize,
}

/// What the f64 reference says of one element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// The value.
    pub value: f64,
    /// What an error is relative to: Σ|a·b| of the sum that makes the value, or |value| where there is no sum.
    pub scale: f64,
}

/// The number type whose peak bounds an op's arithmetic: the axis `type` of workload `peak`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// f32 multiply-add.
    F32,
    /// bf16 products summed in f32.
    Bf16,
    /// int8 products summed in int32.
    Int8,
    /// E4M3 products summed in f32, where they are multiplied as they are.
    Fp8,
    /// Products of MXFP4 blocks, codes and scales, summed in f32.
    Mxfp4,
    /// The same of NVFP4.
    Nvfp4,
}

impl Arithmetic {
    /// Its name in ids.
    pub const fn name(self) -> &'static str {
        match self {
            Arithmetic::F32 => "f32",
            Arithmetic::Bf16 => "bf16",
            Arithmetic::Int8 => "int8",
            Arithmetic::Fp8 => "fp8",
            Arithmetic::Mxfp4 => "mxfp4",
            Arithmetic::Nvfp4 => "nvfp4",
        }
    }
}

/// An operation at one shape. It says what is computed and how much work that is, and nothing of how.
pub trait Op: Clone + Debug + Send + Sync + 'static {
    /// Name of the op and of its workload.
    const NAME: &'static str;
    /// Every implementation, fastest first.
    fn implementations() -> &'static [&'static dyn Implementation<Self>];
    /// The same as it is run on `device`: long enough there, in the form that its units take. Ids do not tell them apart.
    fn on(self, _device: &dyn Device) -> Self {
        self
    }
    /// Checks the shape. Errors: the inequality that does not hold, and the mend.
    fn validate(&self) -> Result<(), Invalid>;
    /// The axes that name this shape.
    fn axes(&self) -> Vec<(&'static str, AxisValue)>;
    /// The arithmetic whose peak bounds it where an implementation says no other.
    fn arithmetic(&self) -> Arithmetic;
    /// Floating-point (or integer) operations of one call; a multiply-add is 2.
    fn flops(&self, live: &Live) -> u64;
    /// Bytes that one call has to move at least: each operand once, in its stored format.
    fn bytes(&self, live: &Live) -> u64;
    /// Type and length of every output, at full capacity.
    fn outputs(&self) -> Vec<Shape>;
    /// Bytes of weights (canonical) and inputs together, at full capacity.
    fn operand_bytes(&self) -> u64;
    /// What of the capacity an example uses.
    fn live(&self) -> Live;
    /// The memory its operands ask for.
    fn placement(&self) -> Placement {
        Placement::Fast
    }
    /// Seeded operands at full capacity.
    fn example(&self, seed: u64) -> Example;
    /// The elements at `indices` after one call on `example`, in f64. Sampled, so that large shapes stay checkable.
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected>;
    /// Largest error relative to [`Expected::scale`]; the bound it comes from stands above its implementation.
    fn tolerance(&self) -> f64;
    /// Small shapes that break careless kernels: for parity tests.
    fn nasty() -> Vec<Self>;
}

/// One way to compute an op: a CPU function, a `.cu` file, a vendor library.
pub trait Implementation<O: Op>: Debug + Sync {
    /// Name in ids, such as `avx512-vnni`.
    fn name(&self) -> &'static str;
    /// The hardware it is for.
    fn backend(&self) -> Backend;
    /// Whether it can compute `op` on `device`; the reason is the value.
    fn supports(&self, op: &O, device: &dyn Device) -> Result<(), Unsupported>;
    /// The arithmetic that this way multiplies in, whose peak bounds it: hardware may have a faster one than the op asks for, or lack it.
    fn arithmetic(&self, op: &O) -> Arithmetic {
        op.arithmetic()
    }
    /// What its sums may be off beside [`Op::tolerance`], in the same measure: hardware that keeps fewer bits of a sum than f32 has.
    fn rounding(&self, _op: &O) -> f64 {
        0.0
    }
    /// What NVRTC compiles for `op`, where it comes from a `.cu` file.
    fn units(&self, _op: &O) -> Vec<Unit> {
        Vec::new()
    }
    /// Packs the weights (canonical layout, see the op) into what `run` reads, and allocates all that `run` needs.
    fn prepare(&self, op: &O, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault>;
}

/// An op ready to run: submits; never allocates, never waits for anything but its own work.
pub trait Prepared: Debug + Send {
    /// Runs once on `io`.
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault>;
    /// Bytes that the packed weights occupy.
    fn resident(&self) -> u64;
    /// The buffers that hold them, for asking which pages they stand on.
    fn buffers(&self) -> Vec<&Buffer> {
        Vec::new()
    }
}

/// The operands of one call.
#[derive(Debug)]
pub struct Io<'a> {
    /// Read.
    pub inputs: &'a [&'a Buffer],
    /// Written; state such as a KV cache is read and written.
    pub outputs: &'a mut [&'a mut Buffer],
    /// What of the capacity is in use.
    pub live: &'a Live,
}

/// Why an implementation cannot compute an op here. Not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported(pub String);

impl Unsupported {
    /// From anything that reads as a reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A shape that cannot be: the inequality and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// What can go wrong while preparing or running.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The device has not that much memory left.
    #[error("out of memory: {bytes} bytes could not be had; choose a smaller shape or model")]
    OutOfMemory {
        /// What was asked for.
        bytes: u64,
    },
    /// The implementation does not do this op.
    #[error("unsupported: {0}")]
    Unsupported(Unsupported),
    /// The device refused or broke.
    #[error("{0}")]
    Device(String),
    /// The device is of no use any more in this process, whatever it is asked for.
    #[error("{0}")]
    Lost(String),
}

impl From<Unsupported> for Fault {
    fn from(reason: Unsupported) -> Self {
        Fault::Unsupported(reason)
    }
}

/// The first implementation in the list that can compute `op` on `device`. Errors: every name with its reason.
pub fn best<O: Op>(op: &O, device: &dyn Device) -> Result<&'static dyn Implementation<O>, Unsupported> {
    let mut reasons = Vec::new();
    for &candidate in O::implementations().iter().filter(|i| i.backend() == device.backend()) {
        match candidate.supports(op, device) {
            Ok(()) => return Ok(candidate),
            Err(reason) => reasons.push(format!("{}: {reason}", candidate.name())),
        }
    }
    Err(Unsupported(reasons.join("; ")))
}

/// The implementation of that name. Errors: the names there are.
pub fn named<O: Op>(name: &str) -> Result<&'static dyn Implementation<O>, Unsupported> {
    O::implementations().iter().copied().find(|i| i.name() == name).ok_or_else(|| {
        let names: Vec<_> = O::implementations().iter().map(|i| i.name()).collect();
        Unsupported(format!("{} has no implementation '{name}'; there are: {}", O::NAME, names.join(", ")))
    })
}
