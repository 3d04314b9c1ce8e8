//! A `.cu` file as an implementation: what all of them have in common.

use super::arch::Arch;
use super::gpu::Gpu;
use super::module::Module;
use super::nvrtc;
use super::properties::Properties;
use super::source::Unit;
use crate::{Arithmetic, Backend, Buffer, Device, Fault, Implementation, Io, Op, Prepared, Unsupported};
use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::sync::Arc;

/// What one CUDA implementation of `O` adds to that.
pub(crate) trait CudaOp<O: Op>: Send + Sync + 'static {
    /// What `prepare` makes: functions, packed weights, scratch.
    type Ready: Debug + Send;
    /// Name in ids.
    const NAME: &'static str;
    /// Whether it computes `op` on such a GPU; the architectures of its units are asked beside it.
    fn accepts(_op: &O, _gpu: &Properties) -> Result<(), Unsupported> {
        Ok(())
    }
    /// The arithmetic that it multiplies in.
    fn arithmetic(op: &O) -> Arithmetic {
        op.arithmetic()
    }
    /// What its sums may be off beside the op's tolerance.
    fn rounding(_op: &O) -> f64 {
        0.0
    }
    /// What is compiled for `op`.
    fn units(op: &O) -> Vec<Unit>;
    /// Packs the weights and allocates all that `run` needs. `modules` are the units, in their order.
    fn ready(op: &O, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Self::Ready, Fault>;
    /// Bytes of packed weights.
    fn resident(_ready: &Self::Ready) -> u64 {
        0
    }
    /// Submits one call.
    fn run(op: &O, ready: &mut Self::Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault>;
}

/// The implementation of which `K` is the part that is its own.
pub(crate) struct Cuda<K>(PhantomData<K>);

impl<K> Cuda<K> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<K> Debug for Cuda<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<K>())
    }
}

impl<O: Op, K: CudaOp<O>> Implementation<O> for Cuda<(O, K)> {
    fn name(&self) -> &'static str {
        K::NAME
    }
    fn backend(&self) -> Backend {
        Backend::Cuda
    }
    fn arithmetic(&self, op: &O) -> Arithmetic {
        K::arithmetic(op)
    }
    fn rounding(&self, op: &O) -> f64 {
        K::rounding(op)
    }
    fn units(&self, op: &O) -> Vec<Unit> {
        K::units(op)
    }
    fn supports(&self, op: &O, device: &dyn Device) -> Result<(), Unsupported> {
        let properties = Gpu::of(device)?.properties();
        op.validate().map_err(|invalid| Unsupported(invalid.0))?;
        K::accepts(op, properties)?;
        for unit in K::units(op) {
            Arch::choose(unit.archs, properties.capability)?;
        }
        nvrtc::compiler().map(drop)
    }
    fn prepare(&self, op: &O, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        let gpu = Gpu::of(device)?.clone();
        let modules = K::units(op).iter().map(|unit| gpu.module(unit)).collect::<Result<Vec<_>, _>>()?;
        let ready = K::ready(op, weights, &modules, &gpu)?;
        Ok(Box::new(Runner::<O, K> { op: op.clone(), ready, gpu }))
    }
}

struct Runner<O: Op, K: CudaOp<O>> {
    op: O,
    ready: K::Ready,
    gpu: Gpu,
}

impl<O: Op, K: CudaOp<O>> Debug for Runner<O, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("op", &self.op).field("ready", &self.ready).finish_non_exhaustive()
    }
}

impl<O: Op, K: CudaOp<O>> Prepared for Runner<O, K> {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        K::run(&self.op, &mut self.ready, &self.gpu, io)
    }
    fn resident(&self) -> u64 {
        K::resident(&self.ready)
    }
}
