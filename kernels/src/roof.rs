//! What the machine's roofs share: an op driven over `threads` workers, and its kernels as implementations.
#![expect(unsafe_code, reason = "a variant carries the promise that its body may be called where its features exist")]

use crate::cpu::isa::{Feature, require};
use crate::cpu::kernel::{Guarded, Kernel};
use crate::cpu::{Cpu, pool::Pool};
use crate::{Backend, Buffer, Device, Fault, Implementation, Io, Op, Prepared, Unsupported};
use std::fmt::{self, Debug};
use std::sync::Arc;

/// An op that is one kernel, entered once by each of its workers.
pub(crate) trait Roof: Op {
    /// What one worker's kernel reads and writes.
    type Part<'a>;
    /// Workers that take part; those of a larger pool stay idle.
    fn threads(&self) -> usize;
    /// Cuts the operands into parts and enters `kernel` on each, in one call of the pool.
    fn drive<'a>(&self, pool: &Pool, kernel: Guarded<Self::Part<'a>>, io: &'a mut Io<'_>);
}

/// One kernel of a roof: a name, the instructions it needs, the ops it is for.
pub(crate) struct Variant<O: Roof> {
    name: &'static str,
    accepts: fn(&O) -> Result<(), Unsupported>,
    entry: Entry<O>,
}

struct Entry<O: Roof> {
    features: &'static [Feature],
    body: for<'a> unsafe fn(&mut O::Part<'a>),
}

impl<O: Roof> Clone for Entry<O> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<O: Roof> Copy for Entry<O> {}

impl<O: Roof> Variant<O> {
    /// Declares a kernel.
    ///
    /// # Safety
    /// `body` must be sound to call with any part on a CPU that has all of `features`.
    pub(crate) const unsafe fn new(
        name: &'static str,
        features: &'static [Feature],
        body: for<'a> unsafe fn(&mut O::Part<'a>),
    ) -> Self {
        Self { name, accepts: |_| Ok(()), entry: Entry { features, body } }
    }
    /// The same kernel, for the ops that `accepts` lets through.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    pub(crate) const fn only(mut self, accepts: fn(&O) -> Result<(), Unsupported>) -> Self {
        self.accepts = accepts;
        self
    }
}

impl<O: Roof> Debug for Variant<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", O::NAME, self.name)
    }
}

impl<O: Roof> Implementation<O> for Variant<O> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &O, device: &dyn Device) -> Result<(), Unsupported> {
        let threads = Cpu::of(device)?.pool().threads();
        require(self.entry.features)?;
        op.validate().map_err(|invalid| Unsupported(invalid.0))?;
        (self.accepts)(op)?;
        if op.threads() > threads {
            let asked = op.threads();
            return Err(Unsupported(format!("asks for {asked} threads, and the device has {threads}")));
        }
        Ok(())
    }
    fn prepare(&self, op: &O, _weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        Ok(Box::new(Ready { op: op.clone(), pool: Cpu::of(device)?.pool().clone(), entry: self.entry }))
    }
}

struct Ready<O: Roof> {
    op: O,
    pool: Arc<Pool>,
    entry: Entry<O>,
}

impl<O: Roof> Debug for Ready<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("op", &self.op).field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<O: Roof> Prepared for Ready<O> {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        // SAFETY: `Variant::new` was given the same promise for these features and this body.
        let kernel = unsafe { Kernel::new(self.entry.features, self.entry.body) };
        self.op.drive(&self.pool, kernel.here()?, io);
        Ok(())
    }
    fn resident(&self) -> u64 {
        0
    }
}

/// The same pointer, with its origin and what it points to hidden from the compiler, so that a repeated pass stays a pass.
/// Unlike `std::hint::black_box` it costs no store and no load: a pass over 16 KiB takes about 130 cycles.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn opaque<T>(mut pointer: *mut T) -> *mut T {
    // SAFETY: no instruction at all; the pointer comes back as it went in.
    unsafe { std::arch::asm!("/* {0} */", inout(reg) pointer, options(nostack, preserves_flags)) };
    pointer
}
