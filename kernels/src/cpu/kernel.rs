//! The one guarded call through which every CPU kernel is entered.
#![expect(unsafe_code, reason = "functions compiled for optional instructions may only be called where those exist")]

use crate::Unsupported;
use crate::cpu::isa::{Feature, require};

/// A function compiled for `features`, not yet known to run here.
///
/// `A` carries the call's operands as ordinary borrowed slices.
#[derive(Debug)]
pub struct Kernel<A> {
    features: &'static [Feature],
    body: unsafe fn(&mut A),
}

impl<A> Kernel<A> {
    /// Declares a kernel.
    ///
    /// # Safety
    /// `body` must be sound to call with any `A` on a CPU that has all of `features`.
    pub const unsafe fn new(features: &'static [Feature], body: unsafe fn(&mut A)) -> Self {
        Self { features, body }
    }
    /// A callable kernel, if this CPU has what it needs. Errors: what is lacking.
    pub fn here(&self) -> Result<Guarded<A>, Unsupported> {
        require(self.features)?;
        Ok(Guarded { body: self.body })
    }
}

/// A kernel whose instructions were found on this CPU: a value of this type is the proof.
#[derive(Debug)]
pub struct Guarded<A> {
    body: unsafe fn(&mut A),
}

impl<A> Clone for Guarded<A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A> Copy for Guarded<A> {}

impl<A> Guarded<A> {
    /// Enters the kernel.
    #[inline]
    pub fn call(&self, arguments: &mut A) {
        // SAFETY: only `Kernel::here` makes a `Guarded`, after it has found every feature; the rest is `Kernel::new`'s contract.
        unsafe { (self.body)(arguments) }
    }
}
