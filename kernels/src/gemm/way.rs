//! One instruction set's way through a packed gemm: what it takes, and which kernels and scratch; of one matrix, or of many experts'.

use super::tiled::{Kernels, Plan};
use super::{Gemm, tiled};
use crate::cpu::Cpu;
use crate::cpu::isa::{Feature, require};
use crate::{Backend, Buffer, Device, Fault, Implementation, Op, Prepared, Unsupported};
use std::fmt::Debug;

/// An instruction set's way through a gemm. It is an [`Implementation`] of [`Gemm`] and of [`Experts`](crate::moe::Experts).
pub(super) trait Way: Debug + Sync + 'static {
    /// Its name in ids.
    const NAME: &'static str;
    /// What it needs of the CPU.
    const FEATURES: &'static [Feature];
    /// Whether it is for this pair of weights and activations; the reason is the value.
    fn takes(_op: &Gemm) -> Result<(), Unsupported> {
        Ok(())
    }
    /// Packs the weights for the kernels that `op` goes through.
    fn pack(op: &Gemm, packs: impl Packs) -> Result<Box<dyn Prepared>, Fault>;
}

/// The weights to be packed: one matrix, or those of many experts.
pub(super) trait Packs {
    /// Packs them for `K`, with scratch as `plan` says.
    fn with<K: Kernels>(self, plan: Plan) -> Result<Box<dyn Prepared>, Fault>;
}

/// Whether `op` can go the way `W` on this machine.
pub(super) fn supports<W: Way>(op: &Gemm, device: &dyn Device) -> Result<(), Unsupported> {
    op.validate().map_err(|invalid| Unsupported(invalid.0))?;
    Cpu::of(device)?;
    W::takes(op)?;
    require(W::FEATURES)
}

/// That `op` sums integers. Errors: that `what` takes nothing else.
pub(super) fn integers_only(op: &Gemm, what: &str) -> Result<(), Unsupported> {
    if op.integer() { Ok(()) } else { Err(Unsupported(format!("{what} take no {} activations", op.activations))) }
}

struct Matrix<'a> {
    op: &'a Gemm,
    weights: &'a [Buffer],
    device: &'a dyn Device,
}

impl Packs for Matrix<'_> {
    fn with<K: Kernels>(self, plan: Plan) -> Result<Box<dyn Prepared>, Fault> {
        tiled::prepare::<K>(self.op, self.weights, self.device, plan)
    }
}

impl<W: Way> Implementation<Gemm> for W {
    fn name(&self) -> &'static str {
        W::NAME
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Gemm, device: &dyn Device) -> Result<(), Unsupported> {
        supports::<W>(op, device)
    }
    fn prepare(&self, op: &Gemm, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        supports::<W>(op, device)?;
        W::pack(op, Matrix { op, weights, device })
    }
}
