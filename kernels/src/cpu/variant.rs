//! What the implementations of one op on a CPU have in common: all but the kernel function of each instruction set.
#![expect(unsafe_code, reason = "a variant carries the promise that its body may be called where its features exist")]

use crate::cpu::Cpu;
use crate::cpu::isa::Feature;
use crate::cpu::kernel::{Guarded, Kernel};
use crate::cpu::pool::Pool;
use crate::{Backend, Buffer, Device, Fault, Implementation, Invalid, Io, Live, Op, Prepared, Unsupported};
use std::fmt::{self, Debug};
use std::sync::Arc;

/// An op whose CPU implementations differ in their kernel function alone.
pub(crate) trait CpuOp: Op {
    /// The operands of one worker's share.
    type Args<'a>;
    /// What `prepare` makes: weights as the kernels read them, tables, scratch.
    type Ready: Debug + Send;
    /// Workers it takes; those of a larger pool may stay idle.
    fn threads(&self) -> usize {
        1
    }
    /// Whether a CPU does it at all. Errors: the reason.
    fn on_a_cpu(&self) -> Result<(), Unsupported> {
        Ok(())
    }
    /// Whether this pool has the cores it asks for. Errors: what is lacking.
    fn fits(&self, _pool: &Pool) -> Result<(), Unsupported> {
        Ok(())
    }
    /// Makes it, for this pool.
    fn ready(&self, weights: &[Buffer], pool: &Pool) -> Result<Self::Ready, Fault>;
    /// Bytes of weights that it holds.
    fn resident(_ready: &Self::Ready) -> u64 {
        0
    }
    /// Shares one call among the workers and enters `kernel` for each.
    fn run(&self, ready: &mut Self::Ready, pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault>;
}

/// One kernel of an op: a name, the instructions it needs, the ops it is for.
pub(crate) struct Variant<O: CpuOp> {
    name: &'static str,
    accepts: fn(&O) -> Result<(), Unsupported>,
    entry: Entry<O>,
}

/// A kernel for operands of any lifetime, which is another at each call.
pub(crate) struct Entry<O: CpuOp> {
    features: &'static [Feature],
    body: for<'a> unsafe fn(&mut O::Args<'a>),
}

impl<O: CpuOp> Clone for Entry<O> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<O: CpuOp> Copy for Entry<O> {}

impl<O: CpuOp> Entry<O> {
    /// The kernel for one call's operands, if this CPU has what it needs. Errors: what is lacking.
    pub(crate) fn here<'a>(&self) -> Result<Guarded<O::Args<'a>>, Unsupported> {
        // SAFETY: `Variant::new` was given the same promise for these features and this body.
        unsafe { Kernel::new(self.features, self.body) }.here()
    }
}

impl<O: CpuOp> Variant<O> {
    /// Declares a kernel.
    ///
    /// # Safety
    /// `body` must be sound to call with any operands on a CPU that has all of `features`.
    pub(crate) const unsafe fn new(
        name: &'static str,
        features: &'static [Feature],
        body: for<'a> unsafe fn(&mut O::Args<'a>),
    ) -> Self {
        Self { name, accepts: |_| Ok(()), entry: Entry { features, body } }
    }
    /// Declares the kernel in plain Rust, which any CPU can run.
    pub(crate) const fn scalar(body: for<'a> fn(&mut O::Args<'a>)) -> Self {
        // SAFETY: a safe function is sound to call anywhere.
        unsafe { Self::new("scalar", &[], body) }
    }
    /// The same kernel, for the ops that `accepts` lets through.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    pub(crate) const fn only(mut self, accepts: fn(&O) -> Result<(), Unsupported>) -> Self {
        self.accepts = accepts;
        self
    }
}

impl<O: CpuOp> Debug for Variant<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", O::NAME, self.name)
    }
}

impl<O: CpuOp> Implementation<O> for Variant<O> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &O, device: &dyn Device) -> Result<(), Unsupported> {
        let pool = Cpu::of(device)?.pool();
        let threads = pool.threads();
        self.entry.here()?;
        op.validate().map_err(|invalid| Unsupported(invalid.0))?;
        op.on_a_cpu()?;
        (self.accepts)(op)?;
        op.fits(pool)?;
        if op.threads() > threads {
            let asked = op.threads();
            return Err(Unsupported(format!("asks for {asked} threads, and the device has {threads}")));
        }
        Ok(())
    }
    fn prepare(&self, op: &O, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        let pool = Cpu::of(device)?.pool().clone();
        let ready = op.ready(weights, &pool)?;
        Ok(Box::new(Runner { op: op.clone(), ready, pool, entry: self.entry }))
    }
}

struct Runner<O: CpuOp> {
    op: O,
    ready: O::Ready,
    pool: Arc<Pool>,
    entry: Entry<O>,
}

impl<O: CpuOp> Debug for Runner<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("op", &self.op).field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<O: CpuOp> Prepared for Runner<O> {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.op.run(&mut self.ready, &self.pool, self.entry, io)
    }
    fn resident(&self) -> u64 {
        O::resident(&self.ready)
    }
}

/// A kernel that any CPU can run.
pub(crate) const fn portable<A>(body: fn(&mut A)) -> Kernel<A> {
    // SAFETY: a safe function is sound to call anywhere.
    unsafe { Kernel::new(&[], body) }
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

/// The weights of an op that has none.
pub(crate) fn no_weights(name: &str, weights: &[Buffer]) -> Result<(), Fault> {
    if weights.is_empty() { Ok(()) } else { Err(operands(name, "no weights")) }
}
