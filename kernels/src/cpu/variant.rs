//! What the implementations of one op on a CPU have in common: all but the kernel function of each instruction set.
#![expect(unsafe_code, reason = "a portable function is declared as a kernel that needs no instruction set")]

use crate::cpu::Cpu;
use crate::cpu::kernel::Kernel;
use crate::cpu::pool::Pool;
use crate::{Backend, Buffer, Device, Fault, Implementation, Invalid, Io, Live, Op, Prepared, Unsupported};
use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::sync::Arc;

/// An op whose CPU implementations differ in their kernel function alone.
pub(crate) trait CpuOp: Op {
    /// The operands of one worker's share.
    type Args<'a>;
    /// What `prepare` makes: weights as the kernels read them, tables, scratch.
    type Ready: Debug + Send;
    /// Makes it, for this pool.
    fn ready(&self, weights: &[Buffer], pool: &Pool) -> Result<Self::Ready, Fault>;
    /// Bytes of weights that it holds.
    fn resident(ready: &Self::Ready) -> u64;
    /// Shares one call among the workers and enters `V`'s kernel for each.
    fn run<V: Variant<Self>>(&self, ready: &mut Self::Ready, pool: &Pool, io: &mut Io<'_>) -> Result<(), Fault>;
}

/// One instruction set's kernel for an op.
pub(crate) trait Variant<O: CpuOp>: Debug + Send + Sync + 'static {
    /// Name in ids.
    const NAME: &'static str;
    /// The kernel. A function, because the operands' lifetime is another at each call.
    fn kernel<'a>() -> Kernel<O::Args<'a>>;
}

/// A kernel that any CPU can run.
pub(crate) const fn portable<A>(body: fn(&mut A)) -> Kernel<A> {
    // SAFETY: a safe function is sound to call anywhere.
    unsafe { Kernel::new(&[], body) }
}

/// A variant as an implementation.
#[derive(Debug)]
pub(crate) struct On<V>(PhantomData<V>);

impl<V> On<V> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<O: CpuOp, V: Variant<O>> Implementation<O> for On<V> {
    fn name(&self) -> &'static str {
        V::NAME
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &O, device: &dyn Device) -> Result<(), Unsupported> {
        Cpu::of(device)?;
        V::kernel().here()?;
        op.validate().map_err(|invalid| Unsupported(invalid.0))
    }
    fn prepare(&self, op: &O, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        let pool = Cpu::of(device)?.pool().clone();
        let ready = op.ready(weights, &pool)?;
        Ok(Box::new(Runner::<O, V> { op: op.clone(), ready, pool, variant: PhantomData }))
    }
}

struct Runner<O: CpuOp, V> {
    op: O,
    ready: O::Ready,
    pool: Arc<Pool>,
    variant: PhantomData<V>,
}

impl<O: CpuOp, V> Debug for Runner<O, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("op", &self.op).field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<O: CpuOp, V: Variant<O>> Prepared for Runner<O, V> {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.op.run::<V>(&mut self.ready, &self.pool, io)
    }
    fn resident(&self) -> u64 {
        O::resident(&self.ready)
    }
}

/// The rows in use, if the op was prepared for that many.
pub(crate) fn rows_in_use(name: &str, live: &Live, capacity: usize) -> Result<usize, Fault> {
    let rows = live.rows();
    if rows <= capacity {
        return Ok(rows);
    }
    Err(Fault::Device(format!("{name}: {rows} rows in use, prepared for {capacity}; prepare it for more rows")))
}

/// Whether an operand of these dimensions can be addressed. Errors: the product that cannot.
pub(crate) fn fits(name: &str, dimensions: &[usize]) -> Result<(), Invalid> {
    let product = dimensions.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    // 2^44 elements are more than any machine holds, and their bytes are far from overflowing.
    if product.is_some_and(|product| product as u64 <= 1 << 44) {
        return Ok(());
    }
    let text: Vec<_> = dimensions.iter().map(ToString::to_string).collect();
    Err(Invalid(format!(
        "{name}: an operand of {} elements has to be at most 2^44; choose a smaller shape",
        text.join(" × ")
    )))
}

/// A fault for a call with too few or too many operands.
pub(crate) fn operands(name: &str, expected: &str) -> Fault {
    Fault::Device(format!("{name}: called with other operands than it has; it takes {expected}"))
}
